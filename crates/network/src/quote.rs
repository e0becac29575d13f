//! What a cluster would cost. A quote holds nothing.

use crate::At;
use crate::limits::{QUOTE_LIFE_MS, SUBSTITUTE_LINES_ALLOWED};
use ionet_core::{Asset, ClusterSpec};
use ionet_placement::{Candidate, Choice, Placer, Refusal, Request, Scan};
use ionet_units::{BaseUnits, Bps, Rate, Seconds};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The terms that a renter signs: ceilings, deposit and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteTerms {
    /// What is paid in.
    pub asset: Asset,
    /// Devices.
    pub slots: u16,
    /// Ceiling on each device's rate for all its wanted chips, without the fee.
    pub rate_per_slot_max: Rate,
    /// Ceiling on all rates together, with the fee.
    pub rate_total_max: Rate,
    /// The fee.
    pub fee: Bps,
    /// How long.
    pub ttl: Seconds,
    /// The most that it can cost, fee included.
    pub cost_max: BaseUnits,
    /// What must be paid in: the most that it can cost, and what roundings may set aside.
    pub deposit: BaseUnits,
    /// When it was made.
    pub quoted_at: At,
    /// Until when it may be taken.
    pub until: At,
}

/// Terms and the devices that would be chosen now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The terms.
    pub terms: QuoteTerms,
    /// The devices that would serve if the lease were funded now.
    pub expected: Choice,
}

/// Why there is no quote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// Nothing that fits is free.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The price does not fit 64 bits.
    #[error("the price of this cluster exceeds 64 bits")]
    Overflow,
}

/// Prices `spec` against what is free now.
///
/// The ceiling per chip is the spec's own, or else the ask of the dearest chosen device.
pub fn quote(
    spec: &ClusterSpec,
    candidates: &[Candidate],
    now: At,
    fee: Bps,
) -> Result<Quote, QuoteError> {
    // The network's own token pays no fee.
    let fee = match spec.asset {
        Asset::Usdc => fee,
        Asset::Io => Bps(0),
    };
    let request = Request {
        spec,
        want: spec.devices,
        rate_per_chip_max: spec.rate_per_chip_max,
        rate_total_max: None,
        fee,
        exclude: &BTreeSet::new(),
        near: None,
    };
    let expected = Scan(candidates)
        .place(&request)
        .map_err(|refusal| QuoteError::Refused(Box::new(refusal)))?;
    let chips = u64::from(spec.chips_per_device);
    let dearest = expected.members.iter().map(|m| m.rate).max().unwrap_or(0);
    let rate_per_slot_max = match spec.rate_per_chip_max {
        Some(max) => ionet_units::checked_mul(max, chips).ok_or(QuoteError::Overflow)?,
        None => dearest,
    };
    let terms = terms(spec, Rate(rate_per_slot_max), now, fee).ok_or(QuoteError::Overflow)?;
    Ok(Quote { terms, expected })
}

/// The terms for `spec` at a ceiling per slot. `None` on overflow.
fn terms(spec: &ClusterSpec, per_slot: Rate, now: At, fee: Bps) -> Option<QuoteTerms> {
    let gross = fee.gross_ceil(per_slot)?;
    let total = Rate(ionet_units::checked_mul(gross.0, u64::from(spec.devices))?);
    let ttl = Seconds(spec.ttl_seconds);
    Some(QuoteTerms {
        asset: spec.asset,
        slots: spec.devices,
        rate_per_slot_max: per_slot,
        rate_total_max: total,
        fee,
        ttl,
        cost_max: total.reserved_ceil(ttl)?,
        deposit: deposit_needed(spec.devices, total, ttl)?,
        quoted_at: now,
        until: now.plus_ms(QUOTE_LIFE_MS),
    })
}

/// The deposit that pays `rate_total` (fees included) for `ttl` whatever happens: rounded up;
/// and for each line, substitutes too, one base unit that its start sets aside and one each
/// for the rounding of the clock's move at its start and at its end. `None` on overflow.
pub fn deposit_needed(slots: u16, rate_total: Rate, ttl: Seconds) -> Option<BaseUnits> {
    let lines = u64::from(slots) + SUBSTITUTE_LINES_ALLOWED;
    rate_total.reserved_ceil(ttl)?.checked_add(BaseUnits(3 * lines))
}
