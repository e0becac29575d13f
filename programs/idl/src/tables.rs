//! Tables of `docs/money.md`.

use crate::events::type_name;
use crate::nodes::{camel, docs, snake};
use ionet_market_interface::MarketError;
use ionet_market_interface::event::Event;
use ionet_market_interface::idl::TailDoc;
use std::fmt::Write as _;

/// Every error: number, name, what to do.
pub fn errors_table() -> String {
    let mut out = String::from("| number | name | what to do |\n| ---: | --- | --- |\n");
    for error in MarketError::ALL {
        let (code, name, advice) = (error.code(), error.name(), error.advice());
        writeln!(out, "| {code} | `{name}` | {advice} |").expect("text");
    }
    out
}

/// Every event: who emits it, what it holds.
pub fn events_table() -> String {
    let mut out = String::from("| event | emitted by | holds |\n| --- | --- | --- |\n");
    for event in Event::all() {
        let by: Vec<String> =
            event.tags.iter().map(|tag| format!("`{}`", snake(tag.name()))).collect();
        let mut holds: Vec<String> =
            event.head.fields.iter().map(|field| format!("`{}`", camel(field.name))).collect();
        match &event.tail {
            TailDoc::Nothing => {}
            TailDoc::Account(name) => holds.push(format!("the `{name}` as it stands")),
            TailDoc::List(_) => holds.push("one item for each line".to_owned()),
        }
        let (name, text) = (type_name(&event), docs(event.docs).concat());
        let (by, holds) = (by.join(", "), holds.join(", "));
        writeln!(out, "| `{name}`: {text} | {by} | {holds} |").expect("text");
    }
    out
}
