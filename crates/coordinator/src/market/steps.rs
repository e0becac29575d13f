//! Money steps, each safe to repeat.

use super::{Market, address, receipts};
use ionet_core::{DeviceId, Wallet};
use ionet_ledger::interface::account::{CloseReason, Lease, LeaseState, LineState};
use ionet_ledger::interface::limits::BIND_LINES_MAX;
use ionet_ledger::interface::{MarketError, Timestamp};
use ionet_ledger::{BoundLine as LineToBind, LedgerError, PlacedLine, addresses};
use ionet_network::{At, AttestedLine, BoundLine, EndReason, LineRef, Placement};
use ionet_units::Rate;
use ionet_wire::message::SignedReceipt;

/// Receipts that are cashed in one transaction: each brings the 256 bytes of its check.
const CLAIMS_PER_SEND: usize = 3;

/// Why a money step did not happen.
#[derive(Debug, thiserror::Error)]
pub enum MarketStepError {
    /// The chain or the program refused, or does not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The configuration was made for another chain.
    #[error("the market's configuration names another chain than the one that answers")]
    OtherChain,
    /// The configuration has other mints than our settings.
    #[error("the market's mints are not those of the coordinator's settings")]
    OtherMints,
    /// There is no such lease (any more).
    #[error("there is no lease at {0}")]
    NoLease(Wallet),
}

impl MarketStepError {
    /// Whether the same step may work later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Ledger(e) if e.is_transient())
    }
}

type Result<T> = std::result::Result<T, MarketStepError>;

/// What came of binding: every device is in one of the two lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindOutcome {
    /// Bound, now or before.
    pub bound: Vec<BoundLine>,
    /// Refused by the program, with its reason.
    pub failed: Vec<(DeviceId, String)>,
}

impl Market {
    async fn lease(&self, lease: Wallet) -> Result<Lease> {
        let found = self.ledger.lease(&address(&lease)).await?;
        found.ok_or(MarketStepError::NoLease(lease))
    }

    /// Binds devices to slots. One that already holds a live line of this lease is not bound
    /// again. One that the program refuses does not keep the others from being bound.
    pub async fn bind(
        &self,
        lease: Wallet,
        epoch: u64,
        wanted: &[Placement],
    ) -> Result<BindOutcome> {
        let at = address(&lease);
        let mut outcome = BindOutcome { bound: Vec::new(), failed: Vec::new() };
        let record = self.lease(lease).await?;
        let mut lines = self.ledger.lines(&at, &record).await?;
        let missing: Vec<_> =
            wanted.iter().filter(|p| live_line(&lines, p.device).is_none()).collect();
        for some in missing.chunks(BIND_LINES_MAX) {
            if let Err(error) = self.bind_together(lease, epoch, &lines, some).await {
                if error.market().is_none() {
                    return Err(error.into());
                }
                // One of them is refused: find out which.
                for one in some {
                    lines = self.ledger.lines(&at, &self.lease(lease).await?).await?;
                    match self.bind_together(lease, epoch, &lines, &[one]).await {
                        Ok(()) => (),
                        Err(LedgerError::Market(why)) => {
                            outcome.failed.push((one.device, why.to_string()));
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            lines = self.ledger.lines(&at, &self.lease(lease).await?).await?;
        }
        outcome.bound = wanted.iter().filter_map(|p| live_line(&lines, p.device)).collect();
        Ok(outcome)
    }

    async fn bind_together(
        &self,
        lease: Wallet,
        epoch: u64,
        lines: &[PlacedLine],
        wanted: &[&Placement],
    ) -> std::result::Result<(), LedgerError> {
        let to_bind: Vec<_> = wanted
            .iter()
            .map(|p| LineToBind { device: p.device.0, units: u16::from(p.chips), rate: p.rate.0 })
            .collect();
        self.ledger.bind(&*self.key, &address(&lease), lines, epoch, &to_bind).await.map(drop)
    }

    /// Starts the meters of lines. Returns when the latest of them started, by the chain's
    /// clock; lines that run already are left as they are.
    pub async fn start(&self, lease: Wallet, epoch: u64, lines: &[LineRef]) -> Result<At> {
        let at = address(&lease);
        let seen = self.ledger.lines(&at, &self.lease(lease).await?).await?;
        let bound =
            |l: &&LineRef| seen.iter().any(|p| is(p, **l) && p.line.state == LineState::Bound);
        for (page, indexes) in by_page(lines.iter().filter(bound)) {
            self.ledger.start(&*self.key, &at, page, epoch, &indexes).await?;
        }
        let seen = self.ledger.lines(&at, &self.lease(lease).await?).await?;
        let started = seen
            .iter()
            .filter(|p| lines.iter().any(|l| is(p, *l)))
            .map(|p| p.line.started_at)
            .max();
        Ok(started.unwrap_or(Timestamp(0)).into())
    }

    /// Ends lines and frees their devices; those that ended already are left as they are. Works
    /// on closed leases too, where it frees the devices.
    pub async fn end_lines(&self, lease: Wallet, epoch: u64, lines: &[LineRef]) -> Result<()> {
        let at = address(&lease);
        let seen = self.ledger.lines(&at, &self.lease(lease).await?).await?;
        let live: Vec<_> =
            seen.iter().filter(|p| p.line.is_live() && lines.iter().any(|l| is(p, *l))).collect();
        for page in live.chunk_by(|a, b| a.page == b.page) {
            let held: Vec<_> = page.iter().map(|p| (p.index, p.line.device)).collect();
            self.ledger.end_lines(&*self.key, &at, page[0].page, epoch, &held).await?;
        }
        Ok(())
    }

    /// Vouches for served seconds of one page. What the lease's clock does not cover yet is cut
    /// to what it covers; figures that the chain has already are not sent again. Returns what
    /// stands on the chain now.
    pub async fn attest(
        &self,
        lease: Wallet,
        epoch: u64,
        page: u16,
        served: &[AttestedLine],
    ) -> Result<Vec<AttestedLine>> {
        let at = address(&lease);
        let record = self.lease(lease).await?;
        let now = self.clock().await?.timestamp();
        let v = record.v_at(now);
        let seen = self.ledger.lines(&at, &record).await?;
        let mut stands = Vec::new();
        let mut news = Vec::new();
        for line in served {
            let named = LineRef { page, index: line.index };
            let Some(placed) = seen.iter().find(|p| is(p, named)) else { continue };
            let most = placed.line.served_max(v).0.min(line.served_s);
            if most > placed.line.served.0 {
                news.push((line.index, most));
            }
            let served_s = most.max(placed.line.served.0);
            stands.push(AttestedLine { index: line.index, served_s });
        }
        if !news.is_empty() {
            self.ledger.attest(&*self.key, &at, page, epoch, &news).await?;
        }
        Ok(stands)
    }

    /// Cashes receipts of one page's lines for their suppliers; those that say nothing new, or
    /// more than the lease's clock shows, are left out. Returns what stands on the chain now.
    pub async fn claim(
        &self,
        lease: Wallet,
        page: u16,
        lines: &[LineRef],
        receipts: &[SignedReceipt],
    ) -> Result<Vec<AttestedLine>> {
        let at = address(&lease);
        let record = self.lease(lease).await?;
        let v = record.v_at(self.clock().await?.timestamp());
        let seen = self.ledger.lines(&at, &record).await?;
        let page_at = addresses::page(&self.ledger.program(), &at, page).0;
        let exits = self.ledger.exits(at, &record);
        let (mut stands, mut calls) = (Vec::new(), Vec::new());
        for named in lines {
            let Some(placed) = seen.iter().find(|p| is(p, *named)) else { continue };
            let mut served_s = placed.line.served.0;
            let most = placed.line.served_max(v).0;
            let about = |r: &&SignedReceipt| {
                (r.page, r.line, r.generation) == (page, named.index, placed.line.generation)
            };
            let worth = |r: &&SignedReceipt| r.served_s > served_s && r.served_s <= most;
            if let Some(receipt) = receipts.iter().filter(about).find(worth) {
                served_s = receipt.served_s;
                let signed = receipts::for_the_chain(receipt);
                calls.push(exits.claim(&page_at, &signed, &self.chain.genesis.0));
            }
            stands.push(AttestedLine { index: named.index, served_s });
        }
        for some in calls.chunks(CLAIMS_PER_SEND) {
            self.ledger.connection().send(&some.concat(), &[&*self.key]).await?;
        }
        Ok(stands)
    }

    /// Closes a lease with a reason; one that is closed already stays as it is.
    pub async fn close(&self, lease: Wallet, epoch: u64, reason: &EndReason) -> Result<()> {
        let record = self.lease(lease).await?;
        if record.state == LeaseState::Open {
            let reason = close_reason(reason);
            self.ledger.close(&*self.key, &address(&lease), &record, epoch, reason).await?;
        }
        Ok(())
    }

    /// Pays every line what it earned and was not drawn yet. A payout account that cannot take
    /// it keeps nobody else from being paid.
    pub async fn withdraw(&self, lease: Wallet) -> Result<()> {
        let at = address(&lease);
        let record = self.lease(lease).await?;
        let lines = self.ledger.lines(&at, &record).await?;
        match self.ledger.withdraw(&*self.key, &at, &record, &lines).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(_) => (),
        }
        let mut refused = None;
        for line in &lines {
            let one = std::slice::from_ref(line);
            if let Err(error) = self.ledger.withdraw(&*self.key, &at, &record, one).await {
                refused = Some(error);
            }
        }
        refused.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Pays the renter what nobody claimed, after the claim window, and the fee owner its fee.
    pub async fn finalize(&self, lease: Wallet) -> Result<()> {
        let at = address(&lease);
        let record = self.lease(lease).await?;
        if record.state == LeaseState::Closed {
            self.ledger.finalize(&*self.key, &at, &record).await?;
        }
        let record = self.lease(lease).await?;
        if record.fees > record.fees_swept {
            self.ledger.sweep_fees(&*self.key, &at, &record).await?;
        }
        Ok(())
    }

    /// Returns the rent of a finalized lease's accounts; one that is gone already is fine.
    pub async fn reclaim(&self, lease: Wallet, epoch: u64) -> Result<()> {
        let at = address(&lease);
        let Some(record) = self.ledger.lease(&at).await? else { return Ok(()) };
        let lines = self.ledger.lines(&at, &record).await?;
        let live: Vec<_> = lines
            .iter()
            .filter(|p| p.line.is_live())
            .map(|p| LineRef { page: p.page, index: p.index })
            .collect();
        self.end_lines(lease, epoch, &live).await?;
        Ok(self.ledger.reclaim(&*self.key, &at, &record).await?)
    }
}

fn is(placed: &PlacedLine, line: LineRef) -> bool {
    placed.page == line.page && placed.index == line.index
}

fn live_line(lines: &[PlacedLine], device: DeviceId) -> Option<BoundLine> {
    let placed = lines.iter().find(|p| p.line.is_live() && p.line.device == device.0)?;
    Some(BoundLine {
        line: LineRef { page: placed.page, index: placed.index },
        device,
        chips: u8::try_from(placed.line.units).unwrap_or(u8::MAX),
        rate: Rate(placed.line.rate.0),
        generation: placed.line.generation,
    })
}

/// Line indexes by page, in order.
fn by_page<'a>(lines: impl Iterator<Item = &'a LineRef>) -> Vec<(u16, Vec<u8>)> {
    let mut sorted: Vec<_> = lines.copied().collect();
    sorted.sort();
    sorted
        .chunk_by(|a, b| a.page == b.page)
        .map(|page| (page[0].page, page.iter().map(|l| l.index).collect()))
        .collect()
}

/// The program's word for why a cluster ends.
fn close_reason(reason: &EndReason) -> CloseReason {
    match reason {
        EndReason::NoCapacity { .. } => CloseReason::NoCapacity,
        EndReason::Expired => CloseReason::Expired,
        EndReason::DepositSpent => CloseReason::DepositExhausted,
        EndReason::StartTimedOut { .. } | EndReason::StartFailed { .. } => CloseReason::StartFailed,
        EndReason::LeaseMismatch { .. } | EndReason::QuoteExpired => CloseReason::Policy,
        EndReason::Coordinator { .. } | EndReason::NobodyVouched => CloseReason::CoordinatorLeaves,
        EndReason::Renter | EndReason::ClosedOnChain => CloseReason::Finished,
    }
}

/// Whether the program says that another leader has taken over.
pub(crate) fn is_fenced(error: &MarketStepError) -> bool {
    matches!(error, MarketStepError::Ledger(e) if e.market() == Some(MarketError::StaleEpoch))
}
