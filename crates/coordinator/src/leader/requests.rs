//! What the REST layer asks.

use super::Leader;
use super::apply::no_capacity;
use crate::control::{ControlError, DeviceStream, Judged, Prover, Reply, Request};
use crate::present::{lease_expiry, lease_terms};
use crate::{START_ALLOWANCE_S, seal, sessions};
use ionet_api::{Cluster, Device, Quote, QuotedDevice};
use ionet_core::{Amount, ClusterId, ClusterSpec, DeviceId, Role, Verdict, Wallet};
use ionet_network::{Command, DeviceState, EndReason, QuoteError, quote};
use ionet_units::{BaseUnits, Bps};
use ionet_wire::message::{Open, Purpose};
use std::collections::BTreeMap;

impl Leader {
    /// Does what is asked; whether it may have changed anything.
    pub(super) async fn request(&mut self, request: Request) -> bool {
        match request {
            Request::Quote { spec, reply } => {
                let _ = reply.send(self.quote(&spec));
                return false;
            }
            Request::Create { renter, request_id, body, reply } => {
                self.create(renter, request_id, body, reply);
            }
            Request::Close { renter, cluster, request_id, reply } => {
                let _ = reply.send(self.close(renter, cluster, &request_id).await);
            }
            Request::Vouch { renter, cluster, receipts, reply } => {
                let _ = reply.send(self.vouch(renter, cluster, &receipts));
            }
            Request::Drain { supplier, device, drain, reply } => {
                let _ = reply.send(self.drain(supplier, device, drain).await);
            }
            Request::Provers { reply } => {
                let _ = reply.send(Ok(self.provers()));
                return false;
            }
            Request::Judge { device, verdict, reply } => {
                let _ = reply.send(self.judge(device, verdict).await);
            }
            Request::JudgeAll { verdicts, reply } => {
                let now = self.clock.now();
                let mut verdicts = self.of_these_chips(verdicts);
                for (device, verdict) in &mut verdicts {
                    self.with_sightings(now, *device, verdict);
                }
                let judge = Command::JudgeDevices { verdicts };
                let done = self.apply(now, judge, None).await;
                let _ = reply.send(done.map(drop).map_err(Into::into));
            }
            Request::OpenStream { renter, cluster, device, purpose, request_id, reply } => {
                self.open(renter, cluster, device, purpose, request_id, reply);
                return false;
            }
        }
        true
    }

    /// Errs while the chain cannot be asked.
    pub(super) fn chain_answers(&self) -> Result<(), ControlError> {
        match &self.chain_down {
            Some(why) => Err(ControlError::ChainUnavailable(why.clone())),
            None => Ok(()),
        }
    }

    fn quote(&self, spec: &ClusterSpec) -> Result<Quote, ControlError> {
        self.chain_answers()?;
        let now = self.clock.now();
        let fee = Bps(self.market.fee_bps(spec.asset));
        let found = quote(spec, &self.facts.candidates(now), now, fee).map_err(|e| match e {
            QuoteError::Refused(refusal) => no_capacity(&refusal),
            QuoteError::Overflow => ControlError::BadRequest(e.to_string()),
        })?;
        let mut terms = found.terms;
        terms.until = now.plus_ms(self.config.quote_seconds * 1_000);
        terms.deposit = terms.deposit.max(BaseUnits(self.market.min_deposit(spec.asset)));
        let chips = u64::from(spec.chips_per_device);
        let devices = found.expected.members.iter().enumerate().map(|(i, m)| QuotedDevice {
            device: m.device,
            role: if i == 0 { Role::Head } else { Role::Worker },
            region: m.region.to_string(),
            tier: self.facts.devices.get(&m.device).map(|d| d.tier(now)).unwrap_or_default(),
            rate: Amount::new(spec.asset, m.rate.div_ceil(chips)).into(),
            reason: m.reason.clone(),
        });
        let expires_at = lease_expiry(&terms, START_ALLOWANCE_S);
        let coordinator = self.market.coordinator();
        let mut made = Quote {
            spec: spec.clone(),
            devices: devices.collect(),
            rate: Amount::new(spec.asset, found.expected.rate_total()).into(),
            cost_max: Amount::new(spec.asset, terms.cost_max.0).into(),
            terms: lease_terms(&self.config, coordinator, spec, &terms, expires_at),
            expires_at: terms.until.timestamp().0,
            seal: String::new(),
        };
        made.seal = seal::seal(&self.seal_key(), &made, &terms);
        Ok(made)
    }

    /// The cluster of a renter; another's is not there.
    pub(super) fn own(
        &self,
        renter: Wallet,
        id: ClusterId,
    ) -> Result<&ionet_network::Cluster, ControlError> {
        let found = self.facts.clusters.get(&id).filter(|c| c.renter == renter);
        found.ok_or(ControlError::NotFound { what: "cluster" })
    }

    async fn close(
        &mut self,
        renter: Wallet,
        id: ClusterId,
        request_id: &str,
    ) -> Result<Cluster, ControlError> {
        self.own(renter, id)?;
        let close = Command::CloseRequested { cluster: id, reason: EndReason::Renter };
        self.apply(self.clock.now(), close, Some(request_id)).await?;
        self.publish_cluster(id).ok_or(ControlError::NotFound { what: "cluster" })
    }

    async fn drain(
        &mut self,
        supplier: Wallet,
        id: DeviceId,
        drain: bool,
    ) -> Result<Device, ControlError> {
        let now = self.clock.now();
        let missing = ControlError::NotFound { what: "device" };
        let device = self.facts.devices.get(&id).ok_or(missing.clone())?;
        if device.owner != supplier {
            let why = format!("device {id} belongs to another wallet");
            return Err(ControlError::Forbidden(why));
        }
        if device.cloned.is_some() && !drain {
            self.apply(now, Command::ClearClone { device: id }, None).await?;
        }
        self.apply(now, Command::Drain { device: id, drain }, None).await?;
        self.publish_device(now, id).ok_or(missing)
    }

    /// Verdicts of devices that still have the chips which were asked. A device may come back with
    /// others while a trial lasts: what fewer proved is none of them.
    fn of_these_chips(&self, judged: BTreeMap<DeviceId, Judged>) -> BTreeMap<DeviceId, Verdict> {
        let same = |(device, judged): (DeviceId, Judged)| {
            let known = self.facts.devices.get(&device)?;
            let same = known.inventory.chips == judged.chips;
            if !same {
                tracing::warn!(%device, "came back with other chips: its trial is of no use");
            }
            same.then_some((device, judged.verdict))
        };
        judged.into_iter().filter_map(same).collect()
    }

    fn provers(&self) -> Vec<Prover> {
        let (now, table) = (self.clock.now(), self.sessions.table());
        let prover = |device: &ionet_network::Device| {
            let session = table.get(device.id).filter(|session| session.link.can_prove())?;
            let proving = match device.state(now, self.facts.proofs_required) {
                DeviceState::Proving => true,
                DeviceState::Idle => false,
                DeviceState::Enrolled
                | DeviceState::Bound
                | DeviceState::Hired
                | DeviceState::Draining
                | DeviceState::Suspect
                | DeviceState::Offline
                | DeviceState::Cloned
                | DeviceState::Retired => return None,
            };
            Some(Prover {
                device: device.id,
                session: session.number,
                proving,
                inventory: device.inventory.clone(),
                verdict: device.verdict.clone(),
            })
        };
        self.facts.devices.values().filter_map(prover).collect()
    }

    async fn judge(
        &mut self,
        device: DeviceId,
        verdict: Box<Verdict>,
    ) -> Result<Device, ControlError> {
        let now = self.clock.now();
        self.apply(now, Command::JudgeDevice { device, verdict }, None).await?;
        self.publish_device(now, device).ok_or(ControlError::NotFound { what: "device" })
    }

    fn open(
        &mut self,
        renter: Wallet,
        id: ClusterId,
        device: Option<DeviceId>,
        purpose: Purpose,
        request_id: String,
        reply: Reply<DeviceStream>,
    ) {
        match self.stream_to(renter, id, device, purpose, request_id) {
            Ok((link, open)) => {
                // Not a step: it ends with its client, whatever the loop does.
                tokio::spawn(async move {
                    let _ = reply.send(sessions::open_stream(link, open).await);
                });
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    fn stream_to(
        &self,
        renter: Wallet,
        id: ClusterId,
        device: Option<DeviceId>,
        purpose: Purpose,
        request_id: String,
    ) -> Result<(sessions::Link, Open), ControlError> {
        let cluster = self.own(renter, id)?;
        let seat = match device {
            Some(device) => cluster.seat_of(device).map(|(_, seat)| seat),
            None => cluster.head(),
        };
        let none = || ControlError::Conflict {
            reason: match device {
                Some(device) => format!("device {device} serves no part of cluster {id}"),
                None => format!("cluster {id} is {} and has no head", cluster.state.name()),
            },
        };
        let seat = seat.ok_or_else(none)?;
        let link = self.sessions.table().get(seat.device).map(|s| s.link.clone());
        let gone = || ControlError::DeviceUnavailable("the device is not connected".into());
        let open = Open {
            leader_epoch: self.log.epoch(),
            request_id,
            part: Some(cluster.part_id(seat)),
            purpose,
        };
        Ok((link.ok_or_else(gone)?, open))
    }
}
