//! Hosting ranges, places and fingerprints: what they say, and what they refuse.

use ionet_core::{
    DeviceId, GenesisHash, Measure, Provenance, Quantity, Region, Signal, Tier, TrialId, Verdict,
    Wallet,
};
use ionet_trust::signals::{
    ChipFacts, Duplicates, Fingerprint, Hosting, HostingError, Landmark, LandmarkError, Measured,
    PRINTS_MAX, Purpose, Report, Salt, Sighting, Unbounded, beside, built_in, rule_out, since,
};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn file(ranges: &str) -> String {
    format!(
        "[[provider]]\nname = \"P\"\nsource = \"s\"\nread_on = \"2026-11-24\"\nranges = [{ranges}]"
    )
}

fn hosting(ranges: &str) -> Result<Hosting, HostingError> {
    Hosting::parse(&file(ranges))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_file_of_this_release_is_whole_and_has_no_home_in_it() {
    let hosting = built_in().unwrap();
    assert!(hosting.ranges() > 500);
    let name = |at: &str| hosting.provider(ip(at)).map(|p| p.name.as_str());
    assert_eq!(name("45.77.1.2"), Some("Vultr"));
    assert_eq!(name("::ffff:45.77.1.2"), Some("Vultr"), "the same in IPv6's clothes");
    assert_eq!(name("2604:a880:803::1"), Some("DigitalOcean (IPv6)"));
    for (at, cloud) in [
        ("3.120.1.2", "Amazon Web Services"),
        ("34.90.1.2", "Google Cloud"),
        ("34.200.1.2", "Amazon Web Services"),
        ("20.160.1.2", "Microsoft Azure"),
        ("152.70.1.2", "Oracle Cloud"),
        ("139.162.200.1", "Linode (Akamai)"),
        ("95.216.1.2", "Hetzner"),
        ("51.254.1.2", "OVH"),
        ("161.97.70.1", "Contabo"),
    ] {
        assert_eq!(name(at), Some(cloud), "{at}");
    }
    for home in ["192.168.1.5", "127.0.0.1", "45.78.0.1", "fd00::1", "2604:a880:804::1", "::1"] {
        assert_eq!(name(home), None, "{home}");
    }
    let signal = hosting.seen(ip("45.77.1.2"), 9).unwrap();
    assert_eq!((signal.code.as_str(), signal.at_ms), ("hosting-range", 9));
    assert!(signal.text.contains("Vultr") && !signal.text.contains("45.77"), "no address");
}

#[test]
fn of_ranges_within_each_other_the_smallest_counts() {
    let rows = file(r#""45.0.0.0/8", "45.1.2.0/24""#);
    let inner = r#"
[[provider]]
name = "Inner"
source = "s"
read_on = "2026-11-24"
ranges = ["45.1.0.0/16", "45.1.2.3/32", "2600::/20", "2600:10::/28"]"#;
    let hosting = Hosting::parse(&(rows + inner)).unwrap();
    let name = |at: &str| hosting.provider(ip(at)).map(|p| p.name.as_str());
    assert_eq!(name("45.1.2.3"), Some("Inner"));
    assert_eq!(name("45.1.2.4"), Some("P"));
    assert_eq!(name("45.1.3.4"), Some("Inner"));
    assert_eq!(name("45.2.3.4"), Some("P"));
    assert_eq!((name("2600:10::5"), name("2601::")), (Some("Inner"), None));
}

#[test]
fn a_file_with_a_mistake_is_refused() {
    let range = |text: &str| hosting(&format!("\"{text}\"")).unwrap_err();
    for wrong in [
        "45.0.0.0",
        "45.0.0.0/",
        "45.0.0.0/33",
        "45.0.0.1/24",
        "45.0.0.0/+8",
        "45.0.0.0/0008",
        "x/8",
        "2600::1/32",
        "2600::/129",
        "045.0.0.0/8",
        "45.0.0.0/24 ",
    ] {
        assert!(matches!(range(wrong), HostingError::Range(_)), "{wrong}");
    }
    for reserved in [
        "0.0.0.0/0",
        "44.0.0.0/7",
        "10.0.0.0/8",
        "192.168.1.0/24",
        "127.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "224.0.0.0/8",
        "192.0.2.0/24",
        "203.0.113.0/24",
        "0.0.0.0/8",
        "::/0",
        "fd00::/32",
        "fe80::/64",
        "2001:db8::/32",
        "2000::/3",
        "2002::/20",
        "::ffff:0:0/96",
        // These begin with an address that somebody may have, and reach into one that nobody has.
        "100.0.0.0/8",
        "172.0.0.0/8",
        "192.0.0.0/16",
        "192.0.2.128/25",
        "192.128.0.0/9",
        "198.48.0.0/12",
        "2001:c00::/22",
        "2001:db8:8000::/33",
    ] {
        assert!(matches!(range(reserved), HostingError::Reserved(_)), "{reserved}");
    }
    let twice = hosting(r#""45.0.0.0/8", "45.0.0.0/8""#);
    assert_eq!(twice, Err(HostingError::Twice("45.0.0.0/8".into())));
    let good = file(r#""45.0.0.0/8""#);
    assert!(Hosting::parse(&good).is_ok());
    for (from, to) in [("\"P\"", "\"\""), ("\"s\"", "\"\\u001b\""), ("-24", "-2"), ("-24", "/24")] {
        let spoiled = good.replace(from, to);
        assert!(matches!(Hosting::parse(&spoiled), Err(HostingError::Text(0))), "{to}");
    }
    let forms =
        ["", "x", "[[provider]]", &format!("{good}\nmore = 1"), &good.replace("s\"", "s\"\nx = 1")];
    for form in forms {
        assert!(matches!(Hosting::parse(form), Err(HostingError::Form(_))), "{form}");
    }
    assert_eq!(Hosting::parse(&" ".repeat((4 << 20) + 1)), Err(HostingError::TooLarge));
    let many: Vec<String> =
        (0..=65_536u32).map(|i| format!("\"{}/32\"", Ipv4Addr::from(0x2d00_0000 + i))).collect();
    assert_eq!(hosting(&many.join(",")), Err(HostingError::TooMany));
}

fn region(name: &str) -> Region {
    name.parse().unwrap()
}

fn frankfurt(round_trip_us: u32) -> Measured {
    let landmark = Landmark { name: "frankfurt".into(), latitude: 50_110, longitude: 8_680 };
    Measured { landmark, round_trip_us }
}

#[test]
fn light_contradicts_who_is_too_near() {
    // 4 ms: within 400 km of Frankfurt.
    let ruling = rule_out(region("us-west"), &[frankfurt(4_000)], 3).unwrap();
    let left: Vec<_> = Region::all().filter(|r| !ruling.excluded.contains(r)).collect();
    let near = ["eu-central", "eu-east", "eu-north", "eu-south", "eu-west", "local"].map(region);
    assert_eq!(left, near);
    let signal = ruling.contradicted.unwrap();
    assert_eq!(signal.code, "region-contradicted");
    assert_eq!(signal.text, "claims us-west, but answers frankfurt in 4.0 ms: within 400 km of it");
    assert_eq!(rule_out(region("eu-central"), &[frankfurt(4_000)], 3).unwrap().contradicted, None);
}

#[test]
fn slowness_shows_nothing() {
    // Somebody in Frankfurt who answers late may be anywhere.
    let late = rule_out(region("oceania"), &[frankfurt(250_000), frankfurt(u32::MAX)], 3).unwrap();
    assert_eq!((late.excluded, late.contradicted), (vec![], None));
    // From Sydney to Frankfurt light in glass takes more than 160 ms; nothing faster is excluded.
    let sydney = |us| rule_out(region("oceania"), &[frankfurt(us)], 3).unwrap();
    assert!(sydney(90_000).contradicted.is_some() && sydney(170_000).contradicted.is_none());
    assert_eq!(rule_out(Region::LOCAL, &[frankfurt(10)], 3).unwrap().contradicted, None);
    assert_eq!(rule_out(region("canada"), &[], 3).unwrap().excluded, []);
}

#[test]
fn landmarks_from_nowhere_are_refused() {
    let with = |change: &dyn Fn(&mut Measured)| {
        let mut row = frankfurt(4_000);
        change(&mut row);
        rule_out(region("canada"), &[frankfurt(9), row], 3)
    };
    assert_eq!(with(&|row| row.round_trip_us = 0), Err(LandmarkError::NoTime(1)));
    let changes: [&dyn Fn(&mut Measured); 6] = [
        &|row| row.landmark.latitude = 90_001,
        &|row| row.landmark.longitude = i32::MIN,
        &|row| row.landmark.longitude = i32::MAX,
        &|row| row.landmark.name.clear(),
        &|row| row.landmark.name = "x".repeat(49),
        &|row| row.landmark.name = "\u{1b}[2J".into(),
    ];
    for change in changes {
        assert_eq!(with(change), Err(LandmarkError::Landmark(1)));
    }
    let many = vec![frankfurt(9); 65];
    assert_eq!(rule_out(region("canada"), &many, 3), Err(LandmarkError::TooMany));
}

fn salt(genesis: u8, epoch: u64) -> Salt {
    Salt::new(&[4; 32], &GenesisHash([genesis; 32]), epoch)
}

fn print(purpose: Purpose, raw: &str) -> Fingerprint {
    salt(1, 1).print(purpose, raw).unwrap()
}

const UUID: &str = "GPU-6f1d2c3b-0001-4abc-8def-0123456789ab";

#[test]
fn a_fingerprint_belongs_to_its_salt_and_its_purpose() {
    let base = print(Purpose::Uuid, UUID);
    assert_eq!(base, print(Purpose::Uuid, &format!(" {} ", UUID.to_lowercase())));
    let purposes = [Purpose::Pci, Purpose::Driver, Purpose::Board];
    assert!(purposes.iter().all(|purpose| print(*purpose, UUID).hash != base.hash));
    for other in [salt(2, 1), salt(1, 2), Salt::new(&[5; 32], &GenesisHash([1; 32]), 1)] {
        assert_ne!(other.print(Purpose::Uuid, UUID).unwrap().hash, base.hash);
    }
    assert_eq!(format!("{:?}", salt(1, 1)), "Salt(..)");
}

#[test]
fn what_identifies_nothing_has_no_fingerprint() {
    let long = "7f".repeat(65);
    for raw in [
        "",
        "-",
        "None",
        "0",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "To Be Filled By O.E.M.",
        "Default string",
        "GPU-00000000-0000-0000-0000-000000000000",
        "ÄÖÜäöüßéè",
        &long,
    ] {
        assert_eq!(salt(1, 1).print(Purpose::Board, raw), None, "{raw}");
    }
}

/// Of these network cards only the first has a number of its own: the others' are a hypervisor's
/// or a container engine's, the same on many machines.
#[test]
fn an_address_that_no_maker_gave_identifies_nothing() {
    let print = |raw| salt(1, 1).print(Purpose::Network, raw);
    assert!(print("d8:5e:d3:00:11:22").is_some());
    for made_up in ["52:54:00:12:34:56", "02:42:ac:11:00:02", "01:00:5e:00:00:01", "d8:5e:d3:00"] {
        assert_eq!(print(made_up), None, "{made_up}");
    }
}

const OWNERS: [Wallet; 2] = [Wallet([101; 32]), Wallet([102; 32])];

fn board(id: u16) -> Fingerprint {
    print(Purpose::Board, &format!("board-{id}"))
}

fn device(i: u16) -> DeviceId {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&i.to_be_bytes());
    DeviceId(id)
}

fn codes(signals: &[Signal]) -> Vec<&str> {
    signals.iter().map(|signal| signal.code.as_str()).collect()
}

#[test]
fn one_chip_in_two_devices_gives_both_a_signal_with_the_others_name() {
    let [a, b, c] = [1, 2, 3].map(|id| DeviceId([id; 32]));
    let chip = print(Purpose::Uuid, UUID);
    // The same driver and slot is no duplicate of anything.
    let alike =
        [print(Purpose::Driver, "570.86.15"), print(Purpose::Pci, "10de:2684@0000:01:00.0")];
    let mut known = Duplicates::new();
    known.online(a, OWNERS[0], &[chip, board(1), alike[0], alike[1]]);
    known.online(b, OWNERS[1], &[chip, board(2), alike[0], alike[1]]);
    known.online(c, OWNERS[0], &[board(3), alike[0], alike[1]]);
    let of = |known: &Duplicates, device: &DeviceId| known.signals(device, 5);
    for (one, other) in [(&a, &b), (&b, &a)] {
        let signals = of(&known, one);
        assert_eq!(codes(&signals), ["duplicate-uuid"]);
        assert!(signals[0].text.contains(&one.to_string()));
        assert!(signals[0].text.contains(&other.to_string()));
    }
    assert_eq!(of(&known, &c), []);
    // Seen again it is no duplicate of itself; and who leaves is nobody's.
    known.online(a, OWNERS[0], &[chip, chip, board(1)]);
    assert_eq!(of(&known, &b).len(), 1);
    known.offline(&a);
    assert_eq!((of(&known, &b), of(&known, &a)), (vec![], vec![]));
    known.online(b, OWNERS[1], &[]);
    known.online(a, OWNERS[0], &[chip]);
    assert_eq!(of(&known, &a), []);
}

#[test]
fn several_devices_on_one_machine_are_said_once_and_whose_they_are() {
    let mut known = Duplicates::new();
    let card = print(Purpose::Network, "d8:5e:d3:00:11:22");
    (1..=6).for_each(|i| known.online(device(i), OWNERS[0], &[board(1), card]));
    let signals = known.signals(&device(1), 5);
    assert_eq!(codes(&signals), ["same-machine"], "board and card are one thing");
    assert!(signals[0].text.contains("and 1 more"), "{}", signals[0].text);
    assert!(signals[0].text.contains("normal"));
    // Another wallet's device on it, and all of them are told.
    known.online(device(7), OWNERS[1], &[card]);
    for i in 1..=7 {
        let signals = known.signals(&device(i), 5);
        assert_eq!(codes(&signals), ["shared-machine"], "{i}");
        assert!(signals[0].text.contains("under 2 wallets"));
    }
    known.offline(&device(7));
    assert_eq!(codes(&known.signals(&device(1), 5)), ["same-machine"]);
}

#[test]
fn one_address_that_several_wallets_are_paid_to_is_a_signal() {
    let mut known = Duplicates::new();
    let payout = Wallet([9; 32]);
    (1..=3).for_each(|i| known.online(device(i), OWNERS[0], &[]));
    (1..=3).for_each(|i| known.pays(&device(i), payout));
    assert_eq!(known.signals(&device(1), 5), [], "a fleet of one wallet is nobody's news");
    known.online(device(4), OWNERS[1], &[]);
    known.pays(&device(4), payout);
    let told = known.signals(&device(1), 5);
    assert_eq!(codes(&told), ["shared-payout"]);
    assert!(told[0].text.starts_with("4 devices of 2 wallets"), "{}", told[0].text);
    // It stays with a new report, and goes with a new address.
    known.online(device(4), OWNERS[1], &[board(4)]);
    assert_eq!(codes(&known.signals(&device(4), 5)), ["shared-payout"]);
    known.pays(&device(4), Wallet([10; 32]));
    assert_eq!((known.signals(&device(4), 5), known.signals(&device(1), 5)), (vec![], vec![]));
}

#[test]
fn a_crowd_with_one_chip_is_named_in_part() {
    let chip = print(Purpose::Uuid, UUID);
    let mut known = Duplicates::new();
    (0..500).for_each(|i| known.online(device(i), OWNERS[0], &[chip]));
    let signals = known.signals(&device(250), 5);
    assert!(signals.len() == 1 && signals[0].text.len() <= 512);
    assert!(signals[0].text.contains("and 495 more"), "{}", signals[0].text);
    // One device with a thousand fingerprints is looked at so far and no farther.
    let many: Vec<_> = (0..1_000).map(board).collect();
    let mut known = Duplicates::new();
    known.online(device(1), OWNERS[0], &many);
    known.online(device(2), OWNERS[0], &many[PRINTS_MAX..]);
    assert_eq!(known.signals(&device(2), 5), []);
}

#[test]
fn a_sighting_says_each_thing_once_and_is_bounded() {
    let [a, b] = [1, 2].map(|id| DeviceId([id; 32]));
    let slice = ChipFacts { model: "NVIDIA A40-12Q".into(), ..ChipFacts::default() };
    let prints = vec![print(Purpose::Uuid, UUID)];
    let report = Report { chips: vec![slice.clone(); 8], prints, ..Report::default() };
    let mut known = Duplicates::new();
    [a, b].iter().for_each(|device| known.online(*device, OWNERS[0], &report.prints));
    let hosting = built_in().unwrap();
    let of = |report: Option<&Report>| {
        let addresses = [ip("192.168.1.5"), ip("::ffff:45.77.1.2")];
        let (region, trips) = (region("us-west"), [frankfurt(4_000)]);
        let seen = Sighting { device: a, region, report, addresses: &addresses, trips: &trips };
        let signals = seen.signals(&hosting, &known, 5);
        signals.into_iter().map(|signal| signal.code).collect::<Vec<_>>()
    };
    let silent = ["duplicate-uuid", "hosting-range", "region-contradicted"];
    assert_eq!(of(Some(&report)), [&silent[..], &["vgpu-profile"]].concat());
    assert_eq!(of(None), silent);

    let crowd = Report { chips: vec![slice.clone(); 1_000], ..report.clone() };
    let long = ChipFacts { uuid: Some("x".repeat(257)), ..slice };
    let long = Report { chips: vec![long], ..report.clone() };
    let prints = Report { prints: vec![report.prints[0]; PRINTS_MAX + 1], ..report };
    for unbounded in [crowd, long, prints] {
        assert_eq!(unbounded.check(), Err(Unbounded));
        assert_eq!(of(Some(&unbounded)), silent);
    }
}

#[test]
fn signals_stand_beside_a_verdict_and_change_nothing_of_it() {
    let trial = Measure {
        quantity: Quantity::IntegerRate,
        value: 7,
        provenance: Provenance::Proven,
        at_ms: 1,
        trial: Some(TrialId(1)),
    };
    let old = Signal { code: "hosting-range".into(), text: "before".into(), at_ms: 1 };
    let judged = Verdict {
        tier: Tier::Proven,
        score: 900,
        class: None,
        evidence: vec![trial],
        signals: vec![old.clone()],
        reason: None,
        at_ms: 1,
        expires_at_ms: 2,
    };
    let mut verdict = judged.clone();
    let new = |code: &str| Signal { code: code.into(), text: "now".into(), at_ms: 9 };
    let told = since(vec![new("hosting-range"), new("same-machine")], &judged.signals);
    beside(&mut verdict, told, Some(4_000), 9);
    let ages: Vec<_> = verdict.signals.iter().map(|s| (s.text.as_str(), s.at_ms)).collect();
    assert_eq!(ages, [("now", 1), ("now", 9)], "the kind is as old as it is");
    let trip = verdict.evidence[1];
    assert_eq!((trip.quantity, trip.value), (Quantity::RoundTrip, 4_000));
    assert_eq!((trip.provenance, trip.trial), (Provenance::Measured, None));
    // Once more: one round trip, the newest. Gone: gone.
    beside(&mut verdict, vec![], Some(3_000), 10);
    assert_eq!((verdict.evidence.len(), verdict.evidence[1].value), (2, 3_000));
    beside(&mut verdict, vec![old], None, 11);
    assert_eq!(verdict, judged);
}

proptest! {
    #[test]
    fn any_text_is_a_file_or_an_error(text in ".{0,200}", range in "[0-9a-f:./]{0,24}") {
        let _ = Hosting::parse(&text);
        if let Ok(hosting) = hosting(&format!("{range:?}")) {
            // What is taken is found again at its first address.
            let first = range.split('/').next().unwrap();
            prop_assert!(hosting.provider(ip(first)).is_some());
        }
    }

    #[test]
    fn lookups_agree_with_a_walk_over_all_ranges(
        ranges in prop::collection::btree_set((any::<u16>(), 8u8..=24), 1..20), low: u32,
    ) {
        // Addresses of 45.0.0.0/8, so that ranges overlap.
        let all: Vec<(u32, u8)> = ranges
            .into_iter()
            .map(|(at, bits)| ((45 << 24 | u32::from(at) << 8) & (u32::MAX << (32 - bits)), bits))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let rows: String = all.iter().enumerate().map(|(i, (at, bits))| {
            let range = format!("\"{}/{bits}\"", Ipv4Addr::from(*at));
            file(&range).replace("\"P\"", &format!("\"{i}\"")) + "\n"
        }).collect();
        let hosting = Hosting::parse(&rows).unwrap();
        let address = 45 << 24 | low >> 8;
        let inside = |(at, bits): &(u32, u8)| address & (u32::MAX << (32 - *bits)) == *at;
        let best = (0..all.len()).filter(|i| inside(&all[*i])).max_by_key(|i| all[*i].1);
        let found = hosting.provider(IpAddr::V4(Ipv4Addr::from(address)));
        prop_assert_eq!(found.map(|p| p.name.clone()), best.map(|i| i.to_string()));
    }

    #[test]
    fn every_address_can_be_asked_for(v4: u32, v6: u128, raw in any::<String>()) {
        let hosting = built_in().unwrap();
        let _ = hosting.provider(IpAddr::V4(Ipv4Addr::from(v4)));
        let _ = hosting.provider(IpAddr::V6(Ipv6Addr::from(v6)));
        let _ = salt(1, 1).print(Purpose::Network, &raw);
    }

    #[test]
    fn a_longer_way_never_excludes_more(
        us in 1u32..300_000, more in 0u32..300_000, claimed in 0usize..17,
    ) {
        let claimed = Region::all().nth(claimed).unwrap();
        let near = rule_out(claimed, &[frankfurt(us)], 1).unwrap();
        let far = rule_out(claimed, &[frankfurt(us + more)], 1).unwrap();
        prop_assert!(far.excluded.iter().all(|region| near.excluded.contains(region)));
        // Frankfurt lies in eu-central: that is never excluded from there.
        prop_assert!(!near.excluded.contains(&region("eu-central")));
        prop_assert_eq!(near.contradicted.is_some(), near.excluded.contains(&claimed));
    }
}
