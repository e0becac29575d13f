//! What devices and the chain show.

use super::{Done, Leader};
use crate::market::{Market, SeenDevice, address, stood_before_s};
use ionet_core::{ClusterId, DeviceId, Wallet};
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::LineState as ChainLine;
use ionet_ledger::{LedgerError, PlacedLine};
use ionet_network::{
    At, ClusterState, Command, Heard, LeaseClockView, LeaseStatus, LeaseView, LineRef, Money,
    Presence,
};

/// Milliseconds between two looks at devices' records: offers change by the day.
const DEVICES_MS: u64 = 10_000;
/// Milliseconds between two looks at running leases' lines, which renter and supplier may end.
const LINES_MS: u64 = 5_000;

/// What one look at the chain brought.
pub(super) struct Watched {
    result: Result<Seen, LedgerError>,
}

struct Seen {
    clock: At,
    leases: Vec<(ClusterId, Option<(LeaseView, LeaseClockView)>)>,
    /// With the instant at which their lease was opened.
    lines: Vec<(ClusterId, Timestamp, Vec<PlacedLine>)>,
    devices: Vec<(DeviceId, Option<SeenDevice>)>,
}

/// What to look at.
struct Wanted {
    leases: Vec<(ClusterId, Wallet)>,
    lines: Vec<(ClusterId, Wallet)>,
    devices: Vec<DeviceId>,
}

impl Leader {
    /// Tells the core what sessions show. Repeated until the log has it.
    pub(super) async fn take_reports(&mut self, now: At) {
        for (name, seen) in self.sessions.take_ended() {
            let (device, session) = (name.device, name.session);
            let closed = Command::SessionClosed { device, session, silent_since: seen };
            if !self.observe(now, closed).await {
                self.sessions.put_back(name, seen);
            }
        }
        for name in self.sessions.take_draining() {
            self.observe(now, Command::Drain { device: name.device, drain: true }).await;
        }
        for report in self.reports() {
            self.observe(now, report).await;
        }
    }

    /// Takes over what was heard; reports of devices about which there may be news.
    fn reports(&mut self) -> Vec<Command> {
        let table = self.sessions.table();
        let mut reports = Vec::new();
        for (device, session) in table.iter() {
            let heard = self
                .soft
                .heard
                .entry(device)
                .or_insert_with(|| Heard { at: session.seen, parts: Vec::new() });
            heard.at = session.seen;
            if heard.parts != session.parts() {
                heard.parts = session.parts().to_vec();
            }
            let Some(known) = self.facts.devices.get(&device) else { continue };
            let news = match known.presence {
                Presence::Online { .. } => known.is_hired(),
                Presence::Enrolled { .. } => true,
                Presence::Suspect { silent_since: since } | Presence::Offline { since } => {
                    session.seen > since
                }
            };
            if news && known.session == session.number {
                let (session, parts) = (session.number, session.parts().to_vec());
                reports.push(Command::DeviceReport { device, session, parts });
            }
        }
        reports
    }

    /// Looks at the chain, if it is time and no look is under way.
    pub(super) fn watch_chain(&mut self, now: At) {
        if self.watching || now < self.watch_due {
            return;
        }
        (self.watching, self.watch_due) = (true, now.plus_ms(self.config.chain_poll_ms));
        let (market, wanted) = (self.market.clone(), self.wanted(now));
        self.tasks
            .spawn(async move { Done::Watched(Watched { result: look(&market, wanted).await }) });
    }

    fn wanted(&mut self, now: At) -> Wanted {
        let all = self.facts.clusters.values();
        // A lease may still turn up for a quote that expired, but nobody hurries.
        let unhurried = now >= self.devices_due;
        let leases = all.clone().filter(|c| match c.money {
            Money::Reclaimed { .. } => false,
            Money::Unfunded => unhurried || matches!(c.state, ClusterState::Quoted { .. }),
            Money::Open { .. } | Money::Closed { .. } | Money::Finalized { .. } => true,
        });
        let leases = leases.map(|c| (c.id, c.lease)).collect();
        let (mut lines, mut devices) = (Vec::new(), Vec::new());
        if now >= self.lines_due {
            self.lines_due = now.plus_ms(LINES_MS);
            let live = all.filter(|c| c.state.is_live() && !c.lines.is_empty());
            lines = live.map(|c| (c.id, c.lease)).collect();
        }
        if now >= self.devices_due {
            self.devices_due = now.plus_ms(DEVICES_MS);
            let there = |d: &&ionet_network::Device| match d.presence {
                Presence::Online { .. } | Presence::Suspect { .. } => true,
                Presence::Enrolled { .. } | Presence::Offline { .. } => d.is_hired(),
            };
            devices = self.facts.devices.values().filter(there).map(|d| d.id).collect();
        }
        Wanted { leases, lines, devices }
    }

    pub(super) async fn watched(&mut self, watched: Watched) {
        self.watching = false;
        let now = self.clock.now();
        let seen = match watched.result {
            Ok(seen) => seen,
            Err(error) => {
                self.metrics.chain_errors.inc();
                if self.chain_down.is_none() {
                    tracing::warn!(%error, "the chain does not answer");
                }
                self.chain_down = Some(error.to_string());
                return;
            }
        };
        if self.chain_down.take().is_some() {
            tracing::info!("the chain answers again");
            self.attempts.wake_money();
        }
        self.clock.saw_chain(seen.clock.timestamp().0);
        for (cluster, lease) in seen.leases {
            match lease {
                Some((view, clock)) => self.lease_seen(now, cluster, view, clock).await,
                None => self.lease_gone(now, cluster).await,
            }
        }
        for (cluster, opened_at, lines) in seen.lines {
            for placed in lines.iter().filter(|p| p.line.started_at.0 > 0) {
                let at = LineRef { page: placed.page, index: placed.index };
                let before = stood_before_s(opened_at, &placed.line);
                self.stood_before.insert((cluster, at), before);
            }
            self.lines_seen(now, cluster, &lines).await;
        }
        for (device, record) in seen.devices {
            self.record_seen(now, device, record).await;
        }
    }

    pub(super) async fn lease_seen(
        &mut self,
        now: At,
        cluster: ClusterId,
        view: LeaseView,
        clock: LeaseClockView,
    ) {
        self.soft.leases.insert(cluster, clock);
        let seen = Command::LeaseSeen { cluster, view: Box::new(view) };
        self.observe(now, seen).await;
    }

    /// A lease that is gone was finalized and reclaimed, by whomever. Money steps that are under
    /// way will tell themselves.
    async fn lease_gone(&mut self, now: At, id: ClusterId) {
        let Some(cluster) = self.facts.clusters.get(&id) else { return };
        if self.busy().contains(&id) {
            return;
        }
        match (cluster.money, &cluster.terms) {
            (Money::Finalized { .. }, _) => self.reclaimed(now, id).await,
            (Money::Closed { refunded, .. }, Some(terms)) => {
                let view = LeaseView {
                    lease: cluster.lease,
                    renter: cluster.renter,
                    coordinator: cluster.coordinator,
                    asset: cluster.quote.asset,
                    policy_hash: cluster.spec.policy_hash(),
                    terms: terms.clone(),
                    claim_window_s: 0, // it is over
                    status: LeaseStatus::Finalized { refunded },
                };
                let seen = Command::LeaseSeen { cluster: id, view: Box::new(view) };
                self.observe(now, seen).await;
            }
            (Money::Unfunded | Money::Open { .. } | Money::Reclaimed { .. }, _)
            | (Money::Closed { .. }, None) => (),
        }
    }

    /// Lines that someone else than us ended.
    async fn lines_seen(&mut self, now: At, id: ClusterId, seen: &[PlacedLine]) {
        let Some(cluster) = self.facts.clusters.get(&id) else { return };
        let (mut ended, mut rejected) = (Vec::new(), Vec::new());
        for placed in seen {
            let at = LineRef { page: placed.page, index: placed.index };
            if !cluster.lines.get(&at).is_some_and(|line| line.state.is_live()) {
                continue;
            }
            match placed.line.state {
                ChainLine::Bound | ChainLine::Started => (),
                ChainLine::Ended => ended.push(at),
                ChainLine::Rejected => rejected.push(at),
            }
        }
        for line in rejected {
            self.observe(now, Command::LineRejected { cluster: id, line }).await;
        }
        if !ended.is_empty() {
            self.observe(now, Command::LinesEnded { cluster: id, lines: ended }).await;
        }
    }

    async fn record_seen(&mut self, now: At, device: DeviceId, record: Option<SeenDevice>) {
        let Some(known) = self.facts.devices.get(&device) else { return };
        // Another wallet's record is none of this device's.
        let record = record.filter(|seen| seen.supplier == known.owner);
        if let Some(seen) = &record {
            self.sessions.book().pays(&device, seen.payout);
        }
        let terms = record.map(|seen| seen.terms);
        self.observe(now, Command::UpdateTerms { device, terms }).await;
    }
}

async fn look(market: &Market, wanted: Wanted) -> Result<Seen, LedgerError> {
    let clock = market.clock().await?;
    let (ids, wallets): (Vec<_>, Vec<_>) = wanted.leases.into_iter().unzip();
    let found = if wallets.is_empty() { Vec::new() } else { market.leases(&wallets).await? };
    let leases = ids.into_iter().zip(found).collect();
    let mut lines = Vec::with_capacity(wanted.lines.len());
    for (id, wallet) in wanted.lines {
        let at = address(&wallet);
        if let Some(lease) = market.ledger().lease(&at).await? {
            lines.push((id, lease.opened_at, market.ledger().lines(&at, &lease).await?));
        }
    }
    let records = match wanted.devices.as_slice() {
        [] => Vec::new(),
        some => market.devices(some).await?,
    };
    let devices = wanted.devices.into_iter().zip(records).collect();
    Ok(Seen { clock, leases, lines, devices })
}
