//! Commands into events: one file per family of commands, typed rejections.
//!
//! Deciding never changes facts; it says what happened. Several events of one decision are
//! appended to the log together, or not at all.

mod bind;
mod close;
mod device;
mod draft;
mod fill;
mod lease_seen;
mod part;
mod report;
mod request;
mod settle;
mod silence;
mod start;

use crate::{At, Cluster, Command, Device, Event, Facts, Rejection};
pub(crate) use fill::would_find;
pub(crate) use request::forget_at;

use draft::Draft;
use ionet_core::{ClusterId, DeviceId};

/// What `command` means at `at`. An empty list: it was known already.
pub fn decide(facts: &Facts, at: At, command: Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::EnrolDevice { device, owner, inventory, terms } => {
            device::enrol(facts, device, owner, inventory, terms)
        }
        Command::OpenSession { device, last_session, inventory } => {
            device::open_session(facts, device, last_session, inventory)
        }
        Command::UpdateTerms { device, terms } => device::update_terms(facts, device, terms),
        Command::Drain { device, drain } => device::drain(facts, device, drain),
        Command::ClearClone { device } => device::clear_clone(facts, device),
        Command::JudgeDevice { device, verdict } => device::judge(facts, device, verdict),
        Command::JudgeDevices { verdicts } => device::judge_all(facts, verdicts),
        Command::RequireProofs { required } => {
            let changes = facts.proofs_required != required;
            Ok(changes.then_some(Event::ProofsRequired { required }).into_iter().collect())
        }
        Command::SessionClosed { device, session, silent_since } => {
            silence::session_closed(facts, at, device, session, silent_since)
        }
        Command::DeviceSilent { device, silent_since } => {
            silence::suspect(facts, device, silent_since)
        }
        Command::DeviceLost { device, silent_since } => {
            silence::lost(facts, at, device, silent_since)
        }
        Command::DeviceReport { device, session, parts } => {
            report::report(facts, at, device, session, &parts)
        }
        Command::RequestCluster(new) => request::request(facts, at, new),
        Command::ExpireQuote { cluster } => request::expire(facts, at, cluster),
        Command::Forget { cluster } => request::forget(facts, at, cluster),
        Command::LeaseSeen { cluster, view } => lease_seen::lease_seen(facts, at, cluster, &view),
        Command::FillSlots { cluster } => fill::fill_slots(facts, at, cluster),
        Command::LinesBound { cluster, lines } => bind::bound(facts, at, cluster, lines),
        Command::BindFailed { cluster, device, reason } => {
            bind::failed(facts, at, cluster, device, reason)
        }
        Command::LinesStarted { cluster, lines, started_at } => {
            start::started(facts, at, cluster, &lines, started_at)
        }
        Command::LinesEnded { cluster, lines } => start::ended(facts, at, cluster, &lines),
        Command::LineRejected { cluster, line } => start::rejected(facts, at, cluster, line),
        Command::CloseRequested { cluster, reason } => close::close(facts, at, cluster, reason),
        Command::GiveUpParts { cluster } => close::give_up(facts, at, cluster),
        Command::DepositLow { cluster, low } => settle::deposit_low(facts, cluster, low),
        Command::VouchSilent { cluster, since, until } => {
            settle::vouch_silent(facts, cluster, since, until)
        }
        Command::VouchHeard { cluster } => settle::vouch_heard(facts, cluster),
        Command::Attested { cluster, page, lines, last } => {
            settle::attested(facts, cluster, page, lines, last)
        }
        Command::Withdrawn { cluster, lines } => settle::withdrawn(facts, cluster, lines),
        Command::Reclaimed { cluster } => settle::reclaimed(facts, cluster),
    }
}

fn device_of(facts: &Facts, id: DeviceId) -> Result<&Device, Rejection> {
    facts.devices.get(&id).ok_or(Rejection::UnknownDevice(id))
}

fn cluster_of(facts: &Facts, id: ClusterId) -> Result<&Cluster, Rejection> {
    facts.clusters.get(&id).ok_or(Rejection::UnknownCluster(id))
}
