//! Who is connected, and what their heartbeats earn: a plain structure without sockets or
//! clock, so that the QUIC task, the benchmark and the tests drive the same code.

use crate::sessions::meter::{LineKey, Metered};
use ionet_core::{DeviceId, PartState, PartStatus};
use ionet_network::At;
use ionet_wire::message::{Heartbeat, SessionName, SignedReceipt};
use std::collections::HashMap;

/// Devices that may be connected at once. At about 1 KiB each for the table and some 100 KiB
/// each for QUIC, this is what one coordinator's memory holds; more need edge processes.
pub const SESSIONS_MAX: usize = 50_000;
/// Parts that one device may report: as many clusters as it has chips, and as many that end.
pub const PARTS_MAX: usize = 32;

/// Why a device was not admitted, or its session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A newer session of the same key is there.
    #[error("a newer session of this device took over")]
    Fenced,
    /// The table is full.
    #[error("{SESSIONS_MAX} devices are connected already")]
    Full,
    /// The message is over a limit.
    #[error("a device reports at most {PARTS_MAX} parts, each once")]
    Parts,
    /// Heartbeats of a session count up.
    #[error("heartbeat {got} came after {seen}")]
    Order {
        /// Newest before.
        seen: u64,
        /// This one's.
        got: u64,
    },
}

/// One connected device.
#[derive(Debug)]
pub struct Session<L> {
    /// Its number.
    pub number: u64,
    /// When it was last heard.
    pub seen: At,
    /// How it is reached.
    pub link: L,
    seq: u64,
    parts: Vec<PartStatus>,
}

impl<L> Session<L> {
    /// What the device reported last.
    pub fn parts(&self) -> &[PartStatus] {
        &self.parts
    }
}

/// What a heartbeat brought.
#[derive(Debug, Default)]
pub struct Beat {
    /// Whether any part is otherwise than it was reported before.
    pub changed: bool,
    /// Served seconds of each metered line of the device: what receipts are signed for.
    pub served: Vec<(LineKey, u64)>,
    /// Receipts of renters' own sides for lines of the device.
    pub carried: Vec<SignedReceipt>,
}

/// Every session, and the meters of their lines. `L` is what reaches a device.
#[derive(Debug)]
pub struct SessionTable<L> {
    sessions: HashMap<DeviceId, Session<L>>,
    /// Meters outlive sessions: a link that broke for a moment takes nothing away.
    meters: HashMap<DeviceId, Vec<Metered>>,
}

impl<L> Default for SessionTable<L> {
    fn default() -> Self {
        Self { sessions: HashMap::new(), meters: HashMap::new() }
    }
}

impl<L> SessionTable<L> {
    /// Admits `name`, and returns the link of the older session of the same key, which is
    /// fenced from now on.
    pub fn admit(
        &mut self,
        now: At,
        name: SessionName,
        parts: &[PartStatus],
        link: L,
    ) -> Result<Option<L>, TableError> {
        check_parts(parts)?;
        match self.sessions.get(&name.device) {
            Some(other) if other.number >= name.session => return Err(TableError::Fenced),
            None if self.sessions.len() >= SESSIONS_MAX => return Err(TableError::Full),
            Some(_) | None => (),
        }
        let number = name.session;
        let session = Session { number, seen: now, link, seq: 0, parts: parts.to_vec() };
        Ok(self.sessions.insert(name.device, session).map(|old| old.link))
    }

    /// Takes a heartbeat of a session. `clock` is the chain's time as known here.
    pub fn heartbeat(
        &mut self,
        now: At,
        clock: At,
        name: SessionName,
        heartbeat: &Heartbeat,
    ) -> Result<Beat, TableError> {
        let session = current(&mut self.sessions, name)?;
        check_parts(&heartbeat.parts)?;
        if heartbeat.seq <= session.seq {
            return Err(TableError::Order { seen: session.seq, got: heartbeat.seq });
        }
        (session.seq, session.seen) = (heartbeat.seq, now);
        let changed = session.parts != heartbeat.parts;
        if changed {
            session.parts.clone_from(&heartbeat.parts);
        }
        let Some(meters) = self.meters.get_mut(&name.device) else {
            return Ok(Beat { changed, ..Beat::default() });
        };
        let mut served = Vec::with_capacity(meters.len());
        let mut carried = Vec::new();
        for line in meters.iter_mut().filter(|line| line.running) {
            if line.word.ours {
                line.beat(now, clock, serves(&session.parts, line));
                served.push((line.key, line.meter.served_s()));
            } else {
                carried.extend(line.vouched.clone());
            }
        }
        Ok(Beat { changed, served, carried })
    }

    /// Ends a session. None if another took its place already.
    pub fn end(&mut self, name: SessionName) -> Option<Session<L>> {
        current(&mut self.sessions, name).ok()?;
        self.sessions.remove(&name.device)
    }

    /// Session of a device.
    pub fn get(&self, device: DeviceId) -> Option<&Session<L>> {
        self.sessions.get(&device)
    }

    /// Every session.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &Session<L>)> {
        self.sessions.iter().map(|(device, session)| (*device, session))
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Begins to meter a line of a device, or takes the given meter in place of the line's own.
    pub fn meter(&mut self, device: DeviceId, line: Metered) {
        let meters = self.meters.entry(device).or_default();
        match meters.iter_mut().find(|m| m.key == line.key) {
            Some(own) => *own = line,
            None => meters.push(line),
        }
    }

    /// Changes the meters of a device, if it has any.
    pub fn each_meter(&mut self, device: DeviceId, mut change: impl FnMut(&mut Metered)) {
        self.meters.get_mut(&device).into_iter().flatten().for_each(&mut change);
    }

    /// Meters of a device.
    pub fn meters(&self, device: DeviceId) -> &[Metered] {
        self.meters.get(&device).map_or(&[], Vec::as_slice)
    }

    /// The meter of a line.
    pub fn meter_of(&self, device: DeviceId, key: &LineKey) -> Option<&Metered> {
        self.meters(device).iter().find(|m| m.key == *key)
    }

    /// Forgets every meter that `keep` does not want; it may change those that stay.
    pub fn retain_meters(&mut self, mut keep: impl FnMut(DeviceId, &mut Metered) -> bool) {
        self.meters.retain(|device, lines| {
            lines.retain_mut(|line| keep(*device, line));
            !lines.is_empty()
        });
    }
}

/// The session of this very number.
fn current<L>(
    sessions: &mut HashMap<DeviceId, Session<L>>,
    name: SessionName,
) -> Result<&mut Session<L>, TableError> {
    let session = sessions.get_mut(&name.device).ok_or(TableError::Fenced)?;
    if session.number == name.session { Ok(session) } else { Err(TableError::Fenced) }
}

/// Whether the part that a line pays for serves its cluster: a head once Ray on it answers.
fn serves(parts: &[PartStatus], line: &Metered) -> bool {
    let serving = |state: &PartState| match state {
        PartState::Ready { .. } => true,
        PartState::Running => !line.head,
        PartState::Pulling { .. }
        | PartState::Starting
        | PartState::Exited { .. }
        | PartState::Failed { .. }
        | PartState::Stopped => false,
    };
    parts.iter().any(|p| p.id == line.part && serving(&p.state))
}

fn check_parts(parts: &[PartStatus]) -> Result<(), TableError> {
    let twice = |(i, part): (usize, &PartStatus)| parts[..i].iter().any(|p| p.id == part.id);
    if parts.len() > PARTS_MAX || parts.iter().enumerate().any(twice) {
        return Err(TableError::Parts);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
