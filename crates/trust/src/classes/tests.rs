//! The table is fit to pay by; one with a mistake is not, and says which.

use super::*;
use proptest::prelude::*;

fn rows() -> Rows {
    Rows::parse(CALIBRATION).unwrap()
}

fn class(name: &str) -> ChipClass {
    name.parse().unwrap()
}

const LINE: &str = "t4 | 10 | 20 | 30 | 15 | 40 | 250 | 100 | measured 2026-01-01; a; b; c\n";

#[test]
fn nobody_gains_by_lying() {
    if let Err(found) = arbitrage(&rows()) {
        panic!("{found}");
    }
    assert!(rows().rows().count() >= 10);
}

#[test]
fn a_class_that_is_too_cheap_to_imitate_is_named() {
    let mut rows = rows();
    let mut cheap = rows.get(class("rtx-3060")).unwrap().clone();
    cheap.weight = 700;
    rows.merge(cheap).unwrap();
    let Err(Arbitrage::Found(found)) = arbitrage(&rows) else { panic!("nothing found") };
    let cost: Vec<_> = found.poses.iter().map(|(class, _)| *class).collect();
    assert!(cost.contains(&class("rtx-3060")), "{found:?}");
    // The answer is checked for itself: it fits, and it earns what it says.
    let chip = rows.get(found.chip).unwrap();
    for resource in 0..4 {
        let used = |(class, n): &(ChipClass, u64)| n * rows.get(*class).unwrap().least()[resource];
        let used: u64 = found.poses.iter().map(used).sum();
        assert!(used <= chip.typical()[resource]);
    }
    let earned = |(class, n): &(ChipClass, u64)| n * rows.get(*class).unwrap().weight;
    assert_eq!(found.poses.iter().map(earned).sum::<u64>(), found.earns);
    assert!(found.earns > chip.weight && found.honest == chip.weight);
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
    let own = found.iter().find(|fit| fit.class == class("rtx-4090")).unwrap();
    assert_eq!((own.score, own.missing.len()), (1000, 0));
    assert!(!found.iter().any(|fit| fit.class == class("h100-sxm-80")));
    // Without a matrix rate a premium class is not contradicted, and not proven.
    let part = Proven { integer: Some(integer), ..Proven::default() };
    let premium = fits(&rows, &part).into_iter().find(|f| f.class == class("h100-sxm-80"));
    assert_eq!(premium.unwrap().missing, ["matrix rate", "stream rate", "memory"]);
    assert!(fits(&rows, &Proven::default()).is_empty());
}

#[test]
fn mistakes_are_named_with_their_line() {
    let parse = |from: &str, to: &str| {
        let error = Rows::parse(&format!("# remark\n{}", LINE.replacen(from, to, 1))).unwrap_err();
        assert_eq!(error.line, 2);
        error.mistake
    };
    assert_eq!(parse(" | 10", ""), TableMistake::Fields(8));
    assert_eq!(parse("t4", "t5"), TableMistake::Class("t5".to_owned()));
    for wrong in ["0", "-1", "+1", "01", "1.5", "", "1000000001", "99999999999999999999"] {
        assert_eq!(parse("10", wrong), TableMistake::Number(wrong.to_owned()));
    }
    assert_eq!(parse("250", "1000"), TableMistake::Spread(1000));
    assert!(matches!(parse("measured", "heard"), TableMistake::Source(_)));
    let twice = Rows::parse(&[LINE, LINE].concat()).unwrap_err();
    assert_eq!(twice, TableError { line: 2, mistake: TableMistake::Twice(class("t4")) });
    let long = "#".repeat((1 << 20) + 1);
    assert_eq!(Rows::parse(&long).unwrap_err().mistake, TableMistake::Long);
}

#[test]
fn what_was_measured_stays() {
    let mut rows = rows();
    let measured = Rows::parse(LINE).unwrap().get(class("t4")).unwrap().clone();
    rows.merge(measured.clone()).unwrap();
    assert_eq!(rows.get(class("t4")), Some(&measured));
    let sheet = Row { source: Source::DataSheet("x".to_owned()), ..measured };
    assert_eq!(rows.merge(sheet), Err(TableMistake::Claim(class("t4"))));
    let broken = Row { source: Source::Measured("a\nb".to_owned()), ..measured };
    assert!(matches!(rows.merge(broken), Err(TableMistake::Source(_))));
    let nothing = Row { integer: 0, ..measured };
    assert_eq!(rows.merge(nothing), Err(TableMistake::Number("0".to_owned())));
    assert_eq!(Rows::parse(&rows.write()), Ok(rows));
}

proptest! {
    #[test]
    fn what_can_be_read_is_written_the_same(text in "[a-z0-9 |#\n-]{0,200}") {
        if let Ok(rows) = Rows::parse(&text) {
            prop_assert_eq!(Rows::parse(&rows.write()), Ok(rows));
        }
    }

    /// Against trying everything, on tables of two other classes.
    #[test]
    fn the_search_finds_what_there_is(numbers: [u8; 15]) {
        let n = numbers.map(|n| u64::from(n % 20) + 1);
        let line = |name: &str, n: &[u64]| {
            let [a, b, c, d, e] = n[..] else { unreachable!() };
            format!("{name} | {a} | {b} | {c} | {d} | 9 | 1 | {e} | data-sheet x\n")
        };
        let text = [line("t4", &n[..5]), line("l4", &n[5..10]), line("h200", &n[10..])].concat();
        let rows = Rows::parse(&text).unwrap();
        let all: Vec<&Row> = rows.rows().collect();
        let gains = |chip: usize| {
            let (a, b) = (all[(chip + 1) % 3], all[(chip + 2) % 3]);
            let fits = |x: u64, y: u64| (0..4)
                .all(|q| x * a.least()[q] + y * b.least()[q] <= all[chip].typical()[q]);
            (0..22).any(|x| (0..22).any(|y| {
                fits(x, y) && x * a.weight + y * b.weight > all[chip].weight
            }))
        };
        prop_assert_eq!(arbitrage(&rows).is_err(), (0..3).any(gains));
    }
}
