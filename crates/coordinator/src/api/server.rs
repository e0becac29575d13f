//! The server under the routes. Its own loop rather than `axum::serve`, for two limits that a
//! public address needs: connections at a time, and time for a request's head.

use super::limits::{CONNECTIONS_MAX, DRAIN_SECONDS_MAX, HEAD_SECONDS_MAX};
use super::{ApiConfig, ApiStore, router};
use crate::control::Control;
use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::Layer;

/// Waits after a failed accept: most are a lack of file descriptors, which passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves REST on `listener` until `stopping` is cancelled and what was begun is answered.
pub async fn serve(
    listener: TcpListener,
    control: Control,
    store: ApiStore,
    config: ApiConfig,
    stopping: CancellationToken,
) {
    let app = router(control, store, config, stopping.clone());
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(seconds(HEAD_SECONDS_MAX));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let open = GracefulShutdown::new();
    loop {
        // A place first: connections beyond wait in the kernel's queue.
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stopping.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                handle(&server, &open, app.clone(), stream, peer, place);
            }
            Err(cause) => {
                tracing::warn!(%cause, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(seconds(DRAIN_SECONDS_MAX), open.shutdown()).await.is_err() {
        tracing::warn!("connections were cut: they did not end in time");
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.expect("never closed");
    let (stream, peer) = listener.accept().await?;
    // Answers are small and each is awaited.
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

fn handle(
    server: &Builder<TokioExecutor>,
    open: &GracefulShutdown,
    app: Router,
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(app));
    let connection =
        server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let watched = open.watch(connection);
    tokio::spawn(async move {
        let _place = place;
        if let Err(cause) = watched.await {
            tracing::debug!(%cause, %peer, "a connection ended badly");
        }
    });
}
