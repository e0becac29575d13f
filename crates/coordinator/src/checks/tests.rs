//! What is kept, for how long, and over a restart.

use super::index::{ALL_MAX, BYTES_MAX, CLUSTER_MAX, DEVICE_MAX, KEEP_MS, RENTER_MAX};
use super::*;
use ionet_core::{ChainRef, GenesisHash, ProgramId, SignatureBytes};

fn word(n: u64) -> Word {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Word(bytes)
}

fn kept(n: u64, cluster: u64, renter: u64, device: u64) -> Kept {
    let device = DeviceId(word(device).0);
    let renter = Wallet(word(renter).0);
    let light = false;
    Kept {
        id: word(n),
        seed: word(n),
        cluster: ClusterId::of_lease(&Wallet(word(cluster).0)),
        lease: Wallet(word(cluster).0),
        renter,
        at_ms: n as i64,
        received_ms: n as i64,
        bytes: 1,
        looked: vec![Looked { device, renter, at_ms: n as i64, light, looks: Vec::new() }],
    }
}

fn paper(n: u64) -> Paper {
    let chain = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };
    Paper { record: format!("{{\"n\":{n}}}"), chain, signature: SignatureBytes([3; 64]) }
}

fn numbers(checks: &Checks, device: u64) -> Vec<i64> {
    checks.of(&DeviceId(word(device).0)).iter().map(|k| k.at_ms).collect()
}

fn after(all: impl IntoIterator<Item = Kept>) -> Index {
    let mut index = Index::default();
    for kept in all {
        let now_ms = kept.received_ms;
        index.add(kept);
        for gone in index.surplus(now_ms) {
            index.remove(&gone);
        }
    }
    index
}

fn left(index: &Index, device: u64) -> Vec<i64> {
    index.of(&DeviceId(word(device).0)).map(|k| k.at_ms).collect()
}

#[test]
fn a_check_is_kept_once_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let checks = Checks::open(folder.path()).unwrap();
    checks.put(kept(1, 1, 1, 1), &paper(1)).unwrap();
    let again = checks.put(kept(1, 1, 1, 1), &paper(1));
    assert!(matches!(again, Err(ChecksError::Twice)), "{again:?}");
    // The same draws under another name.
    let renamed = Kept { id: word(9), ..kept(1, 1, 1, 1) };
    assert!(matches!(checks.put(renamed, &paper(9)), Err(ChecksError::Twice)));
    checks.put(kept(2, 2, 1, 1), &paper(2)).unwrap();
    assert_eq!(numbers(&checks, 1), [2, 1]);
    // Halves that a crash left, and a file that is none of ours.
    let at = |name: &str| folder.path().join("checks").join(name);
    let half = format!("{}.check", hex::encode(word(7).0));
    std::fs::write(at(&half), "half").unwrap();
    std::fs::remove_file(checks.path(&word(2)).unwrap()).unwrap();
    std::fs::write(at("damaged.json"), "{").unwrap();
    std::fs::write(at("note.txt"), "ours").unwrap();
    let checks = Checks::open(folder.path()).unwrap();
    assert_eq!(numbers(&checks, 1), [1]);
    assert!(!at(&half).exists() && !at("damaged.json").exists() && at("note.txt").exists());
    let text = std::fs::read_to_string(checks.path(&word(1)).unwrap()).unwrap();
    assert_eq!(text, paper(1).text());
    assert_eq!(checks.path(&word(2)), None);
    assert!(matches!(checks.put(kept(1, 1, 1, 1), &paper(1)), Err(ChecksError::Twice)));
}

#[test]
fn what_is_too_many_of_one_cluster_or_renter_gives_way() {
    let cluster = after((0..10).map(|n| kept(n, 1, n, 1)));
    assert_eq!(left(&cluster, 1).len(), CLUSTER_MAX);
    assert_eq!(left(&cluster, 1)[0], 9, "the newest stay");
    let many = RENTER_MAX as u64 + 5;
    let renter = after((0..many).map(|n| kept(n, n, 1, n)));
    let still = (0..many).filter(|n| !left(&renter, *n).is_empty()).count();
    assert_eq!((still, left(&renter, 0)), (RENTER_MAX, vec![]));
}

#[test]
fn a_crowd_of_one_wallet_pushes_no_other_out() {
    let honest = (0..3).map(|n| kept(n, n, n, 1));
    // Twice as many words of two wallets as a device has room for.
    let crowd = (100..100 + 2 * DEVICE_MAX as u64).map(|n| kept(n, n, 50 + n % 2, 1));
    let index = after(honest.chain(crowd));
    let found = left(&index, 1);
    assert!(found.len() <= DEVICE_MAX, "{}", found.len());
    assert!(found.ends_with(&[2, 1, 0]), "{found:?}");
}

#[test]
fn a_device_has_its_share() {
    let index = after((0..3 * DEVICE_MAX as u64).map(|n| kept(n, n, n, 1)));
    assert_eq!(left(&index, 1).len(), DEVICE_MAX);
}

#[test]
fn age_and_bytes_are_bounded() {
    let old = kept(1, 1, 1, 1);
    let late = Kept { received_ms: 1 + KEEP_MS, ..kept(2, 2, 2, 1) };
    assert_eq!(left(&after([old, late]), 1), [2]);
    let large = |n| Kept { bytes: BYTES_MAX / 2, ..kept(n, n, n, 1) };
    assert_eq!(left(&after([large(1), large(2), large(3)]), 1), [3, 2]);
    let mut index = Index::default();
    let all = ALL_MAX as u64 + 3;
    (0..all).for_each(|n| index.add(kept(n, n, n, n)));
    assert_eq!(index.surplus(all as i64).len(), 3);
    assert_eq!(index.surplus(all as i64)[0], word(0));
}
