//! What a device of a class is asked to do, and what is expected of it.

use super::settings::TrialSettings;
use ionet_core::{ChipClass, ChipKind, Inventory, Quantity, Task, Tier, Units, Verdict};
use ionet_trust::verdict::{Expectation, Period};

/// Entries of a product in one leaf: a proof of 64 leaves stays below 64 kB.
const WIDTH: u32 = 64;
/// Multiply-adds a second that any processor does: below it, it is none.
const CPU_LEAST: u64 = 1_000_000;
/// Multiply-adds a second, hashing and all, of one of two threads that share a core of a server's
/// processor with AVX2. An AMD EPYC did 13.4 thousand million on each, measured with the kernel of
/// `ionet-prover` before it hashed on both.
const THREAD_TYPICAL: u64 = 15_000_000_000;

/// The tasks of any device. Every machine has a processor; kernels for other chips are asked
/// for once workers offer them.
pub(super) fn tasks(settings: &TrialSettings) -> Vec<Task> {
    vec![Task::Multiply {
        units: Units::Integer,
        side: settings.side,
        width: WIDTH.min(settings.side),
        openings: settings.openings,
        time_ms: settings.work_ms,
    }]
}

/// The class that a device claims; its processor's if its chips are of several.
pub(super) fn claimed(inventory: &Inventory) -> ChipClass {
    inventory.chip_class().unwrap_or(ChipClass::CPU)
}

/// What the class is told apart by, as far as it can be asked for. A processor is expected to do
/// what the threads for sale do, so that a machine which is sold twice shows.
pub(super) fn expected(class: ChipClass, inventory: &Inventory) -> Vec<Expectation> {
    match class.row().kind {
        ChipKind::Cpu => {
            let threads = inventory.slice.cpu_milli.div_ceil(1_000).max(1);
            vec![Expectation {
                quantity: Quantity::IntegerRate,
                typical: THREAD_TYPICAL * u64::from(threads),
                least: CPU_LEAST,
            }]
        }
        ChipKind::Nvidia | ChipKind::Apple => Vec::new(),
    }
}

/// What was proven of a machine whose chips cannot be asked yet: that it is there and works. Its
/// chips stay claimed, and say so; placement may leave them out.
pub(super) fn only_claimed(mut verdict: Verdict, class: ChipClass, period: Period) -> Verdict {
    if class.row().kind != ChipKind::Cpu && verdict.tier != Tier::Claimed {
        verdict.tier = Tier::Claimed;
        verdict.class = None;
        verdict.expires_at_ms = verdict.at_ms.saturating_add(period.life_ms());
        verdict.reason = Some(format!(
            "its processor proved that it works; nothing asks a {class} for its own rates yet, so \
             that stays claimed"
        ));
    }
    verdict
}
