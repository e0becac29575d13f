//! The table is fit to pay by; one with a mistake is not, and says which.

use super::*;
use proptest::prelude::*;

pub(super) fn rows() -> Rows {
    Rows::parse(CALIBRATION).unwrap()
}

pub(super) fn class(name: &str) -> ChipClass {
    name.parse().unwrap()
}

/// A class of these rates, memory, link, spread and weight, as text.
pub(super) fn measured(name: &str, figures: [u64; 7]) -> String {
    let [integer, matrix, stream, memory, link, spread, weight] = figures;
    format!(
        "[[class]]\nclass = \"{name}\"\npool = \"nvidia\"\nweight = {weight}\n\
         spread_permille = {spread}\nmemory_gib = {memory}\n[class.measured]\n\
         integer = {integer}\nmatrix = {matrix}\nstream = {stream}\nlink = {link}\n\
         source = \"2026-01-01; a; b; c\"\n"
    )
}

#[test]
fn nobody_gains_by_lying() {
    if let Err(found) = arbitrage(&rows(), &Prices::default()) {
        panic!("{found}");
    }
    assert!(rows().rows().count() >= 20);
}

/// The answer is checked for itself: it fits, and it earns what it says.
fn stands(found: &Combination, rows: &Rows, prices: &Prices) {
    let chip = rows.get(found.chip).unwrap();
    let price = |row: &Row| row.weight * prices.of(&row.pool);
    for resource in 0..4 {
        let used = |(class, n): &(ChipClass, u64)| n * rows.get(*class).unwrap().least()[resource];
        let used: u64 = found.poses.iter().map(used).sum();
        assert!(used <= chip.typical()[resource]);
    }
    let earned = |(class, n): &(ChipClass, u64)| n * price(rows.get(*class).unwrap());
    assert_eq!(found.poses.iter().map(earned).sum::<u64>(), found.earns);
    assert!(found.earns > found.honest && found.honest == price(chip));
}

#[test]
fn a_class_that_is_too_dear_to_split_into_is_named() {
    let mut rows = rows();
    let dear = Row { weight: 700, ..rows.get(class("rtx-3060")).unwrap().clone() };
    rows.merge(dear).unwrap();
    let Err(Arbitrage::Found(found)) = arbitrage(&rows, &Prices::default()) else {
        panic!("nothing found")
    };
    assert!(found.poses.iter().any(|(c, _)| *c == class("rtx-3060")), "{found:?}");
    stands(&found, &rows, &Prices::default());
}

#[test]
fn a_richer_pool_is_posed_for_from_another() {
    let apple: Pool = "apple".parse().unwrap();
    let prices = Prices::default().with(apple.clone(), 4);
    let Err(Arbitrage::Found(found)) = arbitrage(&rows(), &prices) else { panic!("nothing") };
    stands(&found, &rows(), &prices);
    let pool = |class| rows().get(class).unwrap().pool.clone();
    assert!(pool(found.chip) != apple && pool(found.poses[0].0) == apple, "{found:?}");
    // A price for all pools alike changes nothing.
    let alike = Prices::default().with(apple, 5).with("nvidia".parse().unwrap(), 5);
    assert_eq!(arbitrage(&rows(), &alike), Ok(()));
    assert_eq!(joins(&rows(), &alike), Ok(()));
}

#[test]
fn evidence_bears_out_what_it_reaches() {
    let rows = rows();
    let [integer, matrix, stream, bytes] = rows.get(class("rtx-4090")).unwrap().typical();
    let all = Proven {
        integer: Some(integer),
        matrix: Some(matrix),
        stream: Some(stream),
        bytes: Some(bytes),
    };
    let found = fits(&rows, &all);
    assert_eq!(found[0].class, class("rtx-4090"), "the best comes first");
    assert_eq!((found[0].score, found[0].missing.len()), (1000, 0));
    assert!(!found.iter().any(|fit| fit.class == class("h100-sxm-80")));
    // Without a matrix rate a premium class is not contradicted, and not proven.
    let part = Proven { integer: Some(integer), ..Proven::default() };
    let premium = fits(&rows, &part).into_iter().find(|f| f.class == class("h100-sxm-80"));
    assert_eq!(premium.unwrap().missing, ["matrix rate", "stream rate", "memory"]);
    assert!(fits(&rows, &Proven::default()).is_empty());
}

#[test]
fn rates_follow_from_what_is_published() {
    let rows = rows();
    let rates = |name: &str| {
        let row = rows.get(class(name)).unwrap();
        (row.integer, row.matrix, row.stream, row.link)
    };
    // 132 SMs x 64 x 1.98 GHz / 2; 989.4 TFLOPS / 4; 16.7 T/s / 7 x 0.7; 64 + 900 / 2.
    assert_eq!(rates("h100-sxm-80"), (8_363, 247_350, 1_672, 514));
    // Its memory is the bound: 300 GB/s x 0.7.
    assert_eq!(rates("t4"), (2_035, 16_250, 210, 16));
    // 112.5 GB/s both ways is 57 each way, rounded up.
    assert_eq!(rates("rtx-3090").3, 32 + 57);
    for row in rows.rows() {
        let Source::DataSheet(sheet) = &row.source else { continue };
        assert!(row.memory < sheet.memory && row.memory * 3 > sheet.memory, "{}", row.class);
    }
}

fn wrong(text: &str) -> (&'static str, &'static str, Mistake) {
    match Rows::parse(text).unwrap_err() {
        TableError::Row { kind, field, mistake, .. } => (kind, field, mistake),
        error => panic!("{error}"),
    }
}

#[test]
fn mistakes_are_named_with_their_row_and_field() {
    let mut table = Rows::default();
    table.merge(rows().get(class("t4")).unwrap().clone()).unwrap();
    let text = table.write();
    let of = |from: &str, to: &str| wrong(&text.replacen(from, to, 1));
    assert_eq!(of("\"t4\"", "\"t5\""), ("class", "class", Mistake::Class));
    assert_eq!(of("\"nvidia\"", "\"Nvidia\""), ("class", "pool", Mistake::Pool));
    for (from, field) in [
        ("weight = 300", "weight"),
        ("memory_gib = 14", "memory_gib"),
        ("units = 40", "units"),
        ("clock_mhz = 1590", "clock_mhz"),
        ("products = 64", "products"),
        ("steps = 64", "steps"),
        ("matrix = 65000", "matrix"),
        ("bandwidth = 300", "bandwidth"),
        ("bus = 16", "bus"),
    ] {
        for number in [0, -1, 1_000_000_001] {
            let to = format!("{field} = {number}");
            assert_eq!(of(from, &to), ("class", field, Mistake::Number(number)));
        }
    }
    assert_eq!(of("links = 0", "links = -1"), ("class", "links", Mistake::Number(-1)));
    let most = Mistake::Spread(1000);
    assert_eq!(of("permille = 250", "permille = 1000"), ("class", "spread_permille", most));
    assert_eq!(of("gib = 14", "gib = 16"), ("class", "memory_gib", Mistake::Memory(16)));
    assert_eq!(of("width = 300", "width = 1"), ("class", "bandwidth", Mistake::Follows(0)));
    assert_eq!(of("2026-12-01", "yesterday"), ("class", "read_on", Mistake::Date));
    assert_eq!(of("source = \"", "source = '\"' # "), ("class", "source", Mistake::Words));
    assert_eq!(wrong(&[&*text, &text].concat()), ("class", "class", Mistake::Twice));
    let bare = text.split("[class.sheet]").next().unwrap();
    assert_eq!(wrong(bare), ("class", "sheet", Mistake::Sources));
    let error = Rows::parse(&text.replacen("gib = 14", "gib = 16", 1)).unwrap_err().to_string();
    assert_eq!(error, "class 1, `t4`, memory_gib: not less than the published 16");
}

#[test]
fn another_form_is_refused() {
    let text = measured("t4", [1; 7]);
    let form = |text: &str| matches!(Rows::parse(text), Err(TableError::Form(_)));
    assert!(form(&text.replacen("weight = 1", "weight = 1.5", 1)));
    assert!(form(&text.replacen("weight = 1", "weight = 1\nbonus = 1", 1)));
    assert!(form(&text.replacen("weight = 1\n", "", 1)));
    assert!(form(&text.replacen("weight = 1", "weight = 99999999999999999999", 1)));
    assert!(form("t4 | 1 | 2"));
    assert_eq!(Rows::parse(&"#".repeat((1 << 20) + 1)), Err(TableError::Long(1 << 20)));
    let many = "[[measured]]\nclass = \"t4\"\ninteger = 1\nmatrix = 1\nstream = 1\n\
                memory_gib = 1\nspread_permille = 1\nsource = \"x\"\n";
    assert_eq!(Rows::parse(&many.repeat(1_025)), Err(TableError::Rows(1_024)));
}

#[test]
fn what_a_bench_appends_takes_the_place_of_the_claim() {
    let claim = rows().get(class("t4")).unwrap().clone();
    let found = |stream| Row {
        stream,
        spread: 50,
        source: Source::Measured("2026-12-01, Tesla T4, a bench".to_owned()),
        ..claim.clone()
    };
    let text = format!("{CALIBRATION}\n{}\n{}", found(200).appended(), found(210).appended());
    let read = Rows::parse(&text).unwrap();
    assert_eq!(read.get(class("t4")), Some(&found(210)), "the last one counts");
    assert_eq!(read.rows().count(), rows().rows().count());
    let alone = found(200).appended();
    assert_eq!(wrong(&alone), ("measured", "class", Mistake::Unclaimed));
}

#[test]
fn what_was_measured_stays() {
    let mut rows = rows();
    let sheet = rows.get(class("t4")).unwrap().clone();
    let text = measured("t4", [10, 20, 30, 14, 16, 250, 300]);
    let found = Rows::parse(&text).unwrap().get(class("t4")).unwrap().clone();
    rows.merge(found.clone()).unwrap();
    assert_eq!(rows.get(class("t4")), Some(&found));
    let mistake = |error| match error {
        Err(TableError::Row { mistake, .. }) => mistake,
        other => panic!("{other:?}"),
    };
    assert_eq!(mistake(rows.merge(sheet.clone())), Mistake::Claim);
    let broken = Row { source: Source::Measured("a\"b".to_owned()), ..found.clone() };
    assert!(rows.merge(broken).is_err());
    let nothing = Row { integer: 0, ..found };
    assert_eq!(mistake(rows.merge(nothing)), Mistake::Number(0));
    let invented = Row { integer: 9, ..sheet };
    assert_eq!(mistake(Rows::default().merge(invented)), Mistake::Sources);
    assert_eq!(Rows::parse(&rows.write()), Ok(rows));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9 =\"\\[\\].#\n-]{0,200}") {
        if let Ok(rows) = Rows::parse(&text) {
            prop_assert_eq!(Rows::parse(&rows.write()), Ok(rows));
        }
    }

    #[test]
    fn what_is_written_is_read_the_same(figures: [u32; 7]) {
        let [a, b, c, d, e, f, g] = figures.map(u64::from);
        let text = measured("t4", [a, b, c, d, e, f % 1_100, g]);
        if let Ok(rows) = Rows::parse(&text) {
            prop_assert_eq!(Rows::parse(&rows.write()), Ok(rows));
        }
    }

    /// Against trying everything, on tables of three classes.
    #[test]
    fn the_search_finds_what_there_is(numbers: [u8; 15]) {
        let n = numbers.map(|n| u64::from(n % 20) + 1);
        let row = |name: &str, n: &[u64]| measured(name, [n[0], n[1], n[2], n[3], 9, 1, n[4]]);
        let text = [row("t4", &n[..5]), row("l4", &n[5..10]), row("h200", &n[10..])].concat();
        let rows = Rows::parse(&text).unwrap();
        let all: Vec<&Row> = rows.rows().collect();
        let gains = |chip: usize| {
            let (own, a, b) = (all[chip], all[(chip + 1) % 3], all[(chip + 2) % 3]);
            let fits = |x: u64, y: u64, z: u64| (0..4).all(|q| {
                let used = x * a.least()[q] + y * b.least()[q] + z * own.least()[q];
                used <= own.typical()[q]
            });
            (0..22).any(|x| (0..22).any(|y| (0..2).any(|z| {
                let earns = x * a.weight + y * b.weight + z * own.weight;
                fits(x, y, z) && earns > own.weight
            })))
        };
        prop_assert_eq!(arbitrage(&rows, &Prices::default()).is_err(), (0..3).any(gains));
    }
}
