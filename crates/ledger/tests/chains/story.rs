//! The life of a lease, told once for every chain that it is played on: who does what, what is
//! refused, and where every base unit and every lamport is afterwards.

use crate::network::{Network, Pace, RATE, USDC, admin, key, operators, why};
use crate::told::Told;
use ionet_ledger::interface::MarketError;
use ionet_ledger::interface::account::{CloseReason, Lease, LineState, SessionRights};
use ionet_ledger::interface::statement::Receipt;
use ionet_ledger::token::{TOKEN_ACCOUNT_BYTES, TOKEN_PROGRAM, associated_account};
use ionet_ledger::{
    Address, BoundLine, Instruction, KeypairFile, Ledger, LedgerError, NetworkKeys, OpenLeaseOrder,
    Page, SignedReceipt, Signer, addresses, bootstrap,
};
use solana_instruction::AccountMeta;

/// What the renter has at first, and locks.
const PURSE: u64 = 100 * USDC;
const DEPOSIT: u64 = 10 * USDC;
/// What the session key may add, and adds.
const CAP: u64 = 3 * USDC;
const ADDED: u64 = 2 * USDC;
/// The coordinator's leader, and the one before it.
const LEADER: u64 = 5;
const LATE: u64 = 4;
/// Bytes of a renter's counter, which stays for ever.
const COUNTER_BYTES: usize = 80;

/// Only the program's upgrade authority can configure it: asked before there is a configuration.
pub(crate) async fn a_stranger_cannot_configure(ledger: &Ledger, space: u8) {
    // The stranger brings mints of its own: only the configuration is not for it to make.
    let [usdc_mint, io_mint] = [100, 101].map(|number| key(space, number));
    let keys = NetworkKeys { admin: key(space, 102), usdc_mint, io_mint, ..operators(space) };
    assert_ne!(keys.admin.address(), admin(space).address());
    let refused = bootstrap(ledger, &keys, &Pace::SOLANA.wish()).await;
    assert_eq!(why(refused), Some(MarketError::NotUpgradeAuthority));
    assert!(matches!(ledger.config().await, Err(LedgerError::NotFound { .. })));
}

/// From opening to reclaim. Every act checks that no base unit is made or lost.
pub(crate) async fn from_opening_to_reclaim(n: &Network) -> Told {
    let mut play = Play::new(n).await;
    let before = play.lamports().await;
    play.open().await;
    play.bind_and_start().await;
    play.reject().await;
    play.top_up().await;
    let served = play.vouch().await;
    play.end_and_pay_one().await;
    play.close_and_refund().await;
    play.settle_and_reclaim().await;
    play.everyone_has_what_is_theirs(served).await;
    play.only_these_rents_stay(before).await;
    play.told
}

struct Play<'a> {
    n: &'a Network,
    renter: KeypairFile,
    supplier: KeypairFile,
    session: KeypairFile,
    stranger: KeypairFile,
    devices: Vec<[u8; 32]>,
    lease: Address,
    told: Told,
}

impl<'a> Play<'a> {
    async fn new(n: &'a Network) -> Self {
        Self {
            n,
            renter: n.wallet(PURSE).await,
            supplier: n.wallet(0).await,
            session: n.wallet(0).await,
            stranger: n.wallet(0).await,
            devices: Vec::new(),
            lease: Address::default(),
            told: Told::default(),
        }
    }

    fn boss(&self) -> &'a KeypairFile {
        &self.n.keys.coordinator
    }

    async fn lease(&self) -> Lease {
        self.n.ledger.lease(&self.lease).await.unwrap().expect("the lease is there")
    }

    async fn page(&self) -> Page {
        let mut pages = self.n.ledger.pages_of(&self.lease, &self.lease().await).await.unwrap();
        assert_eq!(pages.len(), 1);
        pages.remove(0)
    }

    async fn tell(&mut self, name: &'static str, address: Address) {
        self.told.tell(self.n, name, &address).await;
    }

    /// Sends one instruction, or two of which the first proves something.
    async fn send(&self, ixs: &[Instruction], signer: &KeypairFile) -> Result<(), LedgerError> {
        self.n.ledger.connection().send(ixs, &[signer]).await.map(drop)
    }

    async fn money_is_conserved(&self) {
        let people = [&self.renter, &self.supplier, &self.session, &self.n.keys.fee_owner];
        assert_eq!(self.n.usdc(&people, &[self.lease]).await, PURSE);
    }

    async fn open(&mut self) {
        for seed in 1..=3 {
            let device = self.n.device(&self.supplier, seed).await;
            self.tell("register_device", addresses::device(&self.n.ledger.program(), &device).0)
                .await;
            self.devices.push(device);
        }
        let registered = self.n.ledger.devices_of_supplier(&self.supplier.address()).await;
        assert_eq!(registered.unwrap().len(), 3);
        let order = OpenLeaseOrder {
            session: Some(self.session.address()),
            session_rights: SessionRights::ALL,
            accept_s: self.n.pace.accept_s,
            ..self.n.order(&self.renter, 3, DEPOSIT).await
        };
        let (lease, _) = self.n.ledger.open_lease(&self.renter, &order).await.unwrap();
        self.lease = lease;
        self.tell("open_lease", lease).await;
        let seen = self.n.ledger.leases_of_coordinator(&order.coordinator).await.unwrap();
        let ours: Vec<_> = seen.iter().filter(|(at, _)| *at == lease).collect();
        assert_eq!(ours.len(), 1);
        assert_eq!(ours[0].1.policy_hash, [7; 32]);
        self.money_is_conserved().await;
    }

    async fn bind_and_start(&mut self) {
        let (ledger, lease) = (&self.n.ledger, self.lease);
        let lines: Vec<_> = self
            .devices
            .iter()
            .map(|device| BoundLine { device: *device, units: 1, rate: RATE })
            .collect();
        let theft = ledger.bind(&self.stranger, &lease, &[], LEADER, &lines).await;
        assert_eq!(why(theft), Some(MarketError::NotCoordinator));
        let placed = ledger.bind(self.boss(), &lease, &[], LEADER, &lines).await.unwrap();
        assert_eq!(placed, [(0, 0), (0, 1), (0, 2)]);
        assert_eq!(ledger.device(&self.devices[0]).await.unwrap().unwrap().units_bound, 1);
        self.told.tell(self.n, "bind, 3 lines", &lease).await;
        let late = ledger.start(self.boss(), &lease, 0, LATE, &[0, 1, 2]).await;
        assert_eq!(why(late), Some(MarketError::StaleEpoch));
        ledger.start(self.boss(), &lease, 0, LEADER, &[0, 1, 2]).await.unwrap();
        self.told.tell(self.n, "start, 3 lines", &lease).await;
    }

    /// The session key sends the third device away, free of charge.
    async fn reject(&mut self) {
        let line = [(2, self.devices[2])];
        let ledger = &self.n.ledger;
        let theft = ledger.reject(&self.stranger, &self.lease, 0, &line).await;
        assert_eq!(why(theft), Some(MarketError::NotAllowed));
        ledger.reject(&self.session, &self.lease, 0, &line).await.unwrap();
        self.tell("reject, 1 line", self.lease).await;
        assert_eq!(self.page().await.lines[2].line.state, LineState::Rejected);
    }

    /// The session key adds money as the token account's delegate, up to its cap.
    async fn top_up(&mut self) {
        let source = associated_account(&self.renter.address(), &self.n.mints.usdc);
        let approve = approve(&source, &self.session.address(), &self.renter.address(), CAP);
        self.send(&[approve], &self.renter).await.unwrap();
        self.tell("(SPL approve)", source).await;
        let record = self.lease().await;
        let exits = self.n.ledger.exits(self.lease, &record);
        let add = exits.top_up(&self.session.address(), &source, ADDED);
        self.send(std::slice::from_ref(&add), &self.session).await.unwrap();
        self.tell("top_up", self.lease).await;
        assert_eq!(self.lease().await.deposit.0, DEPOSIT + ADDED);
        let over = self.send(&[add], &self.session).await.unwrap_err();
        assert!(matches!(over, LedgerError::Refused { .. }), "the token program's no: {over:?}");
        self.money_is_conserved().await;
    }

    /// The coordinator vouches for one line; a receipt, cashed by its supplier, for the other.
    async fn vouch(&mut self) -> [u64; 2] {
        let (n, lease) = (self.n, self.lease);
        let started = self.page().await.lines[0].line.started_at.0;
        let served = [u64::from(n.pace.accept_s) + 2, u64::from(n.pace.accept_s) + 1];
        n.until(started + served[0] as i64).await;
        let too_much = n.ledger.attest(self.boss(), &lease, 0, LEADER, &[(0, 3_600)]).await;
        assert_eq!(why(too_much), Some(MarketError::ServedPastClock));
        n.ledger.attest(self.boss(), &lease, 0, LEADER, &[(0, served[0])]).await.unwrap();
        self.tell("attest, 1 line", lease).await;

        let elsewhere = self.receipt(self.boss(), &[9; 32], served[1]).await;
        let refused = self.send(&elsewhere, &self.supplier).await;
        assert_eq!(why(refused), Some(MarketError::StatementMismatch), "of another chain");
        let forged = self.receipt(&self.stranger, &n.genesis, served[1]).await;
        let refused = self.send(&forged, &self.supplier).await;
        assert_eq!(why(refused), Some(MarketError::NotAllowed), "signed by a stranger");
        let mut broken = self.receipt(self.boss(), &n.genesis, served[1]).await;
        *broken[0].data.last_mut().expect("a statement") ^= 1;
        let refused = self.send(&broken, &self.supplier).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Refused { .. }), "the precompile's no");
        let receipt = self.receipt(self.boss(), &n.genesis, served[1]).await;
        self.send(&receipt, &self.supplier).await.unwrap();
        self.tell("claim_receipt", lease).await;
        served
    }

    /// A receipt for the second line, as it is cashed.
    async fn receipt(
        &self,
        signer: &KeypairFile,
        genesis: &[u8; 32],
        served_s: u64,
    ) -> [Instruction; 2] {
        let page = self.page().await;
        let generation = page.lines[1].line.generation;
        let receipt =
            Receipt { lease: self.lease.to_bytes(), page: 0, index: 1, generation, served_s };
        let program = self.n.ledger.program();
        let text = receipt.signing_bytes(genesis, program.as_array());
        let signature = signer.sign_now(&text).into();
        let signed = SignedReceipt { receipt, signer: signer.address().to_bytes(), signature };
        self.n.ledger.exits(self.lease, &self.lease().await).claim(&page.address, &signed, genesis)
    }

    /// The supplier takes its first device back and is paid while the lease goes on.
    async fn end_and_pay_one(&mut self) {
        let (ledger, lease) = (&self.n.ledger, self.lease);
        let line = [(0, self.devices[0])];
        let theft = ledger.end_lines(&self.stranger, &lease, 0, 0, &line).await;
        assert_eq!(why(theft), Some(MarketError::NotAllowed));
        ledger.end_lines(&self.supplier, &lease, 0, 0, &line).await.unwrap();
        self.tell("end_line, 1 line", lease).await;
        let page = self.page().await;
        // Anyone may have the supplier paid; the sender pays for its token account.
        let first = &page.lines[..1];
        self.n.ledger.withdraw(&self.stranger, &lease, &self.lease().await, first).await.unwrap();
        self.tell("withdraw, 1 line, new account", lease).await;
        self.money_is_conserved().await;
    }

    async fn close_and_refund(&mut self) {
        let (n, lease) = (self.n, self.lease);
        let record = self.lease().await;
        let theft = n.ledger.close(&self.stranger, &lease, &record, 0, CloseReason::Renter).await;
        assert_eq!(why(theft), Some(MarketError::ClockRuns));
        let early = n.ledger.finalize(&self.stranger, &lease, &record).await;
        assert_eq!(why(early), Some(MarketError::LeaseNotClosed));
        let close = n.ledger.exits(lease, &record).close(
            &self.renter.address(),
            false,
            CloseReason::Renter,
        );
        self.send(&[close], &self.renter).await.unwrap();
        self.tell("close", lease).await;
        let had = n.ledger.tokens(&self.renter.address(), &n.mints.usdc).await.unwrap();
        let closed = self.lease().await;
        n.ledger.refund(&self.stranger, &lease, &closed).await.unwrap();
        self.tell("refund", lease).await;
        let has = n.ledger.tokens(&self.renter.address(), &n.mints.usdc).await.unwrap();
        let refunded = self.lease().await.refunded.0;
        assert!(refunded > 0, "what no line can claim goes back at once");
        assert_eq!(has - had, refunded);
        let again = n.ledger.close(&self.renter, &lease, &closed, 0, CloseReason::Renter).await;
        assert_eq!(why(again), Some(MarketError::LeaseNotOpen));
        self.money_is_conserved().await;
    }

    async fn settle_and_reclaim(&mut self) {
        let (n, lease) = (self.n, self.lease);
        // On a closed lease anyone may free the devices.
        let line = [(1, self.devices[1])];
        n.ledger.end_lines(&self.stranger, &lease, 0, 0, &line).await.unwrap();
        self.tell("end_line, 1 line", lease).await;
        let closed = self.lease().await;
        n.until(closed.claims_until().0 + 1).await;
        n.ledger.finalize(&self.stranger, &lease, &closed).await.unwrap();
        self.tell("finalize", lease).await;
        let owing = n.ledger.reclaim(&self.stranger, &lease, &self.lease().await).await;
        assert_eq!(why(owing), Some(MarketError::StillOwed));
        let page = self.page().await;
        n.ledger.withdraw(&self.stranger, &lease, &closed, &page.lines).await.unwrap();
        self.tell("withdraw, 1 line", lease).await;
        n.ledger.sweep_fees(&self.stranger, &lease, &closed).await.unwrap();
        self.tell("sweep_fees, new account", lease).await;
        self.money_is_conserved().await;
        n.ledger.reclaim(&self.stranger, &lease, &self.lease().await).await.unwrap();
        self.tell("reclaim_page", page.address).await;
        self.tell("reclaim_lease", lease).await;
        assert_eq!(n.ledger.lease(&lease).await.unwrap(), None);
        for device in self.devices.clone() {
            n.ledger.retire_device(&self.supplier, &device).await.unwrap();
            let at = addresses::device(&n.ledger.program(), &device).0;
            self.tell("retire_device", at).await;
        }
    }

    async fn everyone_has_what_is_theirs(&self, served: [u64; 2]) {
        let (n, mint) = (self.n, &self.n.mints.usdc);
        let fee_bps = u64::from(n.ledger.config().await.unwrap().now.fee_bps.0);
        let owed = served.map(|seconds| RATE * seconds / 3_600);
        let fees = owed.map(|owed| (owed * fee_bps).div_ceil(10_000));
        let [owed, fees] = [owed, fees].map(|parts| parts.iter().sum::<u64>());
        let supplier = n.ledger.tokens(&self.supplier.address(), mint).await.unwrap();
        assert_eq!(supplier, owed);
        assert_eq!(n.ledger.tokens(&n.keys.fee_owner.address(), mint).await.unwrap(), fees);
        let renter = n.ledger.tokens(&self.renter.address(), mint).await.unwrap();
        assert_eq!(renter, PURSE - owed - fees);
    }

    async fn lamports(&self) -> u64 {
        let n = self.n;
        let mut sum = 0;
        for wallet in [
            &self.renter,
            &self.supplier,
            &self.session,
            &self.stranger,
            &n.keys.coordinator,
            &n.keys.fee_owner,
        ] {
            sum += n.ledger.connection().lamports(&wallet.address()).await.unwrap();
        }
        sum
    }

    /// Of all the rent that was paid, the renter's counter and two new token accounts keep theirs.
    async fn only_these_rents_stay(&self, before: u64) {
        let rpc = self.n.ledger.connection().rpc();
        let mut stays = 0;
        for bytes in [COUNTER_BYTES, TOKEN_ACCOUNT_BYTES, TOKEN_ACCOUNT_BYTES] {
            stays += rpc.get_minimum_balance_for_rent_exemption(bytes).await.unwrap();
        }
        assert_eq!(before - self.lamports().await, stays + self.told.fees());
    }
}

/// SPL Token's `Approve`.
fn approve(source: &Address, delegate: &Address, owner: &Address, amount: u64) -> Instruction {
    const APPROVE: u8 = 4;
    let accounts = vec![
        AccountMeta::new(*source, false),
        AccountMeta::new_readonly(*delegate, false),
        AccountMeta::new_readonly(*owner, true),
    ];
    let data = [&[APPROVE][..], &amount.to_le_bytes()].concat();
    Instruction { program_id: TOKEN_PROGRAM, accounts, data }
}
