//! Sending back what is not what was sold: inside of the acceptance window every line is
//! rejected and owes nothing; then the lease is closed, and the deposit comes back.

use crate::cluster::money;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::wallet::{address_of, ledger};
use ionet_api::Cluster;
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::LineState;
use ionet_ledger::interface::limits::ACCOUNT_LINES_MAX;
use serde_json::{Value, json};

/// Rejects what can be rejected and closes. Says how many lines owe nothing, and how many were
/// too late for it.
pub(super) async fn refuse(context: &Context, cluster: &Cluster) -> Result<Value> {
    let (key, ledger) = (context.key()?, ledger(context)?);
    let at = address_of(&cluster.lease);
    let gone = || Failure::not_found(format!("the lease {} is not there", cluster.lease));
    let lease = ledger.lease(&at).await?.ok_or_else(gone)?;
    let clock = Timestamp(ledger.connection().clock().await?);
    let (mut rejected, mut late) = (0, 0);
    for page in ledger.lines(&at, &lease).await?.chunk_by(|a, b| a.page == b.page) {
        let mut free = Vec::new();
        for placed in page {
            match placed.line.state {
                LineState::Bound | LineState::Rejected => continue, // owes nothing anyway
                LineState::Started | LineState::Ended => (),
            }
            let open = lease.accept_s > 0 && clock <= placed.line.accept_until(lease.accept_s);
            if open && placed.line.served.0 == 0 {
                free.push((placed.index, placed.line.device));
            } else {
                late += 1;
            }
        }
        for some in free.chunks(ACCOUNT_LINES_MAX) {
            match ledger.reject(&key, &at, page[0].page, some).await {
                Ok(_) => rejected += some.len(),
                Err(error) => {
                    // Closing matters more than the second that was missed.
                    context.out.say(format!("{} lines were not rejected: {error}", some.len()));
                    late += some.len();
                }
            }
        }
    }
    let closed = money::close_lease(context, cluster.id, false).await?;
    Ok(json!({ "rejected": rejected, "late": late, "closed": closed }))
}
