//! Work that is proven: rounds of products, passes over memory.

use crate::record::{Hold, Multiply};
use ionet_core::DeviceId;
use ionet_prover::{Cpu, Prover};
use ionet_trust::memory::{self, Plain};
use ionet_trust::{Beacon, Challenge, Secret, Shape};
use std::time::{Duration, Instant};

/// Part of a round that may be missing when the time is over: its estimate is that of the last.
const MARGIN: f64 = 1.1;

/// Work that is committed to and not opened yet.
pub(crate) enum Done {
    /// Rounds.
    Multiply { prover: Box<Prover<Cpu>>, shape: Shape, task: Multiply },
    /// Passes.
    Hold { plain: Plain, task: Hold },
}

/// A piece of work, of whom, from what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    pub(crate) beacon: Beacon,
    pub(crate) device: DeviceId,
}

impl Done {
    /// As many rounds as end in time, but one at least.
    pub(crate) fn multiply(begun: Begun, task: Multiply, threads: u16) -> Result<Self, String> {
        let shape = task.shape().map_err(|e| e.to_string())?;
        let end = Instant::now() + Duration::from_millis(task.time_ms.into());
        let threads = if task.threads == 0 { threads } else { task.threads.min(threads) };
        let kernel = Cpu::new(threads.into());
        let Ok(mut prover) = Prover::start(kernel, shape, begun.beacon, begun.device);
        loop {
            let round = Instant::now();
            let Ok(more) = prover.round();
            if !more || Instant::now() + round.elapsed().mul_f64(MARGIN) > end {
                return Ok(Self::Multiply { prover: Box::new(prover), shape, task });
            }
        }
    }

    /// All passes.
    pub(crate) fn hold(begun: Begun, task: Hold) -> Result<Self, String> {
        let memory = task.memory().map_err(|e| e.to_string())?;
        let mut plain = Plain::start(memory, begun.beacon, begun.device, 0);
        for _ in 0..task.passes {
            if !plain.pass() {
                return Err("more passes than a proof holds".to_owned());
            }
        }
        Ok(Self::Hold { plain, task })
    }

    /// What stands for it.
    pub(crate) fn commitment(&self) -> [u8; 32] {
        match self {
            Self::Multiply { prover, .. } => prover.commitment().0,
            Self::Hold { plain, .. } => plain.commitment().0,
        }
    }

    /// Opens what the challenge asks for.
    pub(crate) fn open(
        self,
        begun: Begun,
        late: Beacon,
        secret: Secret,
    ) -> Result<Vec<u8>, String> {
        let challenge = Challenge::new(&begun.beacon, &late, &secret, &secret.precommitment())
            .map_err(|e| e.to_string())?;
        match self {
            Self::Multiply { mut prover, shape, task } => {
                let count = task.openings.into();
                let asked = challenge.openings(shape, begun.device, prover.rounds(), count);
                let proof = prover.open(&asked).map_err(|e| format!("{e:?}"))?;
                Ok(proof.encode())
            }
            Self::Hold { plain, task } => {
                let asked = plain.trail().openings(&challenge, task.openings.into());
                let proof: memory::Proof = plain.open(&asked);
                Ok(proof.encode())
            }
        }
    }
}
