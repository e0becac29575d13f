//! Clusters of wallets against a naive reference, and against those who want others linked or
//! themselves not.

use ionet_core::Wallet;
use ionet_trust::wallets::{
    Builder, Graph, HUB_DEGREE, InputError, Link, MINOR_FEEDINGS_MIN, Node, Reason, Transfer,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NOW: i64 = 1_800_000_000;
/// Of SOL in lamports and of USDC in base units.
const FLOORS: [u64; 2] = [1_000_000, 100_000];
const SOL: u64 = 1_000_000_000;

fn wallet(number: u32) -> Wallet {
    let mut bytes = [0; 32];
    // Mixed, so that the order of addresses is not that of numbers.
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    Wallet(bytes)
}

/// `from` sends `amount` lamports in `slot`; blocks are a second apart.
fn sol(from: u32, to: u32, amount: u64, slot: u64) -> Transfer {
    let [_, transaction @ ..] = (u64::from(from) << 40 ^ u64::from(to) << 20 ^ slot).to_be_bytes();
    let at = 1_700_000_000 + slot as i64;
    Transfer { from: wallet(from), to: wallet(to), asset: 0, amount, slot, at, transaction }
}

fn builder(transfers: &[Transfer]) -> Builder {
    let mut builder = Builder::new(&FLOORS, NOW, transfers.len()).unwrap();
    transfers.iter().for_each(|t| builder.transfer(t).unwrap());
    builder
}

fn graph(transfers: &[Transfer]) -> Graph {
    builder(transfers).build()
}

fn owned(transfers: &[Transfer], owners: impl IntoIterator<Item = u32>) -> Graph {
    let mut builder = builder(transfers);
    owners.into_iter().for_each(|owner| builder.owner(&wallet(owner)).unwrap());
    builder.build()
}

fn linked(graph: &Graph, a: u32, b: u32) -> bool {
    graph.are_linked(&wallet(a), &wallet(b))
}

#[test]
fn one_source_makes_one_cluster_and_the_path_shows_it() {
    let transfers = [sol(1, 2, SOL, 10), sol(2, 3, SOL / 2, 20), sol(1, 4, SOL, 30)];
    let graph = owned(&transfers, [3, 4]);
    assert!(linked(&graph, 3, 4) && !linked(&graph, 3, 9));
    let path = graph.path(&wallet(3), &wallet(4)).unwrap();
    let ends: Vec<_> = path.iter().map(|s| (s.from, s.to)).collect();
    let node = |number| Node::Wallet(wallet(number));
    assert_eq!(ends, [(node(2), node(3)), (node(1), node(2)), (node(1), node(4))]);
    let evidence = path[0].evidence.unwrap();
    assert_eq!((evidence.slot, evidence.amount), (20, SOL / 2));
    assert_eq!(evidence.transaction, transfers[1].transaction);
    assert_eq!(graph.path(&wallet(3), &wallet(3)), Some(vec![]));

    let cluster = graph.cluster(&wallet(3)).unwrap();
    assert_eq!((cluster.wallets.len(), cluster.owners.len()), (4, 2));
    // Two owners of one hand with 700 thousandths: 300 + 700 / 2.
    let grade = graph.grade(&wallet(3), 0);
    assert_eq!((grade.factor, grade.owners), (650, 2));
    assert_eq!(grade.reasons, [Reason::Linked { link: Link::Fed, near: 1, others: 1 }]);
    // A feeder without devices is nobody's competitor; a stranger has the full grade.
    assert_eq!(graph.grade(&wallet(99), 0).factor, 1_000);
    let believed = graph.grade(&wallet(3), 900);
    assert_eq!((believed.factor, believed.reasons.len()), (965, 2));
}

#[test]
fn a_farm_is_worth_little_more_than_one_and_never_nothing() {
    let farm: Vec<_> = (2..202).map(|i| sol(1, i, SOL + u64::from(i), u64::from(i) * 9)).collect();
    let graph = owned(&farm, 2..202);
    let grade = graph.grade(&wallet(7), 0);
    // Regular intervals leave half of the doubt: 850 of 1,000 that it is one hand.
    assert_eq!((grade.factor, grade.owners), (154, 200));
    assert!(matches!(grade.reasons[1], Reason::Timing { timing, .. } if timing.regular));
    let sum: u32 = (2..202).map(|i| u32::from(graph.grade(&wallet(i), 0).factor)).sum();
    assert!(sum < 200_000 / 5, "{sum}");
    assert!((2..202).all(|i| graph.grade(&wallet(i), 0).factor >= 100));
}

#[test]
fn dust_taints_nobody() {
    // An honest wallet was funded, acted, and is dusted before, in between and after.
    let honest = [sol(1, 2, SOL, 100), sol(2, 3, SOL / 4, 200)];
    let dust = [50, 100, 150, 250].map(|slot| sol(66, 2, FLOORS[0], slot));
    let flood: Vec<_> = (0..900).map(|i| sol(66, 2, FLOORS[0] - 1, i)).collect();
    let graph = graph(&[&honest[..], &dust, &flood].concat());
    assert!(linked(&graph, 1, 2) && !linked(&graph, 66, 2));
    // Without dust it is the same cluster.
    assert_eq!(graph.cluster(&wallet(2)).unwrap().wallets.len(), 3);
}

#[test]
fn money_that_comes_after_the_first_own_step_links_nobody() {
    let graph = graph(&[sol(1, 2, SOL, 10), sol(2, 9, SOL / 8, 20), sol(66, 2, 100 * SOL, 21)]);
    assert!(linked(&graph, 1, 2) && !linked(&graph, 66, 2));
}

#[test]
fn spam_tokens_are_no_assets() {
    let mut builder = Builder::new(&FLOORS, NOW, 0).unwrap();
    let spam = Transfer { asset: 2, ..sol(66, 2, u64::MAX, 1) };
    assert_eq!(builder.transfer(&spam), Err(InputError::Asset(2)));
    assert_eq!(builder.build().wallets(), 0);
}

#[test]
fn splitting_the_first_money_in_two_or_three_hides_nothing() {
    let thirds = |to| [1, 2, 3].map(|from| sol(from, to, SOL, u64::from(from)));
    let farm: Vec<_> = (10..10 + MINOR_FEEDINGS_MIN).flat_map(thirds).collect();
    assert!(linked(&graph(&farm), 10, 11));
    // Feeders in ever other pairs are caught too: each feeds more than two wallets.
    let pairs = [(1, 2), (3, 4), (1, 3), (2, 4), (1, 4), (2, 3)];
    let pair = |(to, (a, b))| [sol(a, to, SOL, 1), sol(b, to, SOL, 2)];
    let farm: Vec<_> = (10u32..).zip(pairs).flat_map(pair).collect();
    assert!((11..16).all(|other| linked(&graph(&farm), 10, other)));
    // Four equal parts are no more than a quarter each: the price is stated, not hidden.
    let parts = |to| [1, 2, 3, 4].map(|from| sol(from, to, SOL, u64::from(from)));
    let farm: Vec<_> = (10..20).flat_map(parts).collect();
    assert!(!linked(&graph(&farm), 10, 11));
}

#[test]
fn two_customers_of_one_seller_are_strangers() {
    let sold = [sol(1, 50, SOL, 1), sol(2, 50, SOL, 2), sol(1, 51, SOL, 3), sol(2, 51, SOL, 4)];
    assert!(!linked(&graph(&sold), 1, 2));
    let more = [&sold[..], &[sol(1, 52, 3 * SOL, 5), sol(2, 52, SOL, 6)]].concat();
    let graph = graph(&more);
    assert!(linked(&graph, 1, 52) && !linked(&graph, 1, 2));
}

/// An exchange and its customers: numbers from 1,000 on.
fn exchange(hub: u32, customers: u32) -> Vec<Transfer> {
    (0..customers)
        .map(|i| {
            let [slot, amount] = [i * 7_919 % 90_001, i * 31 % 977].map(u64::from);
            sol(hub, 1_000 + i, SOL + amount * 1_000, slot)
        })
        .collect()
}

#[test]
fn customers_of_an_exchange_are_strangers() {
    let transfers = exchange(1, HUB_DEGREE);
    let graph = owned(&transfers, [1_003, 1_004]);
    assert!(graph.is_hub(&wallet(1)) && !linked(&graph, 1_003, 1_004));
    assert_eq!(graph.grade(&wallet(1_003), 0).factor, 1_000);
    // One customer fewer is a person who pays many: linked, and said so.
    let small = owned(&transfers[1..], [1_003, 1_004]);
    assert!(!small.is_hub(&wallet(1)) && linked(&small, 1_003, 1_004));
    // Unless the reader knows better.
    let mut listed = builder(&transfers[1..]);
    listed.hub(&wallet(1)).unwrap();
    assert!(!linked(&listed.build(), 1_003, 1_004));
}

#[test]
fn a_feeder_of_suppliers_alone_is_no_exchange_however_large() {
    let farm = exchange(1, HUB_DEGREE * 4);
    let graph = owned(&farm, 1_000..1_000 + HUB_DEGREE * 4);
    assert!(!graph.is_hub(&wallet(1)) && linked(&graph, 1_000, 1_999));
    // One supplier in eight is one too many.
    let few = exchange(1, HUB_DEGREE);
    let hub_with = |suppliers| owned(&few, 1_000..1_000 + suppliers).is_hub(&wallet(1));
    assert!(hub_with(HUB_DEGREE / 8 - 1) && !hub_with(HUB_DEGREE / 8));
    // Its price: seven decoys for each supplier, and it looks like an exchange.
    let bought = owned(&farm, (1_000..1_000 + HUB_DEGREE * 4).step_by(9));
    assert!(bought.is_hub(&wallet(1)));
}

#[test]
fn laundered_through_an_exchange_a_batch_still_shows() {
    let mut transfers = exchange(1, HUB_DEGREE * 2);
    // Ten withdrawals of one odd amount within ten minutes, among the customers'.
    transfers.extend((0..10).map(|i| sol(1, 50 + i, 123_456_789, 5_000 + u64::from(i) * 60)));
    let graph = owned(&transfers, (50..60).chain([1_000]));
    assert!(!linked(&graph, 50, 51), "an exchange links nobody");
    let batch = graph.batch(&wallet(50)).unwrap();
    assert_eq!((batch.owners, graph.wallet(batch.hub)), (10, Some(wallet(1))));
    assert_eq!(graph.grade(&wallet(50), 0).factor, 1_000 - 300 + 30);
    assert_eq!(graph.grade(&wallet(1_000), 0).factor, 1_000);
    // With amounts mixed nothing shows: money alone cannot tell.
    let last = transfers.len() - 10;
    transfers[last..].iter_mut().zip(0..).for_each(|(t, i)| t.amount += i);
    assert_eq!(owned(&transfers, 50..60).grade(&wallet(50), 0).factor, 1_000);
}

#[test]
fn long_chains_hold_together() {
    const LENGTH: u32 = 50_000;
    let chain: Vec<_> =
        (0..LENGTH).map(|i| sol(i, i + 1, SOL - u64::from(i), u64::from(i) + 1)).collect();
    let graph = graph(&chain);
    assert!(linked(&graph, 0, LENGTH));
    assert_eq!(graph.path(&wallet(0), &wallet(LENGTH)).unwrap().len(), LENGTH as usize);
    assert_eq!(graph.clusters(), [(graph.wallet(0).unwrap(), LENGTH + 1)]);
}

#[test]
fn owners_at_the_ends_of_a_long_chain_are_doubted_less() {
    let chain: Vec<_> =
        (0..9).map(|i| sol(i, i + 1, SOL - u64::from(i), u64::from(i) + 1)).collect();
    let ends = |last: u32| owned(&chain, [0, last]).grade(&wallet(0), 0);
    let near = Reason::Linked { link: Link::Fed, near: 1, others: 1 };
    assert_eq!((ends(4).factor, &ends(4).reasons[..]), (650, &[near][..]));
    let far = Reason::Linked { link: Link::Fed, near: 0, others: 1 };
    assert_eq!((ends(5).factor, &ends(5).reasons[..]), (850, &[far][..]));
}

#[test]
fn what_a_wallet_sends_itself_says_nothing() {
    let graph = graph(&[sol(2, 2, 9 * SOL, 1), sol(1, 2, SOL, 2), sol(2, 2, SOL, 3)]);
    assert!(linked(&graph, 1, 2));
    assert_eq!(graph.links(), 1);
}

#[test]
fn nothing_comes_from_the_future_or_from_before_time() {
    let mut builder = Builder::new(&FLOORS, NOW, 0).unwrap();
    let late = Transfer { at: NOW + 1, ..sol(1, 2, SOL, 1) };
    assert_eq!(builder.transfer(&late), Err(InputError::Time { at: NOW + 1, now: NOW }));
    let old = Transfer { at: -1, ..late };
    assert_eq!(builder.transfer(&old), Err(InputError::Time { at: -1, now: NOW }));
    let far = Transfer { slot: u64::from(u32::MAX), at: 0, ..late };
    assert_eq!(builder.transfer(&far), Err(InputError::Slot(u64::from(u32::MAX))));
    assert_eq!(builder.build().wallets(), 0);
    for floors in [&[][..], &[0], &[1; 9]] {
        assert!(matches!(Builder::new(floors, NOW, 0), Err(InputError::Floors)));
    }
}

#[test]
fn amounts_as_large_as_can_be_do_not_wrap() {
    let transfers = [sol(1, 2, u64::MAX, 1), sol(1, 2, u64::MAX, 2), sol(3, 2, u64::MAX, 3)];
    let graph = graph(&transfers);
    assert!(linked(&graph, 1, 2) && !linked(&graph, 3, 2));
    assert_eq!(graph.steps_of(&wallet(2))[0].evidence.unwrap().amount, u64::MAX);
}

#[test]
fn payouts_and_machines_link_with_their_own_evidence() {
    let mut builder = builder(&[]);
    builder.machine(&wallet(1), &[7; 32]).unwrap();
    builder.machine(&wallet(2), &[7; 32]).unwrap();
    builder.machine(&wallet(4), &[8; 32]).unwrap();
    builder.payout(&Transfer { asset: 1, ..sol(2, 90, 2 * FLOORS[1], 5) }).unwrap();
    builder.payout(&Transfer { asset: 1, ..sol(3, 90, FLOORS[1], 6) }).unwrap();
    // Naming somebody's address without money going there frames nobody.
    builder.payout(&Transfer { asset: 1, ..sol(4, 90, FLOORS[1] - 1, 7) }).unwrap();
    [1, 2, 3, 4].iter().for_each(|i| builder.owner(&wallet(*i)).unwrap());
    let graph = builder.build();
    let path = graph.path(&wallet(1), &wallet(3)).unwrap();
    let kinds: Vec<_> = path.iter().map(|s| s.link).collect();
    assert_eq!(kinds, [Link::Machine, Link::Machine, Link::Payout, Link::Payout]);
    assert_eq!((path[0].to, path[0].evidence), (Node::Machine([7; 32]), None));
    assert_eq!(path[3].evidence.unwrap().slot, 6);
    assert!(!linked(&graph, 1, 4) && graph.grade(&wallet(4), 0).factor == 1_000);
    assert_eq!(graph.cluster(&wallet(1)).unwrap().machines, 1);
    // Three owners: 600 sure for the one with the machine alone, 900 for those paid together.
    assert_eq!([1, 2, 3].map(|i| graph.grade(&wallet(i), 0).factor), [600, 400, 400]);
}

#[test]
fn an_exchanges_deposit_address_is_nobodys_payout() {
    let mut builder = builder(&exchange(1, HUB_DEGREE));
    for owner in [2, 3] {
        builder.owner(&wallet(owner)).unwrap();
        builder.payout(&sol(owner, 1, SOL, 99_999)).unwrap();
    }
    assert!(!linked(&builder.build(), 2, 3));
}

/// The same rule, written so that one sees it.
fn naive(transfers: &[Transfer], owners: &BTreeSet<Wallet>) -> BTreeMap<Wallet, BTreeSet<Wallet>> {
    let mut distinct: Vec<&Transfer> = Vec::new();
    for t in transfers.iter().filter(|t| t.from != t.to) {
        if !distinct.contains(&t) {
            distinct.push(t);
        }
    }
    let all: BTreeSet<Wallet> = transfers.iter().flat_map(|t| [t.from, t.to]).collect();
    let sum = |f: &dyn Fn(&Transfer) -> bool| -> u64 {
        distinct.iter().filter(|t| f(t)).map(|t| t.amount).sum()
    };
    let dealt = |a: Wallet, b: Wallet| {
        (0..2).any(|asset| {
            sum(&|t| t.from == a && t.to == b && t.asset == asset) >= FLOORS[asset as usize]
        })
    };
    let is_hub = |w: Wallet| {
        let peers: Vec<Wallet> = all
            .iter()
            .flat_map(|p| [dealt(w, *p), dealt(*p, w)].into_iter().filter(|d| *d).map(|_| *p))
            .collect();
        let of_us = peers.iter().filter(|p| owners.contains(p)).count();
        peers.len() >= HUB_DEGREE as usize && of_us < peers.len() / 8
    };
    let hubs: BTreeSet<Wallet> = all.iter().copied().filter(|w| is_hub(*w)).collect();
    let mut cluster: BTreeMap<Wallet, BTreeSet<Wallet>> =
        all.iter().map(|w| (*w, BTreeSet::from([*w]))).collect();
    let mut parts: Vec<(Wallet, Wallet, bool)> = Vec::new();
    for (to, from) in
        all.difference(&hubs).flat_map(|to| all.difference(&hubs).map(move |f| (to, f)))
    {
        let acted = distinct.iter().filter(|t| t.from == *to).map(|t| t.slot).min();
        let early = |t: &Transfer| acted.is_none_or(|slot| t.slot <= slot);
        for asset in 0..2 {
            let had = sum(&|t| t.to == *to && t.asset == asset && early(t));
            let gave = sum(&|t| t.from == *from && t.to == *to && t.asset == asset && early(t));
            if gave >= FLOORS[asset as usize] && gave * 4 > had {
                parts.push((*from, *to, gave * 2 > had));
            }
        }
    }
    for (from, to, is_major) in &parts {
        let minor = parts.iter().filter(|(f, _, major)| f == from && !major);
        let wallets: BTreeSet<Wallet> = minor.map(|(_, to, _)| *to).collect();
        if *is_major || wallets.len() >= 3 {
            let joint: BTreeSet<_> = cluster[from].union(&cluster[to]).copied().collect();
            for member in &joint {
                cluster.insert(*member, joint.clone());
            }
        }
    }
    cluster
}

fn any_transfer(wallets: u32) -> impl Strategy<Value = Transfer> {
    (0..wallets, 0..wallets, 0u8..2, 1u64..12, 0u64..20).prop_map(
        |(from, to, asset, parts, slot)| Transfer {
            asset,
            amount: parts * FLOORS[usize::from(asset)] / 3,
            ..sol(from, to, 1, slot)
        },
    )
}

fn as_the_reference_says(
    transfers: &[Transfer],
    owners: BTreeSet<u32>,
) -> Result<(), TestCaseError> {
    let graph = owned(transfers, owners.iter().copied());
    let owners: BTreeSet<Wallet> = owners.into_iter().map(wallet).collect();
    for (member, cluster) in naive(transfers, &owners) {
        let found = graph.cluster(&member).unwrap();
        prop_assert_eq!(found.wallets, cluster.into_iter().collect::<Vec<_>>());
    }
    Ok(())
}

proptest! {
    // The reference takes its time with an exchange of 250 customers.
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn so_they_are_around_an_exchange(
        transfers in prop::collection::vec(any_transfer(14), 0..20), hub in 0u32..14,
        customers in HUB_DEGREE - 6..HUB_DEGREE + 2,
        owners in prop::collection::btree_set(0u32..14, 0..14),
    ) {
        let around = exchange(hub, customers).into_iter().map(|t| Transfer { slot: 0, ..t });
        let transfers: Vec<_> = transfers.into_iter().chain(around).collect();
        as_the_reference_says(&transfers, owners)?;
    }
}

proptest! {
    #[test]
    fn clusters_are_those_of_the_naive_reference(
        transfers in prop::collection::vec(any_transfer(14), 0..40),
        owners in prop::collection::btree_set(0u32..14, 0..14),
    ) {
        as_the_reference_says(&transfers, owners)?;
    }

    #[test]
    fn order_and_repetition_change_nothing(
        transfers in prop::collection::vec(any_transfer(30), 1..80),
        shuffled in any::<prop::sample::Index>(), repeated in any::<prop::sample::Index>(),
    ) {
        let one = owned(&transfers, 0..9);
        let mut other = transfers.clone();
        other.rotate_left(shuffled.index(transfers.len()));
        other.reverse();
        other.extend_from_slice(&transfers[repeated.index(transfers.len())..]);
        let other = owned(&other, (0..9).rev());
        prop_assert_eq!(one.clusters(), other.clusters());
        for (a, b) in (0..30).zip([5, 3, 8].into_iter().cycle()) {
            prop_assert_eq!(one.path(&wallet(a), &wallet(b)), other.path(&wallet(a), &wallet(b)));
            prop_assert_eq!(one.grade(&wallet(a), 0), other.grade(&wallet(a), 0));
        }
    }

    #[test]
    fn an_unrelated_transfer_changes_nothing(
        transfers in prop::collection::vec(any_transfer(20), 1..60),
        amount: u64, slot in 0u64..100,
    ) {
        let before = owned(&transfers, 0..9);
        let more = [&transfers[..], &[sol(500, 501, amount, slot)]].concat();
        let after = owned(&more, 0..9);
        for a in 0..20 {
            prop_assert_eq!(before.cluster(&wallet(a)), after.cluster(&wallet(a)));
            prop_assert_eq!(before.grade(&wallet(a), 0), after.grade(&wallet(a), 0));
            let one = wallet(1);
            prop_assert_eq!(before.path(&wallet(a), &one), after.path(&wallet(a), &one));
        }
    }

    #[test]
    fn a_path_leads_from_one_to_the_other_and_is_shortest(
        transfers in prop::collection::vec(any_transfer(12), 1..40), a in 0u32..12, b in 0u32..12,
    ) {
        let graph = graph(&transfers);
        let (a, b) = (wallet(a), wallet(b));
        prop_assert_eq!(graph.path(&a, &b).is_some(), graph.are_linked(&a, &b));
        let Some(path) = graph.path(&a, &b) else { return Ok(()) };
        let mut here = Node::Wallet(a);
        for step in &path {
            prop_assert!(step.from == here || step.to == here);
            here = if step.from == here { step.to } else { step.from };
        }
        prop_assert_eq!(here, Node::Wallet(b));
        // Wave by wave, as far as the path is long.
        let mut reached = BTreeSet::from([Node::Wallet(a)]);
        for _ in 0..path.len() {
            prop_assert!(!reached.contains(&Node::Wallet(b)));
            for node in reached.clone() {
                let Node::Wallet(wallet) = node else { continue };
                reached.extend(graph.steps_of(&wallet).iter().flat_map(|s| [s.from, s.to]));
            }
        }
        prop_assert!(reached.contains(&Node::Wallet(b)));
    }
}
