//! The bytecode's chain and the model's, side by side.

use super::cast::Cast;
use super::moves::{Move, send};
use super::tally::Tally;
use crate::machine::{LOG_BYTES_MAX, refusal};
use crate::model::{Account, Chain, Key, No, Part, Record, Token, is_exempt_from_rent};
use crate::{Refusal, token};
use ionet_market_interface::limits::{TRANSACTION_ACCOUNTS_MAX, TRANSACTION_BYTES_MAX};
use ionet_market_interface::{ED25519_PROGRAM, PROGRAM_ID, SYSTEM_PROGRAM, TOKEN_PROGRAM};
use litesvm::LiteSVM;
use solana_account::{AccountSharedData, ReadableAccount, WritableAccount};
use solana_address::Address;
use solana_clock::Clock;
use solana_instruction::error::InstructionError;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, v0};
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a transaction came to, on both chains.
pub(super) type Verdict = Result<(), (usize, No)>;

/// Both chains.
pub(super) struct World {
    svm: LiteSVM,
    pub(super) chain: Chain,
    pub(super) cast: Rc<Cast>,
    circulating: (BTreeMap<Key, u128>, u128),
    last: Verdict,
    listener: Option<Listener>,
}

/// Is shown the bytecode's chain before each transaction, without a log, and after each that
/// succeeded, with its log.
pub type Listener = Box<dyn FnMut(&LiteSVM, Option<&[String]>)>;

impl World {
    pub(super) fn new(svm: LiteSVM, chain: Chain, cast: Rc<Cast>) -> Self {
        let circulating = chain.in_circulation();
        Self { svm, chain, cast, circulating, last: Ok(()), listener: None }
    }

    /// From now on somebody listens, and there is a log.
    pub(super) fn listen(&mut self, listener: Listener) {
        self.svm = self.svm.clone().with_log_bytes_limit(Some(LOG_BYTES_MAX));
        self.listener = Some(listener);
    }

    fn tell(&mut self, log: Option<&[String]>) {
        if let Some(listener) = &mut self.listener {
            listener(&self.svm, log);
        }
    }

    /// What the last transaction came to, in words.
    pub(super) fn told(&self) -> String {
        match &self.last {
            Ok(()) => "done".to_owned(),
            Err((part, why)) => format!("part {part} refused: {why:?}"),
        }
    }

    /// Does a step on both and compares. An error tells where they differ, or which promise
    /// does not hold.
    pub(super) fn act(&mut self, made: &Move, tally: &mut Tally) -> Result<(), String> {
        tally.steps += 1;
        self.last = Ok(());
        match made {
            Move::Pass(seconds) => self.set_time(self.chain.now.saturating_add(*seconds)),
            Move::GiveTokens { from, to, amount } => self.give_tokens(from, to, *amount),
            Move::GiveLamports { to, amount } => self.give_lamports(to, *amount),
            Move::Freeze { at, frozen } => {
                self.edit_token(at, |token| token.frozen = *frozen);
            }
            Move::Approve { at, delegate } => {
                self.edit_token(at, |token| token.delegate = *delegate);
            }
            Move::Send(parts) => {
                self.last = self.transact(parts)?;
                tally.count(parts, &self.last);
            }
        }
        Ok(())
    }

    /// Sends a transaction to both. They must agree, and the promises must hold.
    pub(super) fn transact(&mut self, parts: &[Part]) -> Result<Verdict, String> {
        let (transaction, _) = self.transaction(parts);
        self.tell(None);
        let found = self.svm.send_transaction(transaction).map_err(|f| f.err);
        let found = found.map(|meta| self.tell(Some(&meta.logs)));
        let expected = self.chain.take(parts);
        match (found, expected) {
            (Ok(()), Ok(changed)) => {
                for (at, account) in &changed {
                    self.agrees(at, account)?;
                }
                self.keeps(&changed)?;
                Ok(Ok(()))
            }
            (Err(found), Err(expected)) => {
                let at = match &found {
                    TransactionError::InstructionError(at, _) => usize::from(*at),
                    _ => expected.0,
                };
                let same = match (refusal(found.clone()), expected.1) {
                    (Refusal::Market(found), No::Market(why)) => found == why,
                    (Refusal::Other(error), No::Elsewhere) => is_clean(&error),
                    (Refusal::Other(_), No::Seeds) => true,
                    _ => false,
                };
                if same && at == expected.0 {
                    return Ok(Err(expected));
                }
                Err(differ(&Err(found), &Err(expected), parts))
            }
            (found, expected) => Err(differ(&found, &expected.map(|_| ()), parts)),
        }
    }

    /// The transaction, and whether Solana would take one of its size.
    pub(super) fn transaction(&self, parts: &[Part]) -> (VersionedTransaction, bool) {
        let all: Vec<Instruction> = parts.iter().map(instruction).collect();
        let hash = self.svm.latest_blockhash();
        let message =
            v0::Message::try_compile(&self.cast.payer, &all, &[], hash).expect("a message");
        let signatures = usize::from(message.header.num_required_signatures);
        let accounts = message.account_keys.len();
        let message = VersionedMessage::V0(message);
        let bytes = 1 + 64 * signatures + message.serialize().len();
        let fits = accounts <= TRANSACTION_ACCOUNTS_MAX && bytes <= TRANSACTION_BYTES_MAX;
        (VersionedTransaction { signatures: vec![Default::default(); signatures], message }, fits)
    }

    /// Nothing appeared or vanished, and what a lease promises holds.
    fn keeps(&self, changed: &[(Key, Account)]) -> Result<(), String> {
        if self.chain.in_circulation() != self.circulating {
            return Err("tokens or lamports appeared or vanished".to_owned());
        }
        let mut devices = false;
        for (at, account) in changed {
            is_exempt_from_rent(at, account)?;
            match &account.record {
                Record::Lease(_) => self.chain.keeps_for(at)?,
                Record::Device(_) => devices = true,
                _ => {}
            }
        }
        if devices { self.chain.no_unit_is_bound_twice() } else { Ok(()) }
    }

    /// Compares every account, and checks every promise.
    pub(super) fn agrees_everywhere(&self) -> Result<(), String> {
        for (at, account) in &self.chain.accounts {
            self.agrees(at, account)?;
        }
        let ours = |account: &AccountSharedData| account.owner().to_bytes() == PROGRAM_ID;
        for (at, _) in self.svm.accounts_db().inner.iter().filter(|(_, account)| ours(account)) {
            let known = self.chain.at(&at.to_bytes());
            if matches!(known.record, Record::Wallet | Record::Alien) {
                return Err(format!("the model knows nothing of {at}"));
            }
        }
        self.chain.keeps_its_promises()
    }

    fn account(&self, at: &Key) -> Option<&AccountSharedData> {
        self.svm.accounts_db().get_account_ref(&Address::from(*at)).filter(|a| a.lamports() > 0)
    }

    /// One account is the same on both.
    fn agrees(&self, at: &Key, expected: &Account) -> Result<(), String> {
        let found = self.account(at);
        let (owner, data) = match found {
            Some(found) => (found.owner().to_bytes(), found.data()),
            None => (SYSTEM_PROGRAM, &[][..]),
        };
        let lamports = found.map_or(0, ReadableAccount::lamports);
        let same = match &expected.record {
            Record::Mint | Record::Alien => return Ok(()),
            Record::Wallet => owner == SYSTEM_PROGRAM && data.is_empty(),
            Record::Token(token) => {
                owner == TOKEN_PROGRAM && Token::read(data).as_ref() == Some(token)
            }
            _ => owner == PROGRAM_ID && expected.bytes().as_deref() == Some(data),
        };
        if same && lamports == expected.lamports {
            return Ok(());
        }
        let address = Address::from(*at);
        let read = describe(data);
        Err(format!("{address} holds {lamports} lamports, {read}; the model says {expected:?}"))
    }

    pub(super) fn set_time(&mut self, now: i64) {
        self.chain.set_time(now);
        let clock: Clock = self.svm.get_sysvar();
        let slot = self.chain.slot;
        self.svm.set_sysvar(&Clock { unix_timestamp: now, slot, ..clock });
    }

    fn edit(&mut self, at: &Key, edit: impl FnOnce(&mut AccountSharedData)) {
        let mut account = self.account(at).cloned().unwrap_or_default();
        edit(&mut account);
        self.svm.set_account(Address::from(*at), account.into()).expect("an account");
    }

    /// Changes a token account as its owner or the mint's authority can.
    fn edit_token(&mut self, at: &Key, edit: impl FnOnce(&mut Token)) {
        let mut account = self.chain.at(at).clone();
        let Record::Token(token) = &mut account.record else { return };
        edit(token);
        let token = token.clone();
        self.chain.put(*at, account);
        self.edit(at, |account| {
            let data = account.data_as_mut_slice();
            data[64..72].copy_from_slice(&token.amount.to_le_bytes());
            data[108] = 1 + u8::from(token.frozen);
            let (delegate, most) = token.delegate.unwrap_or_default();
            data[72] = u8::from(token.delegate.is_some());
            data[76..108].copy_from_slice(&delegate);
            data[121..129].copy_from_slice(&most.to_le_bytes());
        });
    }

    fn give_tokens(&mut self, from: &Key, to: &Key, amount: u64) {
        let able = self.chain.token(from).is_some_and(|token| token.amount >= amount);
        if able && from != to && self.chain.token(to).is_some() {
            self.edit_token(from, |token| token.amount -= amount);
            self.edit_token(to, |token| token.amount += amount);
        }
    }

    /// Anyone can send lamports anywhere: to an address before it is used, too.
    fn give_lamports(&mut self, to: &Key, amount: u64) {
        let mut account = self.chain.at(to).clone();
        account.lamports += amount;
        self.chain.put(*to, account);
        self.circulating.1 += u128::from(amount);
        self.edit(to, |account| account.set_lamports(account.lamports() + amount));
    }

    /// Makes a token account for a key that has none, and returns its address.
    pub(super) fn make_token_account(&mut self, owner: &Key, mint: &Key) -> Key {
        let at: Key = std::array::from_fn(|i| owner[i] ^ mint[i]);
        if self.chain.token(&at).is_none() {
            token::make_account(&mut self.svm, at, *mint, *owner, 0);
            let lamports = self.svm.get_balance(&Address::from(at)).expect("an account");
            let (mint, owner) = (*mint, *owner);
            let token = Token { mint, owner, amount: 0, frozen: false, delegate: None };
            self.chain.put(at, Account { lamports, record: Record::Token(token) });
            self.circulating.1 += u128::from(lamports);
        }
        at
    }

    /// Sends what must be taken.
    pub(super) fn must(&mut self, parts: Vec<Part>, tally: &mut Tally) -> Result<(), String> {
        let made = send(parts);
        self.act(&made, tally)?;
        match &self.last {
            Ok(()) => Ok(()),
            Err(_) => Err(format!("must be taken: {made}: {}", self.told())),
        }
    }

    /// Balance of a token account.
    pub(super) fn balance(&self, at: &Key) -> u64 {
        self.account(at).and_then(|account| token::read(account.data())).map_or(0, |t| t.amount)
    }
}

fn instruction(part: &Part) -> Instruction {
    match part {
        Part::Market(ix) => {
            let accounts = ix.accounts.iter().map(|meta| AccountMeta {
                pubkey: Address::from(meta.address),
                is_signer: meta.signer,
                is_writable: meta.writable,
            });
            let accounts = accounts.collect();
            Instruction { program_id: Address::from(PROGRAM_ID), accounts, data: ix.data.clone() }
        }
        Part::Signed(proof) => Instruction {
            program_id: Address::from(ED25519_PROGRAM),
            accounts: Vec::new(),
            data: proof.data.clone(),
        },
    }
}

/// The program must never be what breaks: no memory fault, no compute units run out.
fn is_clean(error: &TransactionError) -> bool {
    !matches!(
        error,
        TransactionError::InstructionError(
            _,
            InstructionError::ProgramFailedToComplete
                | InstructionError::ComputationalBudgetExceeded
                | InstructionError::UnbalancedInstruction
                | InstructionError::ReadonlyDataModified
                | InstructionError::ReadonlyLamportChange
                | InstructionError::ExternalAccountDataModified
                | InstructionError::ExternalAccountLamportSpend
                | InstructionError::AccountBorrowFailed
                | InstructionError::AccountBorrowOutstanding
        )
    )
}

fn differ(
    found: &Result<(), TransactionError>,
    expected: &Result<(), (usize, No)>,
    parts: &[Part],
) -> String {
    let made = send(parts.to_vec());
    let found = found.clone().map_err(refusal);
    format!("the bytecode says {found:?}, the model {expected:?}, to: {made}")
}

fn describe(data: &[u8]) -> String {
    use ionet_market_interface::account as layout;
    let read = match data.first() {
        Some(1) => layout::Config::decode(data).map(|found| format!("{found:?}")),
        Some(2) => layout::RenterCounter::decode(data).map(|found| format!("{found:?}")),
        Some(3) => layout::Device::decode(data).map(|found| format!("{found:?}")),
        Some(4) => layout::Lease::decode(data).map(|found| format!("{found:?}")),
        Some(5) => layout::PageRef::new(data).map(|page| {
            let lines: Vec<_> = page.lines().collect();
            format!("{:?} {lines:?}", page.header())
        }),
        _ => Ok(format!("{data:02x?}")),
    };
    read.unwrap_or_else(|why| format!("{why}: {data:02x?}"))
}
