//! The lease's own clock, on bytecode: what `docs/money.md` proves on paper.

use ionet_program_tests::interface::MarketError;
use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::interface::limits::MINT_IO;
use ionet_program_tests::{Market, Running, Terms, USDC, books};

/// Vouching for so many seconds of the first line passes, and for one more does not.
#[track_caller]
fn shows(market: &mut Market, running: &Running, seconds: u64) {
    let (lease, key) = (running.lease, market.coordinator_key());
    let more = market.attest_ix(&market.coordinator, &lease, 0, &[(0, seconds + 1)]);
    market.refused(more, &[&key], MarketError::ServedPastClock);
    market.attest(&lease, 0, &[(0, seconds)]);
}

#[test]
fn a_deposit_lasts_whole_seconds_only() {
    let mut market = Market::new();
    // 999 base units at 1.02 dollars an hour: three seconds, and half of a fourth.
    let running = market.running(|terms| terms.deposit = 1_000);
    market.pass(10_000);
    shows(&mut market, &running, 3);
    books(&market).check(market.now());
    market.close(&running.renter, &running.lease);
    let lease = market.lease(&running.lease.lease);
    assert!(lease.committed <= lease.deposit);
}

#[test]
fn standing_time_is_not_paid_by_a_later_top_up() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.deposit = 1_000);
    market.pass(5_000);
    let ix = market.top_up_ix(&running.renter, 0, &running.lease, USDC);
    market.ok(ix, &[&running.renter.key]);
    shows(&mut market, &running, 3);
    market.pass(7);
    shows(&mut market, &running, 10);
}

#[test]
fn time_that_runs_back_is_not_run_twice() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let touch = market.top_up_ix(&running.renter, 0, &running.lease, 1);
    let start = market.now();
    for at in [100, 0, 50, 100, 30] {
        market.set_time(start + at);
        market.ok(touch.clone(), &[&running.renter.key]);
    }
    market.set_time(start + 100);
    shows(&mut market, &running, 100);
    market.pass(1);
    shows(&mut market, &running, 101);
}

#[test]
fn a_line_is_paid_from_its_start_until_its_end() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, key) = (running.lease, market.coordinator_key());
    market.bind(&lease, 0, &[(&running.device, 1, USDC)]);
    market.pass(100);
    market.start(&lease, 0, &[1]);
    market.pass(50);
    let ends = market.end_ix(&running.supplier, &lease, 0, &[(0, &running.device)]);
    market.ok(ends, &[&running.supplier.key]);
    market.pass(25);
    for (line, most) in [(0, 150), (1, 75)] {
        let more = market.attest_ix(&market.coordinator, &lease, 0, &[(line, most + 1)]);
        market.refused(more, &[&key], MarketError::ServedPastClock);
        market.attest(&lease, 0, &[(line, most)]);
    }
    books(&market).check(market.now());
}

#[test]
fn a_rate_with_its_fee_is_rounded_up() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(USDC));
    let device = market.register(&supplier, 1, 1);
    let lease = market.open(&renter, 0, &market.terms_of(1_000));
    market.bind(&lease, 0, &[(&device, 1, 1)]);
    assert_eq!(market.lease(&lease.lease).rate_live.0, 2);
}

/// Every change of the clock sets something aside: never less than its seconds cost.
#[test]
fn small_steps_are_set_aside_in_full() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(USDC));
    // Half a base unit a second.
    let device = market.register(&supplier, 1, 1_800);
    let lease = market.open(&renter, 0, &market.terms_of(1_000));
    market.bind(&lease, 0, &[(&device, 1, 1_800)]);
    market.start(&lease, 0, &[0]);
    for _ in 0..40 {
        market.pass(1);
        market.ok(market.top_up_ix(&renter, 0, &lease, 1), &[&renter.key]);
    }
    market.attest(&lease, 0, &[(0, 40)]);
    books(&market).check(market.now());
    market.close(&renter, &lease);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, supplier.tokens[0])]), &[]);
    market.ok(market.sweep_ix(&lease), &[]);
    assert_eq!(market.balance(&supplier.tokens[0]), 20);
}

/// The fee of each line is rounded up by itself, what is set aside only in total.
#[test]
fn each_line_sets_one_unit_aside_for_its_fee() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(USDC));
    let device = market.register(&supplier, 24, 100);
    let terms = Terms { slots_max: 24, ..market.terms_of(1_000) };
    let lease = market.open(&renter, 0, &terms);
    let lines = [(&device, 1, 100); 12];
    market.bind(&lease, 0, &lines);
    market.bind(&lease, 0, &lines);
    let all: Vec<u8> = (0..24).collect();
    market.start(&lease, 0, &all);
    market.pass(36);
    market.close(&renter, &lease);
    let served: Vec<(u8, u64)> = all.iter().map(|line| (*line, 36)).collect();
    market.attest(&lease, 0, &served);
    let record = market.lease(&lease.lease);
    assert_eq!((record.owed.0, record.fees.0, record.committed.0), (24, 24, 24 + 25));
    let to = supplier.tokens[0];
    for half in all.chunks(12) {
        let lines: Vec<_> = half.iter().map(|line| (*line, to)).collect();
        market.ok(market.withdraw_ix(&lease, 0, &lines), &[]);
    }
    market.ok(market.sweep_ix(&lease), &[]);
    assert_eq!((market.balance(&to), market.balance(&lease.fees_to)), (24, 24));
}

#[test]
fn a_crumb_does_not_put_off_closing_and_more_does() {
    // 283 base units buy a second. The crumb leaves the clock where it stood, the rest moves it.
    for (amount, closes_after) in [(100, 303), (10_000, 200 + 35 + 300)] {
        let mut market = Market::new();
        let running = market.running(|terms| terms.deposit = 1_000);
        let stranger = market.wallet(0);
        let start = market.now();
        market.set_time(start + 200);
        let ix = market.top_up_ix(&running.renter, 0, &running.lease, amount);
        market.ok(ix, &[&running.renter.key]);
        let close = market.close_ix(&stranger, &running.lease, CloseReason::None);
        market.set_time(start + closes_after - 1);
        market.refused(close.clone(), &[&stranger.key], MarketError::ClockRuns);
        market.set_time(start + closes_after);
        market.ok(close, &[&stranger.key]);
    }
}

#[test]
fn while_nothing_runs_the_deposit_lasts_until_the_end() {
    let mut market = Market::new();
    let (renter, stranger) = (market.wallet(100 * USDC), market.wallet(0));
    let lease = market.open(&renter, 0, &market.terms());
    let close = market.close_ix(&stranger, &lease, CloseReason::None);
    market.pass(86_400 + 299);
    market.refused(close.clone(), &[&stranger.key], MarketError::ClockRuns);
    market.pass(1);
    market.ok(close, &[&stranger.key]);
    assert_eq!(market.balance(&renter.tokens[0]), 100 * USDC, "nothing was set aside");
}

/// How long a deposit lasts is the one division by a number of any size: here by the smallest and
/// by those of 64 bits, compared with 128-bit integers.
#[test]
fn products_of_every_size_divide_rightly() {
    const TOP: u64 = 1 << 63;
    for (available, rate) in [
        (TOP, 1_800),        // the quotient needs a 65th bit: for ever
        (TOP - 1, 1_800),    // and just not
        (TOP, TOP + 12_345), // a remainder with its highest bit set
        (TOP - 1, u64::MAX / 4 * 3),
        (0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03),
        (0x9e37_79b9_7f4a_7c15, (1 << 32) + 1),
        (0x1_0000_0000, 0xffff_ffff),
        (3_600, u64::MAX - 1),
        (u64::MAX - 2, u64::MAX - 1),
    ] {
        let mut market = Market::new();
        let (supplier, renter) = (market.wallet(0), market.wallet(u64::MAX));
        let device = market.register(&supplier, 1, 1);
        let terms = Terms {
            mint_index: MINT_IO, // no fee, so the line's rate is the clock's
            deposit: available + 1,
            rate_per_slot_max: u64::MAX,
            rate_total_max: u64::MAX,
            ..market.terms()
        };
        let lease = market.open(&renter, 0, &terms);
        market.bind(&lease, 0, &[(&device, 1, rate)]);
        market.start(&lease, 0, &[0]);
        let lasts = u128::from(available) * 3_600 / u128::from(rate);
        let runs = u64::try_from(lasts).unwrap_or(u64::MAX).min(86_400);
        market.pass(2 * 86_400);
        shows(&mut market, &Running { supplier, renter, device, lease }, runs);
        let owed = u128::from(rate) * u128::from(runs) / 3_600;
        assert_eq!(u128::from(market.lease(&lease.lease).owed.0), owed, "{available} at {rate}");
        books(&market).check(market.now());
    }
}

#[test]
fn it_stops_when_the_lease_expires() {
    let mut market = Market::new();
    let end = market.now() + 7_200;
    let running = market.running(|terms| terms.expires_at = end);
    market.pass(30 * 86_400);
    shows(&mut market, &running, 7_200);
}

#[test]
fn nothing_starts_when_the_time_is_over() {
    let mut market = Market::new();
    let end = market.now() + 7_200;
    let running = market.running(|terms| terms.expires_at = end);
    let key = market.coordinator_key();
    market.bind(&running.lease, 0, &[(&running.device, 1, USDC)]);
    let start = market.start_ix(&market.coordinator, &running.lease, 0, &[1]);
    market.set_time(end);
    market.refused(start.clone(), &[&key], MarketError::LeaseExpired);
    market.set_time(end - 1);
    market.ok(start, &[&key]);
}

#[test]
fn after_its_end_it_stands_however_often_it_is_moved() {
    let mut market = Market::new();
    let end = market.now() + 3_600;
    let running = market.running(|terms| terms.expires_at = end);
    market.bind(&running.lease, 0, &[(&running.device, 1, USDC)]);
    market.start(&running.lease, 0, &[1]);
    for line in [0, 1] {
        market.set_time(end + 100 * (1 + i64::from(line)));
        let ix = market.end_ix(&running.renter, &running.lease, 0, &[(line, &running.device)]);
        market.ok(ix, &[&running.renter.key]);
    }
    shows(&mut market, &running, 3_600);
    market.close(&running.renter, &running.lease);
    books(&market).check(market.now());
}

/// Deposits as small as the network takes them.
trait TermsOf {
    fn terms_of(&self, deposit: u64) -> Terms;
}

impl TermsOf for Market {
    fn terms_of(&self, deposit: u64) -> Terms {
        Terms { deposit, ..self.terms() }
    }
}
