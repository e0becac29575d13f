//! A cluster's time line: as a list, or followed as server-sent events until nothing more can
//! happen.

use super::App;
use super::auth::{Owner, ToRead};
use super::clusters::owned;
use super::extract::{Asked, ClusterPath};
use super::limits::HEARTBEAT_SECONDS;
use super::problem::ApiError;
use super::streams::Slot;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use ionet_api::ClusterEvent;
use ionet_core::{ClusterId, Wallet};
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Only events with a higher number. The header `last-event-id` says the same.
    after: Option<u64>,
}

/// A cluster's events, in order. With `accept: text/event-stream` they are followed.
#[utoipa::path(get, path = "/v1/clusters/{id}/events",
    params(("id" = String, Path), EventsQuery),
    responses((status = 200, content(([ClusterEvent] = "application/json"),
        (String = "text/event-stream")))),
    security(("wallet" = ["clusters"]), ("wallet" = ["clusters-read"])), tag = "clusters")]
pub(super) async fn events(
    State(app): State<App>,
    owner: Owner<ToRead>,
    ClusterPath(id): ClusterPath,
    Asked(query): Asked<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    owned(&app, owner.wallet, id)?;
    // Where both are given, the header is newer: a client that reconnects repeats its address.
    let after = last_event_id(&headers)?.or(query.after).unwrap_or(0);
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
    if !accept.contains("text/event-stream") {
        return Ok(Json(app.control.events(id, after)).into_response());
    }
    let slot = app.subscribers.take(owner.wallet, "event streams")?;
    let news = app.control.subscribe();
    let follower = Follower { app, id, after, news, waiting: VecDeque::new(), _slot: slot };
    let beat = KeepAlive::new().interval(Duration::from_secs(HEARTBEAT_SECONDS));
    Ok(Sse::new(follower.into_stream()).keep_alive(beat).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| ApiError::bad_request("last-event-id is a whole number"))
}

struct Follower {
    app: App,
    id: ClusterId,
    after: u64,
    news: broadcast::Receiver<(ClusterId, u64)>,
    waiting: VecDeque<ClusterEvent>,
    _slot: Slot<Wallet>,
}

impl Follower {
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let event = follower.next().await?;
            let data = serde_json::to_string(&event).expect("an event is JSON");
            Some((Ok(Event::default().id(event.seq.to_string()).data(data)), follower))
        })
    }

    /// The next event; none when nothing more will come.
    async fn next(&mut self) -> Option<ClusterEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.after = event.seq;
                return Some(event);
            }
            // The state is looked at before the events: those of a final state are then all in.
            let over = self.app.control.cluster(self.id).is_none_or(|c| c.state.is_final());
            self.waiting.extend(self.app.control.events(self.id, self.after));
            if !self.waiting.is_empty() {
                continue;
            }
            if over {
                return None;
            }
            let stopping = self.app.stopping.clone();
            tokio::select! {
                () = stopping.cancelled() => return None,
                heard = heard_of(&mut self.news, self.id) => heard?,
            }
        }
    }
}

/// Waits for news of `id`; after a lag there may be some.
async fn heard_of(news: &mut broadcast::Receiver<(ClusterId, u64)>, id: ClusterId) -> Option<()> {
    loop {
        match news.recv().await {
            Ok((of, _)) if of != id => (),
            Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
            Err(RecvError::Closed) => return None,
        }
    }
}
