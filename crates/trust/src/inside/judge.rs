//! From a record to findings. Client and replay call the same function, so what one says the
//! other says.

use super::record::{Check, Hold, LinkSeen, Member, Multiply, Proven, Seen, TooMuch, Transfer};
use super::stream::{digest_of, key_of};
use crate::chain::Commitment;
use crate::memory::{self, Verifier};
use crate::proof::Proof;
use crate::verify::Hour;
use ionet_core::{DeviceId, Quantity};
use serde::{Deserialize, Serialize};

/// Part of a time that the way to the container may explain: more, and slowness on the way would
/// excuse a slow chip.
const WAY_SHARE: u64 = 10;

/// What a figure means for the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// At least what was sold.
    Fine,
    /// Nothing says how much was sold, or it was measured beside a workload.
    Unknown,
    /// Less than was sold.
    Short,
    /// A wrong answer, or none.
    Broken,
}

impl Outcome {
    /// Whether the member is not what was sold.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Short | Self::Broken)
    }
}

/// One figure of one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Number of the member.
    pub member: u32,
    /// Its device.
    pub device: DeviceId,
    /// What of.
    pub quantity: Quantity,
    /// How much was shown, in the unit that the quantity names.
    pub value: Option<u64>,
    /// How much it may be, with what the way took.
    pub at_most: Option<u64>,
    /// How much was sold.
    pub least: Option<u64>,
    /// What that means.
    pub outcome: Outcome,
    /// Why, in words.
    pub why: String,
}

/// A figure: what is shown, and what it may be.
type Figure = Result<(u64, u64, String), String>;

impl Check {
    /// Everything that follows, member by member.
    pub fn findings(&self) -> Result<Vec<Finding>, TooMuch> {
        self.bounded()?;
        let hour = self.plan.multiply.and_then(|task| {
            let shape = task.shape().ok()?;
            let any = self.members.iter().any(|m| matches!(m.multiply, Some(Seen::Done(_))));
            any.then(|| {
                let (start, late) = (self.rounds.start(), self.rounds.challenge());
                Hour::new(shape, start, late, task.openings.into())
            })
        });
        let verifier = self.plan.hold.and_then(|task| {
            let (memory, count) = (task.memory().ok()?, task.openings.into());
            Some(Verifier::new(memory, self.passes.start(), self.passes.challenge(), count))
        });
        let mut found = Vec::new();
        for (number, member) in self.members.iter().enumerate() {
            let number = number as u32;
            let mut add = |quantity, figure| {
                found.push(self.finding(number, member, quantity, figure));
            };
            if let Some(task) = self.plan.multiply {
                let rate = |p: &Proven| rounds(member, &task, hour.as_ref(), p);
                add(Quantity::IntegerRate, of(member, member.multiply.as_ref(), rate));
            }
            if let Some(task) = self.plan.hold {
                let held = |p: &Proven| passes(member, &task, verifier.as_ref(), p);
                add(Quantity::MemoryBytes, of(member, member.hold.as_ref(), held));
            }
            if let Some(bytes) = self.plan.disk_bytes {
                let rate = |t: &Transfer| self.disk(number, member, bytes, t);
                add(Quantity::DiskRate, of(member, member.disk.as_ref(), rate));
            }
            if let Some(bytes) = self.plan.link_bytes.filter(|_| self.members.len() > 1) {
                add(Quantity::NetworkRate, self.links_of(number, member, bytes));
            }
        }
        Ok(found)
    }

    fn finding(&self, number: u32, member: &Member, quantity: Quantity, figure: Figure) -> Finding {
        let least = member.least.iter().find(|l| l.quantity == quantity);
        let (value, at_most) =
            (figure.as_ref().ok().map(|f| f.0), figure.as_ref().ok().map(|f| f.1));
        let (outcome, why) = match (figure, least) {
            (Err(why), _) => (Outcome::Broken, why),
            (Ok((.., note)), None) => {
                (Outcome::Unknown, join("nothing says how much was sold", &note))
            }
            (Ok((value, .., note)), Some(least)) if value >= least.value => {
                (Outcome::Fine, join(&least.why, &note))
            }
            (Ok((.., note)), Some(least)) if self.plan.light => {
                (Outcome::Unknown, join(&format!("beside a workload; {}", least.why), &note))
            }
            (Ok((_, at_most, note)), Some(least)) if at_most >= least.value => {
                (Outcome::Fine, join(&format!("{}; within what the way took", least.why), &note))
            }
            (Ok((.., note)), Some(least)) => (Outcome::Short, join(&least.why, &note)),
        };
        let least = least.map(|l| l.value);
        Finding {
            member: number,
            device: member.device,
            quantity,
            value,
            at_most,
            least,
            outcome,
            why,
        }
    }

    fn disk(&self, number: u32, member: &Member, bytes: u64, seen: &Transfer) -> Figure {
        let key = key_of(&self.seed.0, "disk", number);
        let salt = key_of(&self.seed.0, "disk-salt", number);
        if seen.digest.0 != digest_of(&key, bytes, &salt) {
            return Err("what was read back is not what was written".to_owned());
        }
        let (value, at_most) = rate(bytes.into(), seen.elapsed_us, member.round_trip_us)?;
        let (read, _) = rate(bytes.into(), seen.read_us, member.round_trip_us)?;
        Ok((value, at_most, format!("read back at {} MB/s", read / 1_000_000)))
    }

    /// The slowest of a member's links, of both directions.
    fn links_of(&self, number: u32, member: &Member, bytes: u64) -> Figure {
        if let Some(fault) = &member.fault {
            return Err(cut(fault));
        }
        let mine = |l: &&LinkSeen| l.from == number || l.to == number;
        let mut worst: Option<(u64, u64, String)> = None;
        for link in self.links.iter().filter(mine) {
            let other = if link.from == number { link.to } else { link.from };
            let way = if link.from == number { "to" } else { "from" };
            let seen = match &link.seen {
                Seen::Done(seen) => seen,
                Seen::Failed(why) => return Err(format!("{way} member {other}: {}", cut(why))),
            };
            let (key, salt) = self.link_keys(link);
            if seen.digest.0 != digest_of(&key, bytes, &salt) {
                return Err(format!("{way} member {other}: not what was sent"));
            }
            let (value, most) = rate(bytes.into(), seen.elapsed_us, member.round_trip_us)?;
            if worst.as_ref().is_none_or(|(least, ..)| value < *least) {
                worst = Some((value, most, format!("slowest {way} member {other}")));
            }
        }
        worst.ok_or_else(|| "no link of it was tried".to_owned())
    }

    /// Key and salt of a link.
    pub fn link_keys(&self, link: &LinkSeen) -> ([u8; 32], [u8; 32]) {
        let pair = key_of(&self.seed.0, "link", link.from);
        (key_of(&pair, "key", link.to), key_of(&pair, "salt", link.to))
    }
}

fn of<T>(member: &Member, seen: Option<&Seen<T>>, figure: impl FnOnce(&T) -> Figure) -> Figure {
    match (&member.fault, seen) {
        (Some(fault), _) => Err(cut(fault)),
        (None, Some(Seen::Done(seen))) => figure(seen),
        (None, Some(Seen::Failed(why))) => Err(cut(why)),
        (None, None) => Err("it was not asked".to_owned()),
    }
}

fn rounds(member: &Member, task: &Multiply, hour: Option<&Hour>, seen: &Proven) -> Figure {
    let (Some(hour), Ok(shape)) = (hour, task.shape()) else {
        return Err("no such product".into());
    };
    let proof =
        Proof::decode(shape, task.openings.into(), &seen.proof.0).map_err(|e| e.to_string())?;
    let rounds = hour
        .verify(member.device, &Commitment(seen.commitment.0), &proof)
        .map_err(|e| format!("a wrong proof: {e}"))?;
    let done = u128::from(rounds) * u128::from(shape.operations());
    let (value, at_most) = rate(done, seen.elapsed_us, member.round_trip_us)?;
    Ok((value, at_most, format!("{rounds} rounds")))
}

fn passes(member: &Member, task: &Hold, verifier: Option<&Verifier>, seen: &Proven) -> Figure {
    let (Some(verifier), Ok(memory)) = (verifier, task.memory()) else {
        return Err("no such memory".into());
    };
    let count = task.openings.into();
    let proof = memory::Proof::decode(memory, count, &seen.proof.0).map_err(|e| e.to_string())?;
    let passes = verifier
        .verify(member.device, 0, &Commitment(seen.commitment.0), &proof)
        .map_err(|e| format!("a wrong proof: {e}"))?;
    if passes < task.passes || !memory.counts(passes) {
        return Err(format!("{passes} passes do not show that the memory was held"));
    }
    let moved = 2 * u128::from(memory.bytes()) * u128::from(passes);
    let (speed, _) = rate(moved, seen.elapsed_us, member.round_trip_us)?;
    let note = format!("{passes} passes at {} MB/s", speed / 1_000_000);
    Ok((memory.bytes(), memory.bytes(), note))
}

/// Units a second: at least, and at most if the way took its share of the time.
fn rate(done: u128, elapsed_us: u64, round_trip_us: u64) -> Result<(u64, u64), String> {
    let over = |us: u64| {
        let rate = (done * 1_000_000).checked_div(us.into()).ok_or("it took no time")?;
        u64::try_from(rate).map_err(|_| "a rate beyond 64 bits".to_owned())
    };
    let way = round_trip_us.min(elapsed_us / WAY_SHARE);
    Ok((over(elapsed_us)?, over(elapsed_us - way)?))
}

fn join(one: &str, other: &str) -> String {
    if other.is_empty() { one.to_owned() } else { format!("{one}; {other}") }
}

/// Text of a stranger, for a line of a table.
fn cut(why: &str) -> String {
    why.chars().filter(|c| !c.is_control()).take(160).collect()
}
