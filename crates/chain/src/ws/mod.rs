//! JSON-RPC over WebSocket: subscriptions.

mod subscription;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast};

use crate::chain::{Services, closed};
use crate::events::Event;
use crate::limits::{WS_CONNECTIONS_MAX, WS_MESSAGE_BYTES_MAX, WS_SUBSCRIPTIONS_MAX};
use crate::rpc::{Params, RpcError, error_answer};
use subscription::{Subscription, Subscriptions};

#[derive(Clone)]
struct WsState {
    services: Services,
    connections: Arc<Semaphore>,
}

/// The WebSocket side, on any path.
pub(crate) fn router(services: Services) -> Router {
    let connections = Arc::new(Semaphore::new(WS_CONNECTIONS_MAX));
    Router::new().fallback(any(upgrade)).with_state(WsState { services, connections })
}

async fn upgrade(State(state): State<WsState>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(permit) = state.connections.try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    // Subscribed before the client's first message: nothing falls between.
    let events = state.services.events.subscribe();
    upgrade.max_message_size(WS_MESSAGE_BYTES_MAX).max_frame_size(WS_MESSAGE_BYTES_MAX).on_upgrade(
        move |socket| async move {
            Box::pin(talk(socket, state.services, events)).await;
            drop(permit);
        },
    )
}

/// Serves one connection until it ends, falls behind, or the chain shuts down.
async fn talk(mut socket: WebSocket, services: Services, mut events: broadcast::Receiver<Event>) {
    let mut subscriptions = Subscriptions::default();
    let closing = closed(services.closing.clone());
    tokio::pin!(closing);
    loop {
        let outgoing = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    incoming(&services, &mut subscriptions, text.as_bytes()).await
                }
                Some(Ok(Message::Binary(bytes))) => {
                    incoming(&services, &mut subscriptions, &bytes).await
                }
                // Pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Vec::new(),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            event = events.recv() => match event {
                Ok(event) => subscriptions.notify(&services, &event),
                // It has missed events: it must connect anew and look for itself.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            },
            () = &mut closing => return,
        };
        for message in outgoing {
            if socket.send(Message::text(message.to_string())).await.is_err() {
                return;
            }
        }
    }
}

async fn incoming(
    services: &Services,
    subscriptions: &mut Subscriptions,
    bytes: &[u8],
) -> Vec<Value> {
    let Ok(Value::Object(mut call)) = serde_json::from_slice::<Value>(bytes) else {
        return vec![error_answer(Value::Null, &RpcError::parse())];
    };
    let id = call.remove("id").unwrap_or(Value::Null);
    let Some(Value::String(method)) = call.remove("method") else {
        return vec![error_answer(id, &RpcError::invalid_request("Invalid request"))];
    };
    let result = match Params::new(call.remove("params")) {
        Ok(params) => handle(services, subscriptions, &method, &params).await,
        Err(error) => Err(error),
    };
    match result {
        Ok((result, mut notifications)) => {
            notifications.insert(0, json!({ "jsonrpc": "2.0", "result": result, "id": id }));
            notifications
        }
        Err(error) => vec![error_answer(id, &error)],
    }
}

async fn handle(
    services: &Services,
    subscriptions: &mut Subscriptions,
    method: &str,
    params: &Params,
) -> Result<(Value, Vec<Value>), RpcError> {
    if method.ends_with("Unsubscribe") {
        let id: u64 = params.required(0)?;
        return if subscriptions.remove(id) {
            Ok((true.into(), Vec::new()))
        } else {
            Err(RpcError::invalid_params("Invalid subscription id."))
        };
    }
    let subscription = Subscription::parse(method, params)?;
    if subscriptions.len() >= WS_SUBSCRIPTIONS_MAX {
        return Err(RpcError::invalid_params(format!(
            "Too many subscriptions; max {WS_SUBSCRIPTIONS_MAX}"
        )));
    }
    let signature = subscription.signature();
    let id = subscriptions.add(subscription);
    let mut notifications = Vec::new();
    if let Some(signature) = signature {
        // It may be in a block already: then its event has passed.
        let reader = Arc::clone(&services.reader);
        let row = tokio::task::spawn_blocking(move || reader.status(&signature))
            .await
            .map_err(|_| RpcError::internal("the call broke down"))??;
        if let Some(row) = row {
            notifications.extend(subscriptions.finish_signature(id, row.slot, row.err));
        }
    }
    Ok((id.into(), notifications))
}
