//! A scripted device in a trial of rounds and a pass over memory: honest, or not in one thing.

use ionet_core::{DeviceId, Task};
use ionet_prover::{Cpu, Passes, Prover, Ram};
use ionet_trust::memory::{Memory, PASSES_MIN};
use ionet_trust::record::shape_of;
use ionet_trust::{Beacon, Challenge, Secret};
use ionet_wire::frame;
use ionet_wire::message::Opened;
use ionet_wire::prove::{FromProver, ToProver};
use iroh::endpoint::{RecvStream, SendStream};
use std::time::Duration;

/// Rounds that it does.
pub(crate) const ROUNDS: u32 = 4;
/// Passes of one that does too few.
pub(crate) const FEW: u32 = 3;

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it should.
    Honest,
    /// Does the second task first, with the only beacon that it knows, and holds the first
    /// commitment back as long as it may.
    HoldsBack,
    /// Commits to the second task when it is too late.
    LateSecond,
    /// Passes over another device's pages.
    OthersPages,
    /// Stops before its passes show anything.
    FewPasses,
    /// Says that it cannot do the second task.
    Skips,
    /// Says between both tasks that it does not go on.
    Leaves,
    /// Looks at the question, and says then that it cannot.
    Balks,
    /// Proves the first task, and says nothing of the second.
    HalfProof,
    /// Does rounds of every kind that it is asked for, and no pass over memory.
    Units,
}

async fn say(send: &mut SendStream, message: FromProver) -> Option<()> {
    frame::write(send, &message).await.ok()
}

async fn hear(recv: &mut RecvStream) -> Option<ToProver> {
    frame::read(recv).await.ok()
}

fn declined() -> FromProver {
    FromProver::Declined { reason: "I serve".to_owned() }
}

fn passed(memory: Memory, beacon: Beacon, device: DeviceId, passes: u32) -> Option<Passes<Ram>> {
    let mut done = Passes::start(Ram::new(1), memory, beacon, device, 1).ok()?;
    for _ in 0..passes {
        done.pass().ok().filter(|more| *more)?;
    }
    Some(done)
}

/// One trial.
pub(crate) async fn go(
    way: Way,
    id: DeviceId,
    send: &mut SendStream,
    recv: &mut RecvStream,
) -> Option<()> {
    frame::write(send, &Opened::Ok).await.ok()?;
    let ToProver::Start { beacon, tasks, .. } = hear(recv).await? else { return None };
    if way == Way::Units {
        return rounds_of_each(beacon, &tasks, id, send, recv).await;
    }
    let [rounds, pass] = tasks[..] else { return None };
    let (first, shape) = (Beacon(beacon), shape_of(&rounds)?.ok()?);
    let Task::Stream { bytes, openings, time_ms } = pass else { return None };
    let memory = Memory::new(bytes).ok()?;
    let Ok(mut prover) = Prover::start(Cpu::new(1), shape, first, id);
    for _ in 0..ROUNDS {
        let Ok(true) = prover.round() else { return None };
    }
    let mut early = None;
    if way == Way::HoldsBack {
        early = Some(passed(memory, first, id, PASSES_MIN)?);
        let nearly = u64::from(rounds.time_ms());
        tokio::time::sleep(Duration::from_millis(nearly)).await;
    }
    say(send, FromProver::Commitment { task: 0, hash: prover.commitment().0 }).await?;
    if way == Way::Leaves {
        return say(send, declined()).await;
    }
    let ToProver::Next { task: 1, beacon } = hear(recv).await? else { return None };
    let own = if way == Way::OthersPages { DeviceId([9; 32]) } else { id };
    let enough = if way == Way::FewPasses { FEW } else { PASSES_MIN };
    let mut passes = None;
    if way == Way::Skips {
        say(send, FromProver::Skipped { task: 1, reason: "too little".to_owned() }).await?;
    } else {
        let done = match early {
            Some(early) => early,
            None => passed(memory, Beacon(beacon), own, enough)?,
        };
        if way == Way::LateSecond {
            tokio::time::sleep(Duration::from_millis(u64::from(time_ms) + 900)).await;
        }
        say(send, FromProver::Commitment { task: 1, hash: done.commitment().0 }).await?;
        passes = Some(done);
    }
    let ToProver::Ask { late, secret } = hear(recv).await? else { return None };
    if way == Way::Balks {
        return say(send, declined()).await;
    }
    let secret = Secret(secret);
    let promised = secret.precommitment();
    let challenge = Challenge::new(&first, &Beacon(late), &secret, &promised).ok()?;
    let Task::Multiply { openings: leaves, .. } = rounds else { return None };
    let asked = challenge.openings(shape, id, ROUNDS, leaves.into());
    let bytes = prover.open(&asked).ok()?.encode();
    say(send, FromProver::Proof { task: 0, bytes }).await?;
    if let Some(passes) = passes.filter(|_| way != Way::HalfProof) {
        let asked = passes.trail().openings(&challenge, openings.into());
        let bytes = passes.open(&asked).ok()?.encode();
        say(send, FromProver::Proof { task: 1, bytes }).await?;
    }
    hear(recv).await;
    Some(())
}

async fn rounds_of_each(
    beacon: [u8; 32],
    tasks: &[Task],
    id: DeviceId,
    send: &mut SendStream,
    recv: &mut RecvStream,
) -> Option<()> {
    let (first, mut done) = (Beacon(beacon), Vec::new());
    for (task, number) in tasks.iter().zip(0u8..) {
        let mut own = first;
        if number > 0 {
            let ToProver::Next { beacon, .. } = hear(recv).await? else { return None };
            own = Beacon(beacon);
        }
        let Some(shape) = shape_of(task) else {
            let reason = "too little".to_owned();
            say(send, FromProver::Skipped { task: number, reason }).await?;
            continue;
        };
        let Ok(mut prover) = Prover::start(Cpu::new(1), shape.ok()?, own, id);
        for _ in 0..ROUNDS {
            let Ok(true) = prover.round() else { return None };
        }
        say(send, FromProver::Commitment { task: number, hash: prover.commitment().0 }).await?;
        done.push((number, *task, shape.ok()?, prover));
    }
    let ToProver::Ask { late, secret } = hear(recv).await? else { return None };
    let secret = Secret(secret);
    let promised = secret.precommitment();
    let challenge = Challenge::new(&first, &Beacon(late), &secret, &promised).ok()?;
    for (number, task, shape, mut prover) in done {
        let Task::Multiply { openings, .. } = task else { return None };
        let asked = challenge.openings(shape, id, ROUNDS, openings.into());
        let bytes = prover.open(&asked).ok()?.encode();
        say(send, FromProver::Proof { task: number, bytes }).await?;
    }
    hear(recv).await;
    Some(())
}
