//! Chance from one number: a generator for each concern, so that one draw more in one place
//! changes nothing elsewhere. And what a count out of many shows.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The generator of a concern.
pub fn stream(seed: u64, concern: &str) -> StdRng {
    let mut hasher = blake3::Hasher::new_derive_key("ionet redteam v1");
    hasher.update(&seed.to_le_bytes()).update(concern.as_bytes());
    StdRng::from_seed(hasher.finalize().into())
}

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Those.
    pub hits: u64,
    /// Of these.
    pub of: u64,
}

impl Count {
    /// Counts one more.
    pub fn add(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.of += 1;
    }

    /// The share; 0 of none.
    pub fn share(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.hits as f64 / self.of as f64 }
    }

    /// Wilson's interval of 95 % (E. B. Wilson, 1927): right for shares near 0 and 1, too.
    pub fn interval(&self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (n, p, z) = (self.of as f64, self.share(), 1.959_964);
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.interval();
        let percent = [self.share(), low, high].map(|share| share * 100.0);
        write!(f, "{:.1} % ({:.1} to {:.1})", percent[0], percent[1], percent[2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_books() {
        // Wilson 95 % of 0 in 10: 0 to 27.75 %; of 5 in 10: 23.66 to 76.34 %.
        let (low, high) = Count { hits: 0, of: 10 }.interval();
        assert!(low == 0.0 && (high - 0.2775).abs() < 1e-3);
        let (low, high) = Count { hits: 5, of: 10 }.interval();
        assert!((low - 0.2366).abs() < 1e-3 && (high - 0.7634).abs() < 1e-3);
    }
}
