//! Work that is proven: rounds of products, passes over memory.

use ionet_core::DeviceId;
use ionet_prover::{Cpu, Passes, Prover, Ram, until};
use ionet_trust::inside::{Hold, Multiply};
use ionet_trust::{Beacon, Challenge, Secret, Shape};
use std::time::{Duration, Instant};

/// Work that is committed to and not opened yet.
pub(crate) enum Done {
    /// Rounds.
    Multiply { prover: Box<Prover<Cpu>>, shape: Shape, task: Multiply },
    /// Passes.
    Hold { passes: Passes<Ram>, task: Hold },
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
        let Ok(()) = until(end, || prover.round());
        Ok(Self::Multiply { prover: Box::new(prover), shape, task })
    }

    /// All passes.
    pub(crate) fn hold(begun: Begun, task: Hold) -> Result<Self, String> {
        let memory = task.memory().map_err(|e| e.to_string())?;
        let said = |e: ionet_prover::RamError| e.to_string();
        let passes = Passes::start(Ram::new(1), memory, begun.beacon, begun.device, 0);
        let mut passes = passes.map_err(said)?;
        for _ in 0..task.passes {
            if !passes.pass().map_err(said)? {
                return Err("more passes than a proof holds".to_owned());
            }
        }
        Ok(Self::Hold { passes, task })
    }

    /// What stands for it.
    pub(crate) fn commitment(&self) -> [u8; 32] {
        match self {
            Self::Multiply { prover, .. } => prover.commitment().0,
            Self::Hold { passes, .. } => passes.commitment().0,
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
            Self::Hold { passes, task } => {
                let asked = passes.trail().openings(&challenge, task.openings.into());
                let proof = passes.open(&asked).map_err(|e| format!("{e:?}"))?;
                Ok(proof.encode())
            }
        }
    }
}
