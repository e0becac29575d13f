//! Leases for which only the renter's side vouches: whether it still does.

use super::{Plan, Soft};
use crate::limits::VOUCH_TOLD_PART;
use crate::{At, Cluster, Command};
use ionet_core::Vouch;

/// Since when nobody vouches for a cluster whose lines run; none: someone else may, or nothing
/// runs. Before the coordinator's own start it could hear nobody.
fn silent_since(soft: &Soft, cluster: &Cluster) -> Option<At> {
    match cluster.terms.as_ref()?.vouch {
        Vouch::Session => (),
        Vouch::Coordinator | Vouch::Either => return None,
    }
    let heard = soft.vouched.get(&cluster.id).copied();
    let since = cluster.first_start()?.max(soft.started_at);
    Some(heard.map_or(since, |heard| heard.max(since)))
}

/// For how many milliseconds nobody has vouched.
pub(super) fn silent_ms(soft: &Soft, now: At, cluster: &Cluster) -> Option<u64> {
    Some(now.ms_since(silent_since(soft, cluster)?))
}

impl Plan {
    /// Tells the renter once that its client is missing, and once that it is back.
    pub(super) fn vouching(&mut self, soft: &Soft, now: At, cluster: &Cluster) {
        let Some(since) = silent_since(soft, cluster) else { return };
        let id = cluster.id;
        let told_after = soft.patience.vouch_ms / VOUCH_TOLD_PART;
        match cluster.vouch_silent {
            None if now.ms_since(since) >= told_after => {
                let until = since.plus_ms(soft.patience.vouch_ms);
                self.record(Command::VouchSilent { cluster: id, since, until });
            }
            Some(told) if soft.vouched.get(&id).is_some_and(|heard| *heard > told) => {
                self.record(Command::VouchHeard { cluster: id });
            }
            None | Some(_) => (),
        }
    }
}
