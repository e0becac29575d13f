//! `ionet device draw`: a supplier takes what its devices have earned.

use crate::context::{Context, wallet_of};
use crate::failure::Result;
use crate::wallet::{address_of, ledger};
use ionet_api::Money;
use ionet_core::{Amount, Asset, Wallet};
use ionet_ledger::PlacedLine;

/// Does it: every lease whose lines pay this wallet.
pub(crate) async fn run(context: &Context) -> Result<()> {
    let key = context.key()?;
    let wallet = wallet_of(&key);
    let ledger = ledger(context)?;
    let mints = crate::wallet::mints(&ledger).await?;
    let network: ionet_api::Network = context.rest()?.get("/v1/network").await?;
    let leases = ledger.leases_of_coordinator(&address_of(&network.coordinator)).await?;
    let mut drawn = [Amount::new(Asset::Usdc, 0), Amount::new(Asset::Io, 0)];
    for (address, lease) in leases {
        let lines = ledger.lines(&address, &lease).await?;
        let mine: Vec<PlacedLine> =
            lines.into_iter().filter(|l| Wallet(l.line.payout_owner) == wallet).collect();
        let due = due(&mine);
        if due == 0 {
            continue;
        }
        ledger.withdraw(&key, &address, &lease, &mine).await?;
        let asset = usize::from(mints[1].1.to_bytes() == lease.mint);
        drawn[asset].base_units = drawn[asset].base_units.saturating_add(due);
    }
    let answer: Vec<Money> = drawn.iter().map(|a| Money::from(*a)).collect();
    context.out.answer(&answer, || format!("drawn: {}, {}", drawn[0], drawn[1]))
}

/// What the lines have earned and not been paid, in base units.
fn due(lines: &[PlacedLine]) -> u64 {
    let of = |l: &PlacedLine| {
        l.line.owed().map_or(0, |owed| owed.get().saturating_sub(l.line.paid.get()))
    };
    lines.iter().map(of).fold(0, u64::saturating_add)
}
