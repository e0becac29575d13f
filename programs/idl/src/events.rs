//! Events. Codama's events have a type and a discriminator; ours begin with the domain and the
//! instruction's tag, and the type is what follows.

use crate::nodes::{bytes_value, camel, docs, list, record, struct_type};
use ionet_market_interface::event::{EVENT_DOMAIN, Event};
use ionet_market_interface::idl::{EventDoc, TailDoc};
use ionet_market_interface::instruction::Tag;
use serde_json::{Value, json};

/// The name of an event's type.
pub(crate) fn type_name(event: &EventDoc) -> String {
    camel(&format!("{}Event", event.name))
}

/// A type for each event.
pub(crate) fn types() -> Vec<Value> {
    Event::all().iter().map(event_type).collect()
}

fn event_type(event: &EventDoc) -> Value {
    let mut data = struct_type(&event.head.fields);
    let tail = match &event.tail {
        TailDoc::Nothing => None,
        TailDoc::Account(name) => {
            let text = format!("The account's bytes: a `{}`.", camel(name));
            Some(("data".to_owned(), text, json!({ "kind": "bytesTypeNode" })))
        }
        TailDoc::List(item) => {
            Some(("items".to_owned(), "One for each line.".to_owned(), list(item)))
        }
    };
    if let Some((name, text, kind)) = tail {
        data["fields"].as_array_mut().expect("fields").push(json!({
            "kind": "structFieldTypeNode", "name": name, "docs": [text], "type": kind,
        }));
    }
    record(&type_name(event), event.docs, data)
}

/// An event for each instruction.
pub(crate) fn all() -> Vec<Value> {
    let mut all: Vec<(Tag, Value)> = Event::all()
        .iter()
        .flat_map(|event| event.tags.iter().map(|tag| (*tag, node(event, *tag))))
        .collect();
    all.sort_by_key(|(tag, _)| *tag);
    all.into_iter().map(|(_, node)| node).collect()
}

fn node(event: &EventDoc, tag: Tag) -> Value {
    let prefix = [&EVENT_DOMAIN[..], &[tag as u8]].concat();
    let constant = json!({
        "kind": "constantValueNode",
        "type": { "kind": "bytesTypeNode" },
        "value": bytes_value(&prefix),
    });
    json!({
        "kind": "eventNode",
        "name": camel(tag.name()),
        "docs": docs(event.docs),
        "data": {
            "kind": "hiddenPrefixTypeNode",
            "type": { "kind": "definedTypeLinkNode", "name": type_name(event) },
            "prefix": [constant],
        },
        "discriminators": [
            { "kind": "constantDiscriminatorNode", "offset": 0, "constant": constant },
        ],
    })
}
