//! The first placer: looks at every candidate.

use crate::{Availability, Candidate, Choice, Chosen, Constraint, Cut, Placer, Refusal, Request};
use ionet_core::{Amount, Region};
use ionet_units::Rate;
use std::collections::BTreeMap;

/// Looks at each of these.
///
/// Order of preference: devices of one region (the preferred one, else the one where the whole
/// request is cheapest) before a mixture; in it the cheapest; ties go by id. The head is the
/// chosen one with most memory.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a>(pub &'a [Candidate]);

impl Placer for Scan<'_> {
    fn place(&self, request: &Request<'_>) -> Result<Choice, Refusal> {
        let constraints = constraints(request);
        let mut fitting: Vec<&Candidate> = self
            .0
            .iter()
            .filter(|c| constraints.iter().all(|rule| admits(rule, request, c)))
            .collect();
        if fitting.len() < usize::from(request.want) {
            return Err(funnel(self.0, request, &constraints));
        }
        fitting.sort_by_key(|c| (line_rate(request, c), c.device));
        let mut chosen = choose(request, &fitting);
        let mut total = sum(request, &chosen);
        if request.rate_total_max.is_some_and(|max| total > max.0) {
            // A mixture of regions may be cheaper than what is near: price goes first now.
            chosen = fitting[..usize::from(request.want)].to_vec();
            total = sum(request, &chosen);
        }
        if let Some(Rate(max)) = request.rate_total_max.filter(|max| total > max.0) {
            let mut refusal = funnel(self.0, request, &constraints);
            let asset = request.spec.asset;
            refusal.total = Some((Amount::new(asset, total), Amount::new(asset, max)));
            return Err(refusal);
        }
        // Most memory first; a stable sort keeps price and id as the tie-breakers.
        if let Some(head) = (0..chosen.len()).max_by_key(|i| (chosen[*i].memory_bytes, !i)) {
            chosen[..=head].rotate_right(1);
        }
        let members = chosen
            .iter()
            .enumerate()
            .map(|(i, c)| member(request, i == 0 && request.want > 1, c))
            .collect();
        Ok(Choice { members })
    }
}

/// The constraints of a request, in the order of the funnel.
fn constraints(request: &Request<'_>) -> Vec<Constraint> {
    let spec = request.spec;
    let mut all = vec![
        Constraint::Chip { class: spec.chip },
        Constraint::Region { region: spec.region },
        Constraint::Egress { egress: spec.egress },
        Constraint::ChipsPerDevice { chips: spec.chips_per_device },
        Constraint::Excluded,
        Constraint::Offline,
        Constraint::Draining,
        Constraint::Proving,
        Constraint::Busy,
        Constraint::Asset { asset: spec.asset },
    ];
    if !spec.min_tier.is_claimed() {
        let after = all.iter().position(|c| *c == Constraint::Proving).map_or(0, |i| i + 1);
        all.insert(after, Constraint::Tier { tier: spec.min_tier });
    }
    if let Some(max) = request.rate_per_chip_max {
        all.push(Constraint::Ask { ceiling: Amount::new(spec.asset, max) });
    }
    all
}

fn admits(rule: &Constraint, request: &Request<'_>, c: &Candidate) -> bool {
    match rule {
        Constraint::Chip { class } => c.chip == Some(*class),
        Constraint::Region { region } => region.admits(c.region),
        Constraint::Egress { egress } => c.egress >= *egress,
        Constraint::ChipsPerDevice { chips } => c.chips_total >= *chips,
        Constraint::Excluded => !request.exclude.contains(&c.device),
        Constraint::Offline => match c.availability {
            Availability::Available | Availability::Draining | Availability::Proving => true,
            Availability::Suspect | Availability::Offline | Availability::Withheld => false,
        },
        Constraint::Draining => c.availability != Availability::Draining,
        Constraint::Proving => c.availability != Availability::Proving,
        Constraint::Tier { tier } => c.tier >= *tier,
        // A device too small for the request is counted as too small, not as busy.
        Constraint::Busy => c.chips_free >= request.spec.chips_per_device.min(c.chips_total),
        Constraint::Asset { asset } => c.asks.of(*asset).is_some(),
        // No ask at all was counted one step before.
        Constraint::Ask { ceiling } => {
            c.asks.of(ceiling.asset).is_none_or(|ask| ask <= ceiling.base_units)
        }
    }
}

/// What a candidate costs per hour for all wanted chips. Saturates: what overflows is over any
/// ceiling.
fn line_rate(request: &Request<'_>, c: &Candidate) -> u64 {
    let ask = c.asks.of(request.spec.asset).unwrap_or(u64::MAX);
    ask.saturating_mul(u64::from(request.spec.chips_per_device))
}

/// Fees included, each line's rounded up by itself as the chain does it. Saturates.
fn sum(request: &Request<'_>, chosen: &[&Candidate]) -> u64 {
    let gross = |c: &Candidate| {
        request.fee.gross_ceil(Rate(line_rate(request, c))).map_or(u64::MAX, Rate::get)
    };
    chosen.iter().fold(0, |sum, c| sum.saturating_add(gross(c)))
}

/// The wanted number of `fitting`, which is sorted by price.
fn choose<'a>(request: &Request<'_>, fitting: &[&'a Candidate]) -> Vec<&'a Candidate> {
    let want = usize::from(request.want);
    let mut regions: BTreeMap<Region, Vec<&Candidate>> = BTreeMap::new();
    for c in fitting {
        let here = regions.entry(c.region).or_default();
        if here.len() < want {
            here.push(c);
        }
    }
    let whole = regions.iter().filter(|(_, here)| here.len() == want);
    let best = whole.min_by_key(|(region, here)| {
        (request.near != Some(**region), sum(request, here), **region)
    });
    match best {
        Some((_, here)) => here.clone(),
        None => {
            let mut all = fitting.to_vec();
            all.sort_by_key(|c| request.near.is_some_and(|near| near != c.region));
            all.truncate(want);
            all
        }
    }
}

fn member(request: &Request<'_>, head: bool, c: &Candidate) -> Chosen {
    let ask = Amount::new(request.spec.asset, c.asks.of(request.spec.asset).unwrap_or(u64::MAX));
    let head = if head { "; most memory of those chosen" } else { "" };
    Chosen {
        device: c.device,
        chips: request.spec.chips_per_device,
        rate: line_rate(request, c),
        region: c.region,
        reason: format!("asks {ask} per chip-hour in {}{head}", c.region),
    }
}

fn funnel(all: &[Candidate], request: &Request<'_>, constraints: &[Constraint]) -> Refusal {
    let mut removed = vec![0u32; constraints.len()];
    let mut removed_alone = vec![0u32; constraints.len()];
    let mut nearest: Option<u64> = None;
    let mut fit = 0u32;
    for c in all {
        let mut failed = (0..constraints.len()).filter(|i| !admits(&constraints[*i], request, c));
        let Some(first) = failed.next() else {
            fit += 1;
            continue;
        };
        removed[first] += 1;
        if failed.next().is_none() {
            removed_alone[first] += 1;
            if let Constraint::Ask { ceiling } = &constraints[first] {
                nearest = nearest.into_iter().chain(c.asks.of(ceiling.asset)).min();
            }
        }
    }
    let mut left = all.len() as u32;
    let cuts = constraints
        .iter()
        .enumerate()
        .map(|(i, constraint)| {
            left -= removed[i];
            let is_ask = matches!(constraint, Constraint::Ask { .. });
            let nearest = nearest.filter(|_| is_ask).map(|n| Amount::new(request.spec.asset, n));
            Cut {
                constraint: constraint.clone(),
                removed: removed[i],
                left,
                fit_without: fit + removed_alone[i],
                nearest,
            }
        })
        .collect();
    Refusal { wanted: request.want, fit, of: all.len() as u32, cuts, total: None }
}
