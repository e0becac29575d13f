//! The control plane as a pure state machine: devices, clusters and their leases.
//!
//! ```text
//!  wishes, observations            append to the log          what the executor does
//!        Command ──► decide ──► [Event] ──► Facts::fold ──► plan ──► Plan { parts, steps }
//!           ▲                                   ▲ Soft: heartbeats, leases' clocks    │
//!           └───────────────── what came of it ─┴─────────────────────────────────────┘
//! ```
//!
//! **Invariant:** no I/O, no async, no clock, no entropy, no map whose order can leak, no float.
//! Time comes in as [`At`]; the same input gives the same output.
//!
//! # The contract
//!
//! * **One writer.** Whoever leads takes one [`Command`] at a time: [`decide`], append all of
//!   its events to the log (all or none, at the expected sequence number), [`Facts::fold`] each.
//!   A command that is known already gives no events; a [`Rejection`] changes nothing.
//! * **Folding never fails and never decides.** Decisions are logged as results, so new code
//!   reads old logs; `tests/logs` holds some that must keep their meaning.
//! * **Plan, then execute.** [`plan()`] is called after each decision and by a timer. A
//!   [`Step::Record`] goes straight back into [`decide`] (only the clock made it due; a
//!   rejection is fine). Every other step is an effect: carried out at the edge, safe to repeat,
//!   planned again until facts or soft state show that it is done. What came of it is a command.
//! * **What each step leads to** is told at [`Step`]. The executor adds leader epoch, receipts
//!   and secrets; none of them is in events or plans.
//! * **Generations.** Each part that must be made anew has a generation above all before in its
//!   cluster. A device obeys the newest; parts that nobody wants are told to stop.
//! * **Money.** A lease on the chain binds everyone: its ceilings count, not the quote's. A
//!   cluster whose lease is open and that is not live is closed and refunded, whatever led there.
//!   After closing: last attestation, drawing for suppliers, finalizing, reclaiming.
//!
//! # Recovery
//!
//! A silent hired device is suspected after 6 s and lost after 60 s ([`liveness`]). A lost
//! *worker* is replaced within the lease's ceilings: new line, new generation; the cluster is
//! `degraded` until the substitute serves, or for as long as none is free. A lost *head* takes
//! Ray's state with it: Ray's head is a single point of failure in this version. A worker's
//! device becomes the head, and every part starts anew. A device that is heard again before
//! the verdict just goes on; one that comes back after it is told to stop what it still runs.
//!
//! # Example
//!
//! ```
//! use ionet_core::*;
//! use ionet_network::*;
//! use ionet_placement::Asks;
//! use ionet_units::Bps;
//!
//! let mut facts = Facts::default();
//! let at = At(1_800_000_000_000);
//! let device = DeviceId([1; 32]);
//! let inventory: Inventory = serde_json::from_str(r#"{
//!     "hostname": "rig", "os": "Debian 12", "memory_bytes": 8589934592,
//!     "cpu": {"model": "Zen 4", "threads": 4, "architecture": "x86_64"},
//!     "disk": {"total_bytes": 1000, "free_bytes": 500}, "network": [],
//!     "chips": [{"class": "cpu", "model": "Zen 4", "uuid": null, "memory_bytes": 0, "cdi": null}],
//!     "slice": {"cpu_milli": 4000, "memory_bytes": 4294967296, "scratch_bytes": 1000},
//!     "region": "local", "egress": "none"
//! }"#).unwrap();
//! let terms = DeviceTerms {
//!     units_total: 1,
//!     asks: Asks { usdc: Some(40_000), io: None },
//!     generation: 1,
//!     accepts_us: true,
//!     expires_at: At(i64::MAX),
//! };
//! let inventory = Box::new(inventory);
//! let owner = Wallet([2; 32]);
//! for command in [
//!     Command::EnrolDevice { device, owner, inventory: inventory.clone(), terms },
//!     Command::OpenSession { device, last_session: 0, inventory },
//! ] {
//!     for event in decide(&facts, at, command).unwrap() {
//!         facts.fold(at, &event);
//!     }
//! }
//! let spec = ClusterSpec::from_json(br#"{"devices": 1, "chip": "cpu"}"#).unwrap();
//! let offer = quote(&spec, &facts.candidates(at), at, Bps(200)).unwrap();
//! assert_eq!(offer.terms.cost_max.get(), 40_800);
//! assert!(plan(&facts, &Soft { started_at: at, ..Soft::default() }, at).steps.is_empty());
//! invariants::all(&facts).unwrap();
//! ```

mod at;
mod cluster;
mod command;
mod decide;
mod device;
mod event;
mod facts;
mod fold;
pub mod invariants;
mod lease;
pub mod limits;
pub mod liveness;
mod meter;
mod plan;
mod quote;
mod record;
pub mod subnet;

pub use at::At;
pub use cluster::{
    Cluster, ClusterState, EndReason, Leaving, Line, LineState, PartFact, Seat, Slot, role_of,
};
pub use command::{Command, Rejection};
pub use decide::decide;
pub use device::{Device, DeviceState, DeviceTerms, Hold, Presence};
pub use event::{
    AttestedLine, BoundLine, Event, NewCluster, PartEnd, Placement, Subject, VacatedWhy,
};
pub use facts::Facts;
pub use lease::{
    DepositLevel, DepositLow, LeaseClockView, LeaseMismatch, LeaseStatus, LeaseTerms, LeaseView,
    LineRef, LineRefError, Money, accept_s_max,
};
pub use meter::ServedMeter;
pub use plan::{BindLine, Heard, Patience, Plan, Soft, Step, WantedPart, plan};
pub use quote::{Quote, QuoteError, QuoteTerms, deposit_needed, quote};
pub use record::{Record, RecordError};
