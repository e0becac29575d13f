//! What a renter sees from inside its own containers.
//!
//! [`run`] is the program `ionet-prove`: the renter's client sends it into each container through
//! exec, and speaks with it over its stdin and stdout ([`Order`], [`Answer`], [`frame`]). Beacons,
//! keys and salts are the client's own draws, and times are taken by the client's own clock, so
//! that neither supplier nor coordinator is asked for anything but to carry bytes.
//!
//! What came back is a [`Check`]; its [`Check::findings`] say which figures follow from it. The
//! client, whoever replays a check and the coordinator to which it is handed in call the same
//! function, which stands with the record in [`ionet_trust::inside`].
//!
//! What each figure is worth:
//!
//! * the *rate* and the *memory* are proven: the arithmetic of [`ionet_trust`] over what came
//!   back, the time bounded by the client's clock;
//! * the *disk's* and the *network's* are measured: who runs another program in place of ours can
//!   make the data again from its key.
//!
//! All members work at the same moment, so that one machine cannot stand in for two.

mod disk;
pub mod frame;
mod link;
mod message;
mod program;
mod work;

#[cfg(test)]
mod tests;

pub use ionet_trust::inside::{
    Blob, Check, Draw, Finding, Hold, Least, LinkSeen, Member, Multiply, Outcome, Plan, Proven,
    Seen, TooMuch, Transfer, Word, digest_of, key_of, limits,
};
pub use message::{Answer, Order};
pub use program::{fingerprint, run};
