//! Who asks: a wallet signs a challenge once and gets a token for an hour. Handlers take an
//! [`Owner`] of some [`Need`], so that none can learn the wallet without its scope being checked.

use super::edge::Caller;
use super::extract::JsonBody;
use super::limits::{CHALLENGE_SECONDS, CHALLENGES_MAX, CHALLENGES_PER_WALLET_MAX, TOKEN_SECONDS};
use super::problem::ApiError;
use super::store::SessionRow;
use super::{App, Shared};
use axum::Json;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use ionet_api::{Challenge, ChallengeRequest, ProblemCode, Scope, Token, TokenRequest};
use ionet_core::{SignIn, Wallet};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

/// Every scope: what a client that names none gets.
const ALL_SCOPES: [Scope; 4] =
    [Scope::Clusters, Scope::ClustersRead, Scope::Access, Scope::Devices];

/// Outstanding challenges by the hash of their text. A restart forgets them: clients ask anew.
#[derive(Default)]
pub(super) struct Challenges {
    of: Mutex<BTreeMap<[u8; 32], Waiting>>,
}

struct Waiting {
    sign_in: SignIn,
    scopes: Vec<Scope>,
}

impl Challenges {
    fn add(&self, message: &str, waiting: Waiting, now_s: i64) -> Result<(), ApiError> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.retain(|_, w| w.sign_in.expires_at >= now_s);
        let wallet = waiting.sign_in.wallet;
        let same = || of.iter().filter(|(_, w)| w.sign_in.wallet == wallet);
        if same().count() >= CHALLENGES_PER_WALLET_MAX {
            let oldest = same().min_by_key(|(_, w)| w.sign_in.issued_at).map(|(hash, _)| *hash);
            oldest.and_then(|hash| of.remove(&hash));
        } else if of.len() >= CHALLENGES_MAX {
            return Err(ApiError::rate_limited(CHALLENGE_SECONDS.unsigned_abs()));
        }
        of.insert(sha256(message.as_bytes()), waiting);
        Ok(())
    }

    /// Takes a challenge out: whatever comes of it, it is used.
    fn take(&self, message: &str) -> Option<Waiting> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.remove(&sha256(message.as_bytes()))
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0u8; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(ApiError::internal)?;
    Ok(bytes)
}

fn scope_name(scope: Scope) -> String {
    let name = serde_json::to_value(scope).expect("a scope is a plain name");
    name.as_str().unwrap_or_default().to_owned()
}

fn may_sign_in(app: &Shared, caller: Caller) -> Result<(), ApiError> {
    app.sign_ins.take(caller.0, app.now_ms()).map_err(ApiError::rate_limited)
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().copied();
        caller.ok_or_else(|| ApiError::internal("a request without a caller"))
    }
}

/// Begins a sign-in.
#[utoipa::path(post, path = "/v1/auth/challenge", request_body = ChallengeRequest,
    responses((status = 200, body = Challenge)), tag = "sign-in")]
pub(super) async fn challenge(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody { value: asked, .. }: JsonBody<ChallengeRequest>,
) -> Result<Json<Challenge>, ApiError> {
    may_sign_in(&app, caller)?;
    let mut scopes = if asked.scopes.is_empty() { ALL_SCOPES.to_vec() } else { asked.scopes };
    scopes.sort_unstable();
    scopes.dedup();
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let domains = &app.config.domains;
    let domain = domains.iter().find(|d| Some(d.as_str()) == host).or(domains.first());
    let issued_at = app.now_s();
    let sign_in = SignIn {
        domain: domain.cloned().unwrap_or_default(),
        wallet: asked.wallet,
        genesis: app.control.network().genesis,
        nonce: hex::encode(random::<16>()?),
        issued_at,
        expires_at: issued_at + CHALLENGE_SECONDS,
        scopes: scopes.iter().copied().map(scope_name).collect(),
    };
    let (message, expires_at) = (sign_in.message(), sign_in.expires_at);
    app.challenges.add(&message, Waiting { sign_in, scopes }, issued_at)?;
    Ok(Json(Challenge { message, expires_at }))
}

/// Ends a sign-in: a token for a signature.
#[utoipa::path(post, path = "/v1/auth/token", request_body = TokenRequest,
    responses((status = 200, body = Token)), tag = "sign-in")]
pub(super) async fn token(
    State(app): State<App>,
    caller: Caller,
    JsonBody { value: signed, .. }: JsonBody<TokenRequest>,
) -> Result<Json<Token>, ApiError> {
    may_sign_in(&app, caller)?;
    let waiting = app.challenges.take(&signed.message).ok_or_else(|| {
        ApiError::unauthenticated("no such challenge: it was used, has expired, or is not ours")
    })?;
    let now_s = app.now_s();
    let verified = waiting.sign_in.verify(&signed.signature, now_s);
    verified.map_err(|e| ApiError::unauthenticated(&e.to_string()))?;
    let token = hex::encode(random::<32>()?);
    let row = SessionRow {
        wallet: waiting.sign_in.wallet,
        scopes: waiting.scopes.clone(),
        expires_at: now_s + TOKEN_SECONDS,
    };
    let (store, hash, expires_at) = (app.store.clone(), sha256(token.as_bytes()), row.expires_at);
    tokio::task::spawn_blocking(move || store.add_session(hash, row, now_s))
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::internal)?;
    tracing::info!(wallet = %waiting.sign_in.wallet, "signed in");
    Ok(Json(Token { token, scopes: waiting.scopes, expires_at }))
}

/// What a route needs to be allowed.
pub(super) trait Need: Send + Sync + 'static {
    /// Any of these will do.
    const ANY_OF: &'static [Scope];
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident: $($scope:ident)|+;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;
        impl Need for $name {
            const ANY_OF: &'static [Scope] = &[$(Scope::$scope),+];
        }
    )*};
}
needs! {
    /// Look at clusters.
    ToRead: Clusters | ClustersRead;
    /// Open and close clusters.
    ToChange: Clusters;
    /// Reach into clusters.
    ToReach: Access;
    /// Look after devices.
    ToSupply: Devices;
}

/// The wallet that asks, allowed to do what `N` says.
pub(super) struct Owner<N> {
    pub(super) wallet: Wallet,
    need: PhantomData<N>,
}

fn bearer(headers: &HeaderMap) -> Option<Result<&str, ApiError>> {
    let value = headers.get(header::AUTHORIZATION)?;
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    Some(token.ok_or_else(|| ApiError::unauthenticated("expected `Authorization: Bearer ...`")))
}

fn owner<N: Need>(app: &Shared, token: &str) -> Result<Owner<N>, ApiError> {
    let unknown = || ApiError::unauthenticated("the token is not known here, or has expired");
    let session = app.store.session(&sha256(token.as_bytes())).ok_or_else(unknown)?;
    if session.expires_at <= app.now_s() {
        return Err(unknown());
    }
    if !N::ANY_OF.iter().any(|scope| session.scopes.contains(scope)) {
        let needed: Vec<_> = N::ANY_OF.iter().copied().map(scope_name).collect();
        let text = format!("the token lacks the scope `{}`", needed.join("` or `"));
        return Err(ApiError::new(ProblemCode::Forbidden, text));
    }
    let wallet = session.wallet;
    app.by_wallet.take(wallet, app.now_ms()).map_err(ApiError::rate_limited)?;
    Ok(Owner { wallet, need: PhantomData })
}

impl<N: Need> FromRequestParts<App> for Owner<N> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let given = bearer(&parts.headers);
        owner(app, given.ok_or_else(|| ApiError::unauthenticated("not signed in"))??)
    }
}

impl<N: Need> OptionalFromRequestParts<App> for Owner<N> {
    type Rejection = ApiError;
    /// Nobody without a token; a bad token is still refused.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, ApiError> {
        bearer(&parts.headers).map(|token| owner(app, token?)).transpose()
    }
}
