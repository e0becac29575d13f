//! What `docs/money.md` proves on paper, as properties: each test has the number of its statement.

use ionet_market_interface::account::{Line, LineState};
use ionet_market_interface::{BaseUnits, Bps, Rate, Seconds, Timestamp};
use ionet_market_interface::{ClockError, LeaseClock};
use proptest::prelude::*;

const START: Timestamp = Timestamp(1_000_000);

fn line(rate: u64) -> Line {
    Line {
        device: [1; 32],
        payout_owner: [2; 32],
        rate: Rate(rate),
        generation: 1,
        bound_at: START,
        started_at: START,
        v_start: Seconds(0),
        v_end: Seconds(0),
        served: Seconds(0),
        paid: BaseUnits(0),
        units: 1,
        state: LineState::Started,
        reserved: [0; 5],
    }
}

/// What a line can claim, its fee included.
fn claim(line: &Line, fee: Bps) -> u128 {
    u128::from(line.owed().unwrap().0) + u128::from(line.fee(fee).unwrap().0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// 1: a line's claim is below what its rate with the fee comes to, and one base unit.
    #[test]
    fn p1_a_claim_is_below_the_gross_rates_share_and_one(
        rate in prop_oneof![0u64..100, 0u64..1 << 40],
        served in prop_oneof![0u64..100, 0u64..1 << 26],
        fee in (0u16..=500).prop_map(Bps),
    ) {
        let mut line = line(rate);
        line.served = Seconds(served);
        let gross = fee.gross_ceil(line.rate).unwrap();
        let share = u128::from(gross.0) * u128::from(served);
        prop_assert!(claim(&line, fee) * 3_600 < share + 3_600);
    }

    /// 3: however the clock is driven, it sets aside no more than was paid in, and refuses to
    /// start what it cannot pay for. What is set aside is at most the seconds that ran at the
    /// highest rate, one unit a start, and less than one a change.
    #[test]
    fn p3_a_lease_costs_at_most_its_rate_its_time_and_a_unit_a_change(
        deposit in prop_oneof![0u64..1_000, 0u64..1 << 50],
        life in 0i64..1 << 25,
        steps in proptest::collection::vec((0u8..4, 0u64..1 << 40, -50i64..100_000), 1..50),
    ) {
        let (mut now, end) = (START, Timestamp(START.0 + life));
        let mut clock = LeaseClock::new(BaseUnits(deposit), START, end);
        let (mut running, mut highest, mut changes, mut starts) = (vec![], 0u128, 0u128, 0u128);
        for (what, amount, pass) in steps {
            now.0 += pass;
            changes += 1;
            let before = clock;
            match what {
                0 => match clock.start(Rate(amount), now) {
                    Ok(()) => {
                        running.push(amount);
                        starts += 1;
                    }
                    Err(ClockError::Expired) => prop_assert!(now >= end),
                    Err(ClockError::DepositExhausted) => prop_assert_eq!(
                        clock.committed, clock.deposit
                    ),
                    Err(ClockError::Overflow) => prop_assert!(false, "no sum is that large"),
                },
                1 => if let Some(rate) = running.pop() {
                    clock.end(Rate(rate), now)?;
                },
                2 => clock.top_up(BaseUnits(amount), now)?,
                _ => clock.advance(now)?,
            }
            highest = highest.max(running.iter().map(|rate| u128::from(*rate)).sum());
            prop_assert!(clock.committed <= clock.deposit);
            prop_assert!(clock.v >= before.v && clock.committed >= before.committed);
            prop_assert!(clock.v.0 <= life as u64, "it runs for its life at most");
            let most = highest * u128::from(clock.v.0) + (starts + changes) * 3_600;
            prop_assert!(u128::from(clock.committed.0) * 3_600 <= most);
        }
    }

    /// 5: looking at the clock sets nothing aside and moves nothing: how often seconds are vouched
    /// for is nobody's business.
    #[test]
    fn p5_looking_changes_nothing_that_is_set_aside(
        deposit in 1u64..1 << 40,
        rate in 0u64..1 << 40,
        looks in proptest::collection::vec(0i64..5_000, 0..20),
        rest in 0i64..5_000,
    ) {
        let mut looked = LeaseClock::new(BaseUnits(deposit), START, Timestamp::MAX);
        looked.start(Rate(rate), START)?;
        let (mut alone, mut now) = (looked, START);
        for pass in looks {
            now.0 += pass;
            looked.see(now);
        }
        now.0 += rest;
        looked.close(now)?;
        alone.close(now)?;
        prop_assert_eq!(looked, alone);
    }

    /// 6: time that runs back uncovers nothing: what was shown once is shown ever after, and what
    /// was claimable by then is set aside at the next change, whenever that is.
    #[test]
    fn p6_what_was_shown_stays_set_aside_when_time_runs_back(
        deposit in 1u64..1 << 40,
        rate in 0u64..1 << 30,
        fee in (0u16..=500).prop_map(Bps),
        looks in proptest::collection::vec(-5_000i64..5_000, 1..20),
        last in -100_000i64..100_000,
    ) {
        let mut clock = LeaseClock::new(BaseUnits(deposit), START, Timestamp::MAX);
        clock.start(fee.gross_ceil(Rate(rate)).unwrap(), START)?;
        let (mut now, mut line, mut shown) = (START, line(rate), Seconds::ZERO);
        for pass in looks {
            now.0 += pass;
            let v = clock.see(now);
            prop_assert!(v >= shown);
            shown = v;
        }
        line.served = line.served_max(shown);
        clock.close(Timestamp(now.0 + last))?;
        prop_assert!(clock.v >= shown);
        prop_assert!(claim(&line, fee) <= u128::from(clock.committed.0));
    }

    /// 7: who vouches and draws in which order, and how often, changes no total.
    #[test]
    fn p7_any_order_of_vouching_and_drawing_ends_the_same(
        rates in proptest::collection::vec(0u64..1 << 40, 1..5),
        facts in proptest::collection::vec((0usize..5, 0u64..1 << 25), 1..30),
        fee in (0u16..=500).prop_map(Bps),
        order in any::<u64>(),
        draws in proptest::collection::vec(any::<bool>(), 30),
    ) {
        let mut totals = vec![];
        for shuffled in [false, true] {
            let mut facts = facts.clone();
            if shuffled {
                facts.sort_by_key(|(line, served)| {
                    (*line as u64 ^ served).wrapping_mul(order | 1).rotate_left(17)
                });
            }
            let mut lines: Vec<Line> = rates.iter().map(|rate| line(*rate)).collect();
            let (mut owed, mut fees, mut paid) = (0u64, 0u64, 0u64);
            let mut draw = |lines: &mut Vec<Line>| for line in lines {
                paid += line.owed().unwrap().0 - line.paid.0;
                line.paid = line.owed().unwrap();
            };
            for ((index, served), drawn) in facts.into_iter().zip(&draws) {
                let at = index % lines.len();
                let before = lines[at];
                lines[at].served = before.served.max(Seconds(served));
                owed += lines[at].owed().unwrap().0 - before.owed().unwrap().0;
                fees += lines[at].fee(fee).unwrap().0 - before.fee(fee).unwrap().0;
                if *drawn == shuffled {
                    draw(&mut lines);
                }
            }
            draw(&mut lines);
            let due = lines.iter().map(|line| claim(line, fee)).sum::<u128>();
            prop_assert_eq!(u128::from(owed) + u128::from(fees), due);
            prop_assert_eq!(owed, paid);
            totals.push((owed, fees, lines));
        }
        prop_assert_eq!(&totals[0], &totals[1]);
    }
}
