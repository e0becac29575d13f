//! Events about devices.

use crate::{At, Device, Event, Facts, Presence, VacatedWhy};
use ionet_core::DeviceId;
use std::collections::BTreeMap;

impl Facts {
    pub(super) fn fold_device(&mut self, at: At, id: DeviceId, event: &Event) {
        if let Event::DeviceEnrolled { device, owner, inventory, terms } = event {
            let mut new = Device {
                id: *device,
                owner: *owner,
                inventory: (**inventory).clone(),
                terms: terms.clone(),
                enrolled_at: at,
                // A device that is enrolled anew keeps its numbers: old sessions stay fenced.
                session: self.devices.get(&id).map_or(0, |known| known.session),
                stale_hellos: 0,
                presence: Presence::Enrolled { at },
                draining: None,
                cloned: None,
                retired: None,
                bind_failed: None,
                holds: BTreeMap::new(),
                chips_sold_max: 0,
                verdict: None,
            };
            new.chips_sold_max = new.chips_total();
            self.devices.insert(id, new);
            return;
        }
        let Some(device) = self.devices.get_mut(&id) else { return };
        let hired = device.is_hired();
        device.fold(at, event);
        if hired && matches!(event, Event::DeviceLost { .. }) {
            self.note_loss(at);
        }
    }

    pub(super) fn note_bind_failure(&mut self, at: At, device: DeviceId, why: &VacatedWhy) {
        if let (VacatedWhy::BindFailed { .. }, Some(device)) = (why, self.devices.get_mut(&device))
        {
            device.bind_failed = Some(at);
        }
    }
}

impl Device {
    fn fold(&mut self, at: At, event: &Event) {
        match event {
            Event::DeviceChanged { inventory, .. } => {
                if inventory.chips != self.inventory.chips
                    && let Some(verdict) = &mut self.verdict
                {
                    // It was about other chips. What is left of it is only how the device did.
                    verdict.expires_at_ms = verdict.expires_at_ms.min(at.0);
                }
                self.inventory = (**inventory).clone();
            }
            Event::TermsChanged { terms, .. } => {
                self.terms = terms.clone();
                self.retired = None;
            }
            Event::DeviceRetired { .. } => self.retired = Some(at),
            Event::SessionOpened { session, stale, .. } => {
                self.session = *session;
                self.stale_hellos = if *stale { self.stale_hellos.saturating_add(1) } else { 0 };
                self.presence = Presence::Online { since: at };
            }
            Event::DeviceSuspected { silent_since, .. } => {
                self.presence = Presence::Suspect { silent_since: *silent_since };
            }
            Event::DeviceBack { .. } => self.presence = Presence::Online { since: at },
            Event::DeviceLost { .. } => self.presence = Presence::Offline { since: at },
            Event::DrainChanged { draining, .. } => self.draining = draining.then_some(at),
            Event::CloneSuspected { .. } => self.cloned = Some(at),
            Event::CloneCleared { .. } => {
                self.cloned = None;
                self.stale_hellos = 0;
            }
            Event::DeviceJudged { verdict, .. } => self.verdict = Some((**verdict).clone()),
            // Enrolment made this device; the rest is about clusters.
            other => debug_assert!(matches!(other, Event::DeviceEnrolled { .. }), "{other:?}"),
        }
        self.chips_sold_max = self.chips_sold_max.max(self.chips_total());
    }
}
