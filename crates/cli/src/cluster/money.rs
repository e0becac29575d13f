//! Money steps that the renter's own wallet takes: close, top up.

use super::{folder, progress, tunnel, view, vouch};
use crate::context::{Context, wallet_of};
use crate::failure::{Failure, Kind, Result};
use crate::wallet::{address_of, amount, ledger};
use ionet_api::Cluster;
use ionet_core::{Amount, Asset, ClusterId, Wallet};
use ionet_ledger::Signer as _;
use ionet_ledger::interface::account::{CloseReason, LeaseState};

/// Parts get their grace and the last seconds are attested: longer than that is worth a word.
const STOP_SECONDS_MAX: u64 = 120;

/// `ionet cluster close`: the wallet closes on-chain first, so that the refund needs nobody.
pub(crate) async fn close(context: &Context, id: ClusterId, no_wait: bool) -> Result<()> {
    let answer = close_lease(context, id, no_wait).await?;
    context.out.answer(&answer, || {
        let cluster = serde_json::from_value::<Cluster>(answer["cluster"].clone());
        let Ok(cluster) = cluster else { return String::new() };
        let shown = view::render(context.out, &cluster);
        format!(
            "{shown}\nsuppliers draw what they earned; the rest comes back after the claim window"
        )
    })
}

/// The same, for others to answer with: lease, refund, and the cluster where the coordinator
/// answers.
pub(super) async fn close_lease(
    context: &Context,
    id: ClusterId,
    no_wait: bool,
) -> Result<serde_json::Value> {
    let key = context.key()?;
    let ledger = ledger(context)?;
    let rest = context.signed_in().await;
    let lease_at = match &rest {
        Ok(rest) => rest.get::<Cluster>(&format!("/v1/clusters/{id}")).await?.lease,
        // Without the coordinator the chain alone knows: closing must not need it.
        Err(f) if f.kind == Kind::Unreachable => find_lease(&ledger, &wallet_of(&key), id).await?,
        Err(_) => return rest.map(|_| serde_json::Value::Null),
    };
    let address = address_of(&lease_at);
    // What was seen until now is signed and sent before the clock stops.
    vouch::stop(&folder(context, id)).await;
    let mut refunded = None;
    let mint;
    match ledger.lease(&address).await? {
        Some(lease) if lease.state == LeaseState::Open => {
            mint = lease.mint;
            let before = ledger.tokens(&key.address(), &mint.into()).await?;
            ledger.close(&key, &address, &lease, 0, CloseReason::Renter).await?;
            let after = ledger.tokens(&key.address(), &mint.into()).await?;
            refunded = Some((after.saturating_sub(before), mint));
        }
        Some(_) => context.out.say("the lease is closed on-chain already"),
        None => context.out.say("no lease was opened for it"),
    }
    tunnel::stop(context, id).await;
    vouch::tidy(context, &ledger, &key, &folder(context, id)).await;
    let mut answer = serde_json::json!({ "id": id, "lease": lease_at });
    if let Some((units, mint)) = refunded {
        let asset = asset_of(&ledger, mint).await?;
        let back = Amount::new(asset, units);
        context.out.say(format!("closed on-chain; {back} came back at once"));
        answer["refunded"] = serde_json::json!(ionet_api::Money::from(back));
    }
    let Ok(rest) = rest else {
        context.out.say("the coordinator does not answer; it stops the parts when it is back");
        return Ok(answer);
    };
    let key_of_close = format!("close-{}", id.short());
    let mut cluster: Cluster = rest
        .post_once(&format!("/v1/clusters/{id}/close"), &serde_json::json!({}), &key_of_close)
        .await?;
    if !no_wait {
        cluster = progress::wait(
            &rest,
            id,
            STOP_SECONDS_MAX,
            |_| (),
            |c| {
                let stopped =
                    c.members.iter().all(|m| !matches!(m.state.as_str(), "running" | "ready"));
                (c.state.is_final() || stopped && !c.members.is_empty()).then_some(Ok(()))
            },
        )
        .await?;
    }
    let _ = std::fs::remove_dir_all(folder(context, id));
    answer["cluster"] = serde_json::json!(cluster);
    Ok(answer)
}

pub(super) async fn find_lease(
    ledger: &ionet_ledger::Ledger,
    renter: &Wallet,
    id: ClusterId,
) -> Result<Wallet> {
    let leases = ledger.leases_of_renter(&address_of(renter)).await?;
    leases
        .into_iter()
        .map(|(at, _)| Wallet(at.to_bytes()))
        .find(|at| ClusterId::of_lease(at) == id)
        .ok_or_else(|| Failure::not_found(format!("this wallet has no lease for {id}")))
}

async fn asset_of(ledger: &ionet_ledger::Ledger, mint: [u8; 32]) -> Result<Asset> {
    let config = ledger.config().await?;
    Ok(if config.now.mints[1] == mint { Asset::Io } else { Asset::Usdc })
}

/// `ionet cluster top-up`.
pub(crate) async fn top_up(context: &Context, id: ClusterId, text: &str, yes: bool) -> Result<()> {
    let key = context.key()?;
    let rest = context.signed_in().await?;
    let cluster: Cluster = rest.get(&format!("/v1/clusters/{id}")).await?;
    let more = amount(cluster.terms.asset, text)?;
    if more.base_units == 0 {
        return Err(Failure::usage("nothing to add"));
    }
    let ledger = ledger(context)?;
    let address = address_of(&cluster.lease);
    let lease = ledger
        .lease(&address)
        .await?
        .filter(|l| l.state == LeaseState::Open)
        .ok_or_else(|| Failure::refused("the lease is not open any more"))?;
    if Wallet(lease.renter) != wallet_of(&key) {
        return Err(Failure::new(Kind::Auth, "the lease is another wallet's"));
    }
    let held = ledger.tokens(&key.address(), &lease.mint.into()).await?;
    if held < more.base_units {
        let has = Amount::new(more.asset, held);
        return Err(Failure::new(Kind::Money, format!("the wallet has {has}, not {more}")));
    }
    context.out.confirm(&format!("Add {more} to the deposit of {id}?"), yes)?;
    let signature = ledger.top_up(&key, &address, &lease, more.base_units).await?;
    let answer = serde_json::json!({ "signature": signature.to_string(), "added": more });
    context.out.answer(&answer, || format!("added {more}: {signature}"))
}
