//! What is chosen, and what a refusal says.

use ionet_core::{ChipClass, ClusterSpec, DeviceId, Egress, Region, Tier, Wallet};
use ionet_placement::*;
use ionet_units::{Bps, Rate};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn spec(json: &str) -> ClusterSpec {
    ClusterSpec::from_json(json.as_bytes()).unwrap()
}

fn device(id: u8, ask: u64) -> Candidate {
    Candidate {
        device: DeviceId([id; 32]),
        supplier: Wallet([9; 32]),
        chip: Some(ChipClass::CPU),
        chips_total: 1,
        chips_free: 1,
        region: Region::LOCAL,
        egress: Egress::None,
        asks: Asks { usdc: Some(ask), io: None },
        memory_bytes: 1 << 30,
        tier: Tier::Claimed,
        availability: Availability::Available,
    }
}

struct Ask<'a> {
    spec: &'a ClusterSpec,
    exclude: BTreeSet<DeviceId>,
    per_chip: Option<u64>,
    total: Option<Rate>,
    near: Option<Region>,
}

fn ask(spec: &ClusterSpec) -> Ask<'_> {
    Ask { spec, exclude: BTreeSet::new(), per_chip: None, total: None, near: None }
}

impl Ask<'_> {
    fn place(&self, candidates: &[Candidate]) -> Result<Choice, Refusal> {
        let request = Request {
            spec: self.spec,
            want: self.spec.devices,
            rate_per_chip_max: self.per_chip,
            rate_total_max: self.total,
            fee: Bps(200),
            exclude: &self.exclude,
            near: self.near,
        };
        Scan(candidates).place(&request)
    }
}

fn ids(choice: &Choice) -> Vec<u8> {
    choice.members.iter().map(|m| m.device.0[0]).collect()
}

#[test]
fn the_cheapest_are_taken_and_the_largest_leads() {
    let spec = spec(r#"{"devices":2,"chip":"cpu"}"#);
    let mut all = [device(1, 30), device(2, 10), device(3, 10), device(4, 20)];
    assert_eq!(ids(&ask(&spec).place(&all).unwrap()), [2, 3]);
    all[2].memory_bytes *= 2;
    let choice = ask(&spec).place(&all).unwrap();
    assert_eq!(ids(&choice), [3, 2]);
    assert!(choice.members[0].reason.contains("most memory"), "{:?}", choice.members);
}

#[test]
fn one_region_goes_before_the_lowest_price() {
    let spec = spec(r#"{"devices":2,"chip":"cpu"}"#);
    let mut all = [device(1, 10), device(2, 30), device(3, 30), device(4, 40), device(5, 40)];
    all[0].region = "us-east".parse().unwrap();
    all[3].region = "us-east".parse().unwrap();
    assert_eq!(ids(&ask(&spec).place(&all).unwrap()), [1, 4], "10 + 40 in one region");
    let near = Ask { near: Some(Region::LOCAL), ..ask(&spec) };
    assert_eq!(ids(&near.place(&all).unwrap()), [2, 3], "where the rest of the cluster is");
    // 10 + 30 and their fees, each rounded up: only a mixture is that cheap.
    let tight = Ask { total: Some(Rate(42)), ..ask(&spec) };
    assert_eq!(ids(&tight.place(&all).unwrap()), [1, 2]);
    let refusal = Ask { total: Some(Rate(41)), ..ask(&spec) }.place(&all).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "2 devices wanted, 5 fit, but together they ask at least 0.000042 USDC per hour, over \
         the ceiling of 0.000041 USDC"
    );
}

#[test]
fn each_constraint_counts_its_own() {
    let json = r#"{"devices":3,"chip":"cpu","region":"local","egress":"mirrors",
        "chips_per_device":2,"min_tier":"proven"}"#;
    let spec = spec(json);
    let good = |id: u8| {
        let mut c = device(id, 40_000);
        (c.chips_total, c.chips_free, c.egress) = (2, 2, Egress::Open);
        c.tier = Tier::Proven;
        c
    };
    let mut all: Vec<Candidate> = (1..=13).map(good).collect();
    all[0].chip = Some("rtx-4090".parse().unwrap());
    all[1].chip = None;
    all[2].region = "eu-west".parse().unwrap();
    all[3].egress = Egress::None;
    all[4].chips_total = 1;
    all[5].availability = Availability::Offline;
    all[6].availability = Availability::Draining;
    all[7].chips_free = 1;
    all[8].asks.usdc = None;
    all[9].asks.usdc = Some(50_000);
    all[11].availability = Availability::Proving;
    all[12].tier = Tier::Measured;
    let exclude = BTreeSet::from([DeviceId([11; 32])]);
    let refusal = Ask { per_chip: Some(40_000), exclude, ..ask(&spec) }.place(&all).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "3 devices wanted, 0 fit: of 13 devices 2 lack chip cpu, 1 is outside region local, \
         1 allows less than egress mirrors, 1 has fewer than 2 chips, \
         1 is in this cluster or failed it before, 1 is offline or not answering, \
         1 is draining, 1 is proving its chips, 1 is below tier proven, 1 is busy, \
         1 does not take USDC, \
         1 asks more than 0.040000 USDC per chip-hour (nearest: 0.050000 USDC)"
    );
    let busy = refusal.cuts.iter().find(|c| c.constraint == Constraint::Busy).unwrap();
    assert_eq!((busy.removed, busy.fit_without), (1, 1));
    assert_eq!(refusal.cuts.last().unwrap().left, 0);
    let json = serde_json::to_string(&refusal).unwrap();
    assert_eq!(serde_json::from_str::<Refusal>(&json).unwrap(), refusal);
}

#[test]
fn prices_that_overflow_are_dear_not_free() {
    let spec = spec(r#"{"devices":1,"chip":"cpu","chips_per_device":2}"#);
    let mut c = device(1, u64::MAX);
    (c.chips_total, c.chips_free) = (2, 2);
    let refusal = Ask { total: Some(Rate(1_000)), ..ask(&spec) }.place(&[c]).unwrap_err();
    assert!(refusal.total.is_some());
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    (1u8..40, 0u64..60, 0u8..3, any::<bool>(), 0u64..4, 0u8..10).prop_map(
        |(id, price, chips, local, memory, up)| {
            let mut c = device(id, price);
            c.chips_total = 2;
            c.chips_free = chips;
            c.memory_bytes = memory;
            if !local {
                c.region = "us-east".parse().unwrap();
            }
            match up {
                0 => c.availability = Availability::Suspect,
                1 => c.availability = Availability::Proving,
                2 => c.tier = Tier::Claimed,
                3 => c.tier = Tier::Proven,
                _ => c.tier = Tier::Measured,
            }
            c
        },
    )
}

proptest! {
    #[test]
    fn order_does_not_matter_and_every_choice_fits(
        mut all in proptest::collection::vec(any_candidate(), 0..30),
        want in 1u16..6,
        per_chip in 0u64..60,
        total in 0u64..300,
        tier in 0usize..3,
    ) {
        all.sort_by_key(|c| c.device);
        all.dedup_by_key(|c| c.device);
        let mut spec = spec(&format!(r#"{{"devices":{want},"chip":"cpu"}}"#));
        spec.min_tier = Tier::ALL[tier];
        let ask = Ask { per_chip: Some(per_chip), total: Some(Rate(total)), ..ask(&spec) };
        let answer = ask.place(&all);
        all.reverse();
        prop_assert_eq!(&ask.place(&all), &answer);
        let fits = |c: &&Candidate| {
            c.chips_free > 0 && c.availability == Availability::Available
                && c.tier >= spec.min_tier && c.asks.usdc.unwrap() <= per_chip
        };
        let fit: Vec<_> = all.iter().filter(fits).collect();
        match answer {
            Ok(choice) => {
                prop_assert_eq!(choice.members.len(), usize::from(want));
                let gross: u64 = choice.members.iter()
                    .map(|m| Bps(200).gross_ceil(Rate(m.rate)).unwrap().0).sum();
                prop_assert!(gross <= total);
                let distinct: BTreeSet<_> = choice.members.iter().map(|m| m.device).collect();
                prop_assert_eq!(distinct.len(), usize::from(want));
                for m in &choice.members {
                    prop_assert!(fit.iter().any(|c| c.device == m.device));
                }
                let of = |id| fit.iter().find(|c| c.device == id).unwrap().memory_bytes;
                let head = of(choice.members[0].device);
                prop_assert!(choice.members.iter().all(|m| of(m.device) <= head));
            }
            Err(refusal) => {
                prop_assert_eq!(refusal.fit as usize, fit.len());
                let removed: u32 = refusal.cuts.iter().map(|c| c.removed).sum();
                prop_assert_eq!(removed + refusal.fit, refusal.of);
                prop_assert!(fit.len() < usize::from(want) || refusal.total.is_some());
            }
        }
    }
}
