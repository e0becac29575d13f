//! The control plane as a pure state machine.

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
    LeaseClockView, LeaseMismatch, LeaseStatus, LeaseTerms, LeaseView, LineRef, LineRefError, Money,
};
pub use meter::ServedMeter;
pub use plan::{BindLine, Heard, Plan, Soft, Step, WantedPart, plan};
pub use quote::{Quote, QuoteError, QuoteTerms, deposit_needed, quote};
pub use record::{Record, RecordError};
