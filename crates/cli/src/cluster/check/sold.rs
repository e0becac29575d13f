//! What was sold, in figures that a check can show, and what is asked to show them.

use crate::failure::{Failure, Result};
use crate::output::bytes as size;
use crate::rest::Rest;
use futures_util::future::join_all;
use ionet_api::{Cluster, Device, MemberView};
use ionet_core::{Provenance, Quantity};
use ionet_inside::{Hold, Least, Member, Multiply, Plan};
use ionet_trust::inside::{HOLD_SHARE, PROVEN_SHARE, share_of};
use ionet_trust::memory::{Memory, PASSES_MIN};

/// Rounds as in a coordinator's trials, so that rates can be compared.
const ROUNDS: Multiply =
    Multiply { side: 2_048, width: 128, openings: 40, time_ms: 2_000, threads: 0 };
/// A light check: one round of a small product at least, on one thread.
const LIGHT: Multiply =
    Multiply { side: 1_024, width: 128, openings: 40, time_ms: 1_000, threads: 1 };
/// Openings of passes: a tenth of the memory that is missing is found 99 times in 100.
const PAIRS: u16 = 24;
/// Bytes to hold where nothing more is demanded: a few seconds on one thread.
const HOLD_BYTES: u64 = 64 << 20;
/// Bytes to write: scratch space is memory on some devices, and small.
const DISK_BYTES: u64 = 32 << 20;
/// Bytes over each link.
const LINK_BYTES: u64 = 64 << 20;

/// What the renter itself demands.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Demands {
    /// Least multiply-adds a second of each device, such as 20G [default: what its class or its
    /// public record says]
    #[arg(long, value_name = "RATE", value_parser = quantity, help_heading = "Demands of a check")]
    min_rate: Option<u64>,
    /// Least bytes of memory that each container holds at once, such as 2Gi
    #[arg(long, value_name = "BYTES", value_parser = quantity, help_heading = "Demands of a check")]
    min_memory: Option<u64>,
    /// Least bytes a second that each writes to its disk, such as 200M
    #[arg(long, value_name = "RATE", value_parser = quantity, help_heading = "Demands of a check")]
    min_disk: Option<u64>,
    /// Least bytes a second between members, such as 1G
    #[arg(long, value_name = "RATE", value_parser = quantity, help_heading = "Demands of a check")]
    min_network: Option<u64>,
}

impl Demands {
    /// Whether anything is demanded.
    pub(crate) fn any(&self) -> bool {
        let all = [self.min_rate, self.min_memory, self.min_disk, self.min_network];
        all.iter().any(Option::is_some)
    }

    /// As the command line has them.
    pub(super) fn words(&self) -> Vec<String> {
        let all = [
            ("--min-rate", self.min_rate),
            ("--min-memory", self.min_memory),
            ("--min-disk", self.min_disk),
            ("--min-network", self.min_network),
        ];
        let word = |(name, value): (&str, Option<u64>)| Some([name.to_owned(), value?.to_string()]);
        all.into_iter().filter_map(word).flatten().collect()
    }
}

/// `20G`, `1.5M`, `2Gi`: a whole number of units.
fn quantity(text: &str) -> std::result::Result<u64, String> {
    let wrong = || format!("`{text}` is not a number such as 200M, 1.5G or 2Gi");
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let scale: u64 = match unit.trim_end_matches('B') {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return Err(wrong()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    // Three digits after the point are enough for anybody, and exact.
    if part.len() > 3 || whole.is_empty() {
        return Err(wrong());
    }
    let thousandths: u64 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let whole = whole.checked_mul(scale).ok_or_else(wrong)?;
    let part = u128::from(thousandths) * u128::from(scale) / 1_000;
    whole.checked_add(part as u64).filter(|n| *n > 0).ok_or_else(wrong)
}

/// What a check is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Part {
    /// Rounds of products
    Proof,
    /// Passes over memory
    Memory,
    /// Bytes written and read back
    Disk,
    /// Bytes between members
    Network,
}

/// What is to be looked at, and how hard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// These parts; empty: all.
    pub(crate) only: Vec<Part>,
    /// Beside a workload.
    pub(crate) light: bool,
    /// What the renter demands.
    pub(crate) demands: Demands,
}

/// The plan for these members, and each as it stands in the record before anything was asked.
pub(crate) async fn sold(
    rest: &Rest,
    cluster: &Cluster,
    members: &[MemberView],
    scope: &Scope,
) -> Result<(Plan, Vec<Member>)> {
    let paths: Vec<_> = members.iter().map(|m| format!("/v1/devices/{}", m.device)).collect();
    let devices = join_all(paths.iter().map(|path| rest.get::<Device>(path))).await;
    let devices: Vec<Option<Device>> = devices.into_iter().map(|d| d.ok()).collect();
    let smallest = devices.iter().flatten().filter_map(|d| memory_sold(d, cluster)).min();
    let plan = plan(scope, smallest)?;
    let member = |(view, device): (&MemberView, Option<Device>)| {
        let least = least(&plan, scope, cluster, device.as_ref());
        Member::unseen(view.device, view.rate.text.clone(), least)
    };
    Ok((plan, members.iter().zip(devices).map(member).collect()))
}

fn plan(scope: &Scope, smallest: Option<u64>) -> Result<Plan> {
    let wanted = |part| scope.only.is_empty() || scope.only.contains(&part);
    if scope.light {
        return Ok(Plan { multiply: Some(LIGHT), light: true, ..Plan::default() });
    }
    let hold = match scope.demands.min_memory {
        Some(bytes) => Some(at_least(bytes)?),
        None => {
            let fair = smallest.map_or(HOLD_BYTES, |sold| (sold / HOLD_SHARE).min(HOLD_BYTES));
            Memory::within(fair).map(Memory::bytes)
        }
    };
    let hold = hold.map(|bytes| Hold { bytes, passes: PASSES_MIN, openings: PAIRS });
    let plan = Plan {
        multiply: wanted(Part::Proof).then_some(ROUNDS),
        hold: hold.filter(|_| wanted(Part::Memory)),
        disk_bytes: wanted(Part::Disk).then_some(DISK_BYTES),
        link_bytes: wanted(Part::Network).then_some(LINK_BYTES),
        light: false,
    };
    plan.bounded().map_err(|e| Failure::usage(e.to_string()))?;
    Ok(plan)
}

/// The smallest memory that a pass is defined for and that has so many bytes.
fn at_least(bytes: u64) -> Result<u64> {
    let below = Memory::within(bytes).map_or(0, Memory::bytes);
    if below == bytes {
        return Ok(bytes);
    }
    // The next step is at most an eighth above.
    let next = Memory::within(bytes.saturating_add(bytes / 7)).map(Memory::bytes);
    next.filter(|n| *n >= bytes)
        .ok_or_else(|| Failure::usage(format!("{bytes} bytes are too few or too many to hold")))
}

/// Memory of a container, as its supplier says.
fn memory_sold(device: &Device, cluster: &Cluster) -> Option<u64> {
    let slice = device.inventory.as_ref()?.slice;
    Some(share_of(slice.memory_bytes, cluster.spec.chips_per_device, device.chips))
}

fn least(plan: &Plan, scope: &Scope, cluster: &Cluster, device: Option<&Device>) -> Vec<Least> {
    let demanded = |quantity, value: Option<u64>| {
        let why = "what you demand".to_owned();
        value.map(|value| Least { quantity, value, why })
    };
    let demands = &scope.demands;
    let memory = demanded(Quantity::MemoryBytes, demands.min_memory).or_else(|| {
        let asked = plan.hold?.bytes;
        let of = device.and_then(|d| memory_sold(d, cluster)).map(size);
        let of = of.map_or_else(String::new, |sold| format!(" of {sold} sold"));
        let why = format!("{}{of} was asked for", size(asked));
        Some(Least { quantity: Quantity::MemoryBytes, value: asked, why })
    });
    let rate = demanded(Quantity::IntegerRate, demands.min_rate);
    let all = [
        rate.or_else(|| rate_sold(cluster, device?)),
        memory,
        demanded(Quantity::DiskRate, demands.min_disk),
        demanded(Quantity::NetworkRate, demands.min_network),
    ];
    all.into_iter().flatten().collect()
}

/// What the device's public record shows. Our program multiplies on the processor: of other chips
/// it says nothing.
fn rate_sold(cluster: &Cluster, device: &Device) -> Option<Least> {
    if cluster.spec.chip != ionet_core::ChipClass::CPU {
        return None;
    }
    let verdict = device.verdict.as_ref()?;
    let rate = |f: &&ionet_api::DeviceFigure| {
        f.name == "integer_multiply_adds_per_s" && f.known == Provenance::Proven
    };
    let figure = verdict.figures.iter().find(rate)?;
    let whole = share_of(figure.value, cluster.spec.chips_per_device, device.chips);
    let (part, of) = PROVEN_SHARE;
    let trial = figure.trial.map_or_else(String::new, |t| format!(" in trial {t}"));
    Some(Least {
        quantity: Quantity::IntegerRate,
        value: (u128::from(whole) * u128::from(part) / u128::from(of)) as u64,
        why: format!("half of what it proved{trial}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_exactly() {
        for (text, value) in [
            ("1", 1),
            ("200M", 200_000_000),
            ("1.5G", 1_500_000_000),
            ("2Gi", 2 << 30),
            ("0.5KiB", 512),
            ("20GB", 20_000_000_000),
        ] {
            assert_eq!(quantity(text), Ok(value), "{text}");
        }
        for bad in ["", "0", "-1", "G", "1.2345M", "1e9", "1,5G", "99999999999T", ".5", "1.M.2"] {
            assert!(quantity(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn demanded_memory_is_rounded_up_to_what_can_be_passed_over() {
        for bytes in [1 << 20, (1 << 20) + 1, 3 << 29, 1_000_000_000, 12_345_678_901] {
            let asked = at_least(bytes).unwrap();
            assert!(asked >= bytes && asked <= bytes + bytes / 7, "{bytes} {asked}");
            assert!(Memory::new(asked).is_ok());
        }
        assert!(at_least(1).is_err() && at_least(u64::MAX).is_err());
    }

    #[test]
    fn what_is_held_leaves_room_for_the_workload() {
        let held = |sold| plan(&Scope::default(), sold).unwrap().hold.map(|h| h.bytes);
        assert_eq!(held(Some(256 << 20)), Some(32 << 20));
        assert_eq!((held(Some(1 << 40)), held(None)), (Some(HOLD_BYTES), Some(HOLD_BYTES)));
        assert_eq!(held(Some(1)), None);
    }

    #[test]
    fn only_what_is_wanted_is_asked() {
        let scope = Scope { only: vec![Part::Disk], ..Scope::default() };
        let plan = plan(&scope, None).unwrap();
        let asked = (plan.multiply, plan.hold, plan.disk_bytes, plan.link_bytes);
        assert_eq!(asked, (None, None, Some(DISK_BYTES), None));
    }
}
