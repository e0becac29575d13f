//! Opening a cluster on a quote.

use super::{Done, Leader};
use crate::control::{ControlError, Reply};
use crate::market::{Market, address};
use crate::seal::{self, SealKey};
use ionet_api::{Cluster, CreateCluster};
use ionet_core::{ClusterId, Wallet};
use ionet_ledger::{LedgerError, addresses};
use ionet_network::{Command, NewCluster, QuoteTerms};

/// Leases that a wallet may have opened or prepared around its counter.
const COUNTERS_AROUND: u64 = 16;

/// A request whose lease's address was looked at.
pub(super) struct Checked {
    renter: Wallet,
    request_id: String,
    body: Box<CreateCluster>,
    terms: QuoteTerms,
    address: Result<bool, LedgerError>,
    reply: Reply<Cluster>,
}

impl Leader {
    pub(super) fn seal_key(&self) -> SealKey<'_> {
        SealKey { key: self.market.key(), chain: self.market.chain() }
    }

    /// Checks what needs no chain, then asks the chain whether the lease's address is the
    /// renter's: anyone could name another's and take its cluster's id.
    pub(super) fn create(
        &mut self,
        renter: Wallet,
        request_id: String,
        body: Box<CreateCluster>,
        reply: Reply<Cluster>,
    ) {
        let checked = self
            .chain_answers()
            .and_then(|()| seal::open(&self.seal_key(), &body.quote).map_err(quote_error));
        let terms = match checked {
            Ok(terms) => terms,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        let market = self.market.clone();
        self.tasks.spawn(async move {
            let address = belongs(&market, renter, body.lease).await;
            Done::Created(Checked { renter, request_id, body, terms, address, reply })
        });
    }

    pub(super) async fn create_checked(&mut self, checked: Checked) {
        let Checked { renter, request_id, body, terms, address, reply } = checked;
        let answer = match address {
            Ok(true) => self.open_cluster(renter, &request_id, *body, terms).await,
            Ok(false) => Err(ControlError::BadRequest(format!(
                "{} is not the address of the next lease of wallet {renter}",
                body.lease
            ))),
            Err(e) => Err(ControlError::ChainUnavailable(e.to_string())),
        };
        let _ = reply.send(answer);
    }

    async fn open_cluster(
        &mut self,
        renter: Wallet,
        request_id: &str,
        body: CreateCluster,
        terms: QuoteTerms,
    ) -> Result<Cluster, ControlError> {
        let cluster = ClusterId::of_lease(&body.lease);
        let new = NewCluster {
            cluster,
            renter,
            session_key: None,
            coordinator: self.market.coordinator(),
            spec: body.quote.spec,
            lease: body.lease,
            quote: terms,
            request_id: request_id.to_owned(),
        };
        let command = Command::RequestCluster(Box::new(new));
        self.apply(self.clock.now(), command, Some(request_id)).await?;
        self.watch_due = self.clock.now();
        self.publish_cluster(cluster).ok_or(ControlError::Internal)
    }
}

/// Whether `lease` is where a lease of `renter` stands, or will once it is opened.
async fn belongs(market: &Market, renter: Wallet, lease: Wallet) -> Result<bool, LedgerError> {
    let (wallet, program) = (address(&renter), market.ledger().program());
    let next = market.ledger().next_counter(&wallet).await?;
    let mut around = next.saturating_sub(COUNTERS_AROUND)..next.saturating_add(COUNTERS_AROUND);
    Ok(around.any(|n| addresses::lease(&program, &wallet, n).0.to_bytes() == lease.0))
}

fn quote_error(error: seal::SealError) -> ControlError {
    ControlError::QuoteExpired(error.to_string())
}
