//! Handing a check in: the coordinator keeps it, so that others see what this renter saw and can
//! compute it again. What is sent is the signed record as it lies on this machine, and no more.

use crate::rest::Rest;
use ionet_api::{CheckSummary, HandedCheck};
use ionet_core::ClusterId;
use ionet_trust::inside::Paper;
use serde_json::{Value, json};

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shared {
    /// Nobody was to see it.
    Kept,
    /// It is handed in under this name.
    With(String),
    /// It is not, and why.
    Not(String),
}

/// Hands it in. Whatever comes of that, the check itself stands: nothing here is a failure.
pub(super) async fn hand_in(rest: &Rest, cluster: ClusterId, paper: &Paper) -> Shared {
    let Paper { record, chain, signature } = paper.clone();
    let body = HandedCheck { record, chain, signature };
    match rest.post::<_, CheckSummary>(&format!("/v1/clusters/{cluster}/checks"), &body).await {
        Ok(kept) => Shared::With(kept.check),
        Err(failure) => Shared::Not(failure.message),
    }
}

impl Shared {
    /// For programs.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Kept => json!({ "shared": null }),
            Self::With(id) => json!({ "shared": id }),
            Self::Not(why) => json!({ "shared": null, "not_shared_because": why }),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Kept => "no: it stays on this machine (--no-share)".to_owned(),
            Self::With(id) => format!(
                "yes, with everybody: this wallet, these devices, what they showed\n  \
                 as             {id}"
            ),
            Self::Not(why) => format!("no: {why}"),
        }
    }
}
