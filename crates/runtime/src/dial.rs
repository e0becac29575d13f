//! TCP connections made inside a container's network namespace.
//!
//! The host has no route to a cluster's network and shall have none. A socket belongs to the
//! namespace in which it was opened, for ever: so one thread enters the namespace, connects,
//! and hands the socket back. Needs the right to enter namespaces (root); without it the same
//! bytes go through a small relay that runs inside the container.

use crate::{Connection, Exec, ExecOutput};
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_util::io::StreamReader;

/// How long one attempt to connect may take; inside a namespace an answer comes in microseconds.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// The network namespace of a process.
pub(crate) fn namespace(pid: i64) -> io::Result<File> {
    File::open(format!("/proc/{pid}/ns/net"))
}

/// Connects inside `namespace`: to loopback, else to `own`.
pub(crate) async fn connect(
    namespace: File,
    own: Option<Ipv4Addr>,
    port: u16,
) -> io::Result<Connection> {
    let (answer, connected) = oneshot::channel();
    // A thread of its own, not one of a pool: it stays in the namespace until it ends.
    std::thread::Builder::new().name("dial".to_owned()).spawn(move || {
        // Nobody may wait any more; the socket is closed then.
        let _ = answer.send(connect_inside(&namespace, own, port));
    })?;
    let stream = connected.await.map_err(|_| io::Error::other("the dialling thread ended"))??;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(Box::new(tokio::net::TcpStream::from_std(stream)?))
}

fn connect_inside(namespace: &File, own: Option<Ipv4Addr>, port: u16) -> io::Result<TcpStream> {
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)?;
    let loopback = Ipv4Addr::LOCALHOST;
    let mut last = io::Error::from(io::ErrorKind::ConnectionRefused);
    for ip in std::iter::once(loopback).chain(own) {
        match TcpStream::connect_timeout(&SocketAddr::new(IpAddr::V4(ip), port), CONNECT_MAX) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// The relay for engines whose containers' namespaces we may not enter. Prints one line when it
/// is connected, then passes bytes both ways.
pub(crate) fn relay_command(own: Option<Ipv4Addr>, port: u16) -> Vec<String> {
    const SCRIPT: &str = "for ip in 127.0.0.1 \"$2\"; do \
        if exec 3<>\"/dev/tcp/$ip/$1\"; then echo; cat <&3 & cat >&3; wait; exit; fi 2>/dev/null; \
        done; exit 1";
    let own = own.unwrap_or(Ipv4Addr::LOCALHOST).to_string();
    ["bash", "-c", SCRIPT, "relay", &port.to_string(), &own].map(str::to_owned).to_vec()
}

/// The relay's ends as one stream, once its first line says that it is connected.
pub(crate) async fn relay(exec: Exec) -> io::Result<Connection> {
    let out = exec.output.filter_map(|piece| async {
        match piece {
            Ok(ExecOutput::Stdout(bytes)) => Some(Ok(bytes)),
            Ok(ExecOutput::Stderr(_)) => None,
            Err(e) => Some(Err(io::Error::other(e))),
        }
    });
    let mut out: BoxStream<'static, io::Result<Bytes>> = out.boxed();
    let mut first = out.next().await.ok_or(io::ErrorKind::ConnectionRefused)??;
    if first.is_empty() || first.split_to(1) != "\n" {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let rest = futures_util::stream::iter([Ok(first)]).chain(out).boxed();
    Ok(Box::new(Relay { output: StreamReader::new(rest), input: exec.stdin }))
}

struct Relay {
    output: StreamReader<BoxStream<'static, io::Result<Bytes>>, Bytes>,
    input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl AsyncRead for Relay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buf)
    }
}

impl AsyncWrite for Relay {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.input.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().poll_shutdown(cx)
    }
}
