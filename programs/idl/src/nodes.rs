//! Descriptions as Codama's nodes.

use ionet_market_interface::idl::{Choice, Docs, Member, Shape};
use serde_json::{Value, json};

/// `snake_case`, `SCREAMING_CASE` or `PascalCase` as `camelCase`.
pub(crate) fn camel(name: &str) -> String {
    let shouted = !name.chars().any(|c| c.is_ascii_lowercase());
    let lower = if shouted { name.to_ascii_lowercase() } else { name.to_owned() };
    let mut out = String::new();
    for (at, word) in lower.split('_').enumerate() {
        let mut rest = word.chars();
        let first = rest.next().into_iter();
        if at == 0 {
            out.extend(first.map(|c| c.to_ascii_lowercase()));
        } else {
            out.extend(first.map(|c| c.to_ascii_uppercase()));
        }
        out.extend(rest);
    }
    out
}

/// `PascalCase` as `snake_case`.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    for (at, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// A doc comment as one paragraph, without the links that only rustdoc follows.
pub(crate) fn docs(lines: Docs) -> Vec<String> {
    let text: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    vec![text.join(" ").replace("[`", "`").replace("`]", "`")]
}

/// A little-endian integer.
pub(crate) fn number(format: &str) -> Value {
    json!({ "kind": "numberTypeNode", "format": format, "endian": "le" })
}

/// A number as a value.
pub(crate) fn number_value(number: u64) -> Value {
    json!({ "kind": "numberValueNode", "number": number })
}

/// Bytes as a value.
pub(crate) fn bytes_value(bytes: &[u8]) -> Value {
    let data: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "kind": "bytesValueNode", "data": data, "encoding": "base16" })
}

fn fixed_bytes(size: usize) -> Value {
    json!({ "kind": "fixedSizeTypeNode", "size": size, "type": { "kind": "bytesTypeNode" } })
}

/// A list until the end of the data.
pub(crate) fn list(item: &Shape) -> Value {
    let count = json!({ "kind": "remainderCountNode" });
    json!({ "kind": "arrayTypeNode", "item": shape(item), "count": count })
}

/// What a shape's bytes are.
pub(crate) fn shape(of: &Shape) -> Value {
    match of {
        Shape::Number(name) => number(name),
        Shape::Bool => json!({ "kind": "booleanTypeNode", "size": number("u8") }),
        Shape::Key => json!({ "kind": "publicKeyTypeNode" }),
        Shape::Bytes(size) => fixed_bytes(*size),
        Shape::Array(item, count) => {
            let count = json!({ "kind": "fixedCountNode", "value": count });
            json!({ "kind": "arrayTypeNode", "item": shape(item), "count": count })
        }
        Shape::Named(name) => json!({ "kind": "definedTypeLinkNode", "name": camel(name) }),
    }
}

/// A member's type. A hash is no account's address, though it is as long.
pub(crate) fn member_type(member: &Member) -> Value {
    let hash = member.name.ends_with("_hash") && member.shape == Shape::Key;
    if hash { fixed_bytes(32) } else { shape(&member.shape) }
}

/// A struct's members. Reserved bytes are zero and not asked for.
pub(crate) fn struct_type(fields: &[Member]) -> Value {
    let fields: Vec<Value> = fields.iter().map(field).collect();
    json!({ "kind": "structTypeNode", "fields": fields })
}

fn field(member: &Member) -> Value {
    let mut node = json!({
        "kind": "structFieldTypeNode",
        "name": camel(member.name),
        "docs": docs(member.docs),
        "type": member_type(member),
    });
    if member.name.starts_with("reserved") {
        node["defaultValueStrategy"] = json!("omitted");
        node["defaultValue"] = match member.shape {
            Shape::Bytes(size) => bytes_value(&vec![0; size]),
            _ => number_value(0),
        };
    }
    node
}

/// A named struct.
pub(crate) fn record(name: &str, text: Docs, fields: Value) -> Value {
    json!({ "kind": "definedTypeNode", "name": name, "docs": docs(text), "type": fields })
}

/// A named enum of one byte.
pub(crate) fn choice(of: &Choice) -> Value {
    let variants: Vec<Value> = of
        .values
        .iter()
        .map(|value| {
            json!({
                "kind": "enumEmptyVariantTypeNode",
                "name": camel(value.name),
                "discriminator": value.byte,
            })
        })
        .collect();
    let said = of.values.iter().map(|v| format!("{}: {}", camel(v.name), docs(v.docs).concat()));
    let mut text = docs(of.docs);
    text.extend(said);
    json!({
        "kind": "definedTypeNode",
        "name": camel(of.name),
        "docs": text,
        "type": { "kind": "enumTypeNode", "variants": variants, "size": number("u8") },
    })
}
