//! What can happen in one step.

use crate::model::{Key, Part, Proof};
use ionet_market_interface::build::Ix;
use ionet_market_interface::statement::ed25519_instruction;
use ionet_market_interface::{Instruction, instruction::Tag};
use solana_address::Address;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::fmt;

/// A step.
pub(super) enum Move {
    /// Time passes, backwards when negative.
    Pass(i64),
    /// Somebody sends tokens to any token account.
    GiveTokens { from: Key, to: Key, amount: u64 },
    /// Somebody sends lamports to any address.
    GiveLamports { to: Key, amount: u64 },
    /// The mint's authority freezes or thaws.
    Freeze { at: Key, frozen: bool },
    /// An owner lets somebody spend, or nobody.
    Approve { at: Key, delegate: Option<(Key, u64)> },
    /// A transaction.
    Send(Vec<Part>),
}

/// A transaction of these parts.
pub(super) fn send(parts: Vec<Part>) -> Move {
    Move::Send(parts)
}

/// Name of an instruction as its data says.
pub(super) fn name(ix: &Ix) -> &'static str {
    let tag = ix.data.first().and_then(|tag| Tag::from_byte(*tag));
    tag.map_or("not an instruction", Tag::name)
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |key: &Key| Address::from(*key);
        match self {
            Self::Pass(seconds) => write!(f, "{seconds} s pass"),
            Self::GiveTokens { from, to, amount } => {
                write!(f, "{} gives {amount} tokens to {}", at(from), at(to))
            }
            Self::GiveLamports { to, amount } => write!(f, "{amount} lamports to {}", at(to)),
            Self::Freeze { at: account, frozen: true } => write!(f, "freeze {}", at(account)),
            Self::Freeze { at: account, frozen: false } => write!(f, "thaw {}", at(account)),
            Self::Approve { at: account, delegate: None } => write!(f, "revoke {}", at(account)),
            Self::Approve { at: account, delegate: Some((who, most)) } => {
                write!(f, "{} lets {} spend {most}", at(account), at(who))
            }
            Self::Send(parts) => {
                for part in parts {
                    part_in_words(part, f)?;
                }
                Ok(())
            }
        }
    }
}

fn part_in_words(part: &Part, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match part {
        Part::Signed(proof) => {
            let (valid, points_at) = (proof.valid, proof.points_at);
            let signer = Address::from(proof.signer);
            write!(f, "[statement by {signer}, valid: {valid}, points at {points_at:?}] ")
        }
        Part::Market(ix) => {
            write!(f, "[{}", name(ix))?;
            match Instruction::decode(&ix.data) {
                Ok(read) => write!(f, " {read:?}")?,
                Err(_) => write!(f, " {:02x?}", ix.data)?,
            }
            for meta in &ix.accounts {
                let (signs, writes) = (["", "!"], ["", "*"]);
                let signs = signs[usize::from(meta.signer)];
                let writes = writes[usize::from(meta.writable)];
                write!(f, " {}{signs}{writes}", Address::from(meta.address))?;
            }
            f.write_str("] ")
        }
    }
}

/// How a statement is given to the precompile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the client does.
    Plain,
    /// Its indexes name the instruction instead of saying "this one": the precompile takes it,
    /// the program does not.
    Pointing,
    /// The signature is of something else.
    Forged,
}

/// A signed statement.
pub(super) fn signed(key: &Keypair, message: &[u8], form: Form, place: u8) -> Part {
    let signature: [u8; 64] = key.sign_message(message).into();
    let signer = key.pubkey().to_bytes();
    let mut data = ed25519_instruction(&signer, &signature, message);
    match form {
        Form::Plain => {}
        Form::Pointing => {
            for at in [4, 8, 14] {
                data[at..at + 2].copy_from_slice(&u16::from(place).to_le_bytes());
            }
        }
        Form::Forged => data[60] ^= 1,
    }
    let valid = form != Form::Forged;
    let points_at = (form == Form::Pointing).then_some(place);
    Part::Signed(Proof { signer, message: message.to_vec(), data, valid, points_at })
}
