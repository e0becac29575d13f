//! What a renter saw from inside its containers, computed again.

use crate::heap::bounded;
use crate::honest::{self, OPENINGS, PASSES, memory, wallet};
use ionet_core::{ClusterId, DeviceId, Quantity};
use ionet_inside::{
    Blob, Check, Draw, Finding, Hold, Least, LinkSeen, Member, Multiply, Outcome, Plan, Proven,
    Seen, Transfer, Word, digest_of, key_of, limits,
};
use ionet_trust::{Beacon, Challenge, Entries, Hour, Secret};
use std::sync::LazyLock;

/// Bytes of each disk and link.
const BYTES: u64 = 4_096;
/// What is computed in a fraction of a second: a check's own limits are larger.
const SIDE_MAX: u32 = 128;
const BYTES_MAX: u64 = 16 << 10;
const MEMBERS_MAX: usize = 4;
const OPENINGS_MAX: u16 = 16;

static HONEST: LazyLock<Check> = LazyLock::new(honest);

/// A check as JSON: it reads as it was written, whatever is in it has findings or a refusal, and
/// under the honest plan no proof but the member's own counts.
pub(crate) fn check(bytes: &[u8]) {
    let parse = || serde_json::from_slice::<Check>(bytes);
    let Ok(check) = bounded(bytes.len(), 64, 64 << 10, parse) else { return };
    let again = serde_json::to_vec(&check).expect("plain data");
    assert_eq!(serde_json::from_slice::<Check>(&again).ok().as_ref(), Some(&check));
    if check.bounded().is_err() {
        assert!(check.findings().is_err());
        return;
    }
    assert!(check.members.len() <= limits::MEMBERS_MAX && check.links.len() <= limits::LINKS_MAX);
    let known = |member: u32| (member as usize) < check.members.len();
    assert!(check.links.iter().all(|link| known(link.from) && known(link.to)));
    if !is_quick(&check) {
        return;
    }
    let findings = check.findings().expect("it is bounded");
    for finding in &findings {
        let member = &check.members[finding.member as usize];
        assert_eq!(member.device, finding.device);
        assert_eq!(finding.value.is_some(), finding.outcome != Outcome::Broken);
        assert!(finding.value <= finding.at_most, "{finding:?}");
        assert!(finding.why.len() <= 2 * limits::TEXT_BYTES_MAX);
        is_own(&check, member, finding);
    }
    if check == *HONEST {
        assert!(findings.iter().all(|finding| finding.outcome == Outcome::Fine), "{findings:?}");
    }
}

fn is_quick(check: &Check) -> bool {
    let Plan { multiply, hold, disk_bytes, link_bytes, .. } = check.plan;
    multiply.is_none_or(|task| task.side <= SIDE_MAX && task.openings <= OPENINGS_MAX)
        && hold.is_none_or(|task| task.openings <= OPENINGS_MAX)
        && disk_bytes.max(link_bytes).is_none_or(|bytes| bytes <= BYTES_MAX)
        && check.members.len() <= MEMBERS_MAX
        && check.links.len() <= 2 * MEMBERS_MAX
}

/// Asked as the honest member was, a figure shows that member's own proof.
fn is_own(check: &Check, member: &Member, finding: &Finding) {
    let honest = &*HONEST;
    let Some(own) = honest.members.iter().find(|m| m.device == member.device) else { return };
    if finding.value.is_none() {
        return;
    }
    let (asked, shown, by_itself) = match finding.quantity {
        Quantity::IntegerRate => (
            (check.rounds, check.plan.multiply) == (honest.rounds, honest.plan.multiply),
            &member.multiply,
            &own.multiply,
        ),
        Quantity::MemoryBytes => (
            (check.passes, check.plan.hold) == (honest.passes, honest.plan.hold),
            &member.hold,
            &own.hold,
        ),
        _ => return,
    };
    if let (true, Some(Seen::Done(shown)), Some(Seen::Done(own))) = (asked, shown, by_itself) {
        assert_eq!((&shown.proof, shown.commitment), (&own.proof, own.commitment));
    }
}

fn draw(n: u8) -> Draw {
    let word = |m: u8| Word([16 * n + m; 32]);
    Draw { beacon: word(1), late: word(2), secret: word(3) }
}

fn challenge(draw: Draw) -> (Beacon, Challenge) {
    let (start, secret) = (Beacon(draw.beacon.0), Secret(draw.secret.0));
    let late = Beacon(draw.late.0);
    let challenge = Challenge::new(&start, &late, &secret, &secret.precommitment());
    (start, challenge.expect("its own promise"))
}

fn proven(proven: honest::Proven) -> Option<Seen<Proven>> {
    let (commitment, proof) = (Word(proven.commitment.0), Blob(proven.bytes));
    Some(Seen::Done(Proven { elapsed_us: 1_000_000, commitment, proof }))
}

fn carried(key: [u8; 32], salt: [u8; 32]) -> Seen<Transfer> {
    let digest = Word(digest_of(&key, BYTES, &salt));
    Seen::Done(Transfer { elapsed_us: 1_000_000, read_us: 500_000, digest })
}

fn member(n: u8, seed: &Word) -> Member {
    let device = DeviceId([n; 32]);
    let least = |quantity| Least { quantity, value: 1, why: "sold".to_owned() };
    let kinds =
        [Quantity::IntegerRate, Quantity::MemoryBytes, Quantity::DiskRate, Quantity::NetworkRate];
    let mut member = Member::unseen(device, "0.05".to_owned(), kinds.map(least).to_vec());
    member.round_trip_us = 1_000;
    let (start, asks) = challenge(draw(1));
    let hour = Hour::new(honest::shape(Entries::Byte), start, asks, OPENINGS.into());
    member.multiply = proven(honest::rounds(&hour, start, device, 2));
    let (start, asks) = challenge(draw(2));
    member.hold = proven(honest::passes(&asks, start, device, 0));
    let key = |purpose| key_of(&seed.0, purpose, n.into());
    member.disk = Some(carried(key("disk"), key("disk-salt")));
    member
}

fn honest() -> Check {
    let seed = Word([9; 32]);
    let multiply = Multiply { side: 64, width: 16, openings: OPENINGS, time_ms: 1, threads: 1 };
    let hold = Hold { bytes: memory().bytes(), passes: PASSES, openings: OPENINGS };
    let link = |from, to| LinkSeen { from, to, seen: Seen::Failed(String::new()) };
    let mut check = Check {
        version: Check::VERSION,
        cluster: ClusterId::of_lease(&wallet(2)),
        lease: wallet(2),
        renter: wallet(3),
        at_ms: 1,
        plan: Plan {
            multiply: Some(multiply),
            hold: Some(hold),
            disk_bytes: Some(BYTES),
            link_bytes: Some(BYTES),
            light: false,
        },
        rounds: draw(1),
        passes: draw(2),
        seed,
        members: vec![member(0, &seed), member(1, &seed)],
        links: vec![link(0, 1), link(1, 0)],
    };
    for n in 0..check.links.len() {
        let (key, salt) = check.link_keys(&check.links[n]);
        check.links[n].seen = carried(key, salt);
    }
    check
}

/// The honest check; and one without proofs, which is shorter to mutate.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut short = HONEST.clone();
    for member in &mut short.members {
        member.multiply = Some(Seen::Failed("busy".to_owned()));
        member.hold = None;
    }
    (short.plan.hold, short.plan.light) = (None, true);
    [&*HONEST, &short].map(|check| serde_json::to_vec(check).expect("plain data")).to_vec()
}
