//! How much is locked at first, and what the session key is given.

use super::vouch::{SESSION_LAMPORTS, key};
use super::{folder, terms};
use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use crate::output::{duration, parse_duration};
use crate::wallet::amount;
use ionet_api::Quote;
use ionet_core::{Amount, ClusterId, ClusterSpec, Vouch};
use ionet_ledger::{KeypairFile, Ledger, OpenLeaseOrder, SessionGrant, Signer as _};
use ionet_network::limits::FIRST_DEPOSIT_S_MIN;
use ionet_units::{Rate, Seconds};
use serde::{Deserialize, Serialize};

/// What is locked at first with automatic top-up, in seconds of the whole price: what the client
/// adds at a time is half of it.
const FIRST_S: u64 = 3_600;

/// Options of `cluster create` about money.
#[derive(Debug, clap::Args)]
pub(super) struct FundArgs {
    /// Lock money for so long at first [default: the whole ttl; with --auto-top-up an hour]
    #[arg(long, value_parser = parse_duration)]
    fund: Option<u64>,
    /// Let the lease's session key add up to so much more, such as 2.5, while this client runs
    #[arg(long, value_name = "MAX")]
    auto_top_up: Option<String>,
}

/// What a renter decided about money, kept with the intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Funding {
    /// Base units that are locked at first.
    pub(super) deposit: u64,
    /// Base units that the session key may add.
    pub(super) top_up_max: u64,
}

impl Funding {
    /// From the options, for terms that were checked. `min` is the chain's least deposit.
    pub(super) fn of(
        args: &FundArgs,
        spec: &ClusterSpec,
        order: &OpenLeaseOrder,
        min: u64,
    ) -> Result<Self> {
        let more = args.auto_top_up.as_deref().map(|text| amount(spec.asset, text)).transpose()?;
        let top_up_max = more.map_or(0, |more| more.base_units);
        let default = if top_up_max > 0 { FIRST_S } else { spec.ttl_seconds };
        let fund_s = args.fund.unwrap_or(default).min(spec.ttl_seconds);
        if fund_s < FIRST_DEPOSIT_S_MIN.min(spec.ttl_seconds) {
            return Err(Failure::usage(format!(
                "the first deposit must pay for {} at least",
                duration(FIRST_DEPOSIT_S_MIN)
            )));
        }
        let price = Rate(order.rate_total_max).reserved_ceil(Seconds(fund_s));
        let first = price.and_then(|p| p.checked_add(terms::roundings(order.slots_max)));
        let deposit = first.map_or(order.deposit, |first| first.get().max(min).min(order.deposit));
        Ok(Self { deposit, top_up_max })
    }

    /// The most that it can lock in all.
    pub(super) fn most(&self) -> u64 {
        self.deposit.saturating_add(self.top_up_max)
    }

    /// In words, where it is not simply the whole price.
    pub(super) fn text(&self, quote: &Quote) -> Option<String> {
        let asset = quote.terms.asset;
        let part = self.deposit < quote.terms.deposit;
        let first = part.then(|| format!("locked now     {}", Amount::new(asset, self.deposit)));
        let more = (self.top_up_max > 0).then(|| {
            let max = Amount::new(asset, self.top_up_max);
            format!("top-up         up to {max} more by the session key, while this client runs")
        });
        let lines: Vec<_> = [first, more].into_iter().flatten().collect();
        (!lines.is_empty()).then(|| format!("  {}\n", lines.join("\n  ")))
    }
}

/// Whether a lease needs a session key.
pub(super) fn needs_session(spec: &ClusterSpec, funding: &Funding) -> bool {
    spec.vouch == Vouch::Session || funding.top_up_max > 0
}

/// Refuses a top-up where another cluster has one from the same token account: an account has
/// one delegate at a time, and the newer would silently end the older.
pub(super) async fn is_free_for_top_up(
    ledger: &Ledger,
    wallet: &KeypairFile,
    quote: &Quote,
) -> Result<()> {
    let mint = crate::wallet::address_of(&quote.terms.mint);
    let account = ionet_ledger::token::associated_account(&wallet.address(), &mint);
    let delegate = ledger.token_account(&account).await?.and_then(|a| a.delegate);
    match delegate {
        Some((key, left)) if left > 0 => {
            let left = Amount::new(quote.terms.asset, left);
            let message = format!(
                "this wallet's token account lets {key} move {left} already: an account has one \
                 such key at a time, and a second automatic top-up would end the first"
            );
            Err(Failure::new(Kind::Refused, message).hint(
                "close the cluster that it belongs to, rent with another wallet, or leave \
                 --auto-top-up out",
            ))
        }
        Some(_) | None => Ok(()),
    }
}

/// Names the session key in the order, and what it is given; none: there is none. The key is
/// made here, once for each lease, and has no right besides vouching and topping up.
pub(super) fn equip(
    context: &Context,
    id: ClusterId,
    spec: &ClusterSpec,
    funding: &Funding,
    order: &mut OpenLeaseOrder,
) -> Result<Option<SessionGrant>> {
    order.deposit = funding.deposit;
    if !needs_session(spec, funding) {
        return Ok(None);
    }
    let key = key::load_or_create(&folder(context, id))?.address();
    order.session = Some(key);
    Ok(Some(SessionGrant { key, lamports: SESSION_LAMPORTS, top_up_max: funding.top_up_max }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_ledger::Address;
    use ionet_ledger::interface::account::{SessionRights, Vouch as ChainVouch};

    /// An hour of two slots at 3,600 base units an hour in all.
    fn order() -> OpenLeaseOrder {
        OpenLeaseOrder {
            counter: 0,
            mint: Address::from([1; 32]),
            deposit: 3_600 + terms::roundings(2).get(),
            slots_max: 2,
            rate_per_slot_max: 1_800,
            rate_total_max: 3_600,
            expires_at: 0,
            accept_s: 0,
            session: None,
            session_rights: SessionRights::NONE,
            coordinator: Address::from([2; 32]),
            vouch: ChainVouch::Either,
            policy_hash: [0; 32],
        }
    }

    fn of(fund: Option<u64>, more: Option<&str>, ttl_seconds: u64, min: u64) -> Result<Funding> {
        let text = format!(r#"{{"devices":2,"chip":"cpu","ttl_seconds":{ttl_seconds}}}"#);
        let spec = ClusterSpec::from_json(text.as_bytes()).unwrap();
        let args = FundArgs { fund, auto_top_up: more.map(str::to_owned) };
        Funding::of(&args, &spec, &order(), min)
    }

    #[test]
    fn without_options_the_whole_price_is_locked() {
        let all = of(None, None, 3_600, 1).unwrap();
        assert_eq!(all, Funding { deposit: order().deposit, top_up_max: 0 });
    }

    #[test]
    fn a_part_of_it_is_a_part_and_never_less_than_the_chain_takes() {
        let rounding = terms::roundings(2).get();
        assert_eq!(of(Some(600), None, 3_600, 1).unwrap().deposit, 600 + rounding);
        assert_eq!(of(Some(60), None, 3_600, 1_000).unwrap().deposit, 1_000);
        assert_eq!(of(Some(9_999), None, 3_600, 1).unwrap().deposit, order().deposit);
        assert!(of(Some(59), None, 3_600, 1).is_err(), "shorter than the shortest lease");
    }

    #[test]
    fn automatic_top_up_begins_with_an_hour() {
        let day = of(None, Some("1.5"), 86_400, 1).unwrap();
        assert_eq!(day.deposit, order().deposit, "an hour of what a day costs here");
        assert_eq!((day.top_up_max, day.most()), (1_500_000, order().deposit + 1_500_000));
        assert!(of(None, Some("much"), 86_400, 1).is_err());
    }

    #[test]
    fn only_who_needs_one_gets_a_session_key() {
        let spec = |vouch| ClusterSpec {
            vouch,
            ..ClusterSpec::from_json(br#"{"devices":1,"chip":"cpu"}"#).unwrap()
        };
        let funding = |top_up_max| Funding { deposit: 1, top_up_max };
        assert!(!needs_session(&spec(Vouch::Either), &funding(0)));
        assert!(!needs_session(&spec(Vouch::Coordinator), &funding(0)));
        assert!(needs_session(&spec(Vouch::Session), &funding(0)));
        assert!(needs_session(&spec(Vouch::Coordinator), &funding(1)));
    }
}
