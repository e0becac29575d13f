//! Events as sentences: a cluster's time line.

use ionet_core::{Amount, Asset, DeviceId, Verdict};
use ionet_network::{At, DepositLevel, Event, PartEnd, VacatedWhy};

/// One sentence for people.
pub(crate) fn story(event: &Event, asset: Asset) -> String {
    let money = |units: u64| Amount::new(asset, units);
    match event {
        Event::DeviceEnrolled { device, .. } => format!("device {device} enrolled"),
        Event::DeviceChanged { device, .. } => format!("device {device} is made of other parts"),
        Event::TermsChanged { device, .. } => format!("the offer of device {device} changed"),
        Event::DeviceRetired { device } => format!("device {device} left the market"),
        Event::SessionOpened { device, session, .. } => {
            format!("device {device} connected (session {session})")
        }
        Event::DeviceSuspected { device, .. } => format!("device {device} is silent"),
        Event::DeviceBack { device } => format!("device {device} answers again"),
        Event::DeviceLost { device, .. } => format!("device {device} is gone"),
        Event::DrainChanged { device, draining: true } => format!("device {device} drains"),
        Event::DrainChanged { device, .. } => format!("device {device} takes work again"),
        Event::CloneSuspected { device } => format!("two machines show the key of {device}"),
        Event::CloneCleared { device } => format!("the key of {device} is on one machine again"),
        Event::DeviceJudged { device, verdict } => judged(*device, verdict),
        Event::ProofsRequired { required } => proofs(*required).to_owned(),
        Event::ClusterRequested { new, .. } => {
            let count = new.spec.devices;
            format!("{count} x {} asked for; waits for lease {}", new.spec.chip, new.lease)
        }
        Event::QuoteExpired { .. } => "no lease was opened before the quote expired".to_owned(),
        Event::LeaseOpened { terms, .. } => {
            format!("the lease is open, {} locked", money(terms.deposit.0))
        }
        Event::ToppedUp { deposit, .. } => format!("the deposit is {} now", money(deposit.0)),
        Event::Placed { seats, .. } => match seats.as_slice() {
            [one] => format!("device {} chosen: {}", one.device, one.reason),
            many => format!("{} devices chosen", many.len()),
        },
        Event::CapacityMissing { refusal, .. } => format!("no substitute yet: {refusal}"),
        Event::SlotVacated { device, why, .. } => format!("device {device} left: {}", left(why)),
        Event::HeadMoved { .. } => "another device becomes the head; parts start anew".to_owned(),
        Event::LinesBound { lines, .. } => {
            format!("{} devices bound on the chain", lines.len())
        }
        Event::PartServing { device, .. } => format!("the part on device {device} runs"),
        Event::PartEnded { device, end, .. } => {
            format!("the part on device {device} ended: {}", ended(end))
        }
        Event::PartsRestarted { slots, .. } => format!("{} parts start anew", slots.len()),
        Event::PartsStopped { devices, given_up, .. } => stopped(devices.len(), *given_up),
        Event::NodesAlive { alive, .. } => format!("{alive} Ray nodes alive"),
        Event::LinesStarted { lines, .. } => format!("{} meters run", lines.len()),
        Event::LinesEnded { lines, .. } => format!("{} meters ended", lines.len()),
        Event::LineRejected { line, .. } => format!("the renter refused line {line}"),
        Event::ClusterReady { .. } => "ready".to_owned(),
        Event::ClusterDegraded { reason, .. } => format!("degraded: {reason}"),
        Event::DepositLow { level, runs_until: end, stops_at, .. } => low(*level, *end, *stops_at),
        Event::VouchSilent { since, until, .. } => silent(*since, *until),
        Event::VouchHeard { .. } => "the renter's side vouches again".to_owned(),
        Event::ClusterStopping { reason, .. } => format!("stopping: {reason}"),
        Event::ClusterClosed { reason, .. } => format!("closed: {reason}"),
        Event::ClusterFailed { reason, .. } => format!("failed: {reason}"),
        Event::LeaseClosed { refunded, claims_until, .. } => {
            let back = money(refunded.0);
            format!("the lease is closed, {back} refunded; claims are taken until {claims_until}")
        }
        Event::Attested { lines, .. } => {
            let most = lines.iter().map(|l| l.served_s).max().unwrap_or(0);
            format!("{} lines vouched for on the chain, up to {most} s", lines.len())
        }
        Event::Withdrawn { lines, .. } => format!("{} lines paid out", lines.len()),
        Event::LeaseFinalized { refunded, .. } => {
            format!("the lease is settled, {} refunded in all", money(refunded.0))
        }
        Event::LeaseReclaimed { .. } => "the lease's accounts are gone".to_owned(),
        Event::ClusterForgotten { .. } => "forgotten".to_owned(),
    }
}

fn judged(device: DeviceId, verdict: &Verdict) -> String {
    format!("device {device} was judged: {}, score {} of 1000", verdict.tier, verdict.score)
}

fn proofs(required: bool) -> &'static str {
    match required {
        true => "devices must prove their chips before they get work",
        false => "devices need not prove their chips",
    }
}

fn stopped(parts: usize, given_up: bool) -> String {
    match given_up {
        false => format!("{parts} parts stopped"),
        true => format!("{parts} parts did not say that they stopped; their time is over"),
    }
}

fn low(level: DepositLevel, runs_until: At, stops_at: Option<At>) -> String {
    let what = match level {
        DepositLevel::Fifth => "less than a fifth of the deposit is left",
        DepositLevel::FiveMinutes => "the deposit lasts for less than five minutes",
        DepositLevel::OneMinute => "the deposit lasts for less than a minute",
        DepositLevel::Spent => {
            let stops = stops_at.unwrap_or(runs_until);
            return format!(
                "the deposit was used up at {runs_until}; parts stop at {stops} unless it is \
                 topped up"
            );
        }
    };
    format!("{what}: until {runs_until}")
}

fn silent(since: At, until: At) -> String {
    format!("nobody on the renter's side vouched since {since}; it ends at {until} if that goes on")
}

fn left(why: &VacatedWhy) -> String {
    match why {
        VacatedWhy::Lost => "it went silent".to_owned(),
        VacatedWhy::Drained => "its owner took it back".to_owned(),
        VacatedWhy::PartFailed => "its part could not be kept".to_owned(),
        VacatedWhy::BindFailed { reason } => format!("it could not be bound: {reason}"),
        VacatedWhy::Rejected => "the renter refused it".to_owned(),
        VacatedWhy::LineEnded => "its line was ended on the chain".to_owned(),
    }
}

fn ended(end: &PartEnd) -> String {
    match end {
        PartEnd::Exited { code: Some(code), .. } => format!("exit code {code}"),
        PartEnd::Exited { code: None, .. } => "no exit code".to_owned(),
        PartEnd::Failed { reason } => reason.clone(),
        PartEnd::Stopped => "the device stopped it".to_owned(),
        PartEnd::Missing => "the device no longer knows it".to_owned(),
    }
}
