//! What the chain says, in the words of `ionet-network`.

use super::{Market, address};
use ionet_core::{DeviceId, Vouch, Wallet};
use ionet_ledger::LedgerError;
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account as chain;
use ionet_network::{At, DeviceTerms, LeaseClockView, LeaseStatus, LeaseTerms, LeaseView};
use ionet_placement::Asks;

/// A device as the chain records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDevice {
    /// The wallet that registered it.
    pub supplier: Wallet,
    /// Where its earnings go, or will go when a change that was announced takes effect.
    pub payout: Wallet,
    /// What it offers.
    pub terms: DeviceTerms,
}

impl Market {
    /// Leases as they are now, in the order asked; `None` where there is none (not opened yet,
    /// or reclaimed).
    pub async fn leases(
        &self,
        leases: &[Wallet],
    ) -> Result<Vec<Option<(LeaseView, LeaseClockView)>>, LedgerError> {
        let addresses: Vec<_> = leases.iter().map(address).collect();
        let found = self.ledger.leases(&addresses).await?;
        let now = self.clock().await?;
        let view = |(at, lease): (&Wallet, Option<chain::Lease>)| {
            lease.and_then(|lease| Some((self.lease_view(*at, &lease)?, clock_view(&lease, now))))
        };
        Ok(leases.iter().zip(found).map(view).collect())
    }

    /// `None` for a lease in a mint that we do not know: it is not one of ours.
    fn lease_view(&self, at: Wallet, lease: &chain::Lease) -> Option<LeaseView> {
        let status = match lease.state {
            chain::LeaseState::Open => LeaseStatus::Open,
            chain::LeaseState::Closed => LeaseStatus::Closed {
                closed_at: lease.closed_at.into(),
                claims_until: lease.claims_until().into(),
                refunded: lease.refunded,
            },
            chain::LeaseState::Finalized => LeaseStatus::Finalized { refunded: lease.refunded },
        };
        Some(LeaseView {
            lease: at,
            renter: Wallet(lease.renter),
            coordinator: Wallet(lease.coordinator),
            asset: self.asset(&lease.mint)?,
            policy_hash: lease.policy_hash,
            terms: LeaseTerms {
                deposit: lease.deposit,
                slots_max: lease.slots_max,
                rate_per_slot_max: lease.rate_per_slot_max,
                rate_total_max: lease.rate_total_max,
                fee: lease.fee_bps,
                vouch: match lease.vouch {
                    chain::Vouch::Either => Vouch::Either,
                    chain::Vouch::Coordinator => Vouch::Coordinator,
                    chain::Vouch::Session => Vouch::Session,
                },
                expires_at: lease.expires_at.into(),
                session: (lease.session != [0; 32]).then_some(Wallet(lease.session)),
                accept_s: lease.accept_s,
            },
            claim_window_s: lease.claim_window_s.into(),
            status,
        })
    }

    /// Devices as the chain records them now, in the order asked; `None` where a device is not
    /// registered.
    pub async fn devices(
        &self,
        devices: &[DeviceId],
    ) -> Result<Vec<Option<SeenDevice>>, LedgerError> {
        let keys: Vec<_> = devices.iter().map(|d| d.0).collect();
        let us = self.coordinator();
        let seen = |device: chain::Device| SeenDevice {
            supplier: Wallet(device.supplier),
            payout: Wallet(match device.payout_next_at.0 {
                0 => device.payout_owner,
                _ => device.payout_next,
            }),
            terms: DeviceTerms {
                units_total: device.units_total,
                asks: Asks { usdc: ask(device.asks[0].0), io: ask(device.asks[1].0) },
                generation: device.generation,
                accepts_us: device.accepts(&us.0),
                expires_at: device.expires_at.into(),
            },
        };
        let found = self.ledger.devices_of_keys(&keys).await?;
        Ok(found.into_iter().map(|device| device.map(seen)).collect())
    }
}

/// Zero on the chain means "not for this mint".
fn ask(rate: u64) -> Option<u64> {
    (rate > 0).then_some(rate)
}

/// The lease's clock at `now`: what it will have committed by then follows from its own
/// arithmetic, without a transaction.
fn clock_view(lease: &chain::Lease, now: At) -> LeaseClockView {
    let mut clock = lease.clock();
    let runs_until = clock.runs_until();
    if lease.state == chain::LeaseState::Open {
        // An overflow leaves the last committed figure, which is what the program would do too:
        // refuse.
        let _ = clock.advance(now.timestamp());
    }
    LeaseClockView {
        deposit: clock.deposit,
        committed: clock.committed,
        runs_until: runs_until.into(),
        stood_s: stood_s(lease, now.timestamp(), runs_until),
    }
}

/// Seconds that a lease's clock has stood since its opening, but for a stand that still lasts.
fn stood_s(lease: &chain::Lease, now: Timestamp, runs_until: Timestamp) -> u64 {
    let until = match lease.state {
        chain::LeaseState::Open => now,
        chain::LeaseState::Closed | chain::LeaseState::Finalized => lease.closed_at,
    };
    seconds(lease.opened_at, until.min(runs_until)).saturating_sub(lease.v_at(now).0)
}

/// The same at a line's start.
pub(crate) fn stood_before_s(opened_at: Timestamp, line: &chain::Line) -> u64 {
    seconds(opened_at, line.started_at).saturating_sub(line.v_start.0)
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_ledger::interface::{BaseUnits, Rate, Seconds};

    #[test]
    fn a_clock_that_stood_says_for_how_long() {
        let mut bytes = [0; chain::Lease::LEN];
        (bytes[0], bytes[1]) = (chain::Kind::Lease as u8, chain::LAYOUT_VERSION);
        bytes[chain::Lease::STATE_AT] = chain::LeaseState::Open as u8;
        let mut lease = chain::Lease::decode(&bytes).unwrap();
        // Opened at 100 with money for 50 s at 3,600 base units an hour; filled at 180.
        (lease.opened_at, lease.changed_at) = (Timestamp(100), Timestamp(100));
        (lease.seen_at, lease.expires_at) = (Timestamp(100), Timestamp(100_000));
        (lease.deposit, lease.gross_rate) = (BaseUnits(50), Rate(3_600));
        let at = |lease: &chain::Lease, s| clock_view(lease, At::from_seconds(s));
        assert_eq!(at(&lease, 140).stood_s, 0);
        assert_eq!(at(&lease, 175).stood_s, 0, "the stand that lasts is what `runs_until` says");
        assert_eq!(at(&lease, 175).runs_until, At::from_seconds(150));
        let mut clock = lease.clock();
        clock.top_up(BaseUnits(1_000), Timestamp(180)).unwrap();
        lease.set_clock(&clock);
        assert_eq!(at(&lease, 181).stood_s, 30);
        assert_eq!(at(&lease, 999).stood_s, 30);
        // A line that began in between has seen none of it, a later one all.
        let mut line = chain::Line { started_at: Timestamp(120), ..line() };
        line.v_start = Seconds(20);
        assert_eq!(stood_before_s(lease.opened_at, &line), 0);
        (line.started_at, line.v_start) = (Timestamp(200), Seconds(70));
        assert_eq!(stood_before_s(lease.opened_at, &line), 30);
    }

    fn line() -> chain::Line {
        chain::Line {
            device: [1; 32],
            payout_owner: [2; 32],
            rate: Rate(1),
            generation: 1,
            bound_at: Timestamp(100),
            started_at: Timestamp(0),
            v_start: Seconds(0),
            v_end: Seconds(0),
            served: Seconds(0),
            paid: BaseUnits(0),
            units: 1,
            state: chain::LineState::Started,
            reserved: [0; 5],
        }
    }
}
