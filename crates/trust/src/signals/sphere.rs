//! Angles between places on the Earth, in integers: the ground floor has no floats.

/// One, in fixed point. Cosines are right to a few thousand millionths of a millionth, an angle
/// between near places to some ten metres.
const ONE: i128 = 1_000_000_000_000;
/// What roundings of a cosine come to at the most; in doubt a place is near enough.
const NOISE: i128 = 50;
/// Half a turn, in the same unit.
const PI: i128 = 3_141_592_653_590;
/// The least radius of curvature of the Earth, in metres, which makes a given number of metres the
/// largest possible angle: in doubt a place is near enough.
const RADIUS_M: i128 = 6_335_000;

/// A place, in thousandths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) latitude: i32,
    pub(super) longitude: i32,
}

impl Place {
    /// Whether it is on the Earth.
    pub(super) fn exists(self) -> bool {
        (-90_000..=90_000).contains(&self.latitude)
            && (-180_000..=180_000).contains(&self.longitude)
    }

    /// The cosine of the angle to another place.
    fn cosine_to(self, other: Place) -> i128 {
        let latitudes = [self.latitude, other.latitude].map(angle);
        let turn = angle(self.longitude - other.longitude);
        let level = product(cosine(latitudes[0]), cosine(latitudes[1]));
        product(sine(latitudes[0]), sine(latitudes[1])) + product(level, cosine(turn))
    }

    /// Whether another place is farther than so many metres.
    pub(super) fn is_farther_than(self, other: Place, metres: u64) -> bool {
        let angle = i128::from(metres) * ONE / RADIUS_M;
        angle < PI && self.cosine_to(other) + NOISE < cosine(angle)
    }
}

/// Thousandths of a degree as an angle in fixed point.
fn angle(degrees: i32) -> i128 {
    i128::from(degrees) * PI / 180_000
}

fn product(a: i128, b: i128) -> i128 {
    a * b / ONE
}

/// Of an angle between two turns back and two turns ahead.
fn cosine(angle: i128) -> i128 {
    // Into half a turn: the cosine is even, and repeats with a whole turn.
    let turned = angle.rem_euclid(2 * PI);
    let half = turned.min(2 * PI - turned);
    if half > PI / 2 { -series(PI - half) } else { series(half) }
}

fn sine(angle: i128) -> i128 {
    cosine(PI / 2 - angle)
}

/// Taylor's series up to the 18th power: for a quarter turn the next term is below 10^-13.
fn series(angle: i128) -> i128 {
    let square = product(angle, angle);
    let (mut term, mut sum) = (ONE, ONE);
    for i in 1..=9i128 {
        term = -product(term, square) / (2 * i * (2 * i - 1));
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRANKFURT: Place = Place { latitude: 50_110, longitude: 8_680 };
    const SYDNEY: Place = Place { latitude: -33_870, longitude: 151_210 };

    #[test]
    fn cosines_are_those_of_the_tables() {
        let degrees = |thousandths: i32| cosine(angle(thousandths));
        for (at, expected) in [
            (0, ONE),
            (60_000, ONE / 2),
            (-60_000, ONE / 2),
            (90_000, 0),
            (45_000, 707_106_781_187),
            (120_000, -ONE / 2),
            (180_000, -ONE),
            (300_000, ONE / 2),
        ] {
            let off = (degrees(at) - expected).abs();
            assert!(off < 50, "{at}: off by {off}");
        }
        assert!((sine(angle(30_000)) - ONE / 2).abs() < 50);
        assert!((sine(angle(-30_000)) + ONE / 2).abs() < 50);
    }

    #[test]
    fn distances_are_those_of_an_atlas() {
        // 16,480 km by the great circle; a smaller Earth makes it some 90 km less.
        assert!(FRANKFURT.is_farther_than(SYDNEY, 16_350_000));
        assert!(!FRANKFURT.is_farther_than(SYDNEY, 16_500_000));
        assert!(!FRANKFURT.is_farther_than(FRANKFURT, 0));
        let near = Place { latitude: 50_111, ..FRANKFURT };
        assert!(FRANKFURT.is_farther_than(near, 50) && !FRANKFURT.is_farther_than(near, 130));
        // Nothing is farther than half around the Earth.
        assert!(!FRANKFURT.is_farther_than(SYDNEY, 20_100_000));
        assert!(!FRANKFURT.is_farther_than(SYDNEY, u64::MAX));
    }

    #[test]
    fn the_date_line_is_no_wall() {
        let [west, east] = [-179_900, 179_900].map(|longitude| Place { latitude: 0, longitude });
        assert!(!west.is_farther_than(east, 30_000) && west.is_farther_than(east, 20_000));
    }
}
