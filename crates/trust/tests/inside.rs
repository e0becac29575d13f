//! Checks that renters hand in: which are taken, and what they say beside a device.

use ed25519_dalek::{Signer as _, SigningKey};
use ionet_core::{
    ChainRef, ClusterId, DeviceId, GenesisHash, ProgramId, Provenance, Quantity, SignatureBytes,
    Wallet,
};
use ionet_trust::inside::*;

const NOW: i64 = 1_800_000_000_000;
const BYTES: u64 = 1_000;
const CHAIN: ChainRef = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };
const LEASE: Wallet = Wallet([3; 32]);
const SUPPLIER: Wallet = Wallet([0x50; 32]);

fn renter() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn wallet(key: &SigningKey) -> Wallet {
    Wallet(key.verifying_key().to_bytes())
}

fn device(n: u8) -> DeviceId {
    DeviceId([n; 32])
}

/// Two members whose disks were looked at.
fn check() -> Check {
    let seed = Word([9; 32]);
    let none = Draw { beacon: Word([0; 32]), late: Word([0; 32]), secret: Word([0; 32]) };
    let member = |n: u8| {
        let key = |purpose| key_of(&seed.0, purpose, n.into());
        let digest = Word(digest_of(&key("disk"), BYTES, &key("disk-salt")));
        let mut member = Member::unseen(device(n), "0.05 USDC".to_owned(), Vec::new());
        member.disk = Some(Seen::Done(Transfer { elapsed_us: 500, read_us: 500, digest }));
        member
    };
    Check {
        version: Check::VERSION,
        cluster: ClusterId::of_lease(&LEASE),
        lease: LEASE,
        renter: wallet(&renter()),
        at_ms: NOW,
        plan: Plan { disk_bytes: Some(BYTES), ..Plan::default() },
        rounds: none,
        passes: none,
        seed,
        members: vec![member(0), member(1)],
        links: Vec::new(),
    }
}

fn signed(check: &Check, key: &SigningKey, chain: ChainRef) -> Paper {
    let record = serde_json::to_string(check).unwrap();
    let signature = SignatureBytes(key.sign(&Paper::signing_bytes(&record, &chain)).to_bytes());
    Paper { record, chain, signature }
}

fn served(n: u8) -> Served {
    Served { device: device(n), from_ms: NOW - 10_000, until_ms: None }
}

fn taken(paper: &Paper, served: &[Served]) -> Result<Check, Refused> {
    let (cluster, renter) = (ClusterId::of_lease(&LEASE), wallet(&renter()));
    let known = Known { chain: &CHAIN, cluster, lease: LEASE, renter, served, now_ms: NOW };
    admit(paper, &known)
}

fn both(paper: &Paper) -> Result<Check, Refused> {
    taken(paper, &[served(0), served(1)])
}

#[test]
fn an_honest_paper_is_taken_and_read_again() {
    let paper = signed(&check(), &renter(), CHAIN);
    assert_eq!(both(&paper), Ok(check()));
    assert_eq!(Paper::from_text(&paper.text()), Ok(paper.clone()));
    let findings = check().findings().unwrap();
    assert_eq!(findings.iter().filter_map(|f| f.value).collect::<Vec<_>>(), [2_000_000; 2]);
    // A check is named by its record, however often it is signed.
    let other = Paper { signature: SignatureBytes([0; 64]), ..paper.clone() };
    assert_eq!(other.id(), paper.id());
}

#[test]
fn each_hostile_paper_is_refused_for_what_is_wrong_with_it() {
    type Edit = fn(&mut Check);
    let edits: [(Edit, Refused); 11] = [
        (|c| c.renter = Wallet([8; 32]), unsigned()),
        (|c| c.lease = Wallet([4; 32]), Refused::Cluster),
        (|c| c.members.clear(), Refused::Nothing),
        (|c| c.plan.disk_bytes = None, Refused::Nothing),
        (|c| c.members[1].device = device(0), Refused::Doubled(device(0))),
        (|c| c.members[1].device = device(2), Refused::Member(device(2))),
        (|c| c.at_ms = NOW + CLOCKS_MS + 1, Refused::Future),
        (|c| c.at_ms = NOW - AGE_MS_MAX - 1, Refused::Old),
        (|c| c.version = 2, Refused::TooMuch(TooMuch("its version is not known"))),
        (|c| c.members = (0..=MEMBERS_HANDED_MAX as u8).map(unseen).collect(), Refused::Costly),
        (
            |c| {
                c.plan.link_bytes = Some(limits::TRANSFER_BYTES_MAX);
                let link = |n: usize| LinkSeen {
                    from: (n % 2) as u32,
                    to: 1 - (n % 2) as u32,
                    seen: Seen::Failed(String::new()),
                };
                c.links = (0..4).map(link).collect();
            },
            Refused::Costly,
        ),
    ];
    for (n, (edit, why)) in edits.into_iter().enumerate() {
        let mut check = check();
        edit(&mut check);
        if check.lease != LEASE {
            check.cluster = ClusterId::of_lease(&check.lease);
        }
        assert_eq!(both(&signed(&check, &renter(), CHAIN)), Err(why), "edit {n}");
    }
}

fn unseen(n: u8) -> Member {
    Member::unseen(device(n), String::new(), Vec::new())
}

/// What is said of a signature that is not the named renter's.
fn unsigned() -> Refused {
    let mut check = check();
    check.renter = Wallet([8; 32]);
    match signed(&check, &renter(), CHAIN).check() {
        Err(why @ Unreadable::Signature(_)) => Refused::Unreadable(why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_wallet_chain_or_text_is_not_this_renters_word() {
    let stranger = SigningKey::from_bytes(&[8; 32]);
    // A stranger's own honest check of a cluster that is not his.
    let mut his = check();
    his.renter = wallet(&stranger);
    assert_eq!(both(&signed(&his, &stranger, CHAIN)), Err(Refused::Renter));
    let other = ChainRef { genesis: GenesisHash([5; 32]), ..CHAIN };
    assert_eq!(both(&signed(&check(), &renter(), other)), Err(Refused::Chain));
    // A signature for another chain, said to be for this one.
    let moved = Paper { chain: CHAIN, ..signed(&check(), &renter(), other) };
    assert!(matches!(both(&moved), Err(Refused::Unreadable(Unreadable::Signature(_)))));
    let honest = signed(&check(), &renter(), CHAIN);
    let edited = Paper { record: honest.record.replace("500", "400"), ..honest.clone() };
    assert!(matches!(both(&edited), Err(Refused::Unreadable(Unreadable::Signature(_)))));
    let none = Paper { record: "{}".to_owned(), ..honest };
    assert!(matches!(both(&none), Err(Refused::Unreadable(Unreadable::Record(_)))));
    // The same record in another dress would be another check.
    let record = honest.record.replacen(',', ", ", 1);
    let key = renter();
    let signature = SignatureBytes(key.sign(&Paper::signing_bytes(&record, &CHAIN)).to_bytes());
    assert_eq!(both(&Paper { record, signature, chain: CHAIN }), Err(Refused::Form));
}

#[test]
fn a_device_counts_while_it_served() {
    let paper = signed(&check(), &renter(), CHAIN);
    let with = |other: Served| taken(&paper, &[served(0), other]).map(drop);
    let refused = Err(Refused::Member(device(1)));
    let late = Served { from_ms: NOW + CLOCKS_MS + 1, ..served(1) };
    let gone = Served { until_ms: Some(NOW - CLOCKS_MS - 1), ..served(1) };
    assert_eq!((with(late), with(gone)), (refused.clone(), refused));
    let (late, gone) = (
        Served { from_ms: NOW + CLOCKS_MS, ..late },
        Served { until_ms: Some(NOW - CLOCKS_MS), ..gone },
    );
    assert_eq!((with(late), with(gone)), (Ok(()), Ok(())));
}

fn look(quantity: Quantity, value: u64, outcome: Outcome) -> Look {
    Look { quantity, value: Some(value), outcome }
}

fn said(renter: u8, at_ms: i64, looks: &[Look]) -> Looked {
    let (device, renter) = (device(1), Wallet([renter; 32]));
    Looked { device, renter, at_ms, light: false, looks: looks.to_vec() }
}

fn text(looked: &[Looked]) -> Option<String> {
    beside(SUPPLIER, looked, NOW).signal.map(|s| s.text)
}

#[test]
fn a_wallet_counts_once_and_the_suppliers_own_not_at_all() {
    let short = [look(Quantity::IntegerRate, 5, Outcome::Short)];
    let fine = [look(Quantity::IntegerRate, 50, Outcome::Fine)];
    let mine = said(0x50, NOW, &fine);
    assert_eq!(beside(SUPPLIER, std::slice::from_ref(&mine), NOW), Beside::default());
    let one = "1 renter looked from inside in 7 days: rate short once; their word alone";
    let many: Vec<_> = (0..50).map(|n| said(1, NOW - n, &short)).collect();
    assert_eq!(text(&many).as_deref(), Some(one));
    // Its newest word counts.
    let again = [many.as_slice(), &[said(1, NOW + 1, &fine), mine]].concat();
    let none = "1 renter looked from inside in 7 days: nothing was missing; their word alone";
    assert_eq!(text(&again).as_deref(), Some(none));
    let broken = look(Quantity::MemoryBytes, 0, Outcome::Broken);
    let three = [said(1, NOW, &short), said(2, NOW, &short), said(3, NOW, &[broken])];
    let found = beside(SUPPLIER, &three, NOW).signal.unwrap();
    assert_eq!(found.code, CODE);
    assert!(found.text.starts_with("3 renters"), "{}", found.text);
    assert!(found.text.contains("rate short twice, memory not shown once"), "{}", found.text);
    let reversed: Vec<_> = three.iter().rev().cloned().collect();
    assert_eq!(beside(SUPPLIER, &reversed, NOW).signal, Some(found), "order says nothing");
    let old = said(1, NOW - WINDOW_MS, &short);
    assert_eq!(text(&[old]), None, "seven days later nobody speaks of it");
}

#[test]
fn measured_figures_need_several_renters_and_the_greedy_do_not_move_them() {
    let disk = |renter, value| {
        said(renter, NOW - i64::from(renter), &[look(Quantity::DiskRate, value, Outcome::Unknown)])
    };
    let figures = |looked: &[Looked]| beside(SUPPLIER, looked, NOW).figures;
    let two: Vec<_> = [disk(1, 100), disk(2, 110)].into();
    assert_eq!(figures(&two), []);
    // Many words of one wallet are one.
    let crowd: Vec<_> = two.iter().cloned().chain((0..9).map(|_| disk(2, 110))).collect();
    assert_eq!(figures(&crowd), []);
    for outlier in [0, u64::MAX] {
        let three = [two.as_slice(), &[disk(3, outlier)]].concat();
        let [figure] = figures(&three)[..] else { panic!("{three:?}") };
        assert!((100..=110).contains(&figure.value), "{figure:?}");
        assert_eq!(figure.provenance, Provenance::Measured);
        assert_eq!((figure.quantity, figure.trial), (Quantity::DiskRate, None));
    }
    let mut light = [two.as_slice(), &[disk(3, 5)]].concat();
    light[2].light = true;
    assert_eq!(figures(&light), [], "beside a workload nothing stands for the device");
}

#[test]
fn short_is_short_of_what_the_network_says_was_sold() {
    let mut check = check();
    // A slanderer demands what no device does.
    let why = "what you demand".to_owned();
    let least = Least { quantity: Quantity::DiskRate, value: u64::MAX, why };
    check.members[0].least = vec![least];
    let findings = check.findings().unwrap();
    assert_eq!(findings[0].outcome, Outcome::Short);
    let said = looked(&check, &findings, |_| Sold::default());
    assert_eq!(said[0].looks, [look(Quantity::DiskRate, 2_000_000, Outcome::Unknown)]);
    assert_eq!((said[0].device, said[1].device), (device(0), device(1)));

    // Rates: half of what was proven. `at_most` leaves the way out.
    let task = Multiply { side: 64, width: 16, openings: 1, time_ms: 1, threads: 0 };
    check.plan = Plan { multiply: Some(task), ..Plan::default() };
    let found = |at_most| Finding {
        member: 0,
        device: device(0),
        quantity: Quantity::IntegerRate,
        value: Some(1),
        at_most: Some(at_most),
        least: None,
        outcome: Outcome::Unknown,
        why: String::new(),
    };
    let rate = |check: &Check, at_most, proven| {
        let sold = Sold { rate: proven, memory_bytes: None };
        looked(check, &[found(at_most)], |_| sold)[0].looks[0].outcome
    };
    assert_eq!(rate(&check, 500, Some(1_000)), Outcome::Fine);
    assert_eq!(rate(&check, 499, Some(1_000)), Outcome::Short);
    assert_eq!(rate(&check, 0, None), Outcome::Unknown);
    check.plan.light = true;
    assert_eq!(rate(&check, 499, Some(1_000)), Outcome::Unknown);
    (check.plan.light, check.plan.multiply) = (false, Some(Multiply { threads: 1, ..task }));
    assert_eq!(rate(&check, 499, Some(1_000)), Outcome::Unknown, "one thread is no machine");

    // Memory: who asks for more than an eighth may find no room.
    check.plan =
        Plan { hold: Some(Hold { bytes: 800, passes: 12, openings: 1 }), ..Plan::default() };
    let memory = |outcome, memory_bytes| {
        let found = Finding { quantity: Quantity::MemoryBytes, outcome, ..found(0) };
        looked(&check, &[found], |_| Sold { rate: None, memory_bytes })[0].looks[0].outcome
    };
    assert_eq!(memory(Outcome::Broken, Some(6_400)), Outcome::Broken);
    assert_eq!(memory(Outcome::Broken, Some(6_399)), Outcome::Unknown);
    assert_eq!(memory(Outcome::Broken, None), Outcome::Unknown);
    assert_eq!(memory(Outcome::Short, Some(6_400)), Outcome::Fine, "it held what was asked for");
}

#[test]
fn shares_are_rounded_down_and_no_part_is_more_than_the_whole() {
    assert_eq!((share_of(10, 1, 3), share_of(10, 3, 3), share_of(10, 9, 3)), (3, 10, 10));
    assert_eq!((share_of(u64::MAX, 255, 255), share_of(10, 1, 0)), (u64::MAX, 10));
}
