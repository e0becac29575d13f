//! How much is done in a time.

use std::time::{Duration, Instant};

/// Part of a round that may be missing when the time is over: its estimate is that of the last.
const MARGIN: f64 = 1.1;

/// As many rounds as end before `end`, but one at least. A round answers whether there may be
/// another.
pub fn until<E>(end: Instant, mut round: impl FnMut() -> Result<bool, E>) -> Result<(), E> {
    loop {
        let begun = Instant::now();
        let more = round()?;
        let took: Duration = begun.elapsed().mul_f64(MARGIN);
        if !more || Instant::now() + took > end {
            return Ok(());
        }
    }
}
