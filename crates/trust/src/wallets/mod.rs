//! Who funded whom: clusters of wallets that one hand feeds.
//!
//! In come transfers and what devices say of their owners ([`Builder`]); out come clusters, the
//! path that links two wallets with the evidence of every step, and a [`Grade`] with its reasons.
//! A grade is a confidence and never a ban: whoever is judged wrongly still earns, and can bring
//! the statement of somebody who knows them ([`Statements`]).
//!
//! # What links two wallets
//!
//! * **Fed.** A gave B more than half ([`FED_MAJOR`]) of what B had received of an asset when B
//!   first sent anything itself, and at least the asset's floor. Not simply the first transfer:
//!   whoever sends dust to a stranger must not become their funder. More than a quarter
//!   ([`FED_MINOR`]) is enough if A does so to [`MINOR_FEEDINGS_MIN`] wallets or more, or a farm
//!   would feed each wallet from two; once or twice it is two customers of one seller.
//! * **Payout.** A device of A is paid to B, and money came that way.
//! * **Machine.** Devices of A and of B were enrolled on one machine.
//!
//! Nothing counts that goes to or comes from a *hub*: a wallet that the reader lists as an
//! exchange or found too busy to read, or that dealt with [`HUB_DEGREE`] others, of which suppliers
//! are less than one in [`HUB_OWNERS`]. Else all customers of an exchange would be one cluster.
//!
//! # What this gets wrong
//!
//! *Linked, though they are several people:* a family or a firm that pays each other's first
//! fees; customers of a broker with fewer than [`HUB_DEGREE`] customers; somebody and the sellers
//! whose fresh wallets they paid; somebody to whom an attacker sent more than all that they had
//! (costs real money, which they keep); friends whose devices were enrolled in one room, or
//! somebody whose machine's hash another device copies, since a device says itself what it is.
//!
//! Money goes from hand to hand, so clusters can be large: in random transfers by a power law the
//! largest holds a sixth of all wallets (`docs/benchmarks.md`). A grade therefore asks how far the
//! next owner is. What clusters of real suppliers look like was not measured.
//!
//! *Not linked, though it is one hand:* wallets each fed by its own withdrawal from an exchange,
//! with amounts and hours mixed (alike and in a burst they are a [`Batch`]); a feeder that dealt
//! with enough decoys to look like an exchange, a few transaction fees each; four feeders or
//! more for each wallet, none of which gives a quarter. So an honest figure for the strength of
//! this is its price: some cents a wallet. It is one signal beside proofs of work, not a wall.

mod build;
mod grade;
mod graph;
mod human;
mod intern;
mod timing;

pub use build::{Builder, InputError, RECORD_BYTES, TRANSFERS_MAX, Transfer};
pub use grade::{Grade, Reason};
pub use graph::{Cluster, Evidence, Graph, Link, Node, Step};
pub use human::{HumanScore, STATEMENT_SECONDS_MAX, SignedScore, StatementRefusal, Statements};
pub use timing::{Batch, Timing};

/// Assets that count; all others are ignored, since anybody can make worthless tokens and send
/// them to everybody.
pub const ASSETS_MAX: usize = 8;
/// Who gave more than one part in so many of what a wallet had when it first acted has fed it.
pub const FED_MAJOR: u128 = 2;
/// The same for who does so repeatedly.
pub const FED_MINOR: u128 = 4;
/// Wallets that get a minor part from one feeder, before any of that counts.
pub const MINOR_FEEDINGS_MIN: u32 = 3;
/// Counterparties, counted once for each direction, from which on a wallet may be a hub. Above
/// what a person pays and far below what an exchange does in an hour.
pub const HUB_DEGREE: u32 = 256;
/// If one counterparty in so many is a supplier of this network, it is no exchange but a farm's
/// feeder: exchanges have other customers.
pub const HUB_OWNERS: u32 = 8;
