//! Where a device cannot be, from round trips to landmarks whose places are known.
//!
//! A delay proves "not farther than" and nothing else: an answer may be as slow as it likes. In
//! glass, light goes two thirds of its speed in vacuum, 200 metres in a microsecond, there and
//! back 100 metres of distance for a microsecond of round trip. Radio and lasers in space can be
//! half as fast again, but no path to a consumer's device is straight enough to show it.
//!
//! It is the *key* that is placed: a device that leaves its key with a relay beside the landmark
//! is as near as the relay. So no region is ever proven, but a claim can be contradicted.

use super::sphere::Place;
use super::{shown, signal};
use ionet_core::{Region, Signal};
use serde::{Deserialize, Serialize};

/// Metres of distance for each microsecond of round trip, at the most.
const METRES_PER_MICROSECOND: u64 = 100;
/// Landmarks that are looked at.
const LANDMARKS_MAX: usize = 64;
/// Characters of a landmark's name.
const NAME_MAX: usize = 48;

/// A machine whose place is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landmark {
    /// Its name, such as `frankfurt`.
    pub name: String,
    /// Thousandths of a degree, north positive.
    pub latitude: i32,
    /// Thousandths of a degree, east positive.
    pub longitude: i32,
}

/// No landmark: its name is empty, too long or not plain, or it is nowhere on the Earth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no landmark: a plain name and a place on the Earth are needed")]
pub struct Nowhere;

impl Landmark {
    /// Whether it may be measured from.
    pub fn check(&self) -> Result<(), Nowhere> {
        let plain = self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_. ".contains(c));
        let named = (1..=NAME_MAX).contains(&self.name.len()) && plain;
        if named && place(self).exists() { Ok(()) } else { Err(Nowhere) }
    }
}

/// A round trip between a landmark and a device. The landmark measured it, not the device, and
/// the answer could only come from whoever has the device's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Who measured.
    pub landmark: Landmark,
    /// Microseconds there and back; the least of several.
    pub round_trip_us: u32,
}

/// Why measurements are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LandmarkError {
    /// Its name is empty, too long or not plain, or it is nowhere on the Earth.
    #[error("landmark {0} has no plain name or is nowhere on the Earth")]
    Landmark(usize),
    /// No time at all: not measured.
    #[error("a round trip of no time to landmark {0}")]
    NoTime(usize),
    /// Too many.
    #[error("more than {LANDMARKS_MAX} landmarks")]
    TooMany,
}

/// Circles that hold a region: latitude and longitude in degrees, radius in kilometres. Drawn
/// generously, so that nobody at the edge is contradicted; islands far away have their own.
type Circles = &'static [(i32, i32, u64)];

/// The circles of each region by name. Boundaries are not ours to draw: these hold what an atlas
/// calls so, and overlap.
const REGIONS: [(&str, Circles); 16] = [
    ("africa", &[(2, 20, 4_500), (16, -24, 500), (-18, 57, 900)]),
    ("asia-east", &[(37, 112, 3_900)]),
    ("asia-south", &[(22, 79, 2_600)]),
    ("asia-southeast", &[(5, 112, 3_900)]),
    ("canada", &[(60, -95, 3_500)]),
    ("eu-central", &[(50, 13, 1_100)]),
    ("eu-east", &[(53, 35, 2_300)]),
    ("eu-north", &[(63, 17, 2_300)]),
    ("eu-south", &[(40, 8, 2_600), (28, -16, 500), (38, -28, 500)]),
    ("eu-west", &[(50, 0, 1_500)]),
    ("middle-east", &[(28, 46, 2_700)]),
    ("oceania", &[(-28, 145, 4_500), (-15, -165, 4_000), (13, 145, 1_500)]),
    ("sa-east", &[(-18, -58, 4_600)]),
    ("us-central", &[(39, -97, 1_900)]),
    ("us-east", &[(37, -79, 2_000), (18, -66, 500)]),
    ("us-west", &[(40, -116, 1_900), (21, -157, 800), (62, -155, 2_200)]),
];

/// What round trips leave of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Regions where the device cannot be, in alphabetical order.
    pub excluded: Vec<Region>,
    /// Present if the claimed region is one of them.
    pub contradicted: Option<Signal>,
}

/// Where a device cannot be that claims to be in `claimed`. `local` is anywhere and never
/// excluded.
pub fn rule_out(
    claimed: Region,
    measured: &[Measured],
    at_ms: i64,
) -> Result<Ruling, LandmarkError> {
    if measured.len() > LANDMARKS_MAX {
        return Err(LandmarkError::TooMany);
    }
    for (at, row) in measured.iter().enumerate() {
        row.landmark.check().map_err(|_| LandmarkError::Landmark(at))?;
        if row.round_trip_us == 0 {
            return Err(LandmarkError::NoTime(at));
        }
    }
    let shows = |region: &Region| measured.iter().find(|row| excludes(row, *region));
    let excluded = Region::all().filter(|region| shows(region).is_some()).collect();
    let contradicted = shows(&claimed).map(|row| {
        let (ms, rest) = (row.round_trip_us / 1_000, row.round_trip_us % 1_000 / 100);
        let reach_km = reach_m(row) / 1_000;
        let landmark = shown(&row.landmark.name, NAME_MAX);
        let text = format!(
            "claims {claimed}, but answers {landmark} in {ms}.{rest} ms: within {reach_km} km of it"
        );
        signal("region-contradicted", text, at_ms)
    });
    Ok(Ruling { excluded, contradicted })
}

fn place(landmark: &Landmark) -> Place {
    Place { latitude: landmark.latitude, longitude: landmark.longitude }
}

fn reach_m(row: &Measured) -> u64 {
    u64::from(row.round_trip_us) * METRES_PER_MICROSECOND
}

/// Whether all of a region is out of reach.
fn excludes(row: &Measured, region: Region) -> bool {
    let Some((_, circles)) = REGIONS.iter().find(|(name, _)| *name == region.as_str()) else {
        return false;
    };
    circles.iter().all(|(latitude, longitude, km)| {
        let centre = Place { latitude: latitude * 1_000, longitude: longitude * 1_000 };
        place(&row.landmark).is_farther_than(centre, km * 1_000 + reach_m(row))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_but_local_has_its_circles() {
        for region in Region::all().filter(|region| *region != Region::LOCAL) {
            assert!(REGIONS.iter().any(|(name, _)| *name == region.as_str()), "{region}");
        }
    }
}
