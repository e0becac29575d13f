//! An honest check of two members, made by the program's own parts, and everything that may be
//! wrong with one.

use crate::work::{Begun, Done};
use crate::*;
use ionet_core::{ClusterId, DeviceId, Quantity, Wallet};
use ionet_trust::{Beacon, Secret};

const SECOND: u64 = 1_000_000;
const BYTES: u64 = 5_000_000;
const ROUNDS: Multiply = Multiply { side: 64, width: 16, openings: 8, time_ms: 1, threads: 1 };
const PASSES: Hold = Hold { bytes: 64 << 10, passes: 12, openings: 6 };

fn draw(n: u8) -> Draw {
    let word = |m: u8| Word([16 * n + m; 32]);
    Draw { beacon: word(1), late: word(2), secret: word(3) }
}

fn proven(draw: Draw, device: DeviceId, work: impl Fn(Begun) -> Done) -> Seen<Proven> {
    let begun = Begun { beacon: draw.start(), device };
    let done = work(begun);
    let commitment = Word(done.commitment());
    let (late, secret) = (Beacon(draw.late.0), Secret(draw.secret.0));
    let proof = Blob(done.open(begun, late, secret).unwrap());
    Seen::Done(Proven { elapsed_us: SECOND, commitment, proof })
}

fn carried(key: [u8; 32], salt: [u8; 32]) -> Seen<Transfer> {
    let digest = Word(digest_of(&key, BYTES, &salt));
    Seen::Done(Transfer { elapsed_us: SECOND, read_us: SECOND / 2, digest })
}

fn honest() -> Check {
    let seed = Word([9; 32]);
    let member = |n: u8| {
        let device = DeviceId([n; 32]);
        let key = |purpose| key_of(&seed.0, purpose, n.into());
        let least = |quantity, value| Least { quantity, value, why: "sold".to_owned() };
        Member {
            device,
            price: "0.05 USDC".to_owned(),
            least: vec![
                least(Quantity::IntegerRate, 1),
                least(Quantity::MemoryBytes, PASSES.bytes),
                least(Quantity::DiskRate, BYTES),
                least(Quantity::NetworkRate, BYTES),
            ],
            round_trip_us: 1_000,
            threads: 1,
            fault: None,
            multiply: Some(proven(draw(1), device, |b| Done::multiply(b, ROUNDS, 1).unwrap())),
            hold: Some(proven(draw(2), device, |b| Done::hold(b, PASSES).unwrap())),
            disk: Some(carried(key("disk"), key("disk-salt"))),
        }
    };
    let link = |from, to| LinkSeen { from, to, seen: Seen::Failed(String::new()) };
    let mut check = Check {
        version: Check::VERSION,
        cluster: ClusterId::of_lease(&Wallet([2; 32])),
        lease: Wallet([2; 32]),
        renter: Wallet([3; 32]),
        at_ms: 1,
        plan: Plan {
            multiply: Some(ROUNDS),
            hold: Some(PASSES),
            disk_bytes: Some(BYTES),
            link_bytes: Some(BYTES),
            light: false,
        },
        rounds: draw(1),
        passes: draw(2),
        seed,
        members: vec![member(0), member(1)],
        links: vec![link(0, 1), link(1, 0)],
    };
    for n in 0..check.links.len() {
        let (key, salt) = check.link_keys(&check.links[n]);
        check.links[n].seen = carried(key, salt);
    }
    check
}

fn outcomes(check: &Check) -> Vec<Outcome> {
    check.findings().unwrap().into_iter().map(|f| f.outcome).collect()
}

fn done<T>(seen: &mut Option<Seen<T>>) -> &mut T {
    match seen {
        Some(Seen::Done(done)) => done,
        _ => panic!("the honest member did it"),
    }
}

fn link(check: &mut Check, n: usize) -> &mut Transfer {
    match &mut check.links[n].seen {
        Seen::Done(done) => done,
        Seen::Failed(why) => panic!("{why}"),
    }
}

#[test]
fn an_honest_check_is_fine_and_survives_its_file() {
    let check = honest();
    let findings = check.findings().unwrap();
    assert_eq!(findings.len(), 8);
    assert!(findings.iter().all(|f| f.outcome == Outcome::Fine), "{findings:?}");
    let read: Check = serde_json::from_str(&serde_json::to_string(&check).unwrap()).unwrap();
    assert_eq!(read.findings().unwrap(), findings);
    assert_eq!(read, check);
}

#[test]
fn each_wrong_answer_breaks_its_own_figure_alone() {
    type Edit = fn(&mut Check);
    let edits: [(usize, Edit); 12] = [
        (0, |c| done(&mut c.members[0].multiply).proof.0[70] ^= 1),
        (0, |c| done(&mut c.members[0].multiply).proof.0.truncate(100)),
        (0, |c| done(&mut c.members[0].multiply).proof.0.clear()),
        (0, |c| done(&mut c.members[0].multiply).commitment.0[0] ^= 1),
        (0, |c| done(&mut c.members[0].multiply).elapsed_us = 0),
        (0, |c| c.members[0].multiply = c.members[1].multiply.clone()),
        (1, |c| *done(&mut c.members[0].hold).proof.0.last_mut().unwrap() ^= 1),
        (1, |c| done(&mut c.members[0].hold).proof.0.push(0)),
        (1, |c| c.members[0].hold = c.members[1].hold.clone()),
        (1, |c| c.members[0].hold = Some(Seen::Failed("out of memory".to_owned()))),
        (2, |c| done(&mut c.members[0].disk).digest.0[31] ^= 1),
        (2, |c| c.members[0].disk = None),
    ];
    for (n, (figure, edit)) in edits.into_iter().enumerate() {
        let mut check = honest();
        edit(&mut check);
        let found = outcomes(&check);
        let broken = |(i, o): (usize, &Outcome)| (*o == Outcome::Broken).then_some(i);
        let broken: Vec<_> = found.iter().enumerate().filter_map(broken).collect();
        assert_eq!(broken, [figure], "edit {n}");
    }
}

#[test]
fn a_link_is_of_both_its_members() {
    let mut check = honest();
    link(&mut check, 1).digest.0[0] ^= 1;
    let broken = outcomes(&check);
    assert_eq!([broken[3], broken[7]], [Outcome::Broken; 2]);
    check = honest();
    link(&mut check, 0).elapsed_us = 2 * SECOND;
    let found = check.findings().unwrap();
    assert_eq!((found[3].value, found[3].outcome), (Some(BYTES / 2), Outcome::Short));
}

#[test]
fn passes_that_are_fewer_than_asked_show_nothing() {
    let mut check = honest();
    let fewer = Hold { passes: 11, ..PASSES };
    let device = check.members[0].device;
    check.members[0].hold = Some(proven(draw(2), device, |b| Done::hold(b, fewer).unwrap()));
    assert_eq!(outcomes(&check)[1], Outcome::Broken);
    // And where fewer are asked for, they do not show that the memory was held.
    check.plan.hold = Some(fewer);
    assert_eq!(outcomes(&check)[1], Outcome::Broken);
}

#[test]
fn slow_is_short_but_for_what_the_way_took() {
    let disk = |elapsed_us, round_trip_us| {
        let mut check = honest();
        done(&mut check.members[0].disk).elapsed_us = elapsed_us;
        check.members[0].round_trip_us = round_trip_us;
        outcomes(&check)[2]
    };
    assert_eq!(disk(SECOND, 0), Outcome::Fine);
    assert_eq!(disk(SECOND + 10, 0), Outcome::Short);
    assert_eq!(disk(SECOND + 10, 10), Outcome::Fine);
    // A way that is said to be long excuses a tenth at most.
    assert_eq!(disk(2 * SECOND, 2 * SECOND), Outcome::Short);
}

#[test]
fn without_a_figure_that_was_sold_there_is_no_verdict() {
    let mut check = honest();
    check.members[0].least.clear();
    assert_eq!(outcomes(&check)[..4], [Outcome::Unknown; 4]);
}

#[test]
fn beside_a_workload_slow_is_not_short_and_wrong_is_broken() {
    let mut check = honest();
    check.plan.light = true;
    check.members[0].least[0].value = u64::MAX;
    done(&mut check.members[1].multiply).proof.0[70] ^= 1;
    let found = outcomes(&check);
    assert_eq!((found[0], found[4]), (Outcome::Unknown, Outcome::Broken));
}

#[test]
fn a_member_that_was_not_entered_has_only_broken_figures() {
    let mut check = honest();
    check.members[0].fault = Some("\u{1b}[31mno shell".to_owned());
    let found = check.findings().unwrap();
    assert!(found[..4].iter().all(|f| f.outcome == Outcome::Broken));
    assert!(found.iter().all(|f| !f.why.contains('\u{1b}')), "{:?}", found[0]);
}

#[test]
fn records_beyond_a_limit_are_not_computed() {
    type Edit = fn(&mut Check);
    let edits: [Edit; 14] = [
        |c| c.version = 2,
        |c| c.lease = Wallet([1; 32]),
        |c| c.members = vec![c.members[0].clone(); limits::MEMBERS_MAX + 1],
        |c| c.links = vec![c.links[0].clone(); limits::LINKS_MAX + 1],
        |c| c.links[0].to = 2,
        |c| c.links[0].to = 0,
        |c| c.members[0].price = "x".repeat(limits::TEXT_BYTES_MAX + 1),
        |c| c.members[0].least = vec![c.members[0].least[0].clone(); limits::LEAST_MAX + 1],
        |c| c.plan.multiply = Some(Multiply { side: 1 << 16, ..ROUNDS }),
        |c| c.plan.multiply = Some(Multiply { side: 100, ..ROUNDS }),
        |c| c.plan.multiply = Some(Multiply { openings: 0, ..ROUNDS }),
        |c| c.plan.hold = Some(Hold { bytes: 1 << 40, ..PASSES }),
        |c| c.plan.hold = Some(Hold { bytes: 12_345, ..PASSES }),
        |c| c.plan.disk_bytes = Some(u64::MAX),
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        let mut check = honest();
        edit(&mut check);
        assert!(check.findings().is_err(), "edit {n}");
    }
    let mut many = honest();
    many.plan.link_bytes = Some(limits::TRANSFER_BYTES_MAX);
    many.links = vec![many.links[0].clone(); 33];
    assert!(many.findings().is_err());
}
