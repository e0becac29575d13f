//! Limits that no setting can pass, each with its reason.

/// Constants that the program's IDL tells too.
macro_rules! limits {
    ($($(#[doc = $doc:literal])* pub const $name:ident: $ty:ty = $value:expr;)*) => {
        $($(#[doc = $doc])* pub const $name: $ty = $value;)*

        /// Every limit.
        #[cfg(feature = "idl")]
        pub fn all() -> alloc::vec::Vec<crate::idl::Limit> {
            alloc::vec![$(crate::idl::Limit {
                name: stringify!($name),
                docs: &[$($doc),*],
                range: crate::idl::Ranged::range($name),
            }),*]
        }
    };
}

limits! {
    /// Lines in one page. A page of 24 lines is 3,344 bytes: it is made in one instruction (which
    /// may grow an account by 10,240), and 24 served figures fit one transaction.
    pub const LINES_PER_PAGE: u8 = 24;

    /// Slots in one lease. A page number is 16 bits; ten thousand devices are more than the
    /// largest cluster that anyone asked for, and bound what one lost coordinator key can bind.
    pub const SLOTS_MAX: u16 = 10_000;

    /// Pages in one lease: replaced devices take new lines, so there may be more lines than slots.
    pub const PAGES_MAX: u16 = 4_096;

    /// The fee's cap in basis points: the most that a lost admin key can charge new leases.
    pub const FEE_BPS_MAX: u16 = 500;

    /// Longest acceptance window, in seconds. It is use for free, so it must be short.
    pub const ACCEPT_S_MAX: u8 = 120;

    /// Longest term of a lease, in seconds (400 days): keeps every sum of times far from overflow.
    pub const LEASE_S_MAX: u64 = 400 * 86_400;

    /// Longest life of a device's registration statement, in seconds: a week is enough to carry it
    /// to a wallet that lives elsewhere.
    pub const STATEMENT_S_MAX: u64 = 7 * 86_400;

    /// Claim window, in seconds: at least one, so that closing never voids the last claims at once;
    /// at most 30 days, so that a renter's rest is never held longer.
    pub const CLAIM_WINDOW_S: (u32, u32) = (1, 30 * 86_400);

    /// Grace before anyone may close a lease whose clock stands, in seconds.
    pub const GRACE_S: (u32, u32) = (1, 86_400);

    /// Grace unless the configuration says otherwise, in seconds: as long as a supplier waits for
    /// a receipt before it may stop.
    pub const GRACE_S_DEFAULT: u32 = 600;

    /// Cool-down of a supplier's payout address, in seconds.
    pub const PAYOUT_COOLDOWN_S: (u32, u32) = (1, 30 * 86_400);

    /// Cool-down of a change of the configuration, in seconds.
    pub const CONFIG_COOLDOWN_S: (u32, u32) = (1, 30 * 86_400);

    /// Coordinators that one device can name. Four fit the account's fixed size; more than that is
    /// "any".
    pub const COORDINATORS_MAX: usize = 4;

    /// Mints that a network allows: [`MINT_USDC`] and [`MINT_IO`].
    pub const MINTS: usize = 2;

    /// Index of the dollar coin among the mints. It pays the fee.
    pub const MINT_USDC: u8 = 0;

    /// Index of the network's own token among the mints. It pays no fee.
    pub const MINT_IO: u8 = 1;

    /// Largest transaction, in bytes. LiteSVM does not check it; Solana does.
    pub const TRANSACTION_BYTES_MAX: usize = 1_232;

    /// Most accounts that one transaction can lock.
    pub const TRANSACTION_ACCOUNTS_MAX: usize = 64;

    /// Most lines in one `bind` call: each brings its device's address, and a transaction without
    /// a lookup table ends at [`TRANSACTION_BYTES_MAX`].
    pub const BIND_LINES_MAX: usize = 16;

    /// Most lines in one call that names devices or token accounts without further data.
    pub const ACCOUNT_LINES_MAX: usize = 20;
}
