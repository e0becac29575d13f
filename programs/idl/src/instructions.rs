//! Instructions. Their accounts are read off what `interface::build` makes of names; their
//! arguments are what the interface's types say.

use crate::accounts::{addresses, mark, name_of};
use crate::nodes::{camel, docs, list, member_type, number, number_value};
use ionet_market_interface::account::CloseReason;
use ionet_market_interface::build::{self, Ix, Meta, OpenLeaseAccounts};
use ionet_market_interface::idl::{Describe as _, Member, Record, Shape};
use ionet_market_interface::instruction::{
    Attest, Bind, BindLine, ClaimReceipt, Close, InitConfig, Lines, Nothing, OpenLease,
    RegisterDevice, Served, SetConfig, Tag, TopUp, UpdateDevice,
};
use ionet_market_interface::{
    BaseUnits, Field, INSTRUCTIONS_SYSVAR, SYSTEM_PROGRAM, TOKEN_PROGRAM,
};
use serde_json::{Value, json};

/// Ends the name of accounts of which there are as many as list items.
const MANY: &str = "[]";

/// Every instruction, in the order of their tags.
pub(crate) fn all() -> Vec<Value> {
    let tags = Tag::describe();
    Tag::ALL.iter().zip(&tags.values).map(|(tag, said)| instruction(*tag, said.docs)).collect()
}

/// What stands behind the tag: arguments, and a list under a name.
type Data = (Record, Option<(&'static str, Shape)>);

fn data(tag: Tag) -> Data {
    let lines = || Some(("lines", u8::shape()));
    match tag {
        Tag::InitConfig => (InitConfig::describe(), None),
        Tag::SetConfig => (SetConfig::describe(), None),
        Tag::RegisterDevice => (RegisterDevice::describe(), None),
        Tag::UpdateDevice => (UpdateDevice::describe(), None),
        Tag::OpenLease => (OpenLease::describe(), None),
        Tag::TopUp => (TopUp::describe(), None),
        Tag::Bind => (Bind::describe(), Some(("lines", BindLine::shape()))),
        Tag::Start | Tag::EndLine => (Lines::describe(), lines()),
        Tag::Attest => (Attest::describe(), Some(("served", Served::shape()))),
        Tag::ClaimReceipt => (ClaimReceipt::describe(), None),
        Tag::Reject | Tag::Withdraw => (Nothing::describe(), lines()),
        Tag::Close => (Close::describe(), None),
        Tag::ApplyConfig
        | Tag::RetireDevice
        | Tag::Refund
        | Tag::Finalize
        | Tag::SweepFees
        | Tag::ReclaimPage
        | Tag::ReclaimLease => (Nothing::describe(), None),
    }
}

fn zero<T: Field>() -> T {
    T::read(&vec![0; T::LEN]).expect("zero is a value of every argument")
}

/// The instruction as clients send it, of accounts that are their own names; and where it has
/// another form, that too.
fn built(tag: Tag) -> (Ix, Option<Ix>) {
    let m = mark;
    let (lease, page, vault, config) = (m("lease"), m("page"), m("vault"), m("config"));
    let (devices, lines) = ([m("devices[]")], [0]);
    let one = match tag {
        Tag::InitConfig => {
            let (own, own_data) = (m("program"), m("programData"));
            build::init_config(m("payer"), m("authority"), config, own, own_data, &zero())
        }
        Tag::SetConfig => build::set_config(m("admin"), config, &zero()),
        Tag::ApplyConfig => build::apply_config(config),
        Tag::RegisterDevice => {
            let made = |signs| {
                let (supplier, payer, device) = (m("supplier"), m("payer"), m("device"));
                let key = m("deviceKey");
                build::register_device(supplier, payer, device, config, key, signs, &zero())
            };
            return (made(true), Some(made(false)));
        }
        Tag::UpdateDevice => build::update_device(m("supplier"), m("device"), config, &zero()),
        Tag::RetireDevice => build::retire_device(m("supplier"), m("device"), m("rentPayer")),
        Tag::OpenLease => {
            let (renter, payer, counter) = (m("renter"), m("payer"), m("renterCounter"));
            let (mint, source) = (m("mint"), m("source"));
            let accounts =
                OpenLeaseAccounts { renter, payer, config, counter, lease, vault, mint, source };
            build::open_lease(&accounts, &zero())
        }
        Tag::TopUp => build::top_up(m("authority"), m("source"), lease, vault, BaseUnits(0)),
        Tag::Bind => {
            let (who, payer) = (m("coordinator"), m("payer"));
            build::bind(who, payer, lease, page, &devices, &zero(), &[BindLine::default()])
        }
        Tag::Start => build::start(m("coordinator"), lease, page, 0, &lines),
        Tag::Reject => build::reject(m("actor"), lease, page, &devices, &lines),
        Tag::EndLine => build::end_line(m("actor"), lease, page, &devices, 0, &lines),
        Tag::Attest => build::attest(m("actor"), lease, page, 0, &[zero()]),
        Tag::ClaimReceipt => build::claim_receipt(lease, page, config, &zero()),
        Tag::Withdraw => build::withdraw(lease, page, vault, &[m("destinations[]")], &lines),
        Tag::Close => {
            let made = |to| build::close(m("actor"), lease, vault, to, 0, CloseReason::None);
            return (made(Some(m("renterToken"))), Some(made(None)));
        }
        Tag::Refund => build::refund(lease, vault, m("renterToken")),
        Tag::Finalize => build::finalize(lease, vault, m("renterToken")),
        Tag::SweepFees => build::sweep_fees(config, lease, vault, m("feeToken")),
        Tag::ReclaimPage => build::reclaim_page(lease, page, m("rentPayer")),
        Tag::ReclaimLease => build::reclaim_lease(lease, vault, m("renterToken"), m("rentPayer")),
    };
    (one, None)
}

fn instruction(tag: Tag, said: &'static [&'static str]) -> Value {
    let ((args, list_of), (made, other)) = (data(tag), built(tag));
    assert_eq!(made.data[0], tag as u8, "the builder of {}", tag.name());
    let (many, fixed): (Vec<&Meta>, Vec<&Meta>) =
        made.accounts.iter().partition(|meta| account_name(meta).ends_with(MANY));
    let names: Vec<&str> = fixed.iter().map(|meta| account_name(meta)).collect();
    let accounts: Vec<Value> =
        fixed.iter().map(|meta| account(meta, other.as_ref(), &names, &args)).collect();
    let mut arguments = vec![discriminator(tag)];
    arguments.extend(args.fields.iter().map(|member| argument(member, &names)));
    if let Some((name, item)) = &list_of {
        let text = "As many as there are lines to act on, at most 24.";
        arguments.push(json!({
            "kind": "instructionArgumentNode", "name": name, "docs": [text], "type": list(item),
        }));
    }
    json!({
        "kind": "instructionNode",
        "name": camel(tag.name()),
        "docs": docs(said),
        "optionalAccountStrategy": "omitted",
        "accounts": accounts,
        "arguments": arguments,
        "remainingAccounts": many.iter().map(|meta| remaining(meta)).collect::<Vec<_>>(),
        "discriminators": [
            { "kind": "fieldDiscriminatorNode", "name": "discriminator", "offset": 0 },
        ],
    })
}

fn discriminator(tag: Tag) -> Value {
    json!({
        "kind": "instructionArgumentNode",
        "name": "discriminator",
        "defaultValueStrategy": "omitted",
        "docs": ["Which instruction this is."],
        "type": number("u8"),
        "defaultValue": number_value(u64::from(tag as u8)),
    })
}

/// An argument that is called like an account is that account's number.
fn argument_name(name: &str, accounts: &[&str]) -> String {
    if accounts.contains(&name) { format!("{name}Number") } else { camel(name) }
}

/// An argument. A bump follows from the account that it is the bump of.
fn argument(member: &Member, accounts: &[&str]) -> Value {
    let mut node = json!({
        "kind": "instructionArgumentNode",
        "name": argument_name(member.name, accounts),
        "docs": docs(member.docs),
        "type": member_type(member),
    });
    let of = match member.name.strip_suffix("bump") {
        Some("") => accounts.iter().find(|name| ["config", "device"].contains(name)),
        Some(name) => {
            let name = name.trim_end_matches('_');
            accounts.iter().find(|known| known.to_lowercase().ends_with(name))
        }
        None => None,
    };
    if let Some(account) = of {
        node["defaultValue"] = json!({ "kind": "accountBumpValueNode", "name": account });
    }
    node
}

/// Accounts that are the same for everyone.
fn known(meta: &Meta) -> Option<(&'static str, &'static str)> {
    let all = [
        (SYSTEM_PROGRAM, "systemProgram", "11111111111111111111111111111111"),
        (TOKEN_PROGRAM, "tokenProgram", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"),
        (INSTRUCTIONS_SYSVAR, "instructions", "Sysvar1nstructions1111111111111111111111111"),
    ];
    all.iter().find(|known| known.0 == meta.address).map(|known| (known.1, known.2))
}

fn account_name(meta: &Meta) -> &str {
    known(meta).map_or_else(|| name_of(&meta.address), |known| known.0)
}

fn account(meta: &Meta, other: Option<&Ix>, names: &[&str], args: &Record) -> Value {
    let name = account_name(meta);
    let again =
        other.map(|ix| ix.accounts.iter().find(|other| other.address == meta.address).copied());
    let signer = match again {
        Some(Some(other)) if other.signer != meta.signer => json!("either"),
        _ => json!(meta.signer),
    };
    let mut node = json!({
        "kind": "instructionAccountNode",
        "name": name,
        "isWritable": meta.writable,
        "isSigner": signer,
    });
    if again == Some(None) {
        node["isOptional"] = json!(true);
    } else if let Some((_, address)) = known(meta) {
        node["defaultValue"] = json!({ "kind": "publicKeyValueNode", "publicKey": address });
    } else if name == "program" {
        node["defaultValue"] = json!({ "kind": "programIdValueNode" });
    } else if let Some(derived) = derived(name, names, args) {
        node["defaultValue"] = derived;
    }
    node
}

fn remaining(meta: &Meta) -> Value {
    let name = name_of(&meta.address).trim_end_matches(MANY);
    json!({
        "kind": "instructionRemainingAccountsNode",
        "isSigner": meta.signer,
        "isWritable": meta.writable,
        "docs": ["One for each line, in the same order."],
        "value": { "kind": "argumentValueNode", "name": name },
    })
}

/// How an account's address follows from the other accounts and the arguments, if it does.
fn derived(name: &str, accounts: &[&str], args: &Record) -> Option<Value> {
    let pda = addresses().into_iter().find(|pda| pda["name"] == name)?;
    let variables = pda["seeds"].as_array()?.iter().filter(|s| s["kind"] == "variablePdaSeedNode");
    let mut seeds = Vec::new();
    for seed in variables {
        let name = seed["name"].as_str()?;
        let value = if seed["type"]["kind"] == "publicKeyTypeNode" {
            accounts.contains(&name).then(|| json!({ "kind": "accountValueNode", "name": name }))
        } else {
            let there = args.fields.iter().any(|member| member.name == name);
            let name = argument_name(name, accounts);
            there.then(|| json!({ "kind": "argumentValueNode", "name": name }))
        };
        seeds.push(json!({ "kind": "pdaSeedValueNode", "name": name, "value": value? }));
    }
    let pda = json!({ "kind": "pdaLinkNode", "name": name });
    Some(json!({ "kind": "pdaValueNode", "pda": pda, "seeds": seeds }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_market_interface::Instruction;
    use ionet_market_interface::account::Settings;
    use ionet_market_interface::instruction::Offer;

    fn size(shape: &Shape) -> usize {
        match shape {
            Shape::Number(name) => name[1..].parse::<usize>().unwrap() / 8,
            Shape::Bool => 1,
            Shape::Key => 32,
            Shape::Bytes(size) => *size,
            Shape::Array(item, count) => size(item) * count,
            Shape::Named("BindLine") => sum(&BindLine::describe()),
            Shape::Named("Served") => sum(&Served::describe()),
            Shape::Named("Offer") => sum(&Offer::describe()),
            Shape::Named("Settings") => sum(&Settings::describe()),
            Shape::Named(_) => 1,
        }
    }

    fn sum(record: &Record) -> usize {
        record.fields.iter().map(|member| size(&member.shape)).sum()
    }

    /// Accounts are as long as what is described, so every offset is the program's.
    #[test]
    fn accounts_are_described_whole() {
        use ionet_market_interface::account::Line;
        use ionet_market_interface::account::{Config, Device, Lease, PageHeader, RenterCounter};
        let all = [
            (Config::describe(), Config::LEN),
            (RenterCounter::describe(), RenterCounter::LEN),
            (Device::describe(), Device::LEN),
            (Lease::describe(), Lease::LEN),
            (PageHeader::describe(), PageHeader::LEN),
            (Line::describe(), Line::LEN),
        ];
        for (described, len) in all {
            assert_eq!(sum(&described), len, "{}", described.name);
        }
    }

    /// What is described is as long as what the builders make and the program reads.
    #[test]
    fn descriptions_fit_what_is_sent() {
        for tag in Tag::ALL {
            let ((args, list), (ix, other)) = (data(*tag), built(*tag));
            let items = list.map_or(0, |(_, item)| size(&item));
            for ix in [Some(ix), other].into_iter().flatten() {
                assert_eq!(ix.data.len(), 1 + sum(&args) + items, "{}", tag.name());
                assert!(Instruction::decode(&ix.data).is_ok(), "{}", tag.name());
            }
        }
    }
}
