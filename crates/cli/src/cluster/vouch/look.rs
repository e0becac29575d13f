//! Looking at what is paid for: which devices of the cluster are alive.
//!
//! Asked of Ray's head through the renter's own tunnel, with the cluster's token. It is the
//! head's word, and the coordinator carries it: see "Who vouches" in docs/money.md.

use super::super::tunnel;
use crate::context::Context;
use crate::failure::{Kind, OrFail as _, Result};
use crate::rest::Rest;
use ionet_core::{ClusterId, DeviceId};
use ionet_runtime::Secret;
use std::collections::BTreeSet;
use tokio::net::TcpStream;

/// Devices whose Ray nodes the head counts as alive.
pub(crate) async fn alive(
    context: &Context,
    rest: &Rest,
    id: ClusterId,
) -> Result<BTreeSet<DeviceId>> {
    let reach = tunnel::open(context, rest, id).await?;
    let dashboard = TcpStream::connect(("127.0.0.1", reach.dashboard))
        .await
        .or_fail(Kind::Unreachable, "the tunnel")?;
    let token = Secret::new(reach.access.ray_token.as_str());
    let nodes = ionet_runtime::ray::alive_nodes(dashboard, &token)
        .await
        .or_fail(Kind::Unreachable, "the cluster's head")?;
    Ok(nodes.into_iter().filter_map(|node| node.device).collect())
}
