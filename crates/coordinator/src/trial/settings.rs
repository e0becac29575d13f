//! Settings of trials.

use crate::config::ConfigError;
use ionet_trust::classes::Rows;
use ionet_trust::record::{OPENINGS_MIN, PAIRS_MIN};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How devices prove their chips. Left out of the settings: nobody is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrialSettings {
    /// Seconds between two trials of all idle devices.
    pub period_s: u32,
    /// Milliseconds of rounds, on processors and other chips.
    pub work_ms: u32,
    /// Rows and columns of a processor's matrices, a power of two.
    pub side: u32,
    /// Leaves that each proof opens.
    pub openings: u16,
    /// MiB of a processor's memory that are passed over; 0: none, and its memory stays claimed.
    pub stream_mib: u32,
    /// Milliseconds of the pass over memory.
    pub stream_ms: u32,
    /// Pairs of pages that each proof of a pass opens.
    pub stream_openings: u16,
    /// Rows and columns of other chips' matrices, a power of two.
    pub chip_side: u32,
    /// Milliseconds of rounds on a chip's matrix units.
    pub matrix_ms: u32,
    /// Milliseconds that a commitment may take on its way.
    pub grace_ms: u32,
    /// Milliseconds for the proof after the question.
    pub proof_ms: u32,
    /// Thousandths of its time that a device works for trials that somebody asks for: how soon it
    /// can be asked again.
    pub duty_per_mille: u32,
    /// Trials whose records are kept; older ones are removed.
    pub keep: u32,
    /// What classes do, in place of the table of this version: no file sets it.
    #[serde(skip)]
    pub rows: Option<&'static Rows>,
}

impl Default for TrialSettings {
    fn default() -> Self {
        Self {
            period_s: 3_600,
            work_ms: 20_000,
            side: 2_048,
            openings: 64,
            stream_mib: 256,
            stream_ms: 5_000,
            stream_openings: 24,
            chip_side: 8_192,
            matrix_ms: 8_000,
            grace_ms: 1_000,
            proof_ms: 10_000,
            duty_per_mille: 10,
            keep: 1_000,
            rows: None,
        }
    }
}

impl TrialSettings {
    /// Whether every value is within its bounds.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let check = |fine: bool, name, bounds| {
            if fine { Ok(()) } else { Err(ConfigError::Bounds { name, bounds }) }
        };
        check((1..=86_400).contains(&self.period_s), "trials.period_s", "1 to 86400")?;
        check((10..=60_000).contains(&self.work_ms), "trials.work_ms", "10 to 60000")?;
        let side = self.side.is_power_of_two() && (64..=4_096).contains(&self.side);
        check(side, "trials.side", "a power of two from 64 to 4096")?;
        // Fewer would make records that `ionet verify replay` calls weak.
        let openings = (OPENINGS_MIN..=256).contains(&self.openings);
        check(openings, "trials.openings", "32 to 256")?;
        let stream = self.stream_mib <= 4_096;
        check(stream, "trials.stream_mib", "0 (off) to 4096")?;
        check((10..=60_000).contains(&self.stream_ms), "trials.stream_ms", "10 to 60000")?;
        // 24 of a tebibyte are 110 kB: a frame holds twice as many.
        let openings = (PAIRS_MIN..=48).contains(&self.stream_openings);
        check(openings, "trials.stream_openings", "16 to 48")?;
        let side = self.chip_side.is_power_of_two() && (64..=16_384).contains(&self.chip_side);
        check(side, "trials.chip_side", "a power of two from 64 to 16384")?;
        check((10..=60_000).contains(&self.matrix_ms), "trials.matrix_ms", "10 to 60000")?;
        check((10..=60_000).contains(&self.grace_ms), "trials.grace_ms", "10 to 60000")?;
        check((100..=60_000).contains(&self.proof_ms), "trials.proof_ms", "100 to 60000")?;
        check((1..=1_000).contains(&self.duty_per_mille), "trials.duty_per_mille", "1 to 1000")?;
        check((1..=1_000_000).contains(&self.keep), "trials.keep", "1 to 1000000")
    }

    /// Milliseconds from a trial that kept a device busy for so long to the next that it can be
    /// asked for.
    pub(crate) fn pause_ms(&self, busy_ms: u32) -> i64 {
        i64::from(busy_ms) * 1_000 / i64::from(self.duty_per_mille.max(1))
    }

    /// Milliseconds that a processor works in one trial.
    pub fn busy_ms(&self) -> u32 {
        self.work_ms + if self.stream_mib > 0 { self.stream_ms } else { 0 }
    }

    /// Milliseconds that a chip works in one trial: on its integer units, on its matrix units, and
    /// in its memory.
    pub fn chip_busy_ms(&self) -> u32 {
        self.work_ms + self.matrix_ms + self.stream_ms
    }

    /// Milliseconds of a period in which its trial may start: the rest is for it to end.
    pub(crate) fn window_ms(&self) -> u32 {
        self.period_s * 750
    }

    /// Time from a task's start until every device was heard or has missed it, with a margin that
    /// is a fence against our own mistakes.
    pub(crate) fn commitments_max(&self, work_ms: u32) -> Duration {
        let work = u64::from(work_ms) + u64::from(self.grace_ms);
        Duration::from_millis(work) + Duration::from_secs(20)
    }

    pub(crate) fn period(&self) -> Duration {
        Duration::from_secs(self.period_s.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_periods_trials_take_less_than_a_hundredth_of_any_devices_time() {
        let settings = TrialSettings::default();
        for busy_ms in [settings.busy_ms(), settings.chip_busy_ms()] {
            assert!(100 * busy_ms <= 1_000 * settings.period_s, "{busy_ms} ms");
            // And so do those that somebody asks for.
            assert!(settings.pause_ms(busy_ms) >= 100 * i64::from(busy_ms));
        }
    }

    #[test]
    fn a_coordinator_whose_records_would_be_weak_does_not_start() {
        let settings = TrialSettings::default();
        assert!(settings.validate().is_ok());
        let (openings, stream_openings) = (OPENINGS_MIN, PAIRS_MIN);
        assert!(TrialSettings { openings, stream_openings, ..settings }.validate().is_ok());
        for (few, named) in [
            (TrialSettings { openings: OPENINGS_MIN - 1, ..settings }, "trials.openings"),
            (TrialSettings { stream_openings: PAIRS_MIN - 1, ..settings }, "stream_openings"),
        ] {
            let error = few.validate().unwrap_err();
            assert!(matches!(error, ConfigError::Bounds { name, .. } if name.ends_with(named)));
        }
        // What the message says is what is checked.
        let bounds = |few: TrialSettings| few.validate().unwrap_err().to_string();
        let said = bounds(TrialSettings { openings: 0, ..settings });
        assert!(said.contains(&format!("{OPENINGS_MIN} to 256")), "{said}");
        let said = bounds(TrialSettings { stream_openings: 0, ..settings });
        assert!(said.contains(&format!("{PAIRS_MIN} to 48")), "{said}");
    }
}
