//! The upgrade authority's key.
//!
//! Whoever has it writes the program, and the program signs for every vault: nothing bounds
//! that. Played here is the least of it: bytecode in the market's place that calls no token
//! program, after which nobody's money moves again.

use crate::day::{DAY_S, Day, MINT, Plan};
use crate::outcome::{Loss, Row};
use ionet_program_tests::interface::account::{CloseReason, Vouch};
use ionet_program_tests::interface::{PROGRAM_ID, TOKEN_PROGRAM, UPGRADEABLE_LOADER};
use ionet_program_tests::{Key, Market, Refusal, bytecode};
use solana_account::Account;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::sync::OnceLock;

const KEY: &str = "upgrade authority";

/// The loader's head of a buffer: tag, authority.
const BUFFER_HEAD: usize = 37;

/// The loader's instructions.
const UPGRADE: u32 = 3;
const SET_AUTHORITY: u32 = 4;

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn loader() -> Address {
    Address::from(UPGRADEABLE_LOADER)
}

fn data_of(program: &Key) -> Address {
    Address::find_program_address(&[program], &loader()).0
}

/// The market's own bytecode, but for the token program that it calls: none that there is.
fn other_bytecode() -> Vec<u8> {
    let mut bytes = bytecode();
    let len = TOKEN_PROGRAM.len();
    let at = bytes.windows(len).position(|some| some == TOKEN_PROGRAM).expect("its address");
    bytes[at..at + len].fill(0x7e);
    bytes
}

/// A buffer that holds bytecode, as the loader's own instructions would have written it.
fn buffer(market: &mut Market, authority: &Key, bytecode: &[u8]) -> Address {
    let at = market.new_key().pubkey();
    let mut data = vec![0; BUFFER_HEAD];
    data[0] = 1;
    data[4] = 1;
    data[5..37].copy_from_slice(authority);
    data.extend(bytecode);
    let account = Account { lamports: 10_000_000_000, data, owner: loader(), ..Account::default() };
    market.svm.set_account(at, account).expect("a buffer");
    at
}

fn upgrade(market: &mut Market, authority: &Keypair) -> Result<(), Refusal> {
    let key = authority.pubkey();
    let buffer = buffer(market, &key.to_bytes(), &other_bytecode());
    let accounts = vec![
        AccountMeta::new(data_of(&PROGRAM_ID), false),
        AccountMeta::new(Address::from(PROGRAM_ID), false),
        AccountMeta::new(buffer, false),
        AccountMeta::new(market.stranger.key.pubkey(), false),
        AccountMeta::new_readonly(address("SysvarRent111111111111111111111111111111111"), false),
        AccountMeta::new_readonly(address("SysvarC1ock11111111111111111111111111111111"), false),
        AccountMeta::new_readonly(key, true),
    ];
    let ix = Instruction { program_id: loader(), accounts, data: UPGRADE.to_le_bytes().to_vec() };
    market.send(&[ix], &[authority]).map(|_| ())?;
    // A program runs from the slot after its upgrade.
    let slot = market.svm.get_sysvar::<solana_clock::Clock>().slot;
    market.svm.warp_to_slot(slot + 2);
    Ok(())
}

/// Nobody may upgrade any more.
fn give_up(market: &mut Market, authority: &Keypair) {
    let accounts = vec![
        AccountMeta::new(data_of(&PROGRAM_ID), false),
        AccountMeta::new_readonly(authority.pubkey(), true),
    ];
    let data = SET_AUTHORITY.to_le_bytes().to_vec();
    let ix = Instruction { program_id: loader(), accounts, data };
    market.send(&[ix], &[authority]).expect("given up");
}

/// Another program in the market's place: every deposit is locked for good.
fn replaces_the_program() -> Row {
    let mut day = Day::running(Plan::new(Vouch::Either));
    let deposit = day.market.balance(&day.lease.vault);
    let had = day.market.balance(&day.renter.tokens[MINT]);
    let authority = day.market.authority.insecure_clone();
    upgrade(&mut day.market, &authority).expect("the authority may");
    let ix = day.market.close_ix(&day.renter, &day.lease, CloseReason::None);
    day.market.fails(ix, &[&day.renter.key]);
    day.market.pass(2 * DAY_S);
    let ix = day.market.close_only_ix(&day.renter, &day.lease, CloseReason::None);
    day.market.ok(ix, &[&day.renter.key]);
    day.market.pass(2 * DAY_S);
    let ix = day.market.finalize_ix(&day.lease);
    day.market.fails(ix, &[]);
    assert_eq!(day.market.balance(&day.renter.tokens[MINT]), had);
    let lost = day.market.balance(&day.lease.vault);
    let by = "nothing but who holds the key: a multisig, or give it up";
    Row::locked(KEY, "puts another program in this one's place", "at any time")
        .beside(Loss { who: "renter", lost, bound: deposit, by })
        .tight(100)
}

/// All plays with this key.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| vec![replaces_the_program()])
}

#[test]
fn the_upgrade_authority_takes_everything() {
    assert_eq!(rows().len(), 1);
}

#[test]
fn nobody_else_upgrades_and_nobody_at_all_once_it_is_given_up() {
    let mut market = Market::new();
    let authority = market.authority.insecure_clone();
    for key in [market.admin.key.insecure_clone(), market.coordinator_key()] {
        upgrade(&mut market, &key).expect_err("not the authority");
    }
    give_up(&mut market, &authority);
    upgrade(&mut market, &authority).expect_err("given up");
    market.running(|_| {});
}
