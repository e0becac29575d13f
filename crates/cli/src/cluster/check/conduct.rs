//! The check itself: every member at once, stage by stage, timed by this machine's clock.

use super::visit::{Trouble, Visit};
use crate::failure::{OrFail as _, Result};
use futures_util::future::join_all;
use ionet_core::DeviceId;
use ionet_inside::{
    Answer, Blob, Check, Draw, LinkSeen, Order, Proven, Seen, Transfer, Word, key_of,
};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::time::Instant;

/// Pings, of which the shortest counts.
const PINGS: usize = 5;
/// For an answer that costs nothing.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// For what is left to do when the time of rounds is over: a round of a slow machine.
const GRACE: Duration = Duration::from_secs(30);
/// For passes, bytes and proofs: beyond it nobody waits, however slow.
const STAGE_MAX: Duration = Duration::from_secs(90);

/// 32 bytes that nobody could know before.
pub(super) fn drawn() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes).or_internal("entropy")?;
    Ok(bytes)
}

/// A member's program, or why there is none.
pub(super) type Door = Result<Visit, Trouble>;

/// A door and whose it is.
pub(super) struct Inside {
    pub(super) device: DeviceId,
    pub(super) ip: Option<Ipv4Addr>,
    pub(super) door: Door,
}

/// Fills the record with what every member does.
pub(super) async fn conduct(check: &mut Check, inside: &mut [Inside]) -> Result<()> {
    for (member, inside) in check.members.iter_mut().zip(&*inside) {
        match &inside.door {
            Ok(visit) => member.threads = visit.threads,
            Err(trouble) => member.fault = Some(trouble.to_string()),
        }
    }
    let pings = join_all(inside.iter_mut().map(round_trip)).await;
    for (member, ping) in check.members.iter_mut().zip(pings) {
        member.round_trip_us = ping.unwrap_or(0);
    }
    if let Some(task) = check.plan.multiply {
        let beacon = drawn()?;
        let limit = Duration::from_millis(task.time_ms.into()) + GRACE;
        let order = |device| Order::Multiply { beacon, device, task };
        let (draw, seen) = prove(inside, beacon, order, limit).await?;
        check.rounds = draw;
        check.members.iter_mut().zip(seen).for_each(|(m, s)| m.multiply = Some(s));
    }
    if let Some(task) = check.plan.hold {
        let beacon = drawn()?;
        let order = |device| Order::Hold { beacon, device, task };
        let (draw, seen) = prove(inside, beacon, order, STAGE_MAX).await?;
        check.passes = draw;
        check.members.iter_mut().zip(seen).for_each(|(m, s)| m.hold = Some(s));
    }
    if let Some(bytes) = check.plan.disk_bytes {
        let seed = check.seed.0;
        let disks = inside.iter_mut().enumerate().map(|(n, i)| disk(i, &seed, n as u32, bytes));
        let seen = join_all(disks).await;
        check.members.iter_mut().zip(seen).for_each(|(m, s)| m.disk = Some(s));
    }
    if let Some(bytes) = check.plan.link_bytes {
        links(check, inside, bytes).await?;
    }
    Ok(())
}

impl Inside {
    async fn ask(&mut self, order: &Order, limit: Duration) -> Result<(Duration, Answer), String> {
        match &mut self.door {
            Ok(visit) => match visit.ask(order, limit).await {
                Ok((_, Answer::Failed { why })) => Err(why),
                Ok(come) => Ok(come),
                Err(trouble) => Err(trouble.to_string()),
            },
            Err(trouble) => Err(trouble.to_string()),
        }
    }
}

/// The shortest of some pings, in microseconds.
async fn round_trip(inside: &mut Inside) -> Option<u64> {
    let mut shortest = None;
    for _ in 0..PINGS {
        let (took, Answer::Pong) = inside.ask(&Order::Ping, ANSWER_MAX).await.ok()? else {
            return None;
        };
        shortest = shortest.min(Some(micros(took))).or(Some(micros(took)));
    }
    shortest
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn unexpected<T>() -> Result<T, String> {
    Err(Trouble::Unexpected.to_string())
}

/// One kind of work on all members at once: commitments first, then the question, then proofs.
async fn prove(
    inside: &mut [Inside],
    beacon: [u8; 32],
    order: impl Fn(DeviceId) -> Order,
    limit: Duration,
) -> Result<(Draw, Vec<Seen<Proven>>)> {
    let work = inside.iter_mut().map(|i| {
        let order = order(i.device);
        async move {
            match i.ask(&order, limit).await? {
                (took, Answer::Commitment { hash }) => Ok((micros(took), hash)),
                _ => unexpected(),
            }
        }
    });
    let committed = join_all(work).await;
    // Drawn when every commitment is here: nobody can work towards what is asked.
    let (late, secret) = (drawn()?, drawn()?);
    let ask = Order::Ask { late, secret };
    let open = inside.iter_mut().zip(committed).map(|(i, committed)| {
        let ask = &ask;
        async move {
            let (elapsed_us, hash) = committed?;
            match i.ask(ask, STAGE_MAX).await? {
                (_, Answer::Proof { bytes }) => {
                    Ok(Proven { elapsed_us, commitment: Word(hash), proof: Blob(bytes) })
                }
                _ => unexpected(),
            }
        }
    });
    let seen = join_all(open).await.into_iter().map(seen).collect();
    Ok((Draw { beacon: Word(beacon), late: Word(late), secret: Word(secret) }, seen))
}

fn seen<T>(done: Result<T, String>) -> Seen<T> {
    match done {
        Ok(done) => Seen::Done(done),
        Err(why) => Seen::Failed(why),
    }
}

async fn disk(inside: &mut Inside, seed: &[u8; 32], number: u32, bytes: u64) -> Seen<Transfer> {
    let (key, salt) = (key_of(seed, "disk", number), key_of(seed, "disk-salt", number));
    let done = async {
        let (wrote, Answer::Written) = inside.ask(&Order::Write { key, bytes }, STAGE_MAX).await?
        else {
            return unexpected();
        };
        // The salt is said only now: nothing of the digest can be made while writing.
        match inside.ask(&Order::Read { salt }, STAGE_MAX).await? {
            (read, Answer::Digest { hash }) => Ok(Transfer {
                elapsed_us: micros(wrote),
                read_us: micros(read),
                digest: Word(hash),
            }),
            _ => unexpected(),
        }
    };
    seen(done.await)
}

/// Each member with the next in order, then, where that is another, with the one before.
async fn links(check: &mut Check, inside: &mut [Inside], bytes: u64) -> Result<()> {
    let count = inside.len();
    let steps = match count {
        0 | 1 => &[][..],
        2 => &[1][..],
        _ => &[1, count - 1][..],
    };
    for step in steps {
        let token = drawn()?;
        let empty = |from: usize| LinkSeen {
            from: from as u32,
            to: ((from + step) % count) as u32,
            seen: Seen::Failed(String::new()),
        };
        let mut round: Vec<_> = (0..count).map(empty).collect();
        // By receiver: member `to` listens for the one that is `step` before it.
        let ears = inside.iter_mut().enumerate().map(|(to, i)| {
            let (_, salt) = check.link_keys(&round[(to + count - step) % count]);
            async move {
                match i.ask(&Order::Listen { token, salt, bytes }, ANSWER_MAX).await? {
                    (_, Answer::Listening { port }) => Ok(port),
                    _ => unexpected(),
                }
            }
        });
        let ports = join_all(ears).await;
        let addresses: Vec<_> = inside.iter().map(|i| i.ip).collect();
        let both = inside.iter_mut().enumerate().map(|(n, i)| {
            let to = (n + step) % count;
            let (key, _) = check.link_keys(&round[n]);
            let (port, at) = (ports[to].clone(), addresses[to]);
            let listens = ports[n].is_ok();
            async move {
                let begun = Instant::now();
                let sent = send(i, (at, port), token, (key, bytes)).await;
                (begun, sent, hear(i, listens).await)
            }
        });
        let come = join_all(both).await;
        for (n, link) in round.iter_mut().enumerate() {
            let (begun, sent, _) = &come[n];
            let heard = &come[link.to as usize].2;
            link.seen = seen(match (sent, heard) {
                (Err(why), _) | (Ok(()), Err(why)) => Err(why.clone()),
                (Ok(()), Ok((at, hash))) => Ok(Transfer {
                    elapsed_us: micros(at.saturating_duration_since(*begun)),
                    read_us: 0,
                    digest: Word(*hash),
                }),
            });
        }
        check.links.append(&mut round);
    }
    Ok(())
}

async fn send(
    inside: &mut Inside,
    (at, port): (Option<Ipv4Addr>, Result<u16, String>),
    token: [u8; 32],
    (key, bytes): ([u8; 32], u64),
) -> Result<(), String> {
    let (to, port) = (at.ok_or("the member has no address")?.octets(), port?);
    match inside.ask(&Order::Send { to, port, token, key, bytes }, STAGE_MAX).await? {
        (_, Answer::Sent) => Ok(()),
        _ => unexpected(),
    }
}

async fn hear(inside: &mut Inside, listens: bool) -> Result<(Instant, [u8; 32]), String> {
    let visit = inside.door.as_mut().map_err(|trouble| trouble.to_string())?;
    if !listens {
        return Err("it does not listen".to_owned());
    }
    match visit.heard(STAGE_MAX).await {
        Ok((at, Answer::Received { hash })) => Ok((at, hash)),
        Ok((_, Answer::Deaf { why })) => Err(format!("listening: {why}")),
        Ok(_) => unexpected(),
        Err(trouble) => Err(trouble.to_string()),
    }
}
