//! A page full of devices: every list at its longest in transactions that Solana carries.

use crate::network::{Network, RATE, USDC};
use crate::told::Told;
use futures_util::future::join_all;
use ionet_ledger::interface::account::CloseReason;
use ionet_ledger::interface::limits::{
    ACCOUNT_LINES_MAX, BIND_LINES_MAX, LINES_PER_PAGE, TRANSACTION_BYTES_MAX,
};
use ionet_ledger::{BoundLine, Signer};

/// Devices of the crowd have other keys than those of the story before.
const FIRST_SEED: u8 = 100;

/// A lease of 24 devices, in as few transactions as the client makes of it.
pub(crate) async fn a_full_page(n: &Network) -> Told {
    let mut told = Told::default();
    let (renter, supplier) = (n.wallet(100 * USDC).await, n.wallet(0).await);
    let seeds = FIRST_SEED..FIRST_SEED + LINES_PER_PAGE;
    let devices = join_all(seeds.map(|seed| n.device(&supplier, seed))).await;
    let order = n.order(&renter, u16::from(LINES_PER_PAGE), 50 * USDC).await;
    let (lease, _) = n.ledger.open_lease(&renter, &order).await.unwrap();
    told.tell(n, "open_lease, 24 slots", &lease).await;

    let boss = &n.keys.coordinator;
    let lines: Vec<_> =
        devices.iter().map(|device| BoundLine { device: *device, units: 1, rate: RATE }).collect();
    n.ledger.bind(boss, &lease, &[], 1, &lines[..BIND_LINES_MAX]).await.unwrap();
    told.tell(n, "bind, 16 lines, new page", &lease).await;
    let record = n.ledger.lease(&lease).await.unwrap().unwrap();
    let bound = n.ledger.lines(&lease, &record).await.unwrap();
    n.ledger.bind(boss, &lease, &bound, 1, &lines[BIND_LINES_MAX..]).await.unwrap();
    told.tell(n, "bind, 8 lines", &lease).await;

    let all: Vec<u8> = (0..LINES_PER_PAGE).collect();
    n.ledger.start(boss, &lease, 0, 1, &all).await.unwrap();
    told.tell(n, "start, 24 lines", &lease).await;
    let started = n.now().await;
    n.until(started + 2).await;
    let served: Vec<_> = all.iter().map(|index| (*index, 1)).collect();
    n.ledger.attest(boss, &lease, 0, 1, &served).await.unwrap();
    told.tell(n, "attest, 24 lines", &lease).await;

    let record = n.ledger.lease(&lease).await.unwrap().unwrap();
    n.ledger.close(&renter, &lease, &record, 0, CloseReason::Renter).await.unwrap();
    told.tell(n, "close with refund", &lease).await;
    let held: Vec<_> = all.iter().copied().zip(devices.iter().copied()).collect();
    let (some, rest) = held.split_at(ACCOUNT_LINES_MAX);
    n.ledger.end_lines(boss, &lease, 0, 1, some).await.unwrap();
    told.tell(n, "end_line, 20 lines", &lease).await;
    n.ledger.end_lines(boss, &lease, 0, 1, rest).await.unwrap();
    told.tell(n, "end_line, 4 lines", &lease).await;

    let closed = n.ledger.lease(&lease).await.unwrap().unwrap();
    let lines = n.ledger.lines(&lease, &closed).await.unwrap();
    n.ledger.withdraw(&renter, &lease, &closed, &lines).await.unwrap();
    told.tell(n, "withdraw, 4 lines", &lease).await;
    let owed = RATE / 3_600 * u64::from(LINES_PER_PAGE);
    assert_eq!(n.ledger.tokens(&supplier.address(), &n.mints.usdc).await.unwrap(), owed);

    n.until(closed.claims_until().0 + 1).await;
    n.ledger.finalize(boss, &lease, &closed).await.unwrap();
    n.ledger.sweep_fees(boss, &lease, &closed).await.unwrap();
    n.ledger.reclaim(boss, &lease, &closed).await.unwrap();
    let people = [&renter, &supplier];
    let fee = u64::from(LINES_PER_PAGE) * (RATE / 3_600 * 200).div_ceil(10_000);
    assert_eq!(n.usdc(&people, &[lease]).await, 100 * USDC - fee);
    assert!(told.steps.iter().all(|step| step.bytes <= TRANSACTION_BYTES_MAX));
    told
}
