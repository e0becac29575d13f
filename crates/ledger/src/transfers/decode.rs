//! From a transaction as `getTransaction` shows it (encoding `json`) to transfers.

use super::{Currency, Transfer};
use crate::shown::{Called, Shown};
use crate::token::{SYSTEM_PROGRAM, TOKEN_PROGRAM};
use serde::Deserialize;
use serde_json::Value;
use solana_address::{Address, address};
use solana_signature::Signature;
use std::collections::BTreeMap;

const TOKEN_2022_PROGRAM: Address = address!("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// Accounts of a transaction: indices are bytes.
const ACCOUNTS_MAX: usize = 256;
/// Instructions of a transaction, inner ones included; Solana's own limit is 64.
const INSTRUCTIONS_MAX: usize = 1_024;

/// What an endpoint shows is no transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint's transaction cannot be read: {0}")]
pub struct MalformedTransaction(pub String);

/// The transfers of a transaction, one for each pair and currency; none if it failed. What a
/// wallet sends to itself, and lamports that go into a token account, are no transfers.
pub fn decode(shown: &Value, signature: Signature) -> Result<Vec<Transfer>, MalformedTransaction> {
    let shown = Shown::deserialize(shown).map_err(|e| MalformedTransaction(e.to_string()))?;
    let malformed = |why: &str| MalformedTransaction(why.to_owned());
    let meta = shown.meta.ok_or_else(|| malformed("no meta"))?;
    let at = shown.block_time.ok_or_else(|| malformed("no block time"))?;
    if meta.err.is_some() {
        return Ok(Vec::new());
    }
    let message = shown.transaction.message;
    let mut keys = message.account_keys;
    if let Some(loaded) = meta.loaded_addresses {
        keys.extend(loaded.writable);
        keys.extend(loaded.readonly);
    }
    let inner: Vec<Called> =
        meta.inner_instructions.into_iter().flatten().flat_map(|i| i.instructions).collect();
    if keys.len() > ACCOUNTS_MAX || message.instructions.len() + inner.len() > INSTRUCTIONS_MAX {
        return Err(malformed("more accounts or instructions than Solana has"));
    }
    let keys: Vec<Address> = keys.iter().map(|key| parsed(key)).collect::<Result<_, _>>()?;
    let mut held = BTreeMap::new();
    let balances = meta.pre_token_balances.into_iter().chain(meta.post_token_balances).flatten();
    for row in balances {
        // Old blocks do not say whose an account is; such transfers are not seen.
        if let Some(owner) = row.owner {
            held.insert(row.account_index, (parsed(&owner)?, parsed(&row.mint)?));
        }
    }
    let mut sums: BTreeMap<(Address, Address, Currency), u64> = BTreeMap::new();
    for called in message.instructions.iter().chain(&inner) {
        let program = keys.get(usize::from(called.program_id_index));
        let program = program.ok_or_else(|| malformed("an instruction without a program"))?;
        let Some(moved) = moved(program, called) else { continue };
        let ends = match moved.kind {
            Kind::Lamports if held.contains_key(&moved.to) => continue,
            Kind::Lamports => {
                let key = |index: u8| keys.get(usize::from(index)).copied();
                key(moved.from).zip(key(moved.to)).map(|(from, to)| (from, to, Currency::Sol))
            }
            Kind::Tokens => held
                .get(&moved.from)
                .zip(held.get(&moved.to))
                .map(|((from, mint), (to, _))| (*from, *to, Currency::Token(*mint))),
        };
        if let Some((from, to, currency)) = ends.filter(|(from, to, _)| from != to) {
            let sum = sums.entry((from, to, currency)).or_default();
            *sum = sum.saturating_add(moved.amount);
        }
    }
    let transfer = |((from, to, currency), amount)| Transfer {
        from,
        to,
        currency,
        amount,
        slot: shown.slot,
        at,
        signature,
    };
    Ok(sums.into_iter().map(transfer).collect())
}

fn parsed(text: &str) -> Result<Address, MalformedTransaction> {
    text.parse().map_err(|_| MalformedTransaction("an address that is none".into()))
}

enum Kind {
    Lamports,
    Tokens,
}

/// A transfer between accounts, by their indices.
struct Moved {
    kind: Kind,
    from: u8,
    to: u8,
    amount: u64,
}

/// What an instruction moves, if it is a transfer. Tags are those of `SystemInstruction` (four
/// bytes) and `TokenInstruction` (one byte).
fn moved(program: &Address, called: &Called) -> Option<Moved> {
    const SYSTEM_CREATE: u32 = 0;
    const SYSTEM_TRANSFER: u32 = 2;
    const SYSTEM_TRANSFER_WITH_SEED: u32 = 11;
    const TOKEN_TRANSFER: u8 = 3;
    const TOKEN_TRANSFER_CHECKED: u8 = 12;
    /// Of Token-2022, followed by its own tag, 1.
    const TOKEN_TRANSFER_FEE: u8 = 26;
    let data = called.bytes()?;
    let amount = |at: usize| {
        Some(u64::from_le_bytes(data.get(at..at + 8)?.try_into().expect("eight bytes were taken")))
    };
    let made = |kind, from: usize, to: usize, amount| {
        let (from, to) = (*called.accounts.get(from)?, *called.accounts.get(to)?);
        Some(Moved { kind, from, to, amount })
    };
    if *program == SYSTEM_PROGRAM {
        let tag = u32::from_le_bytes(data.get(..4)?.try_into().expect("four bytes were taken"));
        // An account that a program gets is no wallet.
        let for_wallet = || data.get(20..52).is_some_and(|owner| owner == SYSTEM_PROGRAM.as_ref());
        return match tag {
            SYSTEM_TRANSFER => made(Kind::Lamports, 0, 1, amount(4)?),
            SYSTEM_CREATE if for_wallet() => made(Kind::Lamports, 0, 1, amount(4)?),
            SYSTEM_TRANSFER_WITH_SEED => made(Kind::Lamports, 0, 2, amount(4)?),
            _ => None,
        };
    }
    if *program != TOKEN_PROGRAM && *program != TOKEN_2022_PROGRAM {
        return None;
    }
    match *data.first()? {
        TOKEN_TRANSFER => made(Kind::Tokens, 0, 1, amount(1)?),
        TOKEN_TRANSFER_CHECKED => made(Kind::Tokens, 0, 2, amount(1)?),
        TOKEN_TRANSFER_FEE if data.get(1) == Some(&1) && *program == TOKEN_2022_PROGRAM => {
            made(Kind::Tokens, 0, 2, amount(2)?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(id: u8) -> Address {
        Address::from([id; 32])
    }

    fn data(bytes: &[u8]) -> String {
        bs58::encode(bytes).into_string()
    }

    /// A system transfer, a token transfer inside a program's call, and rent for an account.
    fn shown() -> Value {
        let lamports = data(&[&2u32.to_le_bytes()[..], &500u64.to_le_bytes()].concat());
        let tokens = data(&[&[12u8][..], &70u64.to_le_bytes(), &[6]].concat());
        let keys = [key(1), key(2), key(3), key(4), key(5), SYSTEM_PROGRAM, TOKEN_PROGRAM];
        let held = |index: u8, owner: Address| -> Value {
            let (mint, owner) = (key(9).to_string(), owner.to_string());
            json!({ "accountIndex": index, "mint": mint, "owner": owner })
        };
        json!({
            "slot": 7, "blockTime": 100,
            "transaction": { "message": {
                "accountKeys": keys.map(|k| k.to_string()),
                "instructions": [
                    { "programIdIndex": 5, "accounts": [0, 1], "data": lamports },
                    { "programIdIndex": 5, "accounts": [0, 1], "data": lamports },
                    { "programIdIndex": 5, "accounts": [0, 3], "data": lamports },
                    { "programIdIndex": 5, "accounts": [1, 1], "data": lamports },
                    { "programIdIndex": 4, "accounts": [200], "data": "" },
                ],
            } },
            "meta": {
                "err": null,
                "innerInstructions": [{ "index": 1, "instructions": [
                    { "programIdIndex": 6, "accounts": [2, 4, 3, 0], "data": tokens },
                ] }],
                "loadedAddresses": { "writable": [], "readonly": [] },
                "preTokenBalances": [held(2, key(1))],
                "postTokenBalances": [held(2, key(1)), held(3, key(2))],
            },
        })
    }

    #[test]
    fn transfers_are_summed_and_owners_found() {
        let found = decode(&shown(), Signature::default()).unwrap();
        let found: Vec<_> = found.iter().map(|t| (t.from, t.to, t.currency, t.amount)).collect();
        let tokens = Currency::Token(key(9));
        assert_eq!(found, [(key(1), key(2), Currency::Sol, 1_000), (key(1), key(2), tokens, 70)]);
    }

    #[test]
    fn a_failed_transaction_moved_nothing() {
        let mut failed = shown();
        failed["meta"]["err"] = json!({ "InstructionError": [0, { "Custom": 1 }] });
        assert_eq!(decode(&failed, Signature::default()), Ok(vec![]));
    }

    #[test]
    fn nonsense_is_an_error_or_no_transfer() {
        let spoiled = |path: &str, value: Value| {
            let mut shown = shown();
            *shown.pointer_mut(path).unwrap() = value;
            decode(&shown, Signature::default())
        };
        let message = "/transaction/message";
        for (path, value) in [
            ("/meta".to_owned(), json!(null)),
            ("/blockTime".to_owned(), json!(null)),
            ("/slot".to_owned(), json!(-1)),
            (format!("{message}/accountKeys/0"), json!("not an address")),
            (format!("{message}/accountKeys"), json!(vec![key(1).to_string(); 257])),
            (format!("{message}/instructions/0/programIdIndex"), json!(99)),
            (format!("{message}/instructions/0/programIdIndex"), json!(256)),
            (format!("{message}/instructions/0/accounts/0"), json!(-1)),
            ("/meta/postTokenBalances/0/mint".to_owned(), json!("x")),
        ] {
            assert!(spoiled(&path, value.clone()).is_err(), "{path} = {value}");
        }
        // Data that is no transfer, and accounts that are not there, move nothing.
        for (what, value) in [
            ("data", json!("")),
            ("data", json!("0OIl")),
            ("data", json!("1".repeat(5_000))),
            ("data", json!(data(&[2, 0, 0, 0, 1]))),
            ("accounts", json!([0])),
            ("accounts", json!([0, 99])),
        ] {
            let found = spoiled(&format!("{message}/instructions/0/{what}"), value).unwrap();
            assert_eq!(found[0].amount, 500, "one of two is left");
        }
        assert!(decode(&json!([]), Signature::default()).is_err());
    }

    /// Bytes of a real answer changed, doubled and left out, from a fixed seed.
    #[test]
    fn damaged_answers_never_panic() {
        let whole = shown().to_string().into_bytes();
        let mut state = 7u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let (mut json, mut taken) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..=draw(3) {
                let at = draw(bytes.len());
                match draw(3) {
                    0 => bytes[at] = b"0123456789\"[]{},:-.eZ"[draw(21)],
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, whole[draw(whole.len())]),
                }
            }
            let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { continue };
            json += 1;
            taken += usize::from(decode(&value, Signature::default()).is_ok());
        }
        assert!(json > 5_000 && taken > 100 && taken < json, "{taken} of {json}");
    }
}
