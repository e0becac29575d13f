//! Bad inputs: each is refused in words, and costs nobody anything.

use crate::relay::{Fate, relay};
use crate::world::{NOBODY, Opened, Person, RATE, Terms, USDC, World, earned, failed, succeeded};
use base64::Engine as _;
use ionet_core::GenesisHash;
use ionet_ledger::Keypair;
use ionet_ledger::KeypairFile;
use ionet_ledger::interface::account::{LeaseState, SessionRights};
use ionet_ledger::token::associated_account;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

fn message(error: &Value) -> &str {
    error["message"].as_str().unwrap()
}

fn one_line(w: &World) -> (Person, Person, Opened) {
    let (renter, supplier) = (w.person("renter", 10 * USDC), w.person("supplier", 0));
    let lease = w.lease(&renter, &[w.device(&supplier)], Terms::PLAIN);
    (renter, supplier, lease)
}

#[test]
fn keys_and_names_that_do_not_fit_are_refused_in_words() {
    let w = World::new(600, 600);
    let (renter, supplier, lease) = one_line(&w);
    let stranger = w.person("stranger", 0);
    let name = lease.text();
    let cases: [(&Person, i32, &[&str], &str); 12] = [
        (&stranger, 8, &["close", &name], "neither the lease's renter"),
        (&supplier, 8, &["close", &name], "neither the lease's renter"),
        (&stranger, 8, &["end", &name, "--line", "0/0"], "nor the supplier"),
        (&stranger, 8, &["reject", &name, "--line", "0/0"], "only the renter"),
        (&renter, 4, &["reject", &name, "--line", "0/0"], "without an acceptance window"),
        (&renter, 3, &["end", &name, "--line", "0/1"], "no line 0/1"),
        (&renter, 3, &["end", &name, "--line", "9/0"], "no line 9/0"),
        (&renter, 4, &["reclaim", &name], "only a finalized one"),
        (&renter, 4, &["finalize", &name], "is open"),
        (&renter, 4, &["refund", &name], "is open"),
        (&renter, 3, &["show", &stranger.address().to_string()], "no lease at"),
        (&renter, 5, &["top-up", &name, "--amount", "11"], "not 11.000000 USDC"),
    ];
    let config = ionet_ledger::addresses::config(&w.ledger.program()).0.to_string();
    for (who, code, args, words) in cases {
        let mut args = [&["lease"], args].concat();
        if args[1] != "show" {
            args.push("--yes");
        }
        let error = w.fails(who, code, &args);
        assert!(message(&error).contains(words), "{args:?}: {error}");
    }
    for (address, words) in [(config, "is no lease"), (w.mints.usdc.to_string(), "belongs to")] {
        let error = w.fails(&renter, 2, &["lease", "show", &address]);
        assert!(message(&error).to_lowercase().contains(words), "{error}");
    }
    let nonsense = w.command(&renter, &["lease", "show", "nonsense"]).output().unwrap();
    assert_eq!(nonsense.status.code(), Some(2));
    w.fails(&renter, 2, &["lease", "top-up", &name, "--amount", "1e3", "--yes"]);
    // A program that is not ours, and a chain that is not there.
    let elsewhere = ["lease", "list", "--program", &stranger.address().to_string()];
    let error = w.fails(&renter, 3, &elsewhere);
    assert!(message(&error).contains("no market program"), "{error}");
    w.fails(&renter, 6, &["lease", "list", "--rpc", NOBODY]);
    assert_eq!(w.record(&lease.address).state, LeaseState::Open);
    assert_eq!(w.sum(&[&renter, &supplier, &stranger], &[&lease]), 10 * USDC);
}

#[test]
fn a_session_key_closes_where_it_may_and_the_money_is_the_renters() {
    let w = World::new(600, 600);
    let (renter, supplier) = (w.person("renter", 10 * USDC), w.person("supplier", 0));
    let file = w.home.path().join("session.json");
    let session = KeypairFile::create(&file).unwrap();
    let key = ["--key", file.to_str().unwrap()];
    let open = |rights| {
        let terms = Terms { session: Some((session_address(&session), rights)), ..Terms::PLAIN };
        w.lease(&renter, &[w.device(&supplier)], terms)
    };
    let (with, without) = (open(SessionRights::CLOSE), open(SessionRights::NONE));
    // Somebody else pays the chain's fee: the session key needs not even SOL.
    let (may, may_not) = (with.text(), without.text());
    let args = [&["lease", "close", &may_not, "--yes"][..], &key].concat();
    let error = w.fails(&supplier, 8, &args);
    assert!(message(&error).contains("session key that may close"), "{error}");
    w.ok(&supplier, &[&["lease", "close", &may, "--yes"][..], &key].concat());
    assert_eq!(w.record(&with.address).state, LeaseState::Closed);
    assert!(w.usdc(&renter.address()) > 10 * USDC - 2 * Terms::PLAIN.deposit);
    assert_eq!(w.sum(&[&renter, &supplier], &[&with, &without]), 10 * USDC);
}

fn session_address(key: &KeypairFile) -> ionet_ledger::Address {
    ionet_ledger::Signer::address(key)
}

#[test]
fn a_line_is_rejected_in_its_window_and_its_receipt_is_worth_nothing() {
    let w = World::new(600, 600);
    let (renter, supplier) = (w.person("renter", 10 * USDC), w.person("supplier", 0));
    let terms = Terms { accept_s: 120, ..Terms::PLAIN };
    let lease = w.lease(&renter, &[w.device(&supplier), w.device(&supplier)], terms);
    let name = lease.text();
    w.until(lease.started + 2);
    let file = w.file("receipts.json", &w.chain, &[w.receipt(&lease, 0, 1)]);
    let claim = ["lease", "claim", "--receipts", file.to_str().unwrap(), "--yes"];
    let early = w.ok(&supplier, &claim);
    assert!(early[0]["notes"].to_string().contains("can still reject"), "{early}");
    w.ok(&renter, &["lease", "reject", &name, "--line", "0/0", "--yes"]);
    let again = w.fails(&renter, 4, &["lease", "reject", &name, "--line", "0/0", "--yes"]);
    assert!(message(&again).contains("rejected already"), "{again}");
    let late = w.ok(&supplier, &claim);
    assert!(late[0]["notes"].to_string().contains("it owes nothing"), "{late}");
    let shown = w.ok(&renter, &["lease", "show", &name]);
    assert_eq!(shown["lines"][0]["state"], "rejected");
    assert_eq!(shown["lines"][1]["state"], "started");
    assert_eq!(w.usdc(&supplier.address()), 0);
}

#[test]
fn receipts_that_bring_nothing_are_told_apart_and_nothing_is_sent() {
    let w = World::new(600, 600);
    let (_, supplier, lease) = one_line(&w);
    w.until(lease.started + 3);
    w.vouched(&lease, &[(0, 2)]);
    let mut elsewhere = w.chain;
    elsewhere.genesis = GenesisHash([9; 32]);
    let boss = &w.keys.coordinator;
    let stranger = KeypairFile::in_memory(Keypair::new());
    let good = w.receipt(&lease, 0, 3);
    let altered = ionet_wire::message::SignedReceipt { served_s: 4, ..good };
    let other = w.receipt_by(boss, &elsewhere, &lease, 0, 3);
    let before = w.lamports(&supplier.address());
    let cases = [
        ("older.json", w.receipt(&lease, 0, 2), w.chain, "2 s are vouched for already"),
        ("long.json", w.receipt(&lease, 0, 3_000), w.chain, "the lease's clock allows"),
        ("altered.json", altered, w.chain, "signature does not hold"),
        ("other.json", other.clone(), elsewhere, "for another chain or program"),
        ("unnamed.json", other, w.chain, "signature does not hold"),
        (
            "stranger.json",
            w.receipt_by(&stranger, &w.chain, &lease, 0, 3),
            w.chain,
            "takes the word of its coordinator",
        ),
    ];
    // Two seconds are due already: they are not what is asked about here.
    w.ok(&supplier, &["lease", "withdraw", &lease.text(), "--yes"]);
    for (name, receipt, chain, why) in cases {
        let file = w.file(name, &chain, &[receipt]);
        let told =
            w.ok(&supplier, &["lease", "claim", "--receipts", file.to_str().unwrap(), "--yes"]);
        assert!(told.to_string().contains(why), "{name}: {told}");
        assert_eq!(w.usdc(&supplier.address()), earned(2), "{name}");
    }
    let spent = before - w.lamports(&supplier.address());
    assert!(spent < 2_100_000, "one withdrawal and one token account: {spent} lamports");

    let whole = w.file("whole.json", &w.chain, &[w.receipt(&lease, 0, 3)]);
    let text = std::fs::read(&whole).unwrap();
    let cut = w.home.path().join("cut.json");
    std::fs::write(&cut, &text[..text.len() - 9]).unwrap();
    let args = ["lease", "claim", "--receipts", cut.to_str().unwrap(), "--yes"];
    let error = w.fails(&supplier, 2, &args);
    assert!(message(&error).contains("not a whole file of receipts"), "{error}");
    let nowhere = w.home.path().join("nowhere");
    let args = ["lease", "claim", "--receipts", nowhere.to_str().unwrap(), "--yes"];
    w.fails(&supplier, 3, &args);
    std::fs::create_dir(&nowhere).unwrap();
    let error = w.fails(&supplier, 3, &args);
    assert!(message(&error).contains("no worker kept its receipts"), "{error}");
}

#[test]
fn an_endpoint_that_lies_is_not_believed() {
    let w = World::new(600, 600);
    let (renter, _, lease) = one_line(&w);
    let name = lease.text();
    let ask = |url: &str, code: i32, words: &str| {
        let args = ["lease", "close", &name, "--yes", "--rpc", url];
        let output = w.command(&renter, &args).output().unwrap();
        let error = failed(code, &args, &output);
        assert!(error.to_string().contains(words), "{error}");
    };
    let method = |call: &Value| call["method"].as_str().unwrap_or_default().to_owned();

    // Another chain, where the same copy of the program says what it was set up for.
    let other = GenesisHash([9; 32]).to_string();
    let url = relay(&w.url, move |call| match method(call).as_str() {
        "getGenesisHash" => Fate::Answer(json!({ "result": other })),
        _ => Fate::Pass,
    });
    ask(&url, 8, "was set up for the chain");

    // Records of another program, in the market's form.
    let owner = renter.address().to_string();
    let url = relay(&w.url, move |call| match method(call).as_str() {
        "getMultipleAccounts" => {
            let owner = owner.clone();
            Fate::Change(Box::new(move |answer| {
                for row in answer["result"]["value"].as_array_mut().unwrap() {
                    if row["data"][0].as_str().is_some_and(|d| d.len() > 500) {
                        row["owner"] = json!(owner);
                    }
                }
            }))
        }
        _ => Fate::Pass,
    });
    ask(&url, 4, "belongs to");

    // Fewer rows than were asked for, packed rows, nonsense, and more than anyone can hold.
    let url = relay(&w.url, move |call| match method(call).as_str() {
        "getMultipleAccounts" => Fate::Change(Box::new(|answer| {
            answer["result"]["value"].as_array_mut().unwrap().pop();
        })),
        _ => Fate::Pass,
    });
    ask(&url, 4, "0 rows for 1 accounts");
    let url = relay(&w.url, move |call| match method(call).as_str() {
        "getMultipleAccounts" => Fate::Change(Box::new(|answer| {
            for row in answer["result"]["value"].as_array_mut().unwrap() {
                row["data"][1] = json!("base64+zstd");
            }
        })),
        _ => Fate::Pass,
    });
    ask(&url, 4, "encoding cannot be read");
    ask(&relay(&w.url, |_| Fate::Raw(b"[[[[".to_vec())), 6, "does not answer");
    ask(&relay(&w.url, |_| Fate::Drop), 6, "does not answer");
    let huge = move |_: &Value| Fate::Raw(vec![b' '; ionet_ledger::ANSWER_BYTES_MAX + 1]);
    ask(&relay(&w.url, huge), 6, "more than");
    assert_eq!(w.record(&lease.address).state, LeaseState::Open, "nothing was sent");
}

/// Three suppliers on one page. The chain refuses whatever names the second one's account: the
/// others are paid all the same, and the refusal is told.
#[test]
fn one_refused_line_keeps_nobody_elses_money() {
    let w = World::new(600, 600);
    let renter = w.person("renter", 10 * USDC);
    let people: Vec<Person> = (0..3).map(|n| w.person(&format!("supplier-{n}"), 0)).collect();
    let devices: Vec<_> = people.iter().map(|p| w.device(p)).collect();
    let lease = w.lease(&renter, &devices, Terms::PLAIN);
    w.until(lease.started + 3);
    w.vouched(&lease, &[(0, 3), (1, 3), (2, 3)]);
    let bad = associated_account(&people[1].address(), &w.mints.usdc).to_bytes();
    let url = relay(&w.url, move |call| {
        if call["method"] != "sendTransaction" {
            return Fate::Pass;
        }
        let text = call["params"][0].as_str().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        if !bytes.windows(32).any(|w| w == bad) {
            return Fate::Pass;
        }
        let error = json!({ "InstructionError": [0, { "Custom": 7012 }] });
        let data = json!({ "err": error, "logs": [], "accounts": null, "unitsConsumed": 0 });
        Fate::Answer(json!({ "error": { "code": -32002, "message": "refused", "data": data } }))
    });
    let args = ["lease", "withdraw", &lease.text(), "--everyone", "--yes", "--rpc", &url];
    let error = failed(5, &args, &w.command(&renter, &args).output().unwrap());
    assert!(message(&error).contains("refused 1 step;"), "{error}");
    assert!(error["detail"].to_string().contains("BadTokenAccount"), "{error}");
    let paid: Vec<u64> = people.iter().map(|p| w.usdc(&p.address())).collect();
    assert_eq!(paid, [earned(3), 0, earned(3)]);
    // Where it is not refused any more, only what is left is paid.
    let args = ["lease", "withdraw", &lease.text(), "--everyone", "--yes"];
    let rest = w.ok(&renter, &args);
    assert_eq!(rest[0]["steps"].as_array().unwrap().len(), 1);
    assert_eq!(w.usdc(&people[1].address()), earned(3));
}

/// Lines of a large lease. `IONET_TEST_LINES=1000` tries the largest that anyone asked for.
fn many() -> u16 {
    std::env::var("IONET_TEST_LINES").map_or(60, |text| text.parse().expect("a number of lines"))
}

/// An endpoint that dies in the middle of a large settlement: the next run does the rest.
#[test]
fn a_settlement_that_broke_off_goes_on_where_it_stopped() {
    let w = World::new(1, 600);
    let (renter, supplier) = (w.person("renter", 100 * USDC), w.person("supplier", 0));
    let device = w.device_paid_at(&supplier, &supplier.address(), many());
    let terms = Terms { deposit: 50 * USDC, ..Terms::PLAIN };
    let lease = w.lease(&renter, &vec![device; usize::from(many())], terms);
    w.until(lease.started + 2);
    w.vouched(&lease, &[(0, 2), (23, 1)]);
    let shown = w.ok(&renter, &["lease", "show", &lease.text()]);
    assert_eq!(shown["lines"].as_array().unwrap().len(), usize::from(many()));
    w.ok(&renter, &["lease", "close", &lease.text(), "--yes"]);
    w.until(w.record(&lease.address).claims_until().0 + 1);

    let sent = AtomicUsize::new(0);
    let url = relay(&w.url, move |call| {
        let sends = call["method"] == "sendTransaction";
        if sends && sent.fetch_add(1, Ordering::SeqCst) >= 3 { Fate::Drop } else { Fate::Pass }
    });
    let args = ["lease", "settle", &lease.text(), "--yes", "--rpc", &url];
    let error = failed(6, &args, &w.command(&renter, &args).output().unwrap());
    assert!(message(&error).contains("3 transactions confirmed"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("run the same command again"), "{error}");
    assert!(!w.is_gone(&lease.address));

    let args = ["lease", "settle", &lease.text(), "--yes"];
    let rest = succeeded(&args, &w.command(&supplier, &args).output().unwrap());
    println!("{} transactions more", rest[0]["steps"].as_array().unwrap().len());
    assert!(w.is_gone(&lease.address));
    assert_eq!(w.usdc(&supplier.address()), 2 * RATE / 3_600 + RATE / 3_600);
    assert_eq!(w.sum(&[&renter, &supplier], &[]), 100 * USDC);
    assert_eq!(w.wait(w.ledger.device(&device)).unwrap().unwrap().units_bound, 0);
}
