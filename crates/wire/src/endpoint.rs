//! The QUIC endpoint that both sides use: known by an ed25519 key, found by plain socket
//! addresses.
//!
//! **Invariant:** nobody but the other side is contacted: no relay, no DNS, no name service, no
//! port mapping at the router.

use crate::ALPN;
use ionet_core::DeviceId;
use iroh::endpoint::{
    NetReportConfig, PortmapperConfig, QuicTransportConfig, RelayMode, VarInt, presets,
};
use iroh::{EndpointAddr, EndpointId, SecretKey, TransportAddr};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

pub use iroh::Endpoint;
pub use iroh::endpoint::{Connection, RecvStream, SendStream};

/// A connection on which nothing came for this long is over.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent connection sends something, so that neither it nor a NAT's mapping ends.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// A dial that has not succeeded by then has failed.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Most streams that the other side may hold open at once: the control stream, and the dialled
/// ports, logs and commands of one device. Ray's dashboard opens about ten.
pub const STREAMS_MAX: u32 = 256;
/// Bytes under way on one stream before the sender must wait: a whole frame fits many times.
pub const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes under way on one connection, so that many streams do not add up without end.
pub const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// Why there is no endpoint or no connection.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The socket could not be bound.
    #[error("cannot bind UDP {address}: {source}")]
    Bind {
        /// Which address.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The id is no ed25519 public key.
    #[error("{0} is not a valid key")]
    Key(DeviceId),
    /// Nobody answered who holds the key.
    #[error("cannot reach {remote} at {addresses}: {source}")]
    Dial {
        /// Whom.
        remote: DeviceId,
        /// Where.
        addresses: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody answered in [`DIAL_TIMEOUT`].
    #[error("no answer from {remote} at {addresses} within {} s", DIAL_TIMEOUT.as_secs())]
    DialTimeout {
        /// Whom.
        remote: DeviceId,
        /// Where.
        addresses: String,
    },
}

/// Binds an endpoint with the identity of `secret` (the 32 bytes of an ed25519 seed) at
/// `addresses`: at most one of each family. Port 0 takes a free one; [`local_addresses`] tells
/// which. It accepts connections of [`ALPN`] only.
pub async fn bind(secret: &[u8; 32], addresses: &[SocketAddr]) -> Result<Endpoint, EndpointError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| EndpointError::Bind {
        address: listed(addresses),
        source,
    };
    let mut builder = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(secret))
        .alpns(vec![ALPN.to_vec()])
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(NetReportConfig::minimal())
        .transport_config(transport())
        .clear_ip_transports();
    for address in addresses {
        builder = builder.bind_addr(*address).map_err(|e| failed(e.into()))?;
    }
    builder.bind().await.map_err(|e| failed(e.into()))
}

fn transport() -> QuicTransportConfig {
    let idle_ms = VarInt::from_u32(IDLE_TIMEOUT.as_millis() as u32);
    QuicTransportConfig::builder()
        .max_idle_timeout(Some(idle_ms.into()))
        .keep_alive_interval(KEEP_ALIVE)
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .build()
}

/// Dials whoever holds the key of `remote` at any of `addresses`.
pub async fn dial(
    endpoint: &Endpoint,
    remote: DeviceId,
    addresses: &[SocketAddr],
) -> Result<Connection, EndpointError> {
    let id = endpoint_id(remote)?;
    let target = EndpointAddr::from_parts(id, addresses.iter().copied().map(TransportAddr::Ip));
    match tokio::time::timeout(DIAL_TIMEOUT, endpoint.connect(target, ALPN)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(e)) => {
            Err(EndpointError::Dial { remote, addresses: listed(addresses), source: e.into() })
        }
        Err(_) => Err(EndpointError::DialTimeout { remote, addresses: listed(addresses) }),
    }
}

/// Where to bind in order to reach `targets`: a free port of the loopback device if all of them
/// are loopback addresses, else of every interface, for each family that is needed.
pub fn local_side(targets: &[SocketAddr]) -> Vec<SocketAddr> {
    let loopback = targets.iter().all(|t| t.ip().is_loopback());
    let v4 = if loopback { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let v6 = if loopback { Ipv6Addr::LOCALHOST } else { Ipv6Addr::UNSPECIFIED };
    let mut sides = Vec::new();
    if targets.iter().any(SocketAddr::is_ipv4) {
        sides.push((v4, 0).into());
    }
    if targets.iter().any(SocketAddr::is_ipv6) {
        sides.push((v6, 0).into());
    }
    sides
}

/// The addresses that an endpoint is bound to.
pub fn local_addresses(endpoint: &Endpoint) -> Vec<SocketAddr> {
    endpoint.bound_sockets()
}

/// The QUIC identity of a device.
pub fn endpoint_id(device: DeviceId) -> Result<EndpointId, EndpointError> {
    EndpointId::from_bytes(&device.0).map_err(|_| EndpointError::Key(device))
}

/// The device of a QUIC identity.
pub fn device_id(endpoint: EndpointId) -> DeviceId {
    DeviceId(*endpoint.as_bytes())
}

/// The device at the other end of a connection: proven by the handshake.
pub fn remote_device(connection: &Connection) -> DeviceId {
    device_id(connection.remote_id())
}

fn listed(addresses: &[SocketAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    texts.join(", ")
}
