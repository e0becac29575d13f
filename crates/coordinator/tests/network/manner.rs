//! How a scripted device behaves in a trial: one honest way, and many others.

use crate::several::{self, Way};
use ionet_core::{DeviceId, Task};
use ionet_prover::{Cpu, Prover};
use ionet_trust::record::shape_of;
use ionet_trust::{Beacon, Challenge, Secret};
use ionet_wire::frame;
use ionet_wire::message::Opened;
use ionet_wire::prove::{FromProver, ToProver};
use iroh::endpoint::{RecvStream, SendStream};
use std::time::Duration;

/// Rounds that it does: a millisecond each.
pub(crate) const ROUNDS: u32 = 4;

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Honest,
    /// Says no to the stream.
    Refuses,
    /// Says after the start that it cannot.
    Declines,
    /// Never says anything after the start.
    Stalls,
    /// Commits when it is too late.
    Dawdles,
    /// Commits to a task that it was not asked for.
    Disorderly,
    /// Commits to nothing it has, and proves something.
    Garbles,
    /// Proves with another device's work.
    Borrows,
    /// Cuts its proof short.
    Truncates,
    /// Commits, and never proves.
    Forgets,
    /// Commits, looks at the question, and says then that it cannot.
    Balks,
    /// Hangs up after committing.
    HangsUp,
    /// Sends what nobody knows.
    Babbles,
    /// Commits twice to the same task.
    Repeats,
    /// Proves with its work for another beacon.
    Recalls,
    /// Sends half of its proof, and waits.
    Trickles,
    /// Knows trials of several tasks.
    Several(Way),
}

type Done = Option<()>;

async fn say(send: &mut SendStream, message: FromProver) -> Done {
    frame::write(send, &message).await.ok()
}

async fn hear(recv: &mut RecvStream) -> Option<ToProver> {
    frame::read(recv).await.ok()
}

impl Manner {
    /// One trial. Ends when the other side does.
    pub(crate) async fn behave(self, id: DeviceId, send: &mut SendStream, recv: &mut RecvStream) {
        if let Self::Several(way) = self {
            let _ = several::go(way, id, send, recv).await;
        } else {
            let _ = self.go(id, send, recv).await;
        }
    }

    async fn go(self, id: DeviceId, send: &mut SendStream, recv: &mut RecvStream) -> Done {
        if self == Self::Refuses {
            let reason = "not today".to_owned();
            return frame::write(send, &Opened::Refused { reason }).await.ok();
        }
        frame::write(send, &Opened::Ok).await.ok()?;
        let ToProver::Start { beacon, tasks, .. } = hear(recv).await? else { return None };
        let (beacon, task) = (Beacon(beacon), tasks[0]);
        let shape = shape_of(&task)?.ok()?;
        let device = if self == Self::Borrows { DeviceId([9; 32]) } else { id };
        let worked_for = if self == Self::Recalls { Beacon([8; 32]) } else { beacon };
        let Ok(mut prover) = Prover::start(Cpu::new(1), shape, worked_for, device);
        for _ in 0..ROUNDS {
            let Ok(true) = prover.round() else { return None };
        }
        let mut hash = prover.commitment().0;
        match self {
            Self::Declines => {
                say(send, FromProver::Declined { reason: "I serve".to_owned() }).await?;
            }
            Self::Stalls => {
                hear(recv).await;
                return None;
            }
            Self::Dawdles => {
                let late = u64::from(task.time_ms()) + 900;
                tokio::time::sleep(Duration::from_millis(late)).await;
            }
            Self::Garbles => hash = [7; 32],
            Self::Babbles => {
                for _ in 0..1_000 {
                    frame::write(send, &serde_json::json!({ "prove": "a-secret" })).await.ok()?;
                }
            }
            _ => (),
        }
        let number = u8::from(self == Self::Disorderly);
        say(send, FromProver::Commitment { task: number, hash }).await?;
        match self {
            Self::HangsUp => return None,
            Self::Repeats => say(send, FromProver::Commitment { task: number, hash }).await?,
            _ => (),
        }
        let ToProver::Ask { late, secret } = hear(recv).await? else { return None };
        let secret = Secret(secret);
        let promised = secret.precommitment();
        let challenge = Challenge::new(&beacon, &Beacon(late), &secret, &promised).ok()?;
        let Task::Multiply { openings, .. } = task else { return None };
        let asked = challenge.openings(shape, device, ROUNDS, openings.into());
        let mut bytes = prover.open(&asked).ok()?.encode();
        if self == Self::Truncates {
            bytes.pop();
        }
        let proof = FromProver::Proof { task: 0, bytes };
        match self {
            Self::Forgets => (),
            Self::Balks => say(send, FromProver::Declined { reason: "I serve".to_owned() }).await?,
            Self::Trickles => {
                let mut whole = Vec::new();
                frame::write(&mut whole, &proof).await.ok()?;
                send.write_all(&whole[..whole.len() / 2]).await.ok()?;
            }
            _ => say(send, proof).await?,
        }
        hear(recv).await;
        Some(())
    }
}
