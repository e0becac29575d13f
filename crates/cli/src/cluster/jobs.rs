//! Ray's jobs API, through the tunnel.

use super::tunnel::{self, Reach};
use crate::context::Context;
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::output::number;
use futures_util::StreamExt as _;
use ionet_core::{ClusterId, DeviceId};
use reqwest::{Client, Method, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// One call. The jobs API starts an agent at its first call, which takes seconds.
const CALL: Duration = Duration::from_secs(60);
/// Between two looks at a job.
const POLL: Duration = Duration::from_millis(500);
/// Failed looks in a row before a job is given up: a coordinator's restart takes seconds.
const FAILURES_MAX: u32 = 120;

/// A job as Ray tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Its id; none for drivers that were not submitted.
    #[serde(default)]
    pub(crate) submission_id: Option<String>,
    /// `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, `STOPPED`.
    pub(crate) status: String,
    /// What runs.
    #[serde(default)]
    pub(crate) entrypoint: String,
    /// Words about the state.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// Unix milliseconds.
    #[serde(default)]
    pub(crate) start_time: Option<i64>,
    /// Unix milliseconds.
    #[serde(default)]
    pub(crate) end_time: Option<i64>,
    /// The driver's exit code.
    #[serde(default)]
    pub(crate) driver_exit_code: Option<i64>,
}

impl Job {
    /// Whether nothing more will happen.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "SUCCEEDED" | "FAILED" | "STOPPED")
    }
}

/// The jobs API of one cluster.
pub(crate) struct Jobs {
    http: Client,
    base: String,
    token: String,
}

impl Jobs {
    /// Through an open tunnel.
    pub(crate) fn new(reach: &Reach) -> Result<Self> {
        Ok(Self {
            http: crate::rest::client().no_proxy().build().or_internal("HTTP client")?,
            base: format!("http://127.0.0.1:{}", reach.dashboard),
            token: reach.access.ray_token.clone(),
        })
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<reqwest::Body>,
    ) -> Result<Response> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .timeout(CALL);
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.map_err(|e| {
            let kind = if e.is_timeout() { Kind::Timeout } else { Kind::Unreachable };
            Failure::new(kind, format!("the cluster's jobs API: {e}"))
                .hint("`ionet cluster show` says whether its head runs")
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let kind = match status.as_u16() {
            401 | 403 => Kind::Auth,
            404 => Kind::NotFound,
            400..=499 => Kind::Usage,
            _ => Kind::Internal,
        };
        let text: String = response.text().await.unwrap_or_default().chars().take(500).collect();
        Err(Failure::new(kind, format!("Ray's jobs API answered {status}: {text}")))
    }

    /// Every job, newest last.
    pub(crate) async fn list(&self) -> Result<Vec<Job>> {
        let response = self.call(Method::GET, "/api/jobs/", None).await?;
        let mut jobs: Vec<Job> = response.json().await.or_internal("Ray's jobs")?;
        jobs.retain(|j| j.submission_id.is_some());
        jobs.sort_by_key(|j| j.start_time);
        Ok(jobs)
    }

    /// One job.
    pub(crate) async fn get(&self, id: &str) -> Result<Job> {
        let response = self.call(Method::GET, &format!("/api/jobs/{id}"), None).await?;
        response.json().await.or_internal("Ray's job")
    }

    /// Its whole log.
    pub(crate) async fn log(&self, id: &str) -> Result<String> {
        #[derive(Deserialize)]
        struct Log {
            logs: String,
        }
        let response = self.call(Method::GET, &format!("/api/jobs/{id}/logs"), None).await?;
        Ok(response.json::<Log>().await.or_internal("a job's log")?.logs)
    }

    /// Puts a package there unless it is.
    pub(crate) async fn upload(&self, package: super::pack::Package) -> Result<()> {
        let path = format!("/api/packages/gcs/{}", package.name);
        match self.call(Method::GET, &path, None).await {
            Ok(_) => return Ok(()),
            Err(f) if f.kind == Kind::NotFound => (),
            Err(f) => return Err(f),
        }
        self.call(Method::PUT, &path, Some(package.zip.into())).await.map(drop)
    }

    /// Submits; returns the job's id. Repeating it with the same id is refused by Ray.
    pub(crate) async fn submit(&self, body: &serde_json::Value) -> Result<String> {
        #[derive(Deserialize)]
        struct Submitted {
            submission_id: String,
        }
        let text = body.to_string();
        let response = self.call(Method::POST, "/api/jobs/", Some(text.into())).await?;
        Ok(response.json::<Submitted>().await.or_internal("Ray's answer")?.submission_id)
    }

    /// Prints the log until the job ends; returns the job as it ended. A broken connection is
    /// opened again, and what was printed already is not printed twice.
    pub(crate) async fn follow(&self, context: &Context, id: &str) -> Result<Job> {
        let mut printed = 0;
        let mut failures = 0;
        loop {
            printed = self.tail(context, id, printed).await.unwrap_or(printed);
            match self.get(id).await {
                Ok(job) if job.is_over() => {
                    let whole = self.log(id).await?;
                    let rest = whole.as_bytes().get(printed..).unwrap_or_default();
                    context.out.raw(rest)?;
                    return Ok(job);
                }
                Ok(_) => failures = 0,
                Err(f) if matches!(f.kind, Kind::Unreachable | Kind::Timeout) => {
                    failures += 1;
                    if failures > FAILURES_MAX {
                        return Err(f);
                    }
                }
                Err(f) => return Err(f),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Follows the log over Ray's WebSocket, from byte `skip` on; returns the bytes seen in all.
    async fn tail(&self, context: &Context, id: &str, skip: usize) -> Result<usize> {
        let url = format!("{}/api/jobs/{id}/logs/tail", self.base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().or_internal("address")?;
        let bearer = format!("Bearer {}", self.token);
        request.headers_mut().insert("authorization", bearer.parse().or_internal("token")?);
        let (mut socket, _) = tokio_tungstenite::connect_async(request)
            .await
            .or_fail(Kind::Unreachable, "the job's log")?;
        let mut seen = 0;
        while let Some(Ok(message)) = socket.next().await {
            let bytes = match message {
                Message::Text(text) => text.as_bytes().to_vec(),
                Message::Binary(bytes) => bytes.to_vec(),
                Message::Close(_) => break,
                _ => continue,
            };
            let new = skip.saturating_sub(seen).min(bytes.len());
            context.out.raw(&bytes[new..])?;
            seen += bytes.len();
        }
        Ok(seen.max(skip))
    }
}

/// The command's result for a job that ended.
pub(crate) fn verdict(job: &Job) -> Result<()> {
    if job.status == "SUCCEEDED" {
        return Ok(());
    }
    let message = job.message.clone().unwrap_or_default();
    let first = message.lines().next().unwrap_or_default();
    let mut failure = Failure::refused(format!("the job {}: {first}", job.status.to_lowercase()));
    // Codes of signals are negative in Ray; shells show them as 128 and the signal.
    failure.code = Some(match job.driver_exit_code {
        Some(code @ 1..=255) => u8::try_from(code).unwrap_or(1),
        Some(code @ -64..=-1) => u8::try_from(128 - code).unwrap_or(1),
        _ => 1,
    });
    Err(failure)
}

/// Options of `cluster logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// The cluster
    id: ClusterId,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    /// Of this job [default: the newest]
    #[arg(long, conflicts_with = "device")]
    job: Option<String>,
    /// Of the container on this device
    #[arg(long)]
    device: Option<DeviceId>,
    /// Begin with this many of the last lines of a container's log
    #[arg(long, default_value_t = 200)]
    tail: u32,
}

/// `ionet cluster logs`.
pub(crate) async fn logs(context: &Context, args: LogsArgs) -> Result<()> {
    let rest = context.signed_in().await?;
    if args.device.is_none() {
        let reach = tunnel::open(context, &rest, args.id).await?;
        let jobs = Jobs::new(&reach)?;
        let newest = match &args.job {
            Some(id) => Some(jobs.get(id).await?),
            None => jobs.list().await?.pop(),
        };
        if let Some(job) = newest {
            let id = args.job.or(job.submission_id).unwrap_or_default();
            if args.follow {
                let ended = jobs.follow(context, &id).await?;
                context.out.say(format!("{id}: {}", ended.status.to_lowercase()));
                return Ok(());
            }
            return context.out.raw(jobs.log(&id).await?.as_bytes());
        }
        context.out.say("no job was submitted yet; this is the head's own log");
    }
    let (follow, tail) = (args.follow, args.tail);
    let mut path = format!("/v1/clusters/{}/logs?follow={follow}&tail={tail}", args.id);
    if let Some(device) = args.device {
        path.push_str(&format!("&device={device}"));
    }
    let mut response = rest.stream(&path, "text/plain").await?;
    while let Some(bytes) = response.chunk().await.or_fail(Kind::Unreachable, "the log")? {
        context.out.raw(&bytes)?;
    }
    Ok(())
}

/// `ionet cluster jobs`.
pub(crate) async fn list(context: &Context, id: ClusterId) -> Result<()> {
    let rest = context.signed_in().await?;
    let jobs = Jobs::new(&tunnel::open(context, &rest, id).await?)?.list().await?;
    context.out.answer(&jobs, || {
        if jobs.is_empty() {
            return format!("no jobs yet; `ionet cluster submit {id} job.py` submits one");
        }
        let mut table = context.out.table(["job", "state", "code", "entrypoint"]);
        for job in &jobs {
            table.add_row([
                job.submission_id.clone().unwrap_or_default().into(),
                job.status.to_lowercase().into(),
                number(job.driver_exit_code.map(|c| c.to_string()).unwrap_or_default()),
                job.entrypoint.clone().into(),
            ]);
        }
        table.to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(status: &str, code: Option<i64>) -> Job {
        let text = serde_json::json!({ "status": status, "driver_exit_code": code });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn the_jobs_code_is_the_commands() {
        assert!(verdict(&job("SUCCEEDED", Some(0))).is_ok());
        for (code, shown) in [(Some(3), 3), (Some(-9), 137), (None, 1), (Some(0), 1)] {
            assert_eq!(verdict(&job("FAILED", code)).unwrap_err().exit_code(), shown);
        }
    }
}
