//! The log's lines.

use crate::{At, Event};
use serde::{Deserialize, Serialize};

/// One line of the log: an event, when it happened, and who led.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When it was decided.
    pub at: At,
    /// Who led.
    pub leader_epoch: u64,
    /// Version of the event's form.
    pub version: u32,
    /// What happened.
    pub event: Event,
}

/// Why a logged event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A newer software wrote it.
    #[error("event kind `{kind}` version {version} was written by a newer version of ionet")]
    Newer {
        /// Kind.
        kind: String,
        /// Version.
        version: u32,
    },
    /// Damaged.
    #[error("not an event: {0}")]
    Json(#[from] serde_json::Error),
}

impl Event {
    /// Its form for the log.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event has no map with odd keys")
    }

    /// Reads what [`Event::to_json`] of this or an older version wrote.
    pub fn from_json(version: u32, body: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            kind: String,
        }
        let head: Head = serde_json::from_str(body)?;
        // Every kind stands at version 1. An upgrade of an older form would stand here.
        match Event::newest(&head.kind) {
            Some(newest) if version <= newest => Ok(serde_json::from_str(body)?),
            Some(_) | None => Err(RecordError::Newer { kind: head.kind, version }),
        }
    }
}

impl Record {
    /// A record of an event that is made now.
    pub fn new(seq: u64, at: At, leader_epoch: u64, event: Event) -> Self {
        Self { seq, at, leader_epoch, version: event.version(), event }
    }

    /// Reads one line of JSON.
    pub fn from_json(line: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Raw<'a> {
            seq: u64,
            at: At,
            leader_epoch: u64,
            version: u32,
            #[serde(borrow)]
            event: &'a serde_json::value::RawValue,
        }
        let raw: Raw<'_> = serde_json::from_str(line)?;
        let event = Event::from_json(raw.version, raw.event.get())?;
        let Raw { seq, at, leader_epoch, version, .. } = raw;
        Ok(Self { seq, at, leader_epoch, version, event })
    }
}
