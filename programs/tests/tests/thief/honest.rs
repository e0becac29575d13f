//! Everybody but the thief, acting as the real software does.

use crate::day::{AGREED_RATE, Coordinator, DAY_S, Day, LOOK_S, MINT, Stint, TICK_S, UNITS};
use ionet_program_tests::interface::account::{CloseReason, LeaseState, LineState, Vouch};
use ionet_program_tests::interface::statement::Receipt;
use ionet_program_tests::interface::{PROGRAM_ID, Timestamp};
use ionet_program_tests::{DeviceAt, GENESIS, Key, USDC, Wallet, build_top_up};
use solana_keypair::Keypair;

/// How often the coordinator attests on the chain: its `ATTEST_INTERVAL_MS`.
pub(crate) const ATTEST_S: i64 = 600;
/// How long a supplier serves without a receipt.
pub(crate) const PATIENCE_S: i64 = 600;
/// How often a worker puts a receipt aside: beside the newest it has one from ten to twenty
/// minutes before.
const SPARE_S: i64 = 600;
/// The oldest that the second can be.
pub(crate) const SPARE_S_MAX: i64 = 2 * SPARE_S;
/// The renter's client adds money when the deposit lasts for less ...
const LOW_S: i64 = 3_600;
/// ... so many base units at a time.
const TOP_UP: u64 = 10 * USDC;
/// How often a supplier cashes its receipt and draws.
pub(crate) const DRAW_S: i64 = 3_600;

impl Day {
    /// Honest devices serve the tick that has just passed, unless their line stood or they
    /// waited too long for a receipt.
    pub(crate) fn devices_serve(&mut self) {
        let now = self.market.now();
        for at in 0..self.stints.len() {
            let stint = self.stints[at];
            let patient = now - stint.receipt_at <= PATIENCE_S && !stint.cheated;
            if stint.supplier.is_some() && patient && self.runs(&stint) {
                self.stints[at].served_s += TICK_S as u64;
            }
        }
    }

    /// What everybody does in this tick.
    pub(crate) fn honest_act(&mut self) {
        let elapsed = self.elapsed();
        self.receipts();
        if elapsed % SPARE_S == 0 {
            let now = self.market.now();
            for stint in self.stints.iter_mut().filter(|stint| stint.receipt_at == now) {
                stint.spare = [stint.spare[1], stint.receipt_s];
            }
        }
        if elapsed % ATTEST_S == 0 {
            self.attest();
        }
        if self.plan.coordinator == Coordinator::Works && elapsed < DAY_S {
            self.replace();
        }
        if self.plan.cap > 0 {
            self.top_up();
        }
        if elapsed % DRAW_S == 0 {
            self.draw();
        }
        if self.plan.suppliers_look && elapsed % LOOK_S == 0 {
            self.suppliers_look();
        }
        if self.plan.renter_looks && elapsed % LOOK_S == 0 && self.is_open() && self.is_wrong() {
            self.close();
        }
    }

    /// Whose word the lease takes, if they are there: the coordinator, or the session key in
    /// the renter's client.
    fn voucher(&self) -> Option<&Wallet> {
        match (self.plan.vouch, self.plan.coordinator) {
            (Vouch::Session, _) => self.plan.renter_vouches.then_some(&self.session),
            (Vouch::Coordinator | Vouch::Either, Coordinator::Gone) => None,
            (Vouch::Coordinator | Vouch::Either, _) => Some(&self.market.coordinator),
        }
    }

    /// The renter's client adds money, with the session key, while there is leave to.
    fn top_up(&mut self) {
        let record = self.market.lease(&self.lease.lease);
        let low = record.clock().runs_until().0 - self.market.now() < LOW_S;
        if self.is_open() && low {
            let (from, to) = (self.renter.tokens[MINT], self.session.at());
            let ix = build_top_up(&to, &from, &self.lease, TOP_UP);
            let _none_left = self.market.run(ix, &[&self.session.key]);
        }
    }

    fn receipts(&mut self) {
        if self.voucher().is_none() {
            return;
        }
        let now = self.market.now();
        for stint in &mut self.stints {
            (stint.receipt_s, stint.receipt_at) = (stint.served_s, now);
        }
    }

    fn attest(&mut self) {
        let only_signs = self.plan.coordinator == Coordinator::OnlySigns;
        let Some(voucher) = self.voucher().filter(|_| self.is_open()) else { return };
        if only_signs && self.plan.vouch != Vouch::Session {
            return;
        }
        let key = voucher.key.insecure_clone();
        let of = |page: u16| self.stints.iter().filter(move |stint| stint.page == page);
        let pages: Vec<u16> = (0..=self.stints.last().map_or(0, |last| last.page)).collect();
        let mut calls = Vec::new();
        for page in pages {
            let served: Vec<(u8, u64)> = of(page)
                .filter(|stint| stint.served_s > self.line(page, stint.index).served.0)
                .map(|stint| (stint.index, stint.served_s))
                .collect();
            if !served.is_empty() {
                calls.push(self.market.attest_ix(voucher, &self.lease, page, &served));
            }
        }
        for call in calls {
            self.refused += usize::from(self.market.run(call, &[&key]).is_err());
        }
    }

    /// The coordinator ends the line of a device that it does not hear, and finds work anew for
    /// devices whose line somebody ended. (It would be in another lease; here one stands for
    /// all.) A device that this renter rejected is not offered to it again.
    fn replace(&mut self) {
        if !self.is_open() {
            return;
        }
        let coordinator = self.market.coordinator_key();
        for stint in self.stints.clone() {
            if stint.supplier.is_none() && self.runs(&stint) {
                let line = [(stint.index, &stint.device)];
                let who = &self.market.coordinator;
                let ix = self.market.end_ix(who, &self.lease, stint.page, &line);
                self.market.ok(ix, &[&coordinator]);
            }
        }
        for supplier in 0..self.suppliers.len() {
            let device = self.devices[supplier];
            let of = |stint: &&Stint| stint.supplier == Some(supplier);
            let mut own = self.stints.iter().filter(of);
            let held = own.any(|s| {
                let state = self.line(s.page, s.index).state;
                state == LineState::Started || state == LineState::Rejected
            });
            if !held && !self.moved.contains(&supplier) && self.asks_as_agreed(&device) {
                self.hire(Some(supplier), device, AGREED_RATE);
            }
        }
    }

    /// A coordinator's market takes no device whose record is gone or asks something else.
    fn asks_as_agreed(&self, device: &DeviceAt) -> bool {
        self.market.account(&device.record).is_some()
            && self.market.device(&device.record).asks[MINT].0 <= AGREED_RATE
    }

    /// Each supplier cashes its newest receipts and draws, alone.
    pub(crate) fn draw(&mut self) {
        let signer = match self.plan.vouch {
            Vouch::Session => self.session.key.insecure_clone(),
            Vouch::Coordinator | Vouch::Either => self.market.coordinator_key(),
        };
        for (at, stint) in self.stints.clone().into_iter().enumerate() {
            let line = self.line(stint.page, stint.index);
            if stint.receipt_s > line.served.0 && !self.claim(&stint, &signer, stint.receipt_s) {
                self.stints[at].cheated = true;
                if stint.spare[0] > line.served.0 {
                    self.claim(&stint, &signer, stint.spare[0]);
                }
            }
            let line = self.line(stint.page, stint.index);
            if line.owed().is_some_and(|owed| owed > line.paid) {
                let to = self.account_of(&line.payout_owner);
                let ix = self.market.withdraw_ix(&self.lease, stint.page, &[(stint.index, to)]);
                self.market.ok(ix, &[]);
            }
        }
    }

    /// Cashes a receipt that somebody signed. Whether it was taken.
    pub(crate) fn claim(&mut self, stint: &Stint, signer: &Keypair, served_s: u64) -> bool {
        let Stint { page, index, .. } = *stint;
        let generation = self.line(page, index).generation;
        let receipt = Receipt { lease: self.lease.lease, page, index, generation, served_s };
        let text = receipt.signing_bytes(&GENESIS, &PROGRAM_ID);
        let signed = self.market.signed_ix(signer, &text);
        let claim = self.market.wrap(&self.market.claim_ix(&self.lease, page, index, served_s));
        self.market.send(&[signed, claim], &[]).is_ok()
    }

    /// The token account of somebody whom everybody knows.
    pub(crate) fn account_of(&self, owner: &Key) -> Key {
        let market = &self.market;
        let mut known = self.suppliers.iter().chain([
            &self.thief,
            &self.renter,
            &self.session,
            &market.coordinator,
            &market.fee_owner,
        ]);
        known.find(|wallet| wallet.at() == *owner).expect("somebody known").tokens[MINT]
    }

    /// Something runs that was not agreed, or something agreed does not.
    fn is_wrong(&self) -> bool {
        let agreed = |page, index| {
            let mut stints = self.stints.iter();
            stints.any(|s| (s.page, s.index) == (page, index) && s.supplier.is_some())
        };
        let live = self.lines().into_iter().filter(|line| line.2.is_live());
        let (good, bad): (Vec<_>, Vec<_>) =
            live.partition(|(page, i, line)| agreed(*page, *i) && line.rate.0 == AGREED_RATE);
        !bad.is_empty() || good.len() != self.suppliers.len() - self.moved.len()
    }

    /// The renter closes; the suppliers see it and draw.
    pub(crate) fn close(&mut self) {
        self.stopped_at = self.stopped_at.min(self.market.now());
        let ix = self.market.close_ix(&self.renter, &self.lease, CloseReason::None);
        self.market.ok(ix, &[&self.renter.key]);
        self.draw();
    }

    /// A supplier puts right what it finds: lines that nobody pays for, and a record that it did
    /// not write itself.
    fn suppliers_look(&mut self) {
        for at in 0..self.suppliers.len() {
            if self.moved.contains(&at) {
                continue;
            }
            let held = self.end_foreign_lines(at);
            let device = self.devices[at];
            let gone = self.market.account(&device.record).is_none();
            if gone || self.is_meddled(at) {
                self.leave_lost_key(at, gone);
            } else if held {
                // From now on for its own coordinator alone.
                let mut offer = self.market.offer(&self.suppliers[at], UNITS, AGREED_RATE);
                (offer.accepts_any, offer.coordinators_len) = (false, 1);
                offer.coordinators[0] = self.market.coordinator.at();
                let ix = self.market.update_ix(&self.suppliers[at], &device, offer);
                self.market.ok(ix, &[&self.suppliers[at].key]);
            }
        }
    }

    /// Whether somebody else wrote to a supplier's record with its key.
    fn is_meddled(&self, supplier: usize) -> bool {
        let record = self.market.device(&self.devices[supplier].record);
        record.asks[MINT].0 != AGREED_RATE
            || record.payout_owner != self.suppliers[supplier].at()
            || record.payout_next_at != Timestamp(0)
    }

    /// The supplier ends a foreign lease's lines on its device. Whether there were any.
    fn end_foreign_lines(&mut self, supplier: usize) -> bool {
        let Some(foreign) = self.foreign else { return false };
        let device = self.devices[supplier];
        let mut found = false;
        for (index, line) in self.market.lines(&foreign.page(0)).iter().enumerate() {
            if line.device == device.key && line.is_live() {
                let lines = [(index as u8, &device)];
                let ix = self.market.end_ix(&self.suppliers[supplier], &foreign, 0, &lines);
                self.market.ok(ix, &[&self.suppliers[supplier].key]);
                found = true;
            }
        }
        found
    }

    /// A supplier whose key somebody else has takes its device to another key.
    fn leave_lost_key(&mut self, supplier: usize, gone: bool) {
        let (device, key) = (self.devices[supplier], &self.suppliers[supplier]);
        let mut calls = Vec::new();
        for stint in &self.stints {
            if stint.device == device && self.runs(stint) {
                let line = [(stint.index, &device)];
                calls.push(self.market.end_ix(key, &self.lease, stint.page, &line));
            }
        }
        if !gone {
            calls.push(self.market.retire_ix(key, &device));
        }
        let key = key.key.insecure_clone();
        for call in calls {
            self.market.ok(call, &[&key]);
        }
        self.move_to_new_key(supplier);
    }

    /// The day is over: everybody leaves, the thief too, and nothing stays behind.
    pub(crate) fn settle(&mut self, thief: &mut impl FnMut(&mut Self)) {
        if self.is_open() {
            self.close();
        }
        thief(self);
        self.draw();
        let until = self.market.lease(&self.lease.lease).claims_until().0;
        self.market.set_time(until + 1);
        if self.market.lease(&self.lease.lease).state == LeaseState::Closed {
            self.market.ok(self.market.finalize_ix(&self.lease), &[]);
        }
        let stranger = self.market.stranger.key.insecure_clone();
        for (page, index, line) in self.lines() {
            if line.is_live() {
                let line = [(index, &self.device_at(&line.device))];
                let ix = self.market.end_ix(&self.market.stranger, &self.lease, page, &line);
                self.market.ok(ix, &[&stranger]);
            }
            let to = self.account_of(&line.payout_owner);
            self.market.ok(self.market.withdraw_ix(&self.lease, page, &[(index, to)]), &[]);
        }
        let fees_to = self.account_of(&self.market.config().now.fee_owner);
        let lease = ionet_program_tests::LeaseAt { fees_to, ..self.lease };
        self.market.ok(self.market.sweep_ix(&lease), &[]);
        for page in 0..self.market.lease(&self.lease.lease).pages_made {
            let ix = self.market.reclaim_page_ix(&self.lease, page, &self.market.coordinator);
            self.market.ok(ix, &[]);
        }
        self.market.ok(self.market.reclaim_lease_ix(&self.lease), &[]);
        assert!(self.market.account(&self.lease.vault).is_none(), "the vault is closed");
    }
}
