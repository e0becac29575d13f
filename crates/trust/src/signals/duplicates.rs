//! What devices share that is one's own: a chip's id, a board, a network card, a payout address.
//!
//! Two devices with one chip are sold twice or have one copied id. Which of the two is the copy
//! does not show: both get the signal, and nothing is taken from either. Whoever knows another
//! device's number can send it and give both the signal, too: a reason more why it lowers nothing.

use super::{Fingerprint, PRINTS_MAX, Purpose, signal};
use ionet_core::{DeviceId, Signal, Wallet};
use std::collections::{BTreeMap, BTreeSet};

/// Devices that are named in one signal.
const NAMED_MAX: usize = 4;

/// Who has one thing.
#[derive(Debug, Default)]
struct Holders {
    devices: BTreeSet<DeviceId>,
    /// How many of these devices each wallet owns.
    owners: BTreeMap<Wallet, usize>,
}

impl Holders {
    fn add(&mut self, device: DeviceId, owner: Wallet) {
        if self.devices.insert(device) {
            *self.owners.entry(owner).or_default() += 1;
        }
    }

    fn remove(&mut self, device: &DeviceId, owner: &Wallet) {
        if self.devices.remove(device)
            && let Some(count) = self.owners.get_mut(owner)
        {
            *count -= 1;
            if *count == 0 {
                self.owners.remove(owner);
            }
        }
    }

    /// The others in words: how many, and the first few of them.
    fn others(&self, device: &DeviceId) -> String {
        let beside = self.devices.iter().filter(|other| *other != device);
        let named: Vec<String> = beside.take(NAMED_MAX).map(ToString::to_string).collect();
        let more = (self.devices.len() - 1).saturating_sub(named.len());
        match more {
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }
}

#[derive(Debug)]
struct Own {
    owner: Wallet,
    prints: BTreeSet<Fingerprint>,
    payout: Option<Wallet>,
}

/// Who has what, of the devices that are online. A new epoch of salts begins with a new one.
#[derive(Debug, Default)]
pub struct Duplicates {
    prints: BTreeMap<Fingerprint, Holders>,
    payouts: BTreeMap<Wallet, Holders>,
    of: BTreeMap<DeviceId, Own>,
}

impl Duplicates {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A device of `owner` shows its fingerprints, in place of those it had; more than
    /// [`PRINTS_MAX`] are not looked at.
    pub fn online(&mut self, device: DeviceId, owner: Wallet, prints: &[Fingerprint]) {
        let payout = self.of.get(&device).and_then(|own| own.payout);
        self.offline(&device);
        let unique = prints.iter().take(PRINTS_MAX).filter(|print| print.purpose.is_unique());
        let prints: BTreeSet<Fingerprint> = unique.copied().collect();
        for print in &prints {
            self.prints.entry(*print).or_default().add(device, owner);
        }
        self.of.insert(device, Own { owner, prints, payout: None });
        if let Some(payout) = payout {
            self.pays(&device, payout);
        }
    }

    /// What a device that is online earns goes to `payout`, as the chain says.
    pub fn pays(&mut self, device: &DeviceId, payout: Wallet) {
        let Some(own) = self.of.get_mut(device) else { return };
        if own.payout == Some(payout) {
            return;
        }
        let (owner, before) = (own.owner, own.payout.replace(payout));
        if let Some(before) = before {
            forget(&mut self.payouts, &before, device, &owner);
        }
        self.payouts.entry(payout).or_default().add(*device, owner);
    }

    /// A device is gone: nobody's duplicate any more.
    pub fn offline(&mut self, device: &DeviceId) {
        let Some(own) = self.of.remove(device) else { return };
        for print in &own.prints {
            forget(&mut self.prints, print, device, &own.owner);
        }
        if let Some(payout) = own.payout {
            forget(&mut self.payouts, &payout, device, &own.owner);
        }
    }

    /// Signals of a device that shares something with others.
    pub fn signals(&self, device: &DeviceId, at_ms: i64) -> Vec<Signal> {
        let Some(own) = self.of.get(device) else { return Vec::new() };
        let mut signals = Vec::new();
        if let Some(chip) = self.most_shared(own, |purpose| purpose == Purpose::Uuid) {
            let others = chip.others(device);
            let text = format!("a chip of {device} has the same unique id as one of {others}");
            signals.push(signal("duplicate-uuid", text, at_ms));
        }
        let body = |purpose| matches!(purpose, Purpose::Board | Purpose::Network);
        if let Some(machine) = self.most_shared(own, body) {
            let (others, wallets) = (machine.others(device), machine.owners.len());
            let (code, whose) = match wallets {
                1 => ("same-machine", String::new()),
                _ => ("shared-machine", format!(", enrolled under {wallets} wallets")),
            };
            let text = format!(
                "has the same board or network card as {others}{whose}. Several devices on one \
                 machine are normal: they share it, so what it can do is what they prove at the \
                 same time"
            );
            signals.push(signal(code, text, at_ms));
        }
        let payout = own.payout.and_then(|payout| Some((payout, self.payouts.get(&payout)?)));
        if let Some((payout, holders)) = payout.filter(|(_, holders)| holders.owners.len() > 1) {
            let (devices, wallets) = (holders.devices.len(), holders.owners.len());
            let text = format!("{devices} devices of {wallets} wallets are paid out to {payout}");
            signals.push(signal("shared-payout", text, at_ms));
        }
        signals
    }

    /// Of what a device shares, the thing that most devices have.
    fn most_shared(&self, own: &Own, of: impl Fn(Purpose) -> bool) -> Option<&Holders> {
        let wanted = own.prints.iter().filter(|print| of(print.purpose));
        let holders = wanted.filter_map(|print| self.prints.get(print));
        let most = holders.max_by_key(|holders| (holders.owners.len(), holders.devices.len()));
        most.filter(|holders| holders.devices.len() > 1)
    }
}

fn forget<K: Ord>(all: &mut BTreeMap<K, Holders>, key: &K, device: &DeviceId, owner: &Wallet) {
    if let Some(holders) = all.get_mut(key) {
        holders.remove(device, owner);
        if holders.devices.is_empty() {
            all.remove(key);
        }
    }
}
