//! Looking at clusters.

use crate::context::{Context, now_unix};
use crate::failure::{Failure, Kind, Result};
use crate::output::{Output, Paint, duration, number};
use crate::sse;
use ionet_api::{Cluster, ClusterEvent, StateName};
use ionet_core::{ClusterId, rfc3339};
use std::time::Duration;

/// Tries to open a broken event stream again, half a second apart: a coordinator's restart.
const RECONNECTS_MAX: u32 = 60;

/// The state in its colour.
pub(crate) fn painted(out: Output, state: StateName) -> String {
    let name = serde_json::to_value(state).ok();
    let name = name.as_ref().and_then(|v| v.as_str()).unwrap_or("unknown").to_owned();
    let colour = match state {
        StateName::Ready => Paint::Green,
        StateName::Failed => Paint::Red,
        StateName::Closed => Paint::Grey,
        StateName::Quoted
        | StateName::Funded
        | StateName::Starting
        | StateName::Degraded
        | StateName::Stopping => Paint::Yellow,
    };
    out.paint(colour, &name)
}

/// `ionet cluster list`.
pub(crate) async fn list(context: &Context, all: bool) -> Result<()> {
    let rest = context.signed_in().await?;
    let mut clusters: Vec<Cluster> = rest.get("/v1/clusters").await?;
    clusters.retain(|c| all || !c.state.is_final());
    context.out.answer(&clusters, || {
        if clusters.is_empty() {
            return "no clusters; `ionet cluster create --devices 3 --chip cpu` rents one".into();
        }
        let headings =
            ["cluster", "name", "state", "devices", "chip", "per hour", "paid for", "age"];
        let mut table = context.out.table(headings);
        for c in &clusters {
            let age = (now_unix() - c.created_at_ms / 1_000).max(0).unsigned_abs();
            table.add_row([
                c.id.to_string().into(),
                c.spec.name.clone().unwrap_or_default().into(),
                painted(context.out, c.state).into(),
                number(c.spec.devices),
                c.spec.chip.to_string().into(),
                number(hourly(c)),
                number(paid_for(c).unwrap_or_default()),
                number(duration(age)),
            ]);
        }
        table.to_string()
    })
}

/// For how long its money lasts, while it runs.
fn paid_for(cluster: &Cluster) -> Option<String> {
    let over = cluster.state.is_final() || cluster.state == StateName::Stopping;
    let until = cluster.paid_until.filter(|_| !over)?;
    Some(match u64::try_from(until.saturating_sub(now_unix())) {
        Ok(0) | Err(_) => "used up".to_owned(),
        Ok(left) => duration(left),
    })
}

/// What all bound members cost per hour, without the fee. Once it stops, they cost nothing.
fn hourly(cluster: &Cluster) -> String {
    if cluster.state.is_final() || cluster.state == StateName::Stopping {
        return "-".to_owned();
    }
    let chips = u64::from(cluster.spec.chips_per_device);
    let sum = cluster.members.iter().map(|m| m.rate.base_units.saturating_mul(chips)).sum();
    ionet_core::Amount::new(cluster.spec.asset, sum).to_string()
}

/// `ionet cluster show`.
pub(crate) async fn show(context: &Context, id: ClusterId) -> Result<()> {
    let rest = context.signed_in().await?;
    let cluster: Cluster = rest.get(&format!("/v1/clusters/{id}")).await?;
    context.out.answer(&cluster, || render(context.out, &cluster))
}

/// A cluster for people.
pub(crate) fn render(out: Output, c: &Cluster) -> String {
    let mut text = format!("cluster   {}  {}\n", c.id, painted(out, c.state));
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<9} {value}\n"));
    if let Some(reason) = &c.reason {
        line("reason", reason.clone());
    }
    if let Some(name) = &c.spec.name {
        line("name", name.clone());
    }
    let (n, chip, region) = (c.spec.devices, c.spec.chip, c.spec.region);
    let tier = match c.spec.min_tier.is_claimed() {
        true => String::new(),
        false => format!(", {} or better", c.spec.min_tier),
    };
    line("spec", format!("{n} x {chip}{tier}, region {region}, egress {}", c.spec.egress));
    line("image", c.spec.image.to_string());
    line("lease", c.lease.to_string());
    line("created", rfc3339(c.created_at_ms.div_euclid(1_000)));
    if let Some(ready) = c.ready_at_ms {
        let took_ms = (ready - c.created_at_ms).max(0);
        line("ready", format!("after {}.{} s", took_ms / 1_000, took_ms % 1_000 / 100));
    }
    line("deposit", ionet_core::Amount::new(c.terms.asset, c.terms.deposit).to_string());
    if let Some(owed) = &c.owed {
        line("owed", format!("{} to suppliers so far, fee on top", owed.text));
    }
    if let (Some(until), Some(left)) = (c.paid_until, paid_for(c)) {
        let more = format!("`ionet cluster top-up {} AMOUNT` adds to it", c.id);
        line("paid for", format!("until {} ({left}); {more}", rfc3339(until)));
    }
    let mut table = out.table(["role", "device", "known", "state", "address", "rate", "served"]);
    for m in &c.members {
        let state = match &m.detail {
            Some(detail) => format!("{} ({detail})", m.state),
            None => m.state.clone(),
        };
        table.add_row([
            format!("{:?}", m.role).to_lowercase().into(),
            m.device.to_string().into(),
            crate::device::painted(out, m.tier).into(),
            state.into(),
            m.ip.clone().into(),
            number(&m.rate.text),
            number(duration(m.served_s)),
        ]);
    }
    if c.members.is_empty() { text } else { format!("{text}\n{table}\n") }
}

/// `ionet cluster events`.
pub(crate) async fn events(context: &Context, id: ClusterId, follow: bool) -> Result<()> {
    let rest = context.signed_in().await?;
    let path = format!("/v1/clusters/{id}/events");
    if !follow {
        let all: Vec<ClusterEvent> = rest.get(&path).await?;
        return context.out.answer(&all, || {
            let lines: Vec<_> = all.iter().map(|e| line(context.out, e)).collect();
            lines.join("\n")
        });
    }
    let (mut after, mut failed) = (0, 0);
    loop {
        let opened = rest.stream(&format!("{path}?after={after}"), "text/event-stream").await;
        let mut response = match opened {
            Ok(response) => response,
            Err(f) if f.kind == Kind::Unreachable && failed < RECONNECTS_MAX => {
                failed += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
            Err(f) => return Err(f),
        };
        failed = 0;
        let mut parser = sse::Parser::default();
        while let Ok(Some(events)) = sse::next(&mut response, &mut parser).await {
            for data in events {
                let event: ClusterEvent = serde_json::from_str(&data)
                    .map_err(|e| Failure::new(Kind::Internal, format!("an event: {e}")))?;
                after = after.max(event.seq);
                context.out.line(&event, || line(context.out, &event))?;
            }
        }
        let cluster: Result<Cluster> = rest.get(&format!("/v1/clusters/{id}")).await;
        if cluster.is_ok_and(|c| c.state.is_final() && c.last_event <= after) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn line(out: Output, event: &ClusterEvent) -> String {
    let at = rfc3339(event.at_ms.div_euclid(1_000));
    let ms = event.at_ms.rem_euclid(1_000);
    let at = format!("{}.{ms:03}Z", at.trim_end_matches('Z'));
    let request = event.request_id.as_ref().map(|r| out.paint(Paint::Grey, &format!("  [{r}]")));
    format!("{at}  {:<9} {}{}", painted(out, event.state), event.text, request.unwrap_or_default())
}
