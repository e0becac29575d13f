//! What a device of a class is asked to do, and what is expected of it.

use super::settings::TrialSettings;
use ionet_core::{ChipClass, ChipKind, Inventory, Quantity, Task, Tier, Units, Verdict};
use ionet_trust::classes::{CALIBRATION, Row, Rows};
use ionet_trust::memory::Memory;
use ionet_trust::verdict::{Expectation, Period};
use ionet_wire::prove::{CHIP_FEATURE, CHIPS_FEATURE, MATRIX_FEATURE, STREAM_FEATURE};

/// Entries of a product in one leaf: a proof of 64 leaves stays below 64 kB.
const WIDTH: u32 = 64;
/// Multiply-adds a second that any processor does: below it, it is none.
const CPU_LEAST: u64 = 1_000_000;
/// Multiply-adds a second, hashing and all, of one of two threads that share a core of a server's
/// processor with AVX2. An AMD EPYC did 13.4 thousand million on each, measured with the kernel of
/// `ionet-prover` before it hashed on both.
const THREAD_TYPICAL: u64 = 15_000_000_000;

/// What a device can be asked for, as its hello says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Offers {
    stream: bool,
    chip: bool,
    chips: bool,
    matrix: bool,
}

impl Offers {
    pub(super) fn of(features: &[String]) -> Self {
        let says = |feature: &str| features.iter().any(|f| f == feature);
        Self {
            stream: says(STREAM_FEATURE),
            chip: says(CHIP_FEATURE),
            chips: says(CHIPS_FEATURE),
            matrix: says(MATRIX_FEATURE),
        }
    }
}

/// What a device is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) tasks: Vec<Task>,
    /// Whether on its chip; otherwise on its processor.
    pub(super) on_chip: bool,
}

impl Assignment {
    /// Milliseconds that it takes the device.
    pub(super) fn busy_ms(&self) -> u32 {
        self.tasks.iter().map(Task::time_ms).sum()
    }
}

/// The calibration data in force.
pub(super) fn rows(settings: &TrialSettings) -> Rows {
    match settings.rows {
        Some(rows) => rows.clone(),
        None => Rows::parse(CALIBRATION).unwrap_or_else(|error| {
            tracing::error!(%error, "the calibration data; no chips are asked");
            Rows::default()
        }),
    }
}

/// Why chips stay claimed; none of a processor, or of what was asked.
pub(super) fn unasked(rows: &Rows, inventory: &Inventory, on_chip: bool) -> Option<String> {
    let class = claimed(inventory);
    if class.row().kind == ChipKind::Cpu || on_chip {
        return None;
    }
    let why = match inventory.chips.len() {
        _ if rows.get(class).is_none() => format!("what a {class} does is not known yet"),
        1 => format!("its worker found no way to drive a {class}"),
        many => format!("its worker found no way to drive all {many} of them"),
    };
    Some(format!("its processor proved that it works; its chips stay claimed: {why}"))
}

/// The row of a device whose chips can be asked: all of one class, and it drives each.
fn askable<'a>(rows: &'a Rows, inventory: &Inventory, offers: Offers) -> Option<&'a Row> {
    let drives = offers.stream
        && match inventory.chips.len() {
            1 => offers.chip,
            _ => offers.chips,
        };
    let class = Some(claimed(inventory)).filter(|c| drives && c.row().kind != ChipKind::Cpu);
    rows.get(class?)
}

/// What a device is asked for: of its chip where it can drive one, of its processor otherwise.
pub(super) fn assignment(
    settings: &TrialSettings,
    rows: &Rows,
    inventory: &Inventory,
    offers: Offers,
) -> Assignment {
    let row = askable(rows, inventory, offers);
    let side = row.map_or(settings.side, |_| settings.chip_side);
    let rounds = |units, time_ms| Task::Multiply {
        units,
        side,
        width: WIDTH.min(side),
        openings: settings.openings,
        time_ms,
    };
    let mut tasks = vec![rounds(Units::Integer, settings.work_ms)];
    if row.is_some() && offers.matrix {
        tasks.push(rounds(Units::Matrix, settings.matrix_ms));
    }
    let memory = match row {
        Some(row) => memory_of(row),
        None => Memory::within(u64::from(settings.stream_mib) << 20),
    };
    tasks.extend(memory.filter(|_| offers.stream).map(|memory| Task::Stream {
        bytes: memory.bytes(),
        openings: settings.stream_openings,
        time_ms: settings.stream_ms,
    }));
    Assignment { tasks, on_chip: row.is_some() }
}

/// How many of a device's chips are asked, each for itself: all, or its processor as one.
pub(super) fn chips(inventory: &Inventory, asked: &Assignment) -> u8 {
    if asked.on_chip { u8::try_from(inventory.chips.len()).unwrap_or(u8::MAX) } else { 1 }
}

/// The memory of a class, as large as a pass over it can be.
fn memory_of(row: &Row) -> Option<Memory> {
    let [_, _, _, bytes] = row.typical();
    Memory::within(bytes)
}

/// The class that a device claims; its processor's if its chips are of several.
pub(super) fn claimed(inventory: &Inventory) -> ChipClass {
    inventory.chip_class().unwrap_or(ChipClass::CPU)
}

/// What the class is told apart by, and the bytes of its memory. A processor is expected to do what
/// the threads for sale do, so that a machine which is sold twice shows; its memory may prove what
/// it likes. A chip is expected to do what its row says: without matrix units that its worker can
/// use, its matrix rate stays missing, and so it is measured at best.
pub(super) fn expected(
    rows: &Rows,
    inventory: &Inventory,
    on_chip: bool,
) -> (Vec<Expectation>, u64) {
    let class = claimed(inventory);
    if class.row().kind == ChipKind::Cpu {
        let threads = inventory.slice.cpu_milli.div_ceil(1_000).max(1);
        let rate = Expectation {
            quantity: Quantity::IntegerRate,
            typical: THREAD_TYPICAL * u64::from(threads),
            least: CPU_LEAST,
        };
        return (vec![rate], 0);
    }
    let Some(row) = rows.get(class).filter(|_| on_chip) else { return (Vec::new(), 0) };
    let kinds = [Quantity::IntegerRate, Quantity::MatrixRate, Quantity::MemoryRate];
    let rates = kinds.into_iter().zip(row.typical().into_iter().zip(row.least()));
    let rate = |(quantity, (typical, least))| Expectation { quantity, typical, least };
    let bytes = memory_of(row).map_or(0, Memory::bytes);
    let memory = Expectation { quantity: Quantity::MemoryBytes, typical: bytes, least: bytes };
    (rates.map(rate).chain([memory]).collect(), bytes)
}

/// What was proven of a machine whose chips were not asked: that it is there and works. Its chips
/// stay claimed, and say why; placement may leave them out.
pub(super) fn only_claimed(mut verdict: Verdict, why: String, period: Period) -> Verdict {
    if verdict.tier != Tier::Claimed {
        verdict.tier = Tier::Claimed;
        verdict.class = None;
        verdict.expires_at_ms = verdict.at_ms.saturating_add(period.life_ms());
        verdict.reason = Some(why);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::{Chip, Cpu, Disk, Egress, Region, Slice};

    fn machine(chips: &[&str]) -> Inventory {
        let chip = |class: &&str| Chip {
            class: class.parse().unwrap(),
            model: (*class).to_owned(),
            uuid: None,
            memory_bytes: 0,
            cdi: None,
        };
        Inventory {
            hostname: String::new(),
            os: String::new(),
            cpu: Cpu { model: String::new(), threads: 2, architecture: String::new() },
            memory_bytes: 1 << 34,
            disk: Disk { total_bytes: 0, free_bytes: 0 },
            network: Vec::new(),
            chips: chips.iter().map(chip).collect(),
            slice: Slice { cpu_milli: 1_500, memory_bytes: 1 << 30, scratch_bytes: 0 },
            region: Region::LOCAL,
            egress: Egress::None,
        }
    }

    const ALL: Offers = Offers { stream: true, chip: true, chips: true, matrix: true };
    const NOTHING: Offers = Offers { stream: false, chip: false, chips: false, matrix: false };

    #[test]
    fn a_device_is_asked_for_what_it_offers_and_no_more() {
        let settings = TrialSettings::default();
        let rows = rows(&settings);
        let of = |chips: &[&str], offers| assignment(&settings, &rows, &machine(chips), offers);
        let asked = of(&["t4"], ALL);
        assert!(asked.on_chip && asked.tasks.len() == ionet_core::TASKS_MAX);
        let [integer, matrix, Task::Stream { bytes, .. }] = asked.tasks[..] else {
            panic!("{asked:?}")
        };
        let of_units = |task| match task {
            Task::Multiply { units, side, time_ms, .. } => (units, side, time_ms),
            other => panic!("{other:?}"),
        };
        let side = settings.chip_side;
        assert_eq!(of_units(integer), (Units::Integer, side, settings.work_ms));
        assert_eq!(of_units(matrix), (Units::Matrix, side, settings.matrix_ms));
        assert_eq!(bytes, 14 << 30, "all the memory of the class");
        // Without matrix units that it can use it is asked for the rest.
        let fewer = of(&["t4"], Offers { matrix: false, ..ALL });
        assert_eq!(fewer.tasks, [asked.tasks[0], asked.tasks[2]]);
        let processor = of(&["cpu"], ALL);
        assert!(!processor.on_chip);
        let Task::Stream { bytes, .. } = processor.tasks[1] else { panic!("{processor:?}") };
        assert_eq!(bytes, u64::from(settings.stream_mib) << 20);
        assert_eq!(of(&["cpu"], NOTHING).tasks, processor.tasks[..1]);
        // Whatever cannot be driven proves with its processor that it works.
        assert_eq!(of(&["t4", "l4"], ALL), processor, "of two classes");
        assert_eq!(of(&["t4"], Offers { chip: false, ..ALL }), processor);
        assert_eq!(of(&["t4"; 2], Offers { chips: false, ..ALL }), processor);
        // Each of several for itself.
        assert_eq!(of(&["t4"; 8], ALL), asked);
        assert_eq!(chips(&machine(&["t4"; 8]), &asked), 8);
        assert_eq!(chips(&machine(&["t4"; 8]), &processor), 1);
        let off = TrialSettings { stream_mib: 0, ..settings };
        let asked = assignment(&off, &rows, &machine(&["cpu"]), ALL);
        assert_eq!(asked.tasks.len(), 1, "0 is off");
    }

    #[test]
    fn what_is_not_asked_says_why_and_what_is_asked_has_its_row() {
        let rows = rows(&TrialSettings::default());
        let why = |chips: &[&str], on| unasked(&rows, &machine(chips), on);
        assert_eq!(why(&["cpu"], false), None);
        assert_eq!(why(&["t4"], true), None);
        assert!(why(&["t4"], false).unwrap().contains("found no way to drive a t4"));
        assert!(why(&["t4"; 4], false).unwrap().contains("no way to drive all 4"));
        let none = unasked(&Rows::default(), &machine(&["t4"]), false).unwrap();
        assert!(none.contains("what a t4 does is not known"), "{none}");

        let (figures, bytes) = expected(&rows, &machine(&["t4"]), true);
        let row = rows.get("t4".parse().unwrap()).unwrap();
        assert_eq!(bytes, 14 << 30);
        let typical: Vec<_> = figures.iter().map(|e| e.typical).collect();
        assert_eq!(typical, row.typical());
        let least: Vec<_> = figures.iter().map(|e| e.least).collect();
        assert_eq!(least, row.least());
        assert_eq!(expected(&rows, &machine(&["t4"]), false), (vec![], 0));
        let (figures, _) = expected(&rows, &machine(&["cpu"]), false);
        assert_eq!(figures[0].typical, 2 * THREAD_TYPICAL, "two threads are begun");
    }
}
