//! The vocabulary of the network: identities, chips, cluster specs, signed statements.
//!
//! Everything here is data and pure functions. **Invariant:** no I/O, no async, no clock, no
//! entropy. Bytes from outside become these types only through constructors that check them.
//!
//! ```
//! use ionet_core::{ClusterSpec, catalogue};
//! let spec: ClusterSpec = serde_json::from_str(r#"{"devices": 3, "chip": "cpu"}"#).unwrap();
//! spec.validate().unwrap();
//! assert_eq!(catalogue::find("cpu").unwrap().memory_gib, 0);
//! ```

pub mod catalogue;
mod cbor;
mod enrolment;
mod id;
mod image;
mod inventory;
mod money;
mod part;
mod proving;
mod region;
mod signin;
mod spec;
mod statement;

pub use catalogue::{ChipClass, ChipKind};
pub use cbor::lengths_hold;
pub use enrolment::{
    DeviceGrant, DeviceRequest, Enrolment, EnrolmentError, GRANT_SECONDS_MAX, REQUEST_SECONDS_MAX,
    SignedGrant, SignedRequest,
};
pub use id::{ClusterId, DeviceId, GenesisHash, IdError, Key32, ProgramId, Wallet};
pub use image::{ImageRef, ImageRefError, RAY_IMAGE};
pub use inventory::{
    CHIPS_PER_DEVICE_MAX, Chip, Cpu, Disk, Figure, Inventory, NetworkCard, Provenance, Slice,
};
pub use money::{Amount, Asset};
pub use part::{Member, Membership, PartId, PartSpec, PartState, PartStatus};
pub use proving::{
    CODE_BYTES_MAX, ChipId, EVIDENCE_MAX, Measure, Quantity, SCORE_MAX, SIGNALS_MAX, Signal,
    TASKS_MAX, TEXT_BYTES_MAX, Task, Tier, TrialId, Units, UnknownTier, Verdict,
};
pub use region::{Region, RegionError, RegionFilter};
pub use signin::{SignIn, SignInError, rfc3339};
pub use spec::{ClusterKind, ClusterSpec, Egress, Role, SpecError, Vouch, limits};
pub use statement::{ChainRef, Domain, SignatureBytes, StatementError, signing_bytes, verify};
