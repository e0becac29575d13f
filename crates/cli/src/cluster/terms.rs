//! What the coordinator asks the wallet to sign, against what the user asked for and what the
//! chain says. The coordinator is not trusted with any of it.

use ionet_api::Quote;
use ionet_core::{Asset, ClusterSpec, GenesisHash, ProgramId, Vouch, Wallet};
use ionet_ledger::interface::account::{SessionRights, Vouch as ChainVouch};
use ionet_ledger::{Address, OpenLeaseOrder};
use ionet_network::accept_s_max;
use ionet_units::{BaseUnits, Bps, Rate, Seconds, checked_mul};

/// Seconds by which a lease may outlive its ttl: the quote's life, a quarter of an hour for the
/// start, and clocks that differ. The deposit does not grow with them.
const EXPIRY_SLACK_SECONDS: i64 = 1_200;
/// Base units beyond price times time that a deposit may hold for roundings: three for each
/// line, of which there may be 64 more than slots for substitutes.
const ROUNDING_PER_LINE: u64 = 3;
const SUBSTITUTE_LINES: u64 = 64;
/// Seconds in which a line may be refused free of charge.
const ACCEPT_SECONDS: u8 = 30;
/// The same where it is looked at from inside first: the most that the program allows.
const CHECKED_ACCEPT_SECONDS: u8 = 120;

/// Seconds in which a line may be refused; more where it is looked at first. Never so many that a
/// coordinator would have to close the lease.
pub(super) fn accept_seconds(claim_window_s: u64, looks: bool) -> u8 {
    let wanted = if looks { CHECKED_ACCEPT_SECONDS } else { ACCEPT_SECONDS };
    accept_s_max(claim_window_s).min(wanted)
}

/// What the chain itself says.
#[derive(Debug, Clone)]
pub(crate) struct ChainFacts {
    /// Its first hash.
    pub(crate) genesis: GenesisHash,
    /// The program that this client agrees to sign for.
    pub(crate) program: ProgramId,
    /// Mints of USDC and IO.
    pub(crate) mints: [Wallet; 2],
    /// The fee for USDC.
    pub(crate) fee: Bps,
    /// The chain's clock.
    pub(crate) now: i64,
}

/// What must hold besides the spec.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// What was asked for.
    pub(crate) spec: ClusterSpec,
    /// The coordinator that serves at the address which the user named.
    pub(crate) coordinator: Wallet,
}

/// Why nothing is signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the coordinator's terms are not what you asked for: {0}; nothing was signed")]
pub(crate) struct Mismatch(String);

fn ensure(fine: bool, what: impl FnOnce() -> String) -> Result<(), Mismatch> {
    if fine { Ok(()) } else { Err(Mismatch(what())) }
}

/// Checks a quote. Returns what may be signed, but for the counter.
pub(crate) fn check(
    quote: &Quote,
    expected: &Expected,
    facts: &ChainFacts,
) -> Result<OpenLeaseOrder, Mismatch> {
    let (terms, spec) = (&quote.terms, &expected.spec);
    ensure(quote.spec == *spec, || "the spec was changed".into())?;
    let policy = quote.spec.policy_hash();
    ensure(terms.policy_hash == hex::encode(policy), || "the spec's hash is wrong".into())?;
    ensure(terms.slots == u32::from(spec.devices), || format!("{} slots", terms.slots))?;
    ensure(terms.chips_per_slot == spec.chips_per_device, || "chips per slot".into())?;
    ensure(terms.asset == spec.asset, || format!("paid in {}", terms.asset))?;
    let mint = facts.mints[usize::from(spec.asset == Asset::Io)];
    ensure(terms.mint == mint, || format!("the mint {}", terms.mint))?;
    ensure(terms.coordinator == expected.coordinator, || "another coordinator".into())?;
    let fee = if spec.asset == Asset::Io { Bps(0) } else { facts.fee };
    ensure(terms.fee_bps == fee.0, || {
        format!("a fee of {}, the chain says {fee}", Bps(terms.fee_bps))
    })?;
    let (per_slot, total) = rates(quote, spec, fee)?;
    times_and_deposit(quote, expected, facts, total)?;
    Ok(OpenLeaseOrder {
        counter: 0,
        mint: Address::from(mint.0),
        deposit: terms.deposit,
        slots_max: spec.devices,
        rate_per_slot_max: per_slot,
        rate_total_max: total.0,
        expires_at: terms.expires_at,
        accept_s: ACCEPT_SECONDS,
        session: None,
        session_rights: SessionRights::NONE,
        coordinator: Address::from(terms.coordinator.0),
        vouch: match spec.vouch {
            Vouch::Coordinator => ChainVouch::Coordinator,
            Vouch::Session => ChainVouch::Session,
            Vouch::Either => ChainVouch::Either,
        },
        policy_hash: policy,
    })
}

/// The ceilings per slot (without the fee) and in total (with it).
fn rates(quote: &Quote, spec: &ClusterSpec, fee: Bps) -> Result<(u64, Rate), Mismatch> {
    let terms = &quote.terms;
    let over = || Mismatch("a price beyond 64 bits".into());
    if let Some(max) = spec.rate_per_chip_max {
        ensure(terms.rate_per_chip_max <= max, || "a rate above your ceiling".into())?;
    }
    let per_slot =
        checked_mul(terms.rate_per_chip_max, u64::from(spec.chips_per_device)).ok_or_else(over)?;
    let gross = fee.gross_ceil(Rate(per_slot)).ok_or_else(over)?;
    let all = checked_mul(gross.0, u64::from(spec.devices)).ok_or_else(over)?;
    ensure(terms.rate_total_max <= all, || "a total above the sum of its slots".into())?;
    Ok((per_slot, Rate(all)))
}

/// What a deposit holds for roundings.
pub(super) fn roundings(slots: u16) -> BaseUnits {
    BaseUnits(ROUNDING_PER_LINE * (u64::from(slots) + SUBSTITUTE_LINES))
}

fn times_and_deposit(
    quote: &Quote,
    expected: &Expected,
    facts: &ChainFacts,
    total: Rate,
) -> Result<(), Mismatch> {
    let (terms, spec) = (&quote.terms, &expected.spec);
    let ttl = i64::try_from(spec.ttl_seconds).unwrap_or(i64::MAX);
    let latest = facts.now.saturating_add(ttl).saturating_add(EXPIRY_SLACK_SECONDS);
    ensure(terms.expires_at > facts.now && terms.expires_at <= latest, || {
        "an end that is not the ttl's".into()
    })?;
    let price = total
        .reserved_ceil(Seconds(spec.ttl_seconds))
        .ok_or_else(|| Mismatch("a price beyond 64 bits".into()))?;
    let fair = price.checked_add(roundings(spec.devices)).unwrap_or(price);
    ensure(terms.deposit <= fair.0, || "a deposit above price times time".into())?;
    ensure(quote.cost_max.base_units <= fair.0, || "a cost above price times time".into())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_api::{LeaseTerms, Money};
    use ionet_core::Amount;

    const NOW: i64 = 1_800_000_000;

    fn facts() -> ChainFacts {
        ChainFacts {
            genesis: GenesisHash([1; 32]),
            program: ProgramId([2; 32]),
            mints: [Wallet([3; 32]), Wallet([4; 32])],
            fee: Bps(200),
            now: NOW,
        }
    }

    fn fair() -> (Quote, Expected) {
        let spec = ClusterSpec::from_json(br#"{"devices":3,"chip":"cpu"}"#).unwrap();
        let money = |n| Money::from(Amount::new(Asset::Usdc, n));
        let terms = LeaseTerms {
            coordinator: Wallet([5; 32]),
            asset: Asset::Usdc,
            mint: Wallet([3; 32]),
            slots: 3,
            chips_per_slot: 1,
            rate_per_chip_max: 50_000,
            rate_total_max: 153_000,
            deposit: 153_030,
            expires_at: NOW + 3_600,
            policy_hash: hex::encode(spec.policy_hash()),
            fee_bps: 200,
        };
        let quote = Quote {
            spec: spec.clone(),
            devices: Vec::new(),
            rate: money(150_000),
            cost_max: money(153_000),
            terms,
            expires_at: NOW + 60,
            seal: "s".into(),
        };
        (quote, Expected { spec, coordinator: Wallet([5; 32]) })
    }

    #[test]
    fn suppliers_can_claim_after_the_acceptance_window() {
        for (claim_window_s, looks, plain) in
            [(86_400, 120, 30), (135, 120, 30), (60, 45, 30), (20, 5, 5), (0, 0, 0)]
        {
            assert_eq!(accept_seconds(claim_window_s, true), looks);
            assert_eq!(accept_seconds(claim_window_s, false), plain);
        }
    }

    #[test]
    fn fair_terms_become_the_order() {
        let (quote, expected) = fair();
        let order = check(&quote, &expected, &facts()).unwrap();
        assert_eq!((order.slots_max, order.rate_per_slot_max), (3, 50_000));
        assert_eq!((order.rate_total_max, order.deposit), (153_000, 153_030));
        assert_eq!(order.policy_hash, expected.spec.policy_hash());
    }

    #[test]
    fn each_greedy_term_is_refused() {
        type Edit = fn(&mut Quote, &mut Expected);
        let edits: [(&str, Edit); 13] = [
            ("spec", |q, _| q.spec.devices = 4),
            ("hash", |q, _| q.terms.policy_hash = "00".repeat(32)),
            ("slots", |q, _| q.terms.slots = 4),
            ("chips", |q, _| q.terms.chips_per_slot = 2),
            ("paid in", |q, _| q.terms.asset = Asset::Io),
            ("mint", |q, _| q.terms.mint = Wallet([9; 32])),
            ("coordinator", |q, _| q.terms.coordinator = Wallet([9; 32])),
            ("fee", |q, _| q.terms.fee_bps = 201),
            ("total", |q, _| q.terms.rate_total_max = 153_001),
            ("deposit", |q, _| q.terms.deposit = 200_000),
            ("cost", |q, _| q.cost_max.base_units = 200_000),
            ("end", |q, _| q.terms.expires_at = NOW + 86_400),
            ("ceiling", |q, e| {
                e.spec.rate_per_chip_max = Some(49_999);
                q.spec = e.spec.clone();
                q.terms.policy_hash = hex::encode(q.spec.policy_hash());
            }),
        ];
        for (word, edit) in edits {
            let (mut quote, mut expected) = fair();
            edit(&mut quote, &mut expected);
            let why = check(&quote, &expected, &facts()).unwrap_err().to_string();
            assert!(why.contains(word), "{word}: {why}");
        }
    }
}
