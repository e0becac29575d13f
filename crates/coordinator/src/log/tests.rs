use super::*;

fn record(body: &str) -> Record {
    Record { version: 1, body: body.to_owned(), request_id: Some("r".to_owned()) }
}

fn open(path: &Path) -> Log {
    Log::open(path, Arc::new(Faults::none())).unwrap()
}

fn bodies(log: &Log) -> Vec<String> {
    let mut all = Vec::new();
    log.replay::<LogError>(0, |entry| {
        all.push(entry.record.body);
        Ok(())
    })
    .unwrap();
    all
}

#[test]
fn what_was_appended_is_replayed_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sqlite");
    let log = open(&path);
    log.append(1, 7, &[record("a"), record("b")]).unwrap();
    log.append(3, 8, &[record("c")]).unwrap();
    let first_epoch = log.epoch();
    drop(log);
    let log = open(&path);
    assert_eq!(bodies(&log), ["a", "b", "c"]);
    assert_eq!(log.last_seq().unwrap(), 3);
    assert_eq!(log.epoch(), first_epoch + 1);
}

#[test]
fn a_stale_leader_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sqlite");
    let old = open(&path);
    old.append(1, 0, &[record("old")]).unwrap();
    let new = open(&path);
    // The numbers would match; the epoch does not.
    assert!(matches!(old.append(2, 0, &[record("late")]), Err(LogError::Conflict(_))));
    assert!(matches!(old.note_alive(7), Err(LogError::Conflict(_))));
    new.append(2, 0, &[record("new")]).unwrap();
    assert!(matches!(new.append(2, 0, &[record("twice")]), Err(LogError::Conflict(_))));
    assert_eq!(bodies(&new), ["old", "new"]);
}

#[test]
fn a_fault_at_any_write_leaves_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::none());
    let log = Log::open(&dir.path().join("log.sqlite"), faults.clone()).unwrap();
    log.append(1, 0, &[record("a")]).unwrap();
    for nth in 0..2 {
        faults.fail_after(nth);
        let failed = log.append(2, 0, &[record("b"), record("c")]);
        assert!(matches!(failed, Err(LogError::Injected)), "{failed:?}");
        assert!(faults.has_failed());
        assert_eq!(bodies(&log), ["a"]);
    }
    log.append(2, 0, &[record("b"), record("c")]).unwrap();
    assert_eq!(bodies(&log), ["a", "b", "c"]);
}

#[test]
fn signs_of_life_and_secrets_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.sqlite");
    let cluster = ClusterId::of_lease(&ionet_core::Wallet([2; 32]));
    let log = open(&path);
    assert_eq!(log.last_alive().unwrap(), 0);
    log.note_alive(5).unwrap();
    assert_eq!(&**log.secret(cluster, "first").unwrap(), "first");
    drop(log);
    let log = open(&path);
    assert_eq!(log.last_alive().unwrap(), 5);
    assert_eq!(&**log.secret(cluster, "second").unwrap(), "first");
    log.forget_secret(cluster).unwrap();
    assert_eq!(&**log.secret(cluster, "third").unwrap(), "third");
}

#[test]
fn limits_hold() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir.path().join("log.sqlite"));
    let long = record(&"x".repeat(EVENT_BYTES_MAX + 1));
    assert!(matches!(log.append(1, 0, &[long]), Err(LogError::Limit(_))));
    assert!(matches!(log.append(EVENTS_MAX + 1, 0, &[record("x")]), Err(LogError::Limit(_))));
}
