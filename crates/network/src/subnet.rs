//! Addresses of clusters' private networks.

use crate::Cluster;
use crate::cluster::role_of;
use ionet_core::{ClusterId, Member, Membership};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Prefix length: 1,022 addresses for at most 1,000 members and a gateway.
pub const PREFIX: u8 = 22;
/// Networks in 10.128.0.0/9: the lower half of 10/8 is what homes, clouds and container
/// engines use.
const NETWORKS: u32 = 1 << (PREFIX - 9);

fn nth(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a80_0000 | (n % NETWORKS) << (32 - PREFIX))
}

/// The network of `cluster`: where its id points, or the next that is not in `used`, so that
/// two clusters on one machine never meet. With all in use, where its id points.
pub fn choose(cluster: ClusterId, used: &BTreeSet<Ipv4Addr>) -> Ipv4Addr {
    let hash =
        Sha256::new().chain_update(b"ionet:subnet:v1").chain_update(cluster.to_string()).finalize();
    let first = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % NETWORKS;
    (0..NETWORKS).map(|i| nth(first + i)).find(|net| !used.contains(net)).unwrap_or(nth(first))
}

/// The address of a slot: the gateway is .1, the head .2.
pub fn address(subnet: Ipv4Addr, slot: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet) + 2 + u32::from(slot))
}

impl Cluster {
    /// The private network with everyone who sits in it; none before placement.
    pub fn membership(&self) -> Option<Membership> {
        let subnet = self.subnet?;
        let member = |(slot, seat): (u16, &crate::Seat)| Member {
            device: seat.device,
            ip: address(subnet, slot),
            role: role_of(slot),
        };
        Some(Membership { subnet, prefix: PREFIX, members: self.seats().map(member).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::Wallet;

    #[test]
    fn networks_do_not_meet_while_any_is_free() {
        let mut used = BTreeSet::new();
        for n in 0..500u16 {
            let mut lease = [0; 32];
            lease[..2].copy_from_slice(&n.to_le_bytes());
            let id = ClusterId::of_lease(&Wallet(lease));
            let net = choose(id, &used);
            assert!(used.insert(net), "{net} twice");
            assert_eq!(u32::from(net) % 1_024, 0);
            assert!(u32::from(net) >= 0x0a80_0000 && u32::from(net) <= 0x0aff_ffff);
        }
        let everything = (0..NETWORKS).map(nth).collect();
        let id = ClusterId::of_lease(&Wallet([1; 32]));
        assert_eq!(choose(id, &everything), choose(id, &BTreeSet::new()));
    }

    #[test]
    fn the_last_slot_has_an_address_in_the_network() {
        let net = Ipv4Addr::new(10, 128, 4, 0);
        assert_eq!(address(net, 0), Ipv4Addr::new(10, 128, 4, 2));
        assert_eq!(address(net, 999), Ipv4Addr::new(10, 128, 7, 233));
    }
}
