//! What a check asked for and what came back: everything from which its findings follow.

use crate::chain::Beacon;
use crate::challenge::{Challenge, Secret};
use crate::memory::{Memory, PASSES_MAX, SizeError};
use crate::shape::{Entries, Shape, ShapeError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ionet_core::{ClusterId, DeviceId, Quantity, Wallet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bounds of what a check may hold. A record may come from anybody: replaying one must end soon.
pub mod limits {
    /// Members: those of the largest cluster.
    pub const MEMBERS_MAX: usize = ionet_core::limits::DEVICES_MAX as usize;
    /// Links: each member with its two neighbours.
    pub const LINKS_MAX: usize = 2 * MEMBERS_MAX;
    /// Side of a product: its matrices take 128 MiB.
    pub const SIDE_MAX: u32 = 4_096;
    /// What is opened of one proof.
    pub const OPENINGS_MAX: u16 = 256;
    /// Milliseconds of rounds.
    pub const TIME_MS_MAX: u32 = 60_000;
    /// Bytes to hold: passes over 64 GiB last minutes on a processor.
    pub const HOLD_BYTES_MAX: u64 = 64 << 30;
    /// Bytes to write, or to send over one link. Whoever replays makes all of them again.
    pub const TRANSFER_BYTES_MAX: u64 = 1 << 30;
    /// Bytes that all disks and links of a check take together: half a minute to make again.
    pub const TRANSFERS_BYTES_MAX: u64 = 32 << 30;
    /// Bytes of a reason, and of what else is text.
    pub const TEXT_BYTES_MAX: usize = 512;
    /// Expectations of one member: one a kind.
    pub const LEAST_MAX: usize = 4;
}

/// 32 bytes: hex in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word(pub [u8; 32]);

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&*text, &mut bytes)
            .map_err(|_| serde::de::Error::custom("not 32 bytes in hex"))?;
        Ok(Self(bytes))
    }
}

/// Bytes: base64 in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        let bytes = STANDARD.decode(&*text);
        Ok(Self(bytes.map_err(|_| serde::de::Error::custom("not base64"))?))
    }
}

/// Rounds of products of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiply {
    /// Rows and columns.
    pub side: u32,
    /// Entries of a leaf.
    pub width: u32,
    /// Leaves to open.
    pub openings: u16,
    /// Milliseconds of work.
    pub time_ms: u32,
    /// Threads; 0: all that the container has.
    pub threads: u16,
}

impl Multiply {
    /// As the arithmetic takes it.
    pub fn shape(&self) -> Result<Shape, ShapeError> {
        Shape::new(Entries::Byte, self.side, self.width)
    }
}

/// Passes over memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// How much, of one container.
    pub bytes: u64,
    /// How often.
    pub passes: u32,
    /// Pairs to open.
    pub openings: u16,
}

impl Hold {
    /// As the arithmetic takes it.
    pub fn memory(&self) -> Result<Memory, SizeError> {
        Memory::new(self.bytes)
    }
}

/// What is asked of every member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Rounds.
    pub multiply: Option<Multiply>,
    /// Passes.
    pub hold: Option<Hold>,
    /// Bytes to write and read back.
    pub disk_bytes: Option<u64>,
    /// Bytes from each member to both of its neighbours in the order of members.
    pub link_bytes: Option<u64>,
    /// One thread at the lowest priority, beside a workload: figures show what was free, so that
    /// none is too low.
    pub light: bool,
}

/// What the client drew for one kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// Said at the start.
    pub beacon: Word,
    /// Said after all commitments.
    pub late: Word,
    /// The same.
    pub secret: Word,
}

impl Draw {
    /// From what the work grew.
    pub const fn start(&self) -> Beacon {
        Beacon(self.beacon.0)
    }

    /// From what the openings follow.
    pub fn challenge(&self) -> Challenge {
        let secret = Secret(self.secret.0);
        Challenge::new(&self.start(), &Beacon(self.late.0), &secret, &secret.precommitment())
            .expect("the promise is the secret's own")
    }
}

/// What came of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen<T> {
    /// This.
    Done(T),
    /// Nothing, and why.
    Failed(String),
}

/// Proven work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    /// Microseconds from the order to the commitment, by the client's clock.
    pub elapsed_us: u64,
    /// The commitment.
    pub commitment: Word,
    /// The proof.
    pub proof: Blob,
}

/// Bytes that were carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Microseconds until they were there, by the client's clock.
    pub elapsed_us: u64,
    /// Microseconds of reading them back; 0 where they were hashed on their way.
    pub read_us: u64,
    /// What was read, salted.
    pub digest: Word,
}

/// What a member must reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Least {
    /// What of.
    pub quantity: Quantity,
    /// How much.
    pub value: u64,
    /// Where that stands.
    pub why: String,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// On which device.
    pub device: DeviceId,
    /// What the renter pays for it, per chip and hour, in words.
    pub price: String,
    /// What was sold.
    pub least: Vec<Least>,
    /// Shortest time of a ping to the program, in microseconds.
    pub round_trip_us: u64,
    /// Threads that it may use, as the program says.
    pub threads: u16,
    /// Why nothing could be asked of it.
    pub fault: Option<String>,
    /// Its rounds.
    pub multiply: Option<Seen<Proven>>,
    /// Its passes.
    pub hold: Option<Seen<Proven>>,
    /// Its disk.
    pub disk: Option<Seen<Transfer>>,
}

impl Member {
    /// One of which nothing was seen yet.
    pub fn unseen(device: DeviceId, price: String, least: Vec<Least>) -> Self {
        Self {
            device,
            price,
            least,
            round_trip_us: 0,
            threads: 0,
            fault: None,
            multiply: None,
            hold: None,
            disk: None,
        }
    }
}

/// One direction between two members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSeen {
    /// Number of the member that sent.
    pub from: u32,
    /// Number of the member that received.
    pub to: u32,
    /// What came of it.
    pub seen: Seen<Transfer>,
}

/// A whole check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Of this form: 1.
    pub version: u8,
    /// The cluster.
    pub cluster: ClusterId,
    /// Its lease.
    pub lease: Wallet,
    /// Who rents it, and signs this.
    pub renter: Wallet,
    /// Unix milliseconds of the start, by the client's clock.
    pub at_ms: i64,
    /// What was asked.
    pub plan: Plan,
    /// For the rounds.
    pub rounds: Draw,
    /// For the passes.
    pub passes: Draw,
    /// From what the keys of disks and links follow.
    pub seed: Word,
    /// Every container.
    pub members: Vec<Member>,
    /// Every link.
    pub links: Vec<LinkSeen>,
}

/// A record that is beyond a limit, or no record of a check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no record of a check: {0}")]
pub struct TooMuch(pub &'static str);

impl Check {
    /// The version that is written and read.
    pub const VERSION: u8 = 1;

    /// Whether it keeps to every limit.
    pub fn bounded(&self) -> Result<(), TooMuch> {
        let ensure = |fine: bool, what| if fine { Ok(()) } else { Err(TooMuch(what)) };
        ensure(self.version == Self::VERSION, "its version is not known")?;
        let cluster = ClusterId::of_lease(&self.lease);
        ensure(self.cluster == cluster, "its cluster is not its lease's")?;
        ensure(self.members.len() <= limits::MEMBERS_MAX, "too many members")?;
        ensure(self.links.len() <= limits::LINKS_MAX, "too many links")?;
        self.plan.bounded()?;
        let disks = self.plan.disk_bytes.unwrap_or(0) * self.members.len() as u64;
        let links = self.plan.link_bytes.unwrap_or(0) * self.links.len() as u64;
        ensure(disks + links <= limits::TRANSFERS_BYTES_MAX, "too many bytes")?;
        for member in &self.members {
            let text = |t: &str| t.len() <= limits::TEXT_BYTES_MAX;
            ensure(text(&member.price), "too long a price")?;
            ensure(member.fault.as_deref().is_none_or(text), "too long a fault")?;
            ensure(member.least.len() <= limits::LEAST_MAX, "too many expectations")?;
            ensure(member.least.iter().all(|l| text(&l.why)), "too long an expectation")?;
        }
        let count = self.members.len();
        let known = |n: u32| (n as usize) < count;
        let apart = |l: &LinkSeen| known(l.from) && known(l.to) && l.from != l.to;
        ensure(self.links.iter().all(apart), "a link of no two members")
    }
}

impl Plan {
    /// Whether it keeps to every limit.
    pub fn bounded(&self) -> Result<(), TooMuch> {
        let ensure = |fine: bool, what| if fine { Ok(()) } else { Err(TooMuch(what)) };
        if let Some(task) = self.multiply {
            ensure(task.shape().is_ok() && task.side <= limits::SIDE_MAX, "too large a product")?;
            ensure((1..=limits::OPENINGS_MAX).contains(&task.openings), "openings of rounds")?;
            ensure((1..=limits::TIME_MS_MAX).contains(&task.time_ms), "the time of rounds")?;
        }
        if let Some(task) = self.hold {
            let fits = task.memory().is_ok() && task.bytes <= limits::HOLD_BYTES_MAX;
            ensure(fits, "bytes to hold")?;
            ensure((1..=limits::OPENINGS_MAX).contains(&task.openings), "openings of passes")?;
            ensure(task.passes <= PASSES_MAX, "too many passes")?;
        }
        let fits = |bytes: Option<u64>| {
            bytes.is_none_or(|b| (1..=limits::TRANSFER_BYTES_MAX).contains(&b))
        };
        ensure(fits(self.disk_bytes), "bytes for the disk")?;
        ensure(fits(self.link_bytes), "bytes for a link")
    }
}
