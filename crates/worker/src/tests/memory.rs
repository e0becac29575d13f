//! Containers that exist in memory only: for tests of sessions and of the reconciler, where an
//! engine adds nothing.

use crate::host::{Exec, ExecOutput, Host, HostError, Look, Probe, Progress};
use crate::store::StoredPart;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use ionet_core::{PartId, PartSpec};
use ionet_runtime::Connection;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

#[derive(Default)]
pub(super) struct Inside {
    pub(super) containers: BTreeMap<PartId, Look>,
    pub(super) starts: u32,
    pub(super) networks: u32,
    /// The engine does not answer.
    pub(super) away: bool,
    /// What `start` answers instead of starting.
    pub(super) refuses: Option<String>,
    /// What a head counts; none: it does not answer.
    pub(super) nodes: Option<u32>,
}

#[derive(Default)]
pub(super) struct MemoryHost {
    pub(super) inside: Mutex<Inside>,
}

impl MemoryHost {
    fn answer<T>(
        &self,
        work: impl FnOnce(&mut Inside) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        let mut inside = self.inside.lock().unwrap();
        if inside.away {
            return Err(HostError::Away("nobody home".into()));
        }
        work(&mut inside)
    }

    pub(super) fn look_at(&self, id: PartId) -> Look {
        self.inside.lock().unwrap().containers.get(&id).cloned().unwrap_or(Look::Missing)
    }
}

#[async_trait]
impl Host for MemoryHost {
    async fn list(&self) -> Result<Vec<PartId>, HostError> {
        self.answer(|i| Ok(i.containers.keys().copied().collect()))
    }

    async fn fetch_image(&self, _: &PartSpec, progress: Progress<'_>) -> Result<(), HostError> {
        progress(64 << 20, Some(128 << 20));
        self.answer(|_| Ok(()))
    }

    async fn set_network(&self, _: &PartSpec) -> Result<(), HostError> {
        self.answer(|i| {
            i.networks += 1;
            Ok(())
        })
    }

    async fn start(&self, part: &StoredPart) -> Result<(), HostError> {
        self.answer(|i| {
            if let Some(reason) = &i.refuses {
                return Err(HostError::Refused(reason.clone()));
            }
            let id = part.spec.id;
            i.containers.retain(|c, _| c.cluster != id.cluster);
            i.starts += 1;
            let started_at = 1_000 + i64::from(i.starts);
            i.containers.insert(id, Look::Running { started_at });
            Ok(())
        })
    }

    async fn look(&self, id: PartId) -> Result<Look, HostError> {
        self.answer(|i| Ok(i.containers.get(&id).cloned().unwrap_or(Look::Missing)))
    }

    async fn probe(&self, _: &StoredPart) -> Result<Probe, HostError> {
        self.answer(|i| Ok(i.nodes.map_or(Probe::Silent, |n| Probe::Alive(Some(n)))))
    }

    async fn remove(&self, id: PartId, _: u32) -> Result<(), HostError> {
        self.answer(|i| {
            i.containers.remove(&id);
            Ok(())
        })
    }

    /// An echo that puts the port in front.
    async fn dial(&self, _: PartId, port: u16) -> Result<Connection, HostError> {
        self.answer(|_| Ok(()))?;
        let (near, mut far) = tokio::io::duplex(1_024);
        tokio::spawn(async move {
            let mut words = Vec::new();
            far.read_to_end(&mut words).await.unwrap();
            far.write_all(format!("{port}:").as_bytes()).await.unwrap();
            far.write_all(&words).await.unwrap();
        });
        Ok(Box::new(near))
    }

    async fn logs(
        &self,
        _: PartId,
        follow: bool,
        tail: u32,
    ) -> Result<BoxStream<'static, Result<Bytes, HostError>>, HostError> {
        self.answer(|_| Ok(()))?;
        let lines = stream::iter([Ok(Bytes::from(format!("last {tail} lines\n")))]);
        Ok(if follow { lines.chain(stream::pending()).boxed() } else { lines.boxed() })
    }

    /// `cat`: input becomes output; the code is the number of arguments.
    async fn exec(&self, _: PartId, argv: Vec<String>, _: bool) -> Result<Exec, HostError> {
        self.answer(|_| Ok(()))?;
        let (input, mut pieces) = mpsc::channel::<Bytes>(1);
        let (words, output) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(piece) = pieces.recv().await {
                let _ = words.send(Ok(ExecOutput::Stdout(piece))).await;
            }
            let _ = words.send(Ok(ExecOutput::Stderr(Bytes::from_static(b"done")))).await;
            let _ = words.send(Ok(ExecOutput::Exit(argv.len() as i64))).await;
        });
        let output = stream::unfold(output, |mut o| async move { o.recv().await.map(|p| (p, o)) });
        Ok(Exec { output: output.boxed(), input })
    }
}
