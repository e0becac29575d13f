//! Delays between coordinator and device: recorded ones, and a model with a heavier tail.

use rand::Rng;
use rand::rngs::StdRng;

/// Round trips in microseconds, recorded on one machine: see the head of each file.
const TRACES: [(&str, &str); 2] = [
    ("loopback, recorded", include_str!("../data/loopback.txt")),
    ("namespaces under load, recorded", include_str!("../data/namespaces-load.txt")),
];

/// Where delays come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// Drawn from these round trips; half of one is a way.
    Recorded(Vec<u64>),
    /// A model, not a measurement: log-normal with this median in microseconds and this sigma.
    LogNormal(f64, f64),
}

impl Link {
    /// No delay at all.
    pub const NONE: Self = Self::Recorded(Vec::new());

    /// The recorded ones, by name.
    pub fn recorded() -> Vec<(&'static str, Self)> {
        let link = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            Self::Recorded(lines.filter_map(|line| line.trim().parse().ok()).collect())
        };
        TRACES.iter().map(|(name, text)| (*name, link(text))).collect()
    }

    /// One way, in microseconds.
    pub fn delay_us(&self, rng: &mut StdRng) -> u64 {
        match self {
            Self::Recorded(trips) if trips.is_empty() => 0,
            Self::Recorded(trips) => trips[rng.random_range(0..trips.len())] / 2,
            Self::LogNormal(median, sigma) => (median * (sigma * normal(rng)).exp()) as u64,
        }
    }
}

/// A standard normal number (Box and Muller, 1958).
fn normal(rng: &mut StdRng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::stream;

    #[test]
    fn traces_are_there_and_models_have_their_median() {
        for (name, link) in Link::recorded() {
            let Link::Recorded(trips) = link else { panic!("{name}") };
            assert!(trips.len() >= 1_000 && trips.iter().all(|t| *t > 0), "{name}");
        }
        let (mut rng, model) = (stream(1, "links"), Link::LogNormal(1_000.0, 1.0));
        let mut drawn: Vec<_> = (0..4_001).map(|_| model.delay_us(&mut rng)).collect();
        drawn.sort();
        assert!((900..1_100).contains(&drawn[2_000]), "{}", drawn[2_000]);
    }
}
