//! Accounts and their addresses.

use crate::nodes::{bytes_value, camel, docs, number, number_value, struct_type};
use ionet_market_interface::account::{
    Config, Device, Kind, LAYOUT_VERSION, Lease, PageHeader, RenterCounter,
};
use ionet_market_interface::idl::Record;
use ionet_market_interface::{Address, seeds};
use serde_json::{Value, json};

/// Where `PageHeader` counts its lines.
const COUNT: &str = "count";

/// An address that is its own name.
pub(crate) fn mark(name: &str) -> Address {
    let mut address = [0; 32];
    address[..name.len()].copy_from_slice(name.as_bytes());
    address
}

/// The name in a marked address.
pub(crate) fn name_of(address: &[u8]) -> &str {
    let end = address.iter().position(|byte| *byte == 0).unwrap_or(address.len());
    std::str::from_utf8(&address[..end]).expect("a marked address")
}

/// Every account, in the order of their kinds.
pub(crate) fn all() -> Vec<Value> {
    Kind::ALL.iter().map(|kind| account(*kind)).collect()
}

fn account(kind: Kind) -> Value {
    let (described, size): (Record, Option<usize>) = match kind {
        Kind::Config => (Config::describe(), Some(Config::LEN)),
        Kind::RenterCounter => (RenterCounter::describe(), Some(RenterCounter::LEN)),
        Kind::Device => (Device::describe(), Some(Device::LEN)),
        Kind::Lease => (Lease::describe(), Some(Lease::LEN)),
        Kind::Page => (PageHeader::describe(), None),
    };
    let mut data = struct_type(&described.fields);
    let fields = data["fields"].as_array_mut().expect("fields");
    for (at, value) in [kind as u8, LAYOUT_VERSION].into_iter().enumerate() {
        fields[at]["defaultValueStrategy"] = json!("omitted");
        fields[at]["defaultValue"] = number_value(u64::from(value));
    }
    if kind == Kind::Page {
        fields.push(lines());
    }
    let name = camel(kind.name());
    let mut node = json!({
        "kind": "accountNode",
        "name": name,
        "docs": docs(described.docs),
        "data": data,
        "pda": { "kind": "pdaLinkNode", "name": name },
        "discriminators": [discriminator("kind", 0), discriminator("version", 1)],
    });
    if let Some(size) = size {
        node["size"] = json!(size);
    }
    node
}

fn discriminator(name: &str, offset: usize) -> Value {
    json!({ "kind": "fieldDiscriminatorNode", "name": name, "offset": offset })
}

/// The lines that were bound: as many as the header's count says, read where it stands. The
/// account may be longer, with room for more.
fn lines() -> Value {
    let at = PageHeader::FIELDS.iter().find(|field| field.0 == COUNT).expect("a count").1;
    let prefix = json!({
        "kind": "postOffsetTypeNode", "offset": 0, "strategy": "preOffset",
        "type": {
            "kind": "preOffsetTypeNode", "offset": at, "strategy": "absolute",
            "type": number("u8"),
        },
    });
    json!({
        "kind": "structFieldTypeNode",
        "name": "lines",
        "docs": ["The lines that were bound, by index."],
        "type": {
            "kind": "arrayTypeNode",
            "item": { "kind": "definedTypeLinkNode", "name": "line" },
            "count": { "kind": "prefixedCountNode", "prefix": prefix },
        },
    })
}

/// Every address that is derived: made by `seeds` from names, which become variables.
pub(crate) fn addresses() -> Vec<Value> {
    let (renter, lease, device) = (mark("renter"), mark("lease"), mark("deviceKey"));
    let (counter, page) = (seeds::number(0), seeds::page_number(0));
    let derived: [(&str, &str, &[&[u8]]); 6] = [
        ("config", "The configuration.", &seeds::config()),
        ("renterCounter", "A renter's counter.", &seeds::renter(&renter)),
        ("device", "A device, by its own key.", &seeds::device(&device)),
        ("lease", "A lease, by the renter's counter at opening.", &seeds::lease(&renter, &counter)),
        ("vault", "The token account that holds a lease's money.", &seeds::vault(&lease)),
        ("page", "A page, by its number.", &seeds::page(&lease, &page)),
    ];
    let node = |(name, text, seeds): &(&str, &str, &[&[u8]])| {
        let seeds: Vec<Value> =
            seeds.iter().enumerate().map(|(at, bytes)| seed(at, bytes)).collect();
        json!({ "kind": "pdaNode", "name": name, "docs": [text], "seeds": seeds })
    };
    derived.iter().map(node).collect()
}

/// The first says what it is the address of; the others vary.
fn seed(at: usize, bytes: &[u8]) -> Value {
    let (name, kind) = match (at, bytes.len()) {
        (0, _) => {
            let kind = json!({ "kind": "bytesTypeNode" });
            let value = bytes_value(bytes);
            return json!({ "kind": "constantPdaSeedNode", "type": kind, "value": value });
        }
        (_, 32) => (name_of(bytes), json!({ "kind": "publicKeyTypeNode" })),
        (_, 8) => ("counter", number("u64")),
        (_, 2) => ("page", number("u16")),
        (_, len) => unreachable!("a seed of {len} bytes"),
    };
    json!({ "kind": "variablePdaSeedNode", "name": name, "type": kind })
}
