//! The life of a lease through the typed client, on real nodes and the real bytecode.
//!
//! [`story`] is told once and played on every chain: here on the chain node of a local network,
//! in [`agave`] on Agave's own validator.

mod agave;
mod beacon;
mod crowd;
mod deploy;
mod embedded;
mod network;
mod story;
mod told;
mod transfers;

use ed25519_dalek::SigningKey;
use embedded::{Node, SPACE};
use ionet_ledger::interface::MarketError;
use ionet_ledger::token::associated_account;
use ionet_ledger::{Address, BoundLine, Ledger, OpenLeaseOrder, Signer};
use network::{RATE, USDC, why};

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_from_opening_to_reclaim_conserves_every_base_unit() {
    let (_node, n) = embedded::network().await;
    story::from_opening_to_reclaim(&n).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_are_read_from_wallet_to_wallet() {
    let (_node, n) = embedded::network().await;
    transfers::are_read_from_wallet_to_wallet(&n).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memo_stands_between_two_blocks() {
    let (_node, n) = embedded::network().await;
    beacon::a_memo_stands_between_two_blocks(&n).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_page_fits_solanas_transactions() {
    let (_node, n) = embedded::network().await;
    crowd::a_full_page(&n).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_upgrade_authority_configures_the_market() {
    let node = Node::start();
    story::a_stranger_cannot_configure(&Ledger::connect(&node.url), SPACE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_typed_and_change_nothing() {
    let (_node, n) = embedded::network().await;
    let renter = n.wallet(5 * USDC).await;
    let supplier = n.wallet(0).await;

    let small = OpenLeaseOrder { deposit: 1, ..n.order(&renter, 1, 1).await };
    let refused = n.ledger.open_lease(&renter, &small).await;
    assert_eq!(why(refused), Some(MarketError::DepositTooSmall));

    let poor = n.order(&renter, 1, 50 * USDC).await;
    assert!(n.ledger.open_lease(&renter, &poor).await.is_err(), "more than the wallet holds");
    assert_eq!(n.ledger.tokens(&renter.address(), &n.mints.usdc).await.unwrap(), 5 * USDC);

    // A device that consented to another wallet.
    let device = SigningKey::from_bytes(&[9; 32]);
    let now = n.now().await;
    let consent = n.consent(&device, &renter.address(), now + 600);
    let offer = n.offer(&supplier.address(), now + 86_400);
    let stolen = n.ledger.register_device(&supplier, &consent, offer).await;
    assert!(stolen.is_err());
    assert_eq!(n.ledger.device(&consent.device).await.unwrap(), None);

    // A coordinator that is not the lease's.
    let order = n.order(&renter, 1, USDC).await;
    let (lease, _) = n.ledger.open_lease(&renter, &order).await.unwrap();
    let device = n.device(&supplier, 3).await;
    let line = [BoundLine { device, units: 1, rate: RATE }];
    let stranger = n.wallet(0).await;
    let bound = n.ledger.bind(&stranger, &lease, &[], 1, &line).await;
    assert_eq!(why(bound), Some(MarketError::NotCoordinator));
    let cheap = [BoundLine { device, units: 1, rate: RATE - 1 }];
    let bound = n.ledger.bind(&n.keys.coordinator, &lease, &[], 1, &cheap).await;
    assert_eq!(why(bound), Some(MarketError::RateBelowAsk));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named() {
    let ledger = Ledger::connect("http://127.0.0.1:1");
    let error = ledger.config().await.unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[test]
fn associated_accounts_are_those_of_the_field() {
    // An address that no key can sign for, and not the same both ways round.
    let (owner, mint) = (Address::from([1; 32]), Address::from([2; 32]));
    let at = associated_account(&owner, &mint);
    assert!(!at.is_on_curve());
    assert_ne!(at, associated_account(&mint, &owner));
}
