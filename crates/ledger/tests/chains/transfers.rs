//! Transfers as they are read back from a chain's history.

use crate::network::{Network, SOL, USDC};
use ionet_ledger::token::{
    associated_account, create_associated_account, transfer_checked, transfer_lamports,
};
use ionet_ledger::transfers::{Bounds, Currency, History, Wanted};
use ionet_ledger::{Address, Signer};
use std::time::Duration;

const BOUNDS: Bounds =
    Bounds { depth: 2, pages: 2, transactions: 50, requests: 500, pause: Duration::ZERO };

/// A source funds two wallets with SOL, one of which hands USDC to a third.
pub(crate) async fn are_read_from_wallet_to_wallet(n: &Network) {
    let chain = n.ledger.connection();
    let source = n.wallet(5 * USDC).await;
    let [a, b, c] = [(); 3].map(|()| n.new_key());
    let mint = n.mints.usdc;
    let pay = |to: &Address, lamports| transfer_lamports(&source.address(), to, lamports);
    chain.send(&[pay(&a.address(), SOL), pay(&a.address(), SOL)], &[&source]).await.unwrap();
    let signature = chain.send(&[pay(&b.address(), SOL)], &[&source]).await.unwrap();
    let account = |owner: &Address| associated_account(owner, &mint);
    let from = source.address();
    let hand = |owner: &Address| {
        [
            create_associated_account(&from, owner, &mint),
            transfer_checked(&account(&from), &mint, &account(owner), &from, 2 * USDC, 6),
        ]
    };
    chain.send(&hand(&c.address()), &[&source]).await.unwrap();

    let wanted = [
        Wanted { currency: Currency::Sol, floor: SOL / 1_000 },
        Wanted { currency: Currency::Token(mint), floor: 1 },
    ];
    let read = History::read(chain, &[b.address()], &wanted, &BOUNDS).await.unwrap();
    let found = |to: &Address| {
        let of_it = read.transfers.iter().filter(|t| t.from == from && t.to == *to);
        of_it.map(|t| (t.currency, t.amount)).collect::<Vec<_>>()
    };
    assert_eq!(found(&a.address()), [(Currency::Sol, 2 * SOL)], "one sum for one transaction");
    assert_eq!(found(&b.address()), [(Currency::Sol, SOL)]);
    // Rent for the token account is no gift to its owner.
    assert_eq!(found(&c.address()), [(Currency::Token(mint), 2 * USDC)]);
    let to_b = read.transfers.iter().find(|t| t.to == b.address()).unwrap();
    assert!(to_b.signature == signature && to_b.slot > 0 && to_b.at > 0);
    assert!(read.read.contains(&b.address()) && read.unreadable == 0);

    // A wallet's USDC is found from its owner, whom the transfer itself does not name.
    let near = Bounds { depth: 0, ..BOUNDS };
    let read = History::read(chain, &[c.address()], &wanted, &near).await.unwrap();
    assert!(read.transfers.iter().any(|t| t.to == c.address() && t.amount == 2 * USDC));
    assert!(read.unread.contains(&from), "it is one step away");

    // With two requests nothing is finished, and that is said.
    let poor = Bounds { requests: 2, ..BOUNDS };
    let read = History::read(chain, &[b.address()], &wanted, &poor).await.unwrap();
    assert!(read.requests == 2 && read.unread.contains(&b.address()));
}
