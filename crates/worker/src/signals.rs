//! What the owner's signals mean.

use crate::worker::Stop;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Turns signals into [`Stop`]. The first Ctrl-C drains: without parts the worker ends at once,
/// with parts when they have ended. The second Ctrl-C, and SIGTERM at any time, end the worker
/// now; its containers go on and are adopted at the next start.
pub fn signals() -> std::io::Result<watch::Receiver<Stop>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (sender, receiver) = watch::channel(Stop::No);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                _ = interrupt.recv() => match *sender.borrow() {
                    Stop::No => Stop::Drain,
                    Stop::Drain | Stop::Now => Stop::Now,
                },
                _ = terminate.recv() => Stop::Now,
            };
            match next {
                Stop::Drain => tracing::info!(
                    "draining: no new clusters; press Ctrl-C again to leave now (containers go on)"
                ),
                Stop::No | Stop::Now => tracing::info!("ending; containers go on"),
            }
            sender.send_replace(next);
        }
    });
    Ok(receiver)
}
