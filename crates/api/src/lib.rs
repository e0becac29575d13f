//! The coordinator's REST interface as types, shared by the server and its clients.
//!
//! | method and path | who | body -> answer |
//! | --- | --- | --- |
//! | `GET /v1/network` | anyone | -> [`Network`] |
//! | `POST /v1/auth/challenge` | anyone | [`ChallengeRequest`] -> [`Challenge`] |
//! | `POST /v1/auth/token` | anyone | [`TokenRequest`] -> [`Token`] |
//! | `GET /v1/offers?chip=` | anyone | -> [`Offer`]s |
//! | `POST /v1/quotes` | anyone | a cluster spec -> [`Quote`] |
//! | `POST /v1/clusters` | wallet | [`CreateCluster`] -> [`Cluster`] |
//! | `GET /v1/clusters`, `GET /v1/clusters/{id}` | owner | -> [`Cluster`] |
//! | `POST /v1/clusters/{id}/close` | owner | -> [`Cluster`] |
//! | `POST /v1/clusters/{id}/receipts` | owner | [`Vouch`] -> [`Vouched`] |
//! | `POST /v1/clusters/{id}/checks` | owner | [`HandedCheck`] -> [`CheckSummary`] |
//! | `GET /v1/clusters/{id}/events?after=` | owner | -> [`ClusterEvent`]s, listed or followed |
//! | `GET /v1/clusters/{id}/access` | owner | -> [`Access`] |
//! | `GET /v1/clusters/{id}/tunnel/{port}` | owner | WebSocket of one TCP connection |
//! | `GET /v1/clusters/{id}/logs?device=&follow=&tail=` | owner | -> bytes |
//! | `GET /v1/clusters/{id}/exec?device=&tty=&arg=..` | owner | WebSocket of [`ExecMessage`]s |
//! | `GET /v1/devices?after=&limit=&supplier=` | anyone | -> a page of [`Device`]s |
//! | `GET /v1/devices/{id}` | anyone | -> [`Device`] |
//! | `GET /v1/devices/{id}/checks` | anyone | -> [`CheckSummary`]s, the newest first |
//! | `GET /v1/checks/{check}` | anyone | -> a check as it was signed |
//! | `POST /v1/devices/{id}/drain` | its supplier | [`Drain`] -> [`Device`] |
//! | `POST /v1/devices/{id}/trials` | wallet | -> [`TrialAsked`] |
//! | `GET /v1/trials?before=&limit=` | anyone | -> [`TrialSummary`]s, the newest first |
//! | `GET /v1/trials/{n}/record`, `GET /v1/trials/{n}/proofs` | anyone | -> bytes |
//! | `GET /healthz`, `GET /metrics`, `GET /openapi.json` | anyone | |
//!
//! Every mutation that a wallet makes carries an `Idempotency-Key` header (1 to 64 printable
//! characters), but for receipts, which only grow, and checks, which are taken once. Errors are
//! [`Problem`]s.
//!
//! With `accept: text/event-stream`, events come as server-sent events until nothing more can
//! happen. A tunnel's binary messages are its bytes. An empty one from the client ends its
//! direction, as closing one half of a TCP connection does, and it still hears the answer; after
//! the part's last byte comes an empty one, then the close. An exec's messages are JSON text.

mod check;
mod cluster;
mod device;
mod network;
mod problem;
mod session;
mod trial;

pub use check::{CHECK_BYTES_MAX, CheckSummary, CheckedDevice, CheckedFigure, HandedCheck};
pub use cluster::{
    Access, Cluster, ClusterEvent, CreateCluster, ExecMessage, LeaseTerms, MemberView, Money,
    Quote, QuotedDevice, RECEIPTS_MAX, Receipt, RefusedReceipt, StateName, Step, Vouch, Vouched,
};
pub use device::{
    Device, DeviceFigure, DeviceSignal, DeviceStateName, DeviceVerdict, Drain, Offer,
};
pub use network::Network;
pub use problem::{Problem, ProblemCode};
pub use session::{Challenge, ChallengeRequest, Scope, Token, TokenRequest};
pub use trial::{TrialAsked, TrialSummary};

/// Name of the header that makes a mutation safe to repeat.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Name of the header that follows a wish from the renter's command to the container.
pub const REQUEST_ID: &str = "x-request-id";
/// Largest request body in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
