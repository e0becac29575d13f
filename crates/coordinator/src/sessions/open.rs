//! Streams that the coordinator opens into a device's part.

use super::Link;
use crate::control::{ControlError, DeviceStream};
use ionet_wire::frame;
use ionet_wire::message::{Open, Opened};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

/// Time for a device to answer: it may have to start a program.
const OPEN_TIME_MAX: Duration = Duration::from_secs(15);

/// Opens a stream and waits until the device agrees.
pub(crate) async fn open_stream(link: Link, open: Open) -> Result<DeviceStream, ControlError> {
    let gone = |why: &dyn std::fmt::Display| {
        ControlError::DeviceUnavailable(format!("the device does not answer: {why}"))
    };
    let permit =
        link.streams.clone().try_acquire_owned().map_err(|_| {
            ControlError::DeviceUnavailable("too many streams to this device".into())
        })?;
    let opened = async {
        let (mut send, mut recv) = link.connection.open_bi().await.map_err(|e| gone(&e))?;
        frame::write(&mut send, &open).await.map_err(|e| gone(&e))?;
        let answer: Opened = frame::read(&mut recv).await.map_err(|e| gone(&e))?;
        Ok::<_, ControlError>((send, recv, answer))
    };
    let (send, recv, answer) =
        tokio::time::timeout(OPEN_TIME_MAX, opened).await.map_err(|_| gone(&"timed out"))??;
    match answer {
        Opened::Ok => {
            let joined = tokio::io::join(recv, send);
            Ok(DeviceStream::new(Counted { joined, _permit: permit }))
        }
        Opened::Refused { reason } => Err(ControlError::DeviceUnavailable(reason)),
    }
}

/// A stream that counts against its device's limit until it is dropped.
struct Counted<S> {
    joined: S,
    _permit: OwnedSemaphorePermit,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.joined).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.joined).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.joined).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.joined).poll_shutdown(cx)
    }
}
