//! The network's settings, made once by the program's upgrade authority.

use super::Kind;
use crate::field::{account, layout};
use crate::limits::{
    CLAIM_WINDOW_S, CONFIG_COOLDOWN_S, FEE_BPS_MAX, GRACE_S, MINT_USDC, MINTS, PAYOUT_COOLDOWN_S,
};
use crate::{Address, BaseUnits, Bps, Timestamp};

layout! {
    /// What an admin may set, within the limits of the program, after a cool-down.
    Settings, 168 {
        /// Fee on top of what suppliers earn in USDC, as a share of it.
        0 fee_bps: Bps,
        /// Zero.
        2 reserved: [u8; 6],
        /// Seconds after closing in which served seconds may still be claimed.
        8 claim_window_s: u32,
        /// Seconds that a lease's clock must have stood before anyone may close it.
        12 grace_s: u32,
        /// Seconds before a supplier's new payout address takes effect.
        16 payout_cooldown_s: u32,
        /// Seconds before new settings take effect.
        20 config_cooldown_s: u32,
        /// Smallest deposit of a lease in each mint.
        24 min_deposit: [BaseUnits; MINTS],
        /// Who may propose new settings.
        40 admin: Address,
        /// Whose token accounts fees are swept to.
        72 fee_owner: Address,
        /// USDC and IO. Zero while there is none; once set, it never changes.
        104 mints: [Address; MINTS],
    }
}

impl Settings {
    /// Whether every value is within the program's limits.
    pub fn is_within_limits(&self) -> bool {
        let within = |value: u32, (least, most): (u32, u32)| value >= least && value <= most;
        self.fee_bps.0 <= FEE_BPS_MAX
            && within(self.claim_window_s, CLAIM_WINDOW_S)
            && within(self.grace_s, GRACE_S)
            && within(self.payout_cooldown_s, PAYOUT_COOLDOWN_S)
            && within(self.config_cooldown_s, CONFIG_COOLDOWN_S)
            && self.admin != [0; 32]
            && self.fee_owner != [0; 32]
            && (self.mints[0] == [0; 32] || self.mints[0] != self.mints[1])
            && self.reserved == [0; 6]
    }

    /// Whether `next` keeps every mint that is set: asks name mints by their index, so a mint
    /// that changed would turn an ask in dollars into one in something else.
    pub fn keeps_mints(&self, next: &Self) -> bool {
        (0..MINTS).all(|i| self.mints[i] == [0; 32] || self.mints[i] == next.mints[i])
    }

    /// Index of a mint among the allowed.
    pub fn mint_index(&self, mint: &Address) -> Option<u8> {
        if *mint == [0; 32] {
            return None;
        }
        (0..MINTS as u8).find(|i| self.mints[usize::from(*i)] == *mint)
    }

    /// The fee for leases in this mint: none for the network's own token.
    pub fn fee_for(&self, mint_index: u8) -> Bps {
        if mint_index == MINT_USDC { self.fee_bps } else { Bps(0) }
    }
}

layout! {
    /// The settings in force, and those that wait.
    Config, 384 {
        /// [`Kind::Config`].
        0 kind: u8,
        /// [`super::LAYOUT_VERSION`].
        1 version: u8,
        /// Bump of the address.
        2 bump: u8,
        /// Zero.
        3 reserved: [u8; 5],
        /// In force.
        8 now: Settings,
        /// Hash of the chain's first block: stands in every signed statement.
        176 genesis_hash: Address,
        /// When `next` may be applied; zero when nothing waits.
        208 next_at: Timestamp,
        /// Waits.
        216 next: Settings,
    }
}
account!(Config, Kind::Config);
