//! What the renter's side does on the chain itself.

use super::count::Seen;
use super::key;
use crate::context::Context;
use crate::failure::Result;
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::Lease;
use ionet_ledger::{Address, KeypairFile, Ledger, PlacedLine, Signer as _};
use std::path::Path;

/// Vouches for `seen` by transactions of `signer`: for when nobody carries receipts. Lines in
/// their acceptance window are left for later, and what the chain knows is not sent again.
/// Returns for how many lines it was done.
pub(super) async fn attest(
    ledger: &Ledger,
    signer: &KeypairFile,
    (address, lease): (&Address, &Lease),
    lines: &[PlacedLine],
    clock: Timestamp,
    seen: &[Seen],
) -> Result<usize> {
    let mut done = 0;
    for page in lines.chunk_by(|a, b| a.page == b.page) {
        let figure = |placed: &PlacedLine| {
            let about = |s: &&Seen| {
                (s.line.page, s.line.index) == (placed.page, placed.index)
                    && s.line.generation == placed.line.generation
            };
            let served_s = seen.iter().find(about)?.served_s;
            let ripe = lease.accept_s == 0 || clock > placed.line.accept_until(lease.accept_s);
            (ripe && served_s > placed.line.served.0).then_some((placed.index, served_s))
        };
        let figures: Vec<_> = page.iter().filter_map(figure).collect();
        if !figures.is_empty() {
            // Leader epochs fence coordinators only.
            ledger.attest(signer, address, page[0].page, 0, &figures).await?;
            done += figures.len();
        }
    }
    Ok(done)
}

/// After a lease's end: takes the session key's leave back and what lamports it has left.
/// Whatever fails is said and can be repeated.
pub(crate) async fn tidy(context: &Context, ledger: &Ledger, wallet: &KeypairFile, folder: &Path) {
    if let Err(f) = try_tidy(context, ledger, wallet, folder).await {
        context.out.say(format!("the session key was not emptied: {}", f.message));
    }
}

async fn try_tidy(
    context: &Context,
    ledger: &Ledger,
    wallet: &KeypairFile,
    folder: &Path,
) -> Result<()> {
    let Some(session) = key::load(folder)? else { return Ok(()) };
    for (_, mint) in crate::wallet::mints(ledger).await? {
        let account = ionet_ledger::token::associated_account(&wallet.address(), &mint);
        let delegate = ledger.token_account(&account).await?.and_then(|a| a.delegate);
        if delegate.is_some_and(|(key, _)| key == session.address()) {
            ledger.revoke(wallet, &mint).await?;
            context.out.say("automatic top-up ended: the session key's leave is taken back");
        }
    }
    ledger.empty_key(&session, &wallet.address()).await?;
    Ok(())
}
