//! What a chain says that a transaction was: compute units, bytes, fee.

use crate::network::Network;
use ionet_ledger::Address;
use serde_json::{Value, json};
use solana_rpc_client_api::request::RpcRequest;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Longest wait for a confirmed transaction to be in the chain's history.
const PATIENCE: Duration = Duration::from_secs(60);

/// One transaction of a story.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// Compute units, of all programs together.
    pub(crate) units: u64,
    /// The whole transaction, as it goes over the wire.
    pub(crate) bytes: usize,
    /// Lamports.
    pub(crate) fee: u64,
}

/// The transactions of a story, in order.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) steps: Vec<Step>,
    seen: BTreeSet<String>,
}

impl Told {
    /// Takes down the newest transaction that names `address`, once the chain shows one that
    /// was not seen before.
    pub(crate) async fn tell(&mut self, n: &Network, name: &'static str, address: &Address) {
        let patience = Instant::now() + PATIENCE;
        let signature = loop {
            let asked = json!([address.to_string(), {"limit": 1, "commitment": "confirmed"}]);
            let rows = ask(n, RpcRequest::GetSignaturesForAddress, asked).await;
            let newest = rows[0]["signature"].as_str().map(str::to_owned);
            if let Some(new) = newest.filter(|signature| self.seen.insert(signature.clone())) {
                break new;
            }
            assert!(Instant::now() < patience, "{name} is not in the chain's history");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let asked = json!([signature, {
            "encoding": "base64",
            "commitment": "confirmed",
            "maxSupportedTransactionVersion": 0,
        }]);
        let found = ask(n, RpcRequest::GetTransaction, asked).await;
        let meta = &found["meta"];
        assert_eq!(meta["err"], Value::Null, "{name}");
        let wire = found["transaction"][0].as_str().expect("base64");
        let padding = wire.bytes().rev().take_while(|b| *b == b'=').count();
        self.steps.push(Step {
            name,
            units: meta["computeUnitsConsumed"].as_u64().expect("compute units"),
            bytes: wire.len() / 4 * 3 - padding,
            fee: meta["fee"].as_u64().expect("a fee"),
        });
    }

    /// Lamports that the network took for all of it.
    pub(crate) fn fees(&self) -> u64 {
        self.steps.iter().map(|step| step.fee).sum()
    }
}

async fn ask(n: &Network, request: RpcRequest, params: Value) -> Value {
    n.ledger.connection().rpc().send(request, params).await.unwrap()
}
