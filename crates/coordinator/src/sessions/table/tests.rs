use super::*;
use crate::sessions::meter::{NotTaken, Word};
use ionet_core::{ClusterId, PartId, Wallet};
use ionet_network::{LineRef, ServedMeter};

const DEVICE: DeviceId = DeviceId([1; 32]);

fn name(session: u64) -> SessionName {
    SessionName { device: DEVICE, session }
}

fn part(generation: u32, state: PartState) -> PartStatus {
    let cluster = ClusterId::of_lease(&Wallet([2; 32]));
    PartStatus { id: PartId { cluster, generation }, state, started_at: Some(0) }
}

fn ready() -> PartState {
    PartState::Ready { alive_nodes: None }
}

fn metered(head: bool) -> Metered {
    let part = part(1, ready()).id;
    let key = LineKey {
        cluster: part.cluster,
        lease: Wallet([2; 32]),
        line: LineRef { page: 0, index: 0 },
        generation: 7,
    };
    Metered {
        key,
        part,
        head,
        running: true,
        awaits_hello: false,
        started: At(0),
        runs_until: At(20_000),
        stood_s: 0,
        word: Word { ours: true, renters: Vec::new() },
        meter: ServedMeter::start(At(0), 2_000),
        vouched: None,
    }
}

fn beat(
    table: &mut SessionTable<()>,
    seq: u64,
    at: i64,
    parts: Vec<PartStatus>,
) -> Result<Beat, TableError> {
    table.heartbeat(At(at), At(at), name(1), &Heartbeat { seq, parts })
}

#[test]
fn a_newer_session_fences_the_older_for_good() {
    let mut table = SessionTable::default();
    assert_eq!(table.admit(At(0), name(1), &[], "old").unwrap(), None);
    assert_eq!(table.admit(At(1), name(2), &[], "new").unwrap(), Some("old"));
    assert_eq!(table.admit(At(2), name(2), &[], "again").unwrap_err(), TableError::Fenced);
    let late = Heartbeat { seq: 1, parts: Vec::new() };
    assert_eq!(table.heartbeat(At(3), At(3), name(1), &late).unwrap_err(), TableError::Fenced);
    assert!(table.end(name(1)).is_none(), "the end of the old one is not the end of the new");
    assert_eq!(table.end(name(2)).unwrap().link, "new");
    assert!(table.is_empty());
}

#[test]
fn only_what_serves_earns_and_never_past_the_leases_clock() {
    let mut table = SessionTable::default();
    table.admit(At(0), name(1), &[], ()).unwrap();
    table.meter(DEVICE, metered(true));
    let served = |beat: Beat| beat.served[0].1;
    let first = beat(&mut table, 1, 2_000, vec![part(1, ready())]).unwrap();
    assert!(first.changed);
    assert_eq!(served(first), 2);
    // A head whose Ray does not answer does not serve; neither does another generation.
    assert_eq!(served(beat(&mut table, 2, 4_000, vec![part(1, PartState::Running)]).unwrap()), 2);
    assert_eq!(served(beat(&mut table, 3, 6_000, vec![part(2, ready())]).unwrap()), 2);
    assert_eq!(served(beat(&mut table, 4, 8_000, vec![part(1, ready())]).unwrap()), 2);
    let again = beat(&mut table, 5, 10_000, vec![part(1, ready())]).unwrap();
    assert!(!again.changed);
    assert_eq!(served(again), 4);
    for (seq, at) in (6..).zip((12_000..200_000).step_by(2_000)) {
        beat(&mut table, seq, at, vec![part(1, ready())]).unwrap();
    }
    let last = table.meters(DEVICE)[0].meter.served_s();
    assert_eq!(last, 20, "the deposit lasts for twenty seconds");
}

#[test]
fn a_line_from_before_earns_only_after_its_device_said_hello() {
    let mut table = SessionTable::default();
    table.admit(At(0), name(1), &[], ()).unwrap();
    table.meter(DEVICE, Metered { awaits_hello: true, ..metered(false) });
    beat(&mut table, 1, 2_000, vec![part(1, ready())]).unwrap();
    assert_eq!(table.meters(DEVICE)[0].meter.served_s(), 0);
    table.each_meter(DEVICE, |m| m.awaits_hello = false);
    beat(&mut table, 2, 4_000, vec![part(1, ready())]).unwrap();
    beat(&mut table, 3, 6_000, vec![part(1, ready())]).unwrap();
    assert_eq!(table.meters(DEVICE)[0].meter.served_s(), 2);
}

#[test]
fn hostile_heartbeats_are_refused() {
    let mut table = SessionTable::default();
    table.admit(At(0), name(1), &[], ()).unwrap();
    beat(&mut table, 5, 1, Vec::new()).unwrap();
    assert_eq!(
        beat(&mut table, 5, 2, Vec::new()).unwrap_err(),
        TableError::Order { seen: 5, got: 5 }
    );
    let twice = vec![part(1, ready()), part(1, PartState::Stopped)];
    assert_eq!(beat(&mut table, 6, 3, twice).unwrap_err(), TableError::Parts);
    let many = (0..=PARTS_MAX as u32).map(|n| part(n, ready())).collect();
    assert_eq!(beat(&mut table, 6, 3, many).unwrap_err(), TableError::Parts);
}

fn session_receipt(served_s: u64) -> SignedReceipt {
    let key = metered(false).key;
    SignedReceipt {
        cluster: key.cluster,
        lease: key.lease,
        page: key.line.page,
        line: key.line.index,
        generation: key.generation,
        served_s,
        signer: Wallet([9; 32]),
        signature: ionet_core::SignatureBytes([0; 64]),
    }
}

#[test]
fn a_line_for_which_only_the_renter_vouches_earns_what_it_says_and_no_more() {
    let mut table = SessionTable::<()>::default();
    table.admit(At(0), name(1), &[], ()).unwrap();
    let word = Word { ours: false, renters: vec![Wallet([9; 32])] };
    table.meter(DEVICE, Metered { word, ..metered(false) });
    let silent = beat(&mut table, 1, 2_000, vec![part(1, ready())]).unwrap();
    assert!(silent.served.is_empty() && silent.carried.is_empty(), "our word does not count");
    let take = |table: &mut SessionTable<()>, served_s, clock_ms| {
        let mut outcome = Ok(());
        table.each_meter(DEVICE, |m| outcome = m.take(&session_receipt(served_s), At(clock_ms)));
        outcome
    };
    assert_eq!(take(&mut table, 3, 2_999), Err(NotTaken::PastClock { clock_s: 2 }));
    assert_eq!(take(&mut table, 2, 2_999), Ok(()));
    assert_eq!(take(&mut table, 2, 9_000), Err(NotTaken::Known { served_s: 2 }));
    assert_eq!(take(&mut table, 1, 9_000), Err(NotTaken::Known { served_s: 2 }));
    let heard = beat(&mut table, 2, 4_000, vec![part(1, ready())]).unwrap();
    assert_eq!(heard.carried, [session_receipt(2)]);
    assert_eq!(table.meters(DEVICE)[0].served_s(), 2);
    // The deposit ended at 20 s: nothing is taken beyond.
    assert_eq!(take(&mut table, 21, 60_000), Err(NotTaken::PastClock { clock_s: 20 }));
    assert_eq!(take(&mut table, 20, 60_000), Ok(()));
}

#[test]
fn where_both_may_vouch_the_renters_word_raises_ours() {
    let mut table = SessionTable::<()>::default();
    table.admit(At(0), name(1), &[], ()).unwrap();
    table.meter(DEVICE, metered(false));
    table.each_meter(DEVICE, |m| m.take(&session_receipt(10), At(12_000)).unwrap());
    let heard = beat(&mut table, 1, 12_000, Vec::new()).unwrap();
    assert!(heard.carried.is_empty());
    assert_eq!(heard.served.iter().map(|(_, s)| *s).collect::<Vec<_>>(), [10]);
}

#[test]
fn time_for_which_the_leases_clock_stood_is_not_the_lines() {
    let filled = Metered { runs_until: At(900_000), stood_s: 30, ..metered(false) };
    assert_eq!(filled.clock_s(At(100_000)), 70);
    assert_eq!(filled.clock_s(At(29_000)), 0);
    let mut table = SessionTable::<()>::default();
    table.admit(At(0), name(1), &[], ()).unwrap();
    table.meter(DEVICE, filled);
    let take = |m: &mut Metered| {
        let beyond = m.take(&session_receipt(71), At(100_000));
        assert_eq!(beyond, Err(NotTaken::PastClock { clock_s: 70 }));
        m.take(&session_receipt(70), At(100_000)).unwrap();
    };
    table.each_meter(DEVICE, take);
}
