//! The client's typed view of the market program, over any Solana endpoint.
//!
//! [`Ledger`] reads accounts and sends instructions; [`Signer`] is whoever signs. Nothing here
//! decides: what to bind, start or close is the caller's business, and whether it may, the
//! program's.
//!
//! ```no_run
//! # async fn example() -> Result<(), ionet_ledger::LedgerError> {
//! use ionet_ledger::{KeypairFile, Ledger, Signer as _};
//! let ledger = Ledger::connect("http://127.0.0.1:8899");
//! let wallet = KeypairFile::load("wallet.json".as_ref())?;
//! for (address, lease) in ledger.leases_of_renter(&wallet.address()).await? {
//!     println!("{address}: {} of {} committed", lease.committed.0, lease.deposit.0);
//! }
//! # Ok(()) }
//! ```

pub mod addresses;
pub mod beacon;
mod bootstrap;
mod connection;
mod error;
mod exit;
mod instructions;
mod read;
mod session;
mod shown;
mod signer;
pub mod token;
pub mod transfers;
mod transport;
mod write;

pub use bootstrap::{Bootstrap, NetworkKeys, NetworkMints, bootstrap, mint_tokens};
pub use connection::{Connection, Found, TRANSACTION_BYTES_MAX, Wire, sign, wire};
pub use error::LedgerError;
pub use exit::{Exits, Page, SignedReceipt};
pub use instructions::{BoundLine, OpenLeaseOrder};
pub use ionet_market_interface as interface;
pub use read::PlacedLine;
pub use session::SessionGrant;
pub use signer::{KeypairFile, Signer, SignerError};
pub use solana_address::Address;
pub use solana_instruction::Instruction;
pub use solana_keypair::Keypair;
pub use solana_signature::Signature;
pub use transport::ANSWER_BYTES_MAX;
pub use write::RegistrationConsent;

/// A typed client of one market program on one chain.
pub struct Ledger {
    connection: Connection,
    program: Address,
}

impl Ledger {
    /// To the market program that our own networks load, at the endpoint `url`.
    pub fn connect(url: &str) -> Self {
        Self::connect_to(url, Address::from(interface::PROGRAM_ID))
    }

    /// To another copy of the program.
    pub fn connect_to(url: &str, program: Address) -> Self {
        Self { connection: Connection::with_market(url, program), program }
    }

    /// The connection underneath.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The program.
    pub fn program(&self) -> Address {
        self.program
    }
}
