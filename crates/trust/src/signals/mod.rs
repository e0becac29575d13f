//! What was seen of a device and no proof shows: slices, hosting ranges, distances, duplicates.
//!
//! A [`Signal`] lowers nothing by itself. Most of what it rests on is the device's own word, and
//! every one has honest explanations; each module says which.

mod duplicates;
mod fingerprint;
mod hosting;
mod recorded;
mod region;
mod report;
mod sphere;
mod underneath;

pub use duplicates::Duplicates;
pub use fingerprint::{Fingerprint, PRINTS_MAX, Purpose, Salt};
pub(crate) use hosting::is_date;
pub use hosting::{Hosting, HostingError, Provider, RANGES_MAX, built_in};
pub use recorded::{RECORDED, Rates, Recorded, rates};
pub use region::{Landmark, LandmarkError, Measured, Nowhere, Ruling, rule_out};
pub use report::{Report, Sighting, Unbounded, beside, since};
pub use underneath::{
    ChipFacts, HostFacts, Hypervisor, Link, Profile, ROUNDS_MIN, TEXT_SHOWN_MAX, contention,
    profile, seen,
};

use ionet_core::Signal;

/// Bytes of a signal's text.
const TEXT_BYTES_MAX: usize = 512;

fn signal(code: &str, text: impl Into<String>, at_ms: i64) -> Signal {
    let mut text: String = text.into();
    while text.len() > TEXT_BYTES_MAX {
        text.pop();
    }
    Signal { code: code.to_owned(), text, at_ms }
}

/// Text from outside as it may be shown: printable ASCII only, and not much of it. Other letters
/// could imitate, or command a terminal.
fn shown(text: &str, chars: usize) -> String {
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(chars).map(plain).collect()
}
