//! What a renter saw from inside its containers: the record, what follows from it, and what
//! becomes of it once the renter hands it to others.
//!
//! A [`Check`] holds everything from which its [`Check::findings`] follow, so that the renter's
//! client, a coordinator and whoever replays it say the same. As a [`Paper`] it is signed by its
//! renter. It remains that renter's word: that the questions were drawn after the commitments and
//! how long answers took, nobody else has seen.
//!
//! [`admit`] says which papers a coordinator takes, [`looked`] what one says of each device, and
//! [`beside`] what stands beside a device of which several renters spoke. None of that reaches
//! [`crate::verdict::judge`]: a word that costs one short lease must neither lower nor raise what
//! was proven.

mod beside;
mod hand_in;
mod judge;
mod paper;
mod record;
mod stream;

pub use beside::{
    Beside, CODE, FIGURE_RENTERS_MIN, HOLD_SHARE, Look, Looked, PROVEN_SHARE, Sold, WINDOW_MS,
    beside, looked, share_of,
};
pub use hand_in::{
    AGE_MS_MAX, CLOCKS_MS, Known, MEMBERS_HANDED_MAX, Refused, Served, TRANSFERS_HANDED_MAX, admit,
};
pub use judge::{Finding, Outcome};
pub use paper::{PAPER_BYTES_MAX, Paper, PaperId, Unreadable};
pub use record::{
    Blob, Check, Draw, Hold, Least, LinkSeen, Member, Multiply, Plan, Proven, Seen, TooMuch,
    Transfer, Word, limits,
};
pub use stream::{PIECE_BYTES, digest_of, key_of, pour};
