//! Devices at the door.

use super::Leader;
use super::apply::ApplyError;
use crate::market::SeenDevice;
use crate::sessions::{Knock, Outgoing, RETRY_MS, refused};
use ionet_network::{Command, Event, Rejection};
use ionet_wire::message::{Refused, RefusedCode, SessionName, Welcome};

impl Leader {
    /// Lets a device in, or says why not.
    pub(super) async fn knock(&mut self, knock: Knock) {
        let welcome = self.admit(&knock).await;
        // A device that hung up meanwhile is seen as gone when its stream fails.
        let _ = knock.reply.send(welcome);
    }

    async fn admit(&mut self, knock: &Knock) -> Result<Welcome, Refused> {
        let (now, device) = (self.clock.now(), knock.device);
        self.enrol(knock).await?;
        let open = Command::OpenSession {
            device,
            last_session: knock.hello.last_session,
            inventory: Box::new(knock.hello.inventory.clone()),
        };
        let events = self.apply(now, open, None).await.map_err(|e| refusal(&e))?;
        let opened = events.iter().find_map(|e| match e {
            Event::SessionOpened { session, .. } => Some(*session),
            _ => None,
        });
        let cloned = "two machines show this key: stop one of them, then let the owner confirm \
                      with `ionet device drain --off`";
        let session =
            opened.ok_or_else(|| refused(RefusedCode::Enrolment, cloned, Some(60_000)))?;
        let name = SessionName { device, session };
        let (parts, link) = (&knock.hello.parts, knock.link.clone());
        let admitted = self.sessions.table().admit(now, name, parts, link);
        match admitted {
            Ok(Some(older)) => {
                let fenced = refused(RefusedCode::Fenced, "a newer session took over", None);
                if older.commands.try_send(Outgoing::End(fenced)).is_err() {
                    older.connection.close(0u32.into(), b"fenced");
                }
            }
            Ok(None) => (),
            Err(e) => return Err(refused(RefusedCode::Busy, e.to_string(), Some(RETRY_MS))),
        }
        let payout = knock.record.as_ref().and_then(|record| Some(record.as_ref()?.payout));
        self.sessions.book().admit(name, knock.owner, payout);
        // What the device was told before is unknown to it or to us: tell it anew.
        self.soft.told.retain(|(_, told), _| *told != device);
        self.resume_meters(device, &knock.hello);
        self.take_drain_wish(knock).await;
        Ok(self.welcome(session))
    }

    /// The chain's record is taken where it answers; where it does not, what was known before.
    async fn enrol(&mut self, knock: &Knock) -> Result<(), Refused> {
        let (now, device, owner) = (self.clock.now(), knock.device, knock.owner);
        let other = "the chain's record of this device names another wallet than its enrolment";
        let terms = match &knock.record {
            Some(Some(SeenDevice { supplier, .. })) if *supplier != owner => {
                return Err(refused(RefusedCode::NotRegistered, other, Some(60_000)));
            }
            Some(Some(seen)) => seen.terms.clone(),
            Some(None) => {
                if self.facts.devices.contains_key(&device) {
                    let gone = Command::UpdateTerms { device, terms: None };
                    self.observe(now, gone).await;
                }
                let text = "the chain holds no record of this device; register it with \
                            `ionet device grant`";
                return Err(refused(RefusedCode::NotRegistered, text, Some(RETRY_MS)));
            }
            None => match self.facts.devices.get(&device) {
                Some(known) if known.owner == owner => return Ok(()),
                Some(_) => return Err(refused(RefusedCode::NotRegistered, other, Some(60_000))),
                None => {
                    let text = "the chain does not answer; the device cannot be looked up";
                    return Err(refused(RefusedCode::Busy, text, Some(RETRY_MS)));
                }
            },
        };
        let inventory = Box::new(knock.hello.inventory.clone());
        let enrol = Command::EnrolDevice { device, owner, inventory, terms };
        self.apply(now, enrol, None).await.map(drop).map_err(|e| refusal(&e))
    }

    /// A worker that starts anew speaks for its owner: it takes work, or it drains.
    async fn take_drain_wish(&mut self, knock: &Knock) {
        let (device, hello) = (knock.device, &knock.hello);
        let new_process = self.boots.insert(device, hello.boot) != Some(hello.boot);
        if hello.draining || new_process {
            let drain = Command::Drain { device, drain: hello.draining };
            self.observe(self.clock.now(), drain).await;
        }
    }

    fn welcome(&self, session: u64) -> Welcome {
        Welcome {
            session,
            leader_epoch: self.log.epoch(),
            chain: self.market.chain(),
            coordinator: self.market.coordinator(),
            idle_interval_ms: self.config.idle_interval_ms,
            hired_interval_ms: self.config.hired_interval_ms,
            features: Vec::new(),
            salt: Some(self.salt),
        }
    }
}

fn refusal(error: &ApplyError) -> Refused {
    let ApplyError::Rejected(rejection) = error else {
        return refused(RefusedCode::Busy, "the coordinator's log failed", Some(RETRY_MS));
    };
    let code = match rejection {
        Rejection::Inventory => RefusedCode::Malformed,
        Rejection::Retired(_) | Rejection::OtherOwner { .. } => RefusedCode::NotRegistered,
        _ => RefusedCode::Enrolment,
    };
    refused(code, rejection.to_string(), Some(60_000))
}
