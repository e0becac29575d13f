//! The market program's IDL in Codama's format, and the tables of `docs/money.md`, made from
//! what `programs/interface` says about itself.
//!
//! `market.json` beside this crate is the committed document; `cargo xtask idl` writes it anew,
//! and this crate's test fails when it is old.

mod accounts;
mod events;
mod instructions;
mod nodes;
mod tables;

pub use tables::{errors_table, events_table};

use ionet_market_interface::account::{CloseReason, LeaseState, Line, LineState, Settings, Vouch};
use ionet_market_interface::event::{EVENT_DOMAIN, Payment};
use ionet_market_interface::idl::Limit;
use ionet_market_interface::instruction::{BindLine, Offer, Served};
use ionet_market_interface::statement::{RECEIPT_DOMAIN, REGISTRATION_DOMAIN};
use ionet_market_interface::{CODE_BASE, MarketError, PROGRAM_ID, limits};
use nodes::{bytes_value, camel, choice, docs, number, number_value, record, struct_type};
use serde_json::{Value, json};

/// The version of Codama's standard that the document follows.
const CODAMA: &str = "1.8.0";

/// The IDL as it is committed.
pub fn text() -> String {
    format!("{:#}\n", document())
}

/// The IDL.
pub fn document() -> Value {
    json!({
        "kind": "rootNode",
        "standard": "codama",
        "version": CODAMA,
        "program": {
            "kind": "programNode",
            "name": "market",
            "publicKey": bs58::encode(PROGRAM_ID).into_string(),
            "version": env!("CARGO_PKG_VERSION"),
            "docs": ["Leases of devices, and the money in them. docs/money.md tells the contract."],
            "accounts": accounts::all(),
            "instructions": instructions::all(),
            "definedTypes": types(),
            "pdas": accounts::addresses(),
            "events": events::all(),
            "errors": MarketError::ALL.iter().map(error).collect::<Vec<_>>(),
            "constants": constants(),
        },
        "additionalPrograms": [],
    })
}

fn error(error: &MarketError) -> Value {
    json!({
        "kind": "errorNode",
        "name": camel(error.name()),
        "code": error.code(),
        "message": error.advice(),
        "docs": docs(error.docs()),
    })
}

/// Types that accounts, instructions and events refer to.
fn types() -> Vec<Value> {
    let choices =
        [LeaseState::describe(), Vouch::describe(), CloseReason::describe(), LineState::describe()];
    let records = [
        Settings::describe(),
        Line::describe(),
        Offer::describe(),
        BindLine::describe(),
        Served::describe(),
        Payment::describe(),
    ];
    let mut types: Vec<Value> = choices.iter().map(choice).collect();
    types.extend(records.iter().map(|r| record(&camel(r.name), r.docs, struct_type(&r.fields))));
    types.extend(events::types());
    types
}

fn constants() -> Vec<Value> {
    let named = |name: &str, text: Vec<String>, kind: Value, value: Value| {
        let is = "constantNode";
        json!({ "kind": is, "name": name, "docs": text, "type": kind, "value": value })
    };
    let one = |limit: &Limit, end: &str, value: u64| {
        let name = camel(&format!("{}{end}", limit.name));
        named(&name, docs(limit.docs), number("u64"), number_value(value))
    };
    let mut all = Vec::new();
    for limit in limits::all() {
        match limit.range {
            (value, None) => all.push(one(&limit, "", value)),
            (least, Some(most)) => {
                all.extend([one(&limit, "_LEAST", least), one(&limit, "_MOST", most)]);
            }
        }
    }
    let base = vec!["Added to an error's number: the transaction's custom error code.".to_owned()];
    all.push(named("errorCodeBase", base, number("u32"), number_value(u64::from(CODE_BASE))));
    let domains: [(&str, &str, &[u8]); 3] = [
        ("eventDomain", "How every event in a log begins.", EVENT_DOMAIN),
        ("receiptDomain", "How a receipt's signed bytes begin.", RECEIPT_DOMAIN),
        ("registrationDomain", "How a device's consent begins.", REGISTRATION_DOMAIN),
    ];
    for (name, text, bytes) in domains {
        let kind = json!({ "kind": "bytesTypeNode" });
        all.push(named(name, vec![text.to_owned()], kind, bytes_value(bytes)));
    }
    all
}
