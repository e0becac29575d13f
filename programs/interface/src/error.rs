//! Every refusal of the program, numbered for ever: new ones are appended.

use crate::clock::ClockError;
use crate::field::LayoutError;
use core::fmt;

/// Our codes start here, so that the token program's (from 0) are not taken for ours.
pub const CODE_BASE: u32 = 7_000;

macro_rules! errors {
    ($($(#[doc = $doc:literal])* $code:literal $name:ident: $advice:literal),* $(,)?) => {
        /// Why the program refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum MarketError { $($(#[doc = $doc])* $name = $code),* }

        impl MarketError {
            /// Every error.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The transaction's custom error code: [`CODE_BASE`] and its number.
            pub const fn code(self) -> u32 {
                CODE_BASE + self as u32
            }

            /// The error of this custom error code, if it is one of ours.
            pub const fn from_code(code: u32) -> Option<Self> {
                match code.wrapping_sub(CODE_BASE) { $($code => Some(Self::$name),)* _ => None }
            }

            /// Its name in the program.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// What happened and what to do, in one line.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice),* }
            }

            /// What it is, as the source says.
            #[cfg(feature = "idl")]
            pub const fn docs(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($doc),*]),* }
            }
        }
    };
}

errors! {
    /// The data is no instruction.
    1 BadInstruction: "the instruction cannot be read: update ionet",
    /// An account that must sign did not.
    2 MissingSigner: "a required signature is missing: sign with that wallet",
    /// An account that changes was given read-only.
    3 NotWritable: "an account must be writable: update ionet",
    /// Too few accounts.
    4 NotEnoughAccounts: "the instruction names too few accounts: update ionet",
    /// An account belongs to another program.
    5 WrongOwner: "an account does not belong to the expected program: check its address",
    /// An account of ours is of another kind or version.
    6 WrongKind: "an account is of another kind or layout version: check its address",
    /// An account is not at the address that follows from its seeds or its lease.
    7 WrongAddress: "an account is not the one that belongs here: check its address",
    /// The account exists already.
    8 AlreadyExists: "this was made before: read it instead of making it again",
    /// The token program is not SPL Token.
    9 WrongTokenProgram: "only SPL Token is taken; Token-2022 is not",
    /// The mint is not an allowed one, or not the lease's.
    10 WrongMint: "use one of the two mints in the configuration, and the lease's own",
    /// The token account belongs to someone else.
    11 WrongTokenOwner: "the token account must belong to whoever is to be paid",
    /// The token account is missing, frozen or not a token account.
    12 BadTokenAccount: "the token account is missing, frozen or malformed: create or thaw it",
    /// The vault has a delegate or a close authority.
    13 TamperedVault: "the vault is not as it was made: report this",
    /// The signer may not upgrade the program.
    14 NotUpgradeAuthority: "only the program's upgrade authority makes the configuration",
    /// The signer is not the admin.
    15 NotAdmin: "only the admin proposes new settings",
    /// The signer does not own the device.
    16 NotSupplier: "only the wallet that registered the device may do this",
    /// The signer is not the lease's coordinator.
    17 NotCoordinator: "only the coordinator that the lease names may do this",
    /// The signer is not one of those who may do this.
    18 NotAllowed: "this key has no right to do this with this lease",
    /// An older leader of the coordinator acts.
    19 StaleEpoch: "another leader has taken over this lease: stop acting for it",
    /// A sum left 64 bits.
    20 Overflow: "an amount, rate or time is too large",
    /// A setting is outside of the program's limits.
    21 BadSetting: "a setting is outside of the program's limits, or changes a mint",
    /// Nothing waits to be applied.
    22 NothingPending: "no change of the settings waits",
    /// The cool-down is not over.
    23 CooldownRunning: "wait until the cool-down is over",
    /// No signed statement stands right before this instruction.
    24 StatementMissing: "put the signed statement right before this instruction",
    /// What was signed is not what this instruction needs: another device, line, chain or figure.
    25 StatementMismatch: "something else was signed: ask its signer for a new statement",
    /// The statement is too old, or valid for too long.
    26 StatementExpired: "the statement has expired: run `ionet device request` again",
    /// The device's offer is over.
    27 DeviceExpired: "the device's offer has expired: its supplier must renew it",
    /// The device still holds units for lines.
    28 DeviceInUse: "end the device's lines first",
    /// The device has fewer free units.
    29 UnitsExhausted: "the device has no such number of free units: choose another",
    /// The device does not accept this coordinator.
    30 CoordinatorNotAccepted: "the supplier does not accept this coordinator",
    /// The device asks nothing in this mint.
    31 MintNotAccepted: "the supplier does not accept the lease's mint",
    /// The rate is below the device's ask.
    32 RateBelowAsk: "the rate is below the device's ask",
    /// The rate is above the lease's ceiling for a slot.
    33 RateAboveSlotCeiling: "the rate is above what the renter pays for one slot",
    /// The rates are above the lease's ceiling in total.
    34 RateAboveTotalCeiling: "the rates are above what the renter pays in total",
    /// All slots are taken.
    35 SlotsExhausted: "all slots of the lease are taken",
    /// The page has no room.
    36 PageFull: "the page is full: use the next one",
    /// The page is not the one that was named, or not of this lease.
    37 WrongPage: "the page does not belong to this lease, or has another number",
    /// There is no such line.
    38 NoSuchLine: "the page has no line of this index",
    /// The line is not in a state that allows this.
    39 WrongLineState: "the line is not in a state that allows this",
    /// The device is not the line's.
    40 WrongDevice: "the device's account must be that of the line",
    /// The deposit is below the least.
    41 DepositTooSmall: "the deposit is below the network's minimum",
    /// Nothing is left of the deposit.
    42 DepositExhausted: "the deposit is used up: top up the lease",
    /// The lease is not open.
    43 LeaseNotOpen: "the lease is closed",
    /// The lease is not closed yet, or finalized already.
    44 LeaseNotClosed: "the lease must be closed, and not finalized",
    /// The lease is not finalized.
    45 LeaseNotFinalized: "finalize the lease first",
    /// The lease's time is over.
    46 LeaseExpired: "the lease's time is over: open a new one",
    /// Claims can still be made.
    47 ClaimWindowOpen: "wait until the claim window has ended",
    /// Claims can no longer be made.
    48 ClaimWindowOver: "the claim window has ended",
    /// The line can no longer be rejected.
    49 AcceptanceOver: "the acceptance window has ended: end the line instead",
    /// The line can still be rejected.
    50 AcceptanceRunning: "wait until the renter can no longer reject the line",
    /// More seconds were vouched for than the lease's clock has run.
    51 ServedPastClock: "more seconds than have passed since the line's start",
    /// The counter is not the renter's next.
    52 WrongCounter: "another lease was opened meanwhile: read the counter again",
    /// The lease's clock runs, or has not stood for long enough.
    53 ClockRuns: "the lease is funded, or has not been out of funds for the grace period",
    /// Suppliers or the fee owner have not drawn everything.
    54 StillOwed: "something is still owed: withdraw and sweep first",
    /// Pages of the lease remain.
    55 PagesRemain: "reclaim the lease's pages first",
    /// Lines of the page still hold units of devices.
    56 UnitsHeld: "end the page's lines first, to free their devices",
    /// The term is zero, in the past or too long.
    57 BadTerm: "the lease must end in the future, within 400 days",
    /// A ceiling, count or choice of the instruction makes no sense.
    58 BadArgument: "an argument is zero, too large or contradictory",
    /// The instruction is reserved.
    59 NotSupported: "this instruction is not in force yet",
    /// The reason is not one that a coordinator can give.
    60 BadReason: "give one of the coordinator's reasons",
    /// A sysvar could not be read.
    61 BadSysvar: "the chain's clock or rent cannot be read",
    /// The source does not hold enough.
    62 InsufficientFunds: "the token account does not hold enough: add funds",
}

impl fmt::Display for MarketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (market error {}, {})", self.advice(), self.code(), self.name())
    }
}

impl core::error::Error for MarketError {}

impl From<ClockError> for MarketError {
    fn from(error: ClockError) -> Self {
        match error {
            ClockError::Overflow => Self::Overflow,
            ClockError::DepositExhausted => Self::DepositExhausted,
            ClockError::Expired => Self::LeaseExpired,
        }
    }
}

impl From<LayoutError> for MarketError {
    fn from(_: LayoutError) -> Self {
        Self::WrongKind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_come_back() {
        for (i, error) in MarketError::ALL.iter().enumerate() {
            assert_eq!(error.code(), CODE_BASE + i as u32 + 1, "{}", error.name());
            assert_eq!(MarketError::from_code(error.code()), Some(*error));
        }
        assert_eq!(MarketError::from_code(0), None);
        assert_eq!(MarketError::from_code(CODE_BASE), None);
    }
}
