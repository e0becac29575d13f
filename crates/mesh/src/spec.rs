//! What a cluster's network shall be: subnets, members, egress.

use ionet_core::{ClusterId, Membership};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Linux keeps interface names in 16 bytes, the last of them zero.
const INTERFACE_BYTES_MAX: usize = 15;
/// Largest subnet: 65,534 addresses; a cluster has at most 1,000 devices.
const PREFIX_MIN: u8 = 16;
/// Smallest subnet: 8 addresses, 5 of them for members.
const PREFIX_MAX: u8 = 29;
/// The gateway has the first address, members start at the second.
const FIRST_MEMBER: u32 = 2;
/// Entries of an allow list: each is one rule that every packet may pass.
const ALLOW_MAX: usize = 256;

/// Why a network spec is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not an IPv4 subnet.
    #[error("not an IPv4 subnet such as 10.130.7.0/24: {0:?}")]
    Subnet(String),
    /// The prefix is too short or too long, or host bits are set.
    #[error("a subnet has a prefix of {PREFIX_MIN} to {PREFIX_MAX} and no host bits: {0}")]
    Prefix(String),
    /// Public addresses must stay reachable under their own names.
    #[error("{0} is not inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")]
    NotPrivate(Subnet),
    /// A member's address is no host address of the subnet, or belongs to the gateway.
    #[error("{ip} is not a member's address in {subnet}")]
    Member {
        /// The address.
        ip: Ipv4Addr,
        /// The subnet.
        subnet: Subnet,
    },
    /// Two members have one address.
    #[error("two members have the address {0}")]
    Duplicate(Ipv4Addr),
    /// An entry of an allow list is not `ADDRESS[/PREFIX]:PORT`.
    #[error("not ADDRESS[/PREFIX]:PORT: {0:?}")]
    Allow(String),
    /// Too many entries.
    #[error("an allow list has at most {ALLOW_MAX} entries")]
    AllowLength,
}

/// A private IPv4 subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    base: Ipv4Addr,
    prefix: u8,
}

impl Subnet {
    /// Checks base and prefix length.
    pub fn new(base: Ipv4Addr, prefix: u8) -> Result<Self, SpecError> {
        let subnet = Self { base, prefix };
        if !(PREFIX_MIN..=PREFIX_MAX).contains(&prefix) || u32::from(base) & !mask(prefix) != 0 {
            return Err(SpecError::Prefix(subnet.to_string()));
        }
        if !base.is_private() {
            return Err(SpecError::NotPrivate(subnet));
        }
        Ok(subnet)
    }

    /// The subnet that a cluster takes by itself: from its id, inside 10.128.0.0/9, large
    /// enough for `members`. Where that one is taken, `attempt` 1, 2, ... are the next choices.
    pub fn derive(cluster: &ClusterId, members: usize, attempt: u32) -> Self {
        // FNV-1a: spreads ids evenly; nothing here needs more.
        let hash = cluster
            .short()
            .bytes()
            .chain(attempt.to_be_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
                (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
            });
        let wanted = members as u64 + u64::from(FIRST_MEMBER) + 1;
        let prefix = (PREFIX_MIN..=24).rev().find(|p| 1u64 << (32 - p) >= wanted);
        let prefix = prefix.unwrap_or(PREFIX_MIN);
        let bits = (hash ^ hash >> 32) as u32 & 0x007f_ffff;
        let base = (0x0a80_0000 | bits) & mask(prefix);
        Self { base: Ipv4Addr::from(base), prefix }
    }

    /// First address.
    pub fn base(&self) -> Ipv4Addr {
        self.base
    }

    /// Prefix length.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The bridge's own address. Nobody can talk to it; engines want it to exist.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + 1)
    }

    /// Address of the member with this index, counted from 0, while the subnet has one.
    pub fn member(&self, index: usize) -> Option<Ipv4Addr> {
        let offset = u32::try_from(index).ok()?.checked_add(FIRST_MEMBER)?;
        let ip = Ipv4Addr::from(u32::from(self.base).checked_add(offset)?);
        self.is_member(ip).then_some(ip)
    }

    fn is_member(&self, ip: Ipv4Addr) -> bool {
        let Some(offset) = u32::from(ip).checked_sub(u32::from(self.base)) else { return false };
        (FIRST_MEMBER..!mask(self.prefix)).contains(&offset)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong = || SpecError::Subnet(text.chars().take(64).collect());
        let (base, prefix) = text.split_once('/').ok_or_else(wrong)?;
        Self::new(base.parse().map_err(|_| wrong())?, prefix.parse().map_err(|_| wrong())?)
    }
}

/// One destination outside the cluster that its containers may open, over TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Allow {
    /// First address; host bits are cleared.
    pub base: Ipv4Addr,
    /// Prefix length, 8 to 32: an allow list names places, not halves of the internet.
    pub prefix: u8,
    /// Port.
    pub port: u16,
}

impl FromStr for Allow {
    type Err = SpecError;
    /// `203.0.113.7:443` or `203.0.113.0/24:443`.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let parse = || {
            let (net, port) = text.rsplit_once(':')?;
            let (base, prefix) = net.split_once('/').unwrap_or((net, "32"));
            let (base, prefix): (Ipv4Addr, u8) = (base.parse().ok()?, prefix.parse().ok()?);
            let port: u16 = port.parse().ok().filter(|p| *p != 0)?;
            if !(8..=32).contains(&prefix) {
                return None;
            }
            let base = Ipv4Addr::from(u32::from(base) & mask(prefix));
            Some(Self { base, prefix, port })
        };
        parse().ok_or_else(|| SpecError::Allow(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.base, self.prefix, self.port)
    }
}

/// What containers may reach outside their cluster. Never the host, whatever the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EgressPolicy {
    /// Nothing.
    #[default]
    None,
    /// Only these. An entry may name a mirror in the supplier's own network.
    Mirrors(Vec<Allow>),
    /// The public internet: no private, link-local, shared or reserved address, and no address
    /// of a network that the host itself is on.
    Open,
}

/// What a cluster's network shall be on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its addresses.
    pub subnet: Subnet,
    /// The members' addresses, this machine's own included.
    pub members: Vec<Ipv4Addr>,
    /// What is reachable outside.
    pub egress: EgressPolicy,
}

impl NetworkSpec {
    /// From what the coordinator sent.
    pub fn new(
        cluster: ClusterId,
        membership: &Membership,
        egress: EgressPolicy,
    ) -> Result<Self, SpecError> {
        let spec = Self {
            cluster,
            subnet: Subnet::new(membership.subnet, membership.prefix)?,
            members: membership.members.iter().map(|m| m.ip).collect(),
            egress,
        };
        spec.validate()?;
        Ok(spec)
    }

    /// Members are distinct host addresses of the subnet; the allow list is bounded.
    pub fn validate(&self) -> Result<(), SpecError> {
        let mut seen = std::collections::BTreeSet::new();
        for ip in &self.members {
            if !self.subnet.is_member(*ip) {
                return Err(SpecError::Member { ip: *ip, subnet: self.subnet });
            }
            if !seen.insert(*ip) {
                return Err(SpecError::Duplicate(*ip));
            }
        }
        match &self.egress {
            EgressPolicy::Mirrors(list) if list.len() > ALLOW_MAX => Err(SpecError::AllowLength),
            EgressPolicy::Mirrors(_) | EgressPolicy::None | EgressPolicy::Open => Ok(()),
        }
    }
}

/// A network that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkHandle {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its name at the engine: what a container joins.
    pub name: String,
    /// Its bridge on this machine.
    pub interface: String,
    /// Its addresses.
    pub subnet: Subnet,
    /// Whether it has no way out at all.
    pub internal: bool,
}

/// The engine's name of a cluster's network.
pub fn network_name(cluster: &ClusterId) -> String {
    format!("ionet-{}", cluster.short())
}

/// The name of a cluster's bridge: 65 of the id's 80 bits.
pub(crate) fn interface_name(cluster: &ClusterId) -> String {
    let mut name = format!("io{}", cluster.short());
    name.truncate(INTERFACE_BYTES_MAX);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::Wallet;

    fn cluster(n: u8) -> ClusterId {
        ClusterId::of_lease(&Wallet([n; 32]))
    }

    #[test]
    fn subnets_are_private_and_whole() {
        assert_eq!("10.130.7.0/24".parse::<Subnet>().unwrap().to_string(), "10.130.7.0/24");
        let cases =
            ["", "10.1.1.1", "10.1.1.1/24", "8.8.8.0/24", "10.0.0.0/8", "10.0.0.0/30", "::/64"];
        for bad in cases.into_iter().chain(["10.0.0.0/24; flush ruleset", "10.0.0.0/ 24"]) {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn derived_subnets_hold_their_members_and_differ() {
        for (members, prefix) in [(1, 24), (252, 24), (254, 23), (1_000, 22)] {
            let subnet = Subnet::derive(&cluster(1), members, 0);
            assert_eq!(subnet.prefix(), prefix, "{members}");
            assert_eq!(Subnet::new(subnet.base(), prefix), Ok(subnet));
            assert!(subnet.member(members - 1).is_some());
            assert_eq!(subnet, Subnet::derive(&cluster(1), members, 0));
        }
        let small = |c, a| Subnet::derive(&cluster(c), 3, a);
        assert_ne!(small(1, 0), small(2, 0));
        assert_ne!(small(1, 0), small(1, 1));
    }

    #[test]
    fn members_are_distinct_hosts() {
        let subnet: Subnet = "10.130.7.0/29".parse().unwrap();
        let spec = |members: &[&str]| NetworkSpec {
            cluster: cluster(1),
            subnet,
            members: members.iter().map(|m| m.parse().unwrap()).collect(),
            egress: EgressPolicy::None,
        };
        assert_eq!(spec(&["10.130.7.2", "10.130.7.6"]).validate(), Ok(()));
        for bad in ["10.130.7.0", "10.130.7.1", "10.130.7.7", "10.130.8.2", "10.130.6.255"] {
            let result = spec(&[bad]).validate();
            assert!(matches!(result, Err(SpecError::Member { .. })), "{bad}: {result:?}");
        }
        assert!(spec(&["10.130.7.2", "10.130.7.2"]).validate().is_err());
        assert_eq!(subnet.member(4), Some("10.130.7.6".parse().unwrap()));
        assert_eq!(subnet.member(5), None);
        assert_eq!(subnet.member(usize::MAX), None);
    }

    #[test]
    fn allow_entries_are_addresses_and_ports() {
        assert_eq!(
            "203.0.113.9/24:443".parse::<Allow>().unwrap().to_string(),
            "203.0.113.0/24:443"
        );
        assert_eq!("1.2.3.4:80".parse::<Allow>().unwrap().prefix, 32);
        for bad in ["", "1.2.3.4", "1.2.3.4:0", "0.0.0.0/0:1", "a:1", "1.2.3.4:1 accept", "::1:4"] {
            assert!(bad.parse::<Allow>().is_err(), "{bad}");
        }
    }

    #[test]
    fn interface_names_fit() {
        assert_eq!(interface_name(&cluster(3)).len(), INTERFACE_BYTES_MAX);
        assert_ne!(interface_name(&cluster(3)), interface_name(&cluster(4)));
    }
}
