//! Walking from wallet to wallet over an endpoint's history, oldest transactions first, within
//! bounds: an endpoint is shared, and histories are as long as their owners like.

use super::{Currency, Transfer, decode};
use crate::token::associated_account;
use crate::{Connection, LedgerError};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_address::Address;
use solana_rpc_client_api::request::RpcRequest;
use solana_signature::Signature;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior};

/// Signatures that one request answers: Solana's own limit.
const PAGE: usize = 1_000;

/// Which transfers matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Of what.
    pub currency: Currency,
    /// Base units; who moved less is not followed.
    pub floor: u64,
}

/// How far to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Steps away from the first wallets; their own histories are step 0.
    pub depth: u32,
    /// Pages of 1,000 signatures of one account. A wallet with more is busy: an exchange, or one
    /// that paid a fee for each to look like one.
    pub pages: u32,
    /// Transactions that are read of one account, from the oldest on: where its money came from.
    pub transactions: usize,
    /// Requests in all.
    pub requests: u32,
    /// Least time between two requests.
    pub pause: Duration,
}

/// What was read.
#[derive(Debug, Default)]
pub struct History {
    /// In no special order; each once.
    pub transfers: Vec<Transfer>,
    /// Wallets whose history is longer than the bounds allow to read.
    pub busy: BTreeSet<Address>,
    /// Wallets whose history was read.
    pub read: BTreeSet<Address>,
    /// Wallets that were found and not read: too far, or the requests were used up.
    pub unread: BTreeSet<Address>,
    /// Transactions that the endpoint shows in a form which cannot be read, or not at all.
    pub unreadable: u32,
    /// Requests that were made.
    pub requests: u32,
}

#[derive(Deserialize)]
struct Row {
    signature: String,
    err: Option<Value>,
}

impl History {
    /// Walks from `start` over the transfers of `wanted`.
    pub async fn read(
        connection: &Connection,
        start: &[Address],
        wanted: &[Wanted],
        bounds: &Bounds,
    ) -> Result<Self, LedgerError> {
        let mut pace = tokio::time::interval(bounds.pause.max(Duration::from_micros(1)));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut walk = Walk {
            connection,
            wanted,
            bounds,
            pace,
            known: BTreeMap::new(),
            history: History::default(),
        };
        let mut waiting: VecDeque<(Address, u32)> = start.iter().map(|at| (*at, 0)).collect();
        let mut seen: BTreeSet<Address> = start.iter().copied().collect();
        while let Some((wallet, steps)) = waiting.pop_front() {
            if steps > bounds.depth || !walk.wallet(&wallet).await? {
                walk.history.unread.insert(wallet);
                continue;
            }
            for next in walk.met(&wallet) {
                if seen.insert(next) {
                    waiting.push_back((next, steps + 1));
                }
            }
        }
        walk.history.transfers = walk.known.into_values().flatten().collect();
        Ok(walk.history)
    }
}

struct Walk<'a> {
    connection: &'a Connection,
    wanted: &'a [Wanted],
    bounds: &'a Bounds,
    pace: Interval,
    known: BTreeMap<Signature, Vec<Transfer>>,
    history: History,
}

impl Walk<'_> {
    /// One request, if there is one left.
    async fn ask(
        &mut self,
        request: RpcRequest,
        params: Value,
    ) -> Result<Option<Value>, LedgerError> {
        if self.history.requests >= self.bounds.requests {
            return Ok(None);
        }
        self.pace.tick().await;
        self.history.requests += 1;
        let answer = self.connection.rpc().send::<Value>(request, params).await;
        answer.map(Some).map_err(|e| self.connection.failed(e))
    }

    /// Reads a wallet's history and that of its token accounts. `false` if requests ran out.
    async fn wallet(&mut self, wallet: &Address) -> Result<bool, LedgerError> {
        let mut accounts = vec![*wallet];
        // A transfer into an account names the account and not its owner.
        accounts.extend(self.wanted.iter().filter_map(|wanted| match wanted.currency {
            Currency::Sol => None,
            Currency::Token(mint) => Some(associated_account(wallet, &mint)),
        }));
        for account in accounts {
            let Some(signatures) = self.signatures(&account).await? else { return Ok(false) };
            let Some(signatures) = signatures else {
                self.history.busy.insert(*wallet);
                return Ok(true);
            };
            let oldest = signatures.into_iter().rev().take(self.bounds.transactions);
            for signature in oldest {
                if !self.transaction(signature).await? {
                    return Ok(false);
                }
            }
        }
        self.history.read.insert(*wallet);
        Ok(true)
    }

    /// An account's transactions that did not fail, newest first; nothing inside if there are more
    /// than the bounds allow, `None` if requests ran out.
    async fn signatures(
        &mut self,
        account: &Address,
    ) -> Result<Option<Option<Vec<Signature>>>, LedgerError> {
        let malformed = |why: String| LedgerError::Malformed {
            kind: "list of signatures",
            address: *account,
            why,
        };
        let mut all = Vec::new();
        let mut before: Option<String> = None;
        for _ in 0..self.bounds.pages {
            let mut config = json!({ "limit": PAGE, "commitment": "confirmed" });
            if let Some(before) = &before {
                config["before"] = json!(before);
            }
            let params = json!([account.to_string(), config]);
            let Some(page) = self.ask(RpcRequest::GetSignaturesForAddress, params).await? else {
                return Ok(None);
            };
            let rows: Vec<Row> =
                serde_json::from_value(page).map_err(|e| malformed(e.to_string()))?;
            if rows.len() > PAGE {
                return Err(malformed(format!("{} rows on a page of {PAGE}", rows.len())));
            }
            let full = rows.len() == PAGE;
            before = rows.last().map(|row| row.signature.clone());
            for row in rows {
                let signature = row.signature.parse();
                let signature = signature.map_err(|_| malformed("no signature".into()))?;
                if row.err.is_none() {
                    all.push(signature);
                }
            }
            if !full {
                return Ok(Some(Some(all)));
            }
        }
        Ok(Some(None))
    }

    /// Reads a transaction unless it is known. `false` if requests ran out.
    async fn transaction(&mut self, signature: Signature) -> Result<bool, LedgerError> {
        if self.known.contains_key(&signature) {
            return Ok(true);
        }
        let config = json!({
            "encoding": "json", "maxSupportedTransactionVersion": 0, "commitment": "confirmed",
        });
        let params = json!([signature.to_string(), config]);
        let read = match self.ask(RpcRequest::GetTransaction, params).await {
            Ok(None) => return Ok(false),
            Ok(Some(shown)) => decode(&shown, signature).ok(),
            // Of a later version, or pruned: one that is not shown is no reason to stop.
            Err(LedgerError::Refused { .. }) => None,
            Err(e) => return Err(e),
        };
        let transfers = read.unwrap_or_else(|| {
            self.history.unreadable += 1;
            Vec::new()
        });
        let wanted = |t: &Transfer| self.wanted.iter().any(|w| w.currency == t.currency);
        self.known.insert(signature, transfers.into_iter().filter(wanted).collect());
        Ok(true)
    }

    /// With whom a wallet dealt, at or above the floors.
    fn met(&self, wallet: &Address) -> BTreeSet<Address> {
        if self.history.busy.contains(wallet) {
            return BTreeSet::new();
        }
        let enough = |t: &&Transfer| {
            self.wanted.iter().any(|w| w.currency == t.currency && t.amount >= w.floor)
        };
        let all = self.known.values().flatten().filter(enough);
        let ends = all.filter_map(|t| match (t.from == *wallet, t.to == *wallet) {
            (true, _) => Some(t.to),
            (_, true) => Some(t.from),
            _ => None,
        });
        ends.collect()
    }
}
