//! What renters who looked from inside say of a device, for whoever looks at it.
//!
//! A check is its renter's word, and a renter can be anybody: the supplier under another name, who
//! praises, or a competitor, who rents for a minute and slanders. So
//!
//! * it lowers and raises nothing: no tier, no score, no placement reads any of it;
//! * a wallet counts once, by its newest check, and the supplier's own counts not at all;
//! * short is short of what the *network* says was sold ([`Sold`]), not of what a renter demanded;
//! * a figure that renters measured is shown from three of them on, and it is the lower median:
//!   to move it takes as many paying wallets as there are honest ones.

use super::judge::{Finding, Outcome};
use super::record::Check;
use ionet_core::{DeviceId, Measure, Provenance, Quantity, Signal, TEXT_BYTES_MAX, Wallet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The signal's code.
pub const CODE: &str = "renter-check";
/// Milliseconds for which a check counts: seven days.
pub const WINDOW_MS: i64 = 7 * 86_400_000;
/// Renters whose figures make one that is shown: of two, each is half the truth.
pub const FIGURE_RENTERS_MIN: usize = 3;
/// Part of its public figure that a chip must reach in a lease: it was proven on an idle machine,
/// and in a container Ray, and whatever else the supplier sells, runs beside it.
pub const PROVEN_SHARE: (u64, u64) = (1, 2);
/// Of the memory that was sold, the part that is held at most unless more is demanded: Ray runs
/// beside it.
pub const HOLD_SHARE: u64 = 8;

/// What the network says was sold of a device in one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sold {
    /// Multiply-adds a second of the chips that were rented, as far as proven.
    pub rate: Option<u64>,
    /// Bytes of a container's memory, as its supplier says.
    pub memory_bytes: Option<u64>,
}

/// `chips` of `all` of a figure of the whole machine, rounded down.
pub fn share_of(whole: u64, chips: u8, all: u8) -> u64 {
    let (part, all) = (u128::from(chips), u128::from(all.max(1)));
    u64::try_from(u128::from(whole) * part.min(all) / all).unwrap_or(u64::MAX)
}

/// What one check shows of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Look {
    /// What of.
    pub quantity: Quantity,
    /// How much was shown.
    pub value: Option<u64>,
    /// Against what the network says was sold.
    pub outcome: Outcome,
}

/// What one check says of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Of whom.
    pub device: DeviceId,
    /// Whose word it is.
    pub renter: Wallet,
    /// Unix milliseconds, by the renter's clock.
    pub at_ms: i64,
    /// Beside a workload: no figure is too low, and none stands for the device.
    pub light: bool,
    /// One a kind.
    pub looks: Vec<Look>,
}

/// What a check says of each of its devices. `findings` are its own.
pub fn looked(
    check: &Check,
    findings: &[Finding],
    sold: impl Fn(&DeviceId) -> Sold,
) -> Vec<Looked> {
    let of = |member: usize, device: DeviceId| {
        let sold = sold(&device);
        let mine = findings.iter().filter(|f| f.member as usize == member);
        let look = |f: &Finding| Look {
            quantity: f.quantity,
            value: f.value,
            outcome: against(check, f, &sold),
        };
        Looked {
            device,
            renter: check.renter,
            at_ms: check.at_ms,
            light: check.plan.light,
            looks: mine.map(look).collect(),
        }
    };
    check.members.iter().enumerate().map(|(n, member)| of(n, member.device)).collect()
}

/// What a finding means without the renter's own demands.
fn against(check: &Check, found: &Finding, sold: &Sold) -> Outcome {
    match found.quantity {
        // More than a client asks for by itself may be more than there is room for.
        Quantity::MemoryBytes => {
            let asked = check.plan.hold.map_or(u64::MAX, |hold| hold.bytes);
            let fair = sold.memory_bytes.is_some_and(|whole| asked <= whole / HOLD_SHARE);
            match found.outcome {
                Outcome::Broken if !fair => Outcome::Unknown,
                Outcome::Broken => Outcome::Broken,
                Outcome::Fine | Outcome::Short | Outcome::Unknown => Outcome::Fine,
            }
        }
        _ if found.outcome == Outcome::Broken => Outcome::Broken,
        Quantity::IntegerRate => {
            let (part, of) = PROVEN_SHARE;
            let least = sold.rate.map(|rate| u128::from(rate) * u128::from(part) / u128::from(of));
            // One thread is no measure of a machine.
            let whole = !check.plan.light && check.plan.multiply.is_some_and(|t| t.threads == 0);
            match (least, found.at_most) {
                (Some(least), Some(most)) if u128::from(most) >= least => Outcome::Fine,
                (Some(_), Some(_)) if whole => Outcome::Short,
                _ => Outcome::Unknown,
            }
        }
        // Nobody sells these by a figure.
        Quantity::MatrixRate
        | Quantity::MemoryRate
        | Quantity::RoundTrip
        | Quantity::NetworkRate
        | Quantity::DiskRate => Outcome::Unknown,
    }
}

/// What stands beside a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beside {
    /// Who looked, and what they found.
    pub signal: Option<Signal>,
    /// What renters measured: network and disk.
    pub figures: Vec<Measure>,
}

/// What stands beside a device of `supplier` at `now_ms`, of which these checks speak. Their order
/// has no effect.
pub fn beside(supplier: Wallet, looked: &[Looked], now_ms: i64) -> Beside {
    let mut newest: BTreeMap<Wallet, &Looked> = BTreeMap::new();
    let mut measured: BTreeMap<(Quantity, Wallet), (i64, u64)> = BTreeMap::new();
    let counts = |l: &&Looked| {
        l.renter != supplier && now_ms.saturating_sub(l.at_ms) < WINDOW_MS && !l.looks.is_empty()
    };
    for one in looked.iter().filter(counts) {
        let kept = newest.entry(one.renter).or_insert(one);
        if (one.at_ms, &one.looks) > (kept.at_ms, &kept.looks) {
            *kept = one;
        }
        let figures = one.looks.iter().filter(|l| {
            !one.light && matches!(l.quantity, Quantity::NetworkRate | Quantity::DiskRate)
        });
        for (quantity, value) in figures.filter_map(|l| Some((l.quantity, l.value?))) {
            let kept = measured.entry((quantity, one.renter)).or_insert((one.at_ms, value));
            *kept = (*kept).max((one.at_ms, value));
        }
    }
    let figures = [Quantity::NetworkRate, Quantity::DiskRate];
    let figures = figures.into_iter().filter_map(|q| median(q, &measured)).collect();
    Beside { signal: signal(&newest), figures }
}

/// The lower median of what renters measured.
fn median(
    quantity: Quantity,
    measured: &BTreeMap<(Quantity, Wallet), (i64, u64)>,
) -> Option<Measure> {
    let mine = measured.iter().filter(|((q, _), _)| *q == quantity);
    let mut values: Vec<(u64, i64)> = mine.map(|(_, (at_ms, value))| (*value, *at_ms)).collect();
    values.sort_unstable();
    if values.len() < FIGURE_RENTERS_MIN {
        return None;
    }
    let (value, at_ms) = values[(values.len() - 1) / 2];
    Some(Measure { quantity, value, provenance: Provenance::Measured, at_ms, trial: None })
}

fn signal(newest: &BTreeMap<Wallet, &Looked>) -> Option<Signal> {
    let at_ms = newest.values().map(|l| l.at_ms).max()?;
    let renters = match newest.len() {
        1 => "1 renter".to_owned(),
        n => format!("{n} renters"),
    };
    let mut faults: BTreeMap<(Quantity, bool), usize> = BTreeMap::new();
    for look in newest.values().flat_map(|l| &l.looks).filter(|l| l.outcome.is_bad()) {
        *faults.entry((look.quantity, look.outcome == Outcome::Broken)).or_default() += 1;
    }
    let said: Vec<String> = faults.iter().map(|(of, n)| fault(*of, *n)).collect();
    let said = if said.is_empty() { "nothing was missing".to_owned() } else { said.join(", ") };
    let text = format!("{renters} looked from inside in 7 days: {said}; their word alone");
    debug_assert!(text.len() <= TEXT_BYTES_MAX);
    Some(Signal { code: CODE.to_owned(), text, at_ms })
}

fn fault((quantity, broken): (Quantity, bool), times: usize) -> String {
    let name = match quantity {
        Quantity::IntegerRate | Quantity::MatrixRate => "rate",
        Quantity::MemoryBytes | Quantity::MemoryRate => "memory",
        Quantity::NetworkRate | Quantity::RoundTrip => "network",
        Quantity::DiskRate => "disk",
    };
    let how = if broken { "not shown" } else { "short" };
    match times {
        1 => format!("{name} {how} once"),
        2 => format!("{name} {how} twice"),
        n => format!("{name} {how} {n} times"),
    }
}
