//! Devices' sessions: QUIC connections to the control stream, heartbeats, commands, streams.
//!
//! [`SessionTable`] holds what is known and is driven without sockets; [`serve`] is the QUIC
//! side; admission is decided by the control loop, which alone numbers sessions.

pub mod book;
pub mod meter;
mod open;
mod serve;
pub mod table;

use book::Book;
pub(crate) use open::open_stream;
pub(crate) use serve::serve;
pub use table::{Beat, Session, SessionTable, TableError};

use crate::clock::Clock;
use crate::market::{Market, ReceiptSigner, SeenDevice};
use ionet_core::{ChainRef, DeviceId, Wallet};
use ionet_network::At;
use ionet_wire::message::{
    CommandBody, Hello, Outcome, Refused, RefusedCode, SessionName, Welcome,
};
use iroh::endpoint::Connection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

/// Seconds from a connection to its hello. A slow device takes milliseconds.
pub const HELLO_SECONDS_MAX: u64 = 10;
/// Connections whose hello has not been answered yet. More wait in QUIC's own queue.
pub const HELLOS_MAX: usize = 256;
/// Commands on their way to one device.
pub const COMMANDS_MAX: usize = 64;
/// Streams that the coordinator holds open to one device at a time.
pub const STREAMS_PER_DEVICE_MAX: usize = 200;
/// Messages that a device may send per second on average; a hired one sends one every other
/// second, and one more for each change of a part.
pub const MESSAGES_PER_SECOND_MAX: u32 = 20;
/// Messages that it may send at once.
pub const MESSAGES_BURST_MAX: u32 = 100;
/// Features of a hello that are kept; there are a handful in all.
pub const FEATURES_MAX: usize = 16;
/// Echoes at a session's begin, one after the other: the least of them is hardly ever delayed.
pub const ECHOES: u32 = 5;
/// Milliseconds between two echoes later on.
pub const ECHO_MS: u64 = 60_000;
/// Milliseconds after which a device that was refused for our reasons may dial again.
pub const RETRY_MS: u64 = 5_000;

/// What the control loop sends to one device.
pub(crate) enum Outgoing {
    /// Do something; the answer comes back.
    Command {
        /// Follows the wish.
        request_id: String,
        /// What.
        body: Box<CommandBody>,
        /// Where the answer goes.
        reply: oneshot::Sender<Outcome>,
    },
    /// The session is over.
    End(Refused),
}

/// How a connected device is reached.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) commands: mpsc::Sender<Outgoing>,
    pub(crate) connection: Connection,
    pub(crate) streams: Arc<Semaphore>,
    /// What the device knows beyond the first version of the protocol, as its hello says. At
    /// most [`FEATURES_MAX`].
    pub(crate) features: Arc<[String]>,
}

impl Link {
    /// Whether the device can be asked to prove its chips.
    pub(crate) fn can_prove(&self) -> bool {
        self.features.iter().any(|feature| feature == ionet_wire::prove::FEATURE)
    }
}

/// A device that wants to be admitted. Its signatures hold, and the chain was asked.
pub(crate) struct Knock {
    pub(crate) device: DeviceId,
    pub(crate) owner: Wallet,
    pub(crate) hello: Box<Hello>,
    /// What the chain says; the outer none: it does not answer.
    pub(crate) record: Option<Option<SeenDevice>>,
    pub(crate) link: Link,
    pub(crate) reply: oneshot::Sender<Result<Welcome, Refused>>,
}

/// What QUIC tasks and the control loop share.
pub(crate) struct Sessions {
    table: Mutex<SessionTable<Link>>,
    book: Mutex<Book>,
    /// Sessions that ended and of which the loop has not taken note.
    ended: Mutex<Vec<(SessionName, At)>>,
    /// Devices whose owners want them back.
    draining: Mutex<Vec<SessionName>>,
    /// Something changed that the loop should look at.
    pub(crate) changed: Notify,
    pub(crate) knocks: mpsc::Sender<Knock>,
    pub(crate) receipts: ReceiptSigner,
    pub(crate) market: Market,
    pub(crate) clock: Clock,
    pub(crate) chain: ChainRef,
    pub(crate) leader_epoch: u64,
    pub(crate) heartbeats: prometheus::IntCounter,
}

impl Sessions {
    pub(crate) fn new(
        knocks: mpsc::Sender<Knock>,
        market: Market,
        clock: Clock,
        leader_epoch: u64,
        book: Book,
    ) -> Self {
        let heartbeats = prometheus::IntCounter::new(
            "ionet_coordinator_heartbeats_total",
            "Heartbeats that devices sent",
        );
        Self {
            table: Mutex::default(),
            book: Mutex::new(book),
            ended: Mutex::default(),
            draining: Mutex::default(),
            changed: Notify::new(),
            knocks,
            receipts: market.receipts(),
            chain: market.chain(),
            market,
            clock,
            leader_epoch,
            heartbeats: heartbeats.expect("the name is valid"),
        }
    }

    /// The table. Never held across an await.
    pub(crate) fn table(&self) -> MutexGuard<'_, SessionTable<Link>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is seen besides. Never held across an await.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the end of a session that no newer one replaced.
    fn over(&self, name: SessionName) {
        self.book().end(name);
        let ended = self.table().end(name);
        if let Some(session) = ended {
            self.put_back(name, session.seen);
        }
    }

    /// Keeps an ended session for the loop's next look.
    pub(crate) fn put_back(&self, name: SessionName, seen: At) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push((name, seen));
        self.changed.notify_one();
    }

    /// Takes the sessions that ended since the last look.
    pub(crate) fn take_ended(&self) -> Vec<(SessionName, At)> {
        std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes that a device's owner wants it back.
    fn put_draining(&self, name: SessionName) {
        let mut draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        if !draining.contains(&name) {
            draining.push(name);
        }
        drop(draining);
        self.changed.notify_one();
    }

    /// Takes the devices whose owners asked for them since the last look.
    pub(crate) fn take_draining(&self) -> Vec<SessionName> {
        std::mem::take(&mut *self.draining.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends every session: this process leads no longer.
    pub(crate) fn end_all(&self) {
        let refused = refused(RefusedCode::NotLeader, "another coordinator leads", Some(RETRY_MS));
        for (_, session) in self.table().iter() {
            if session.link.commands.try_send(Outgoing::End(refused.clone())).is_err() {
                session.link.connection.close(0u32.into(), b"not leading");
            }
        }
    }
}

pub(crate) fn refused(
    code: RefusedCode,
    message: impl Into<String>,
    retry_after_ms: Option<u64>,
) -> Refused {
    Refused { code, message: message.into(), retry_after_ms }
}
