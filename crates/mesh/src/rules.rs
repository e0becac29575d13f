//! The packet filter's rules as text: a pure function of what the networks shall be.
//!
//! One table of our own, hooked in after connection tracking and before everyone else's
//! filters. A drop verdict is final in nftables, whatever other tables (Docker's, the host
//! firewall's) accept; our accept verdicts only end our own table.
//!
//! **Invariant:** every name and address in the text comes from a type that cannot hold
//! anything else; no text from outside is pasted.

use crate::spec::{EgressPolicy, NetworkSpec, interface_name};
use ionet_core::ClusterId;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// After connection tracking (-200), before the usual filters (0) and NAT (-100).
const PRIORITY: i32 = -150;

/// Addresses that are not the public internet (RFC 6890 and multicast).
const NOT_PUBLIC: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, \
    172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, 192.88.99.0/24, 192.168.0.0/16, 198.18.0.0/15, \
    198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/3";

/// A network that the host itself is on.
pub(crate) type HostNet = (Ipv4Addr, u8);

/// The table and its hooks. Repeating it changes nothing.
fn base() -> String {
    let mut text = String::from(
        "add table inet ionet\n\
         add set inet ionet clusters { type ifname; }\n\
         add map inet ionet egress { type ifname : verdict; }\n",
    );
    for hook in ["input", "output", "forward"] {
        let _ = writeln!(
            text,
            "add chain inet ionet {hook} {{ type filter hook {hook} priority {PRIORITY}; }}\n\
             flush chain inet ionet {hook}"
        );
    }
    text.push_str(
        "add rule inet ionet input iifname @clusters counter drop\n\
         add rule inet ionet output oifname @clusters counter drop\n\
         add rule inet ionet forward iifname vmap @egress\n\
         add rule inet ionet forward oifname @clusters ct state established,related accept\n\
         add rule inet ionet forward oifname @clusters counter drop\n",
    );
    text
}

/// Brings the rules of one network into force, in one transaction.
pub(crate) fn apply(spec: &NetworkSpec, host_nets: &[HostNet]) -> String {
    let interface = interface_name(&spec.cluster);
    let chain = chain_name(&spec.cluster);
    let mut text = base();
    let _ = write!(
        text,
        "add chain inet ionet {chain}\n\
         flush chain inet ionet {chain}\n\
         add element inet ionet clusters {{ \"{interface}\" }}\n\
         add element inet ionet egress {{ \"{interface}\" : jump {chain} }}\n\
         add rule inet ionet {chain} oifname \"{interface}\" accept\n\
         add rule inet ionet {chain} oifname @clusters counter drop\n\
         add rule inet ionet {chain} ip saddr != {} counter drop\n\
         add rule inet ionet {chain} meta nfproto ipv6 counter drop\n",
        spec.subnet
    );
    match &spec.egress {
        EgressPolicy::None => {}
        EgressPolicy::Mirrors(list) => {
            for allow in list {
                let (base, prefix, port) = (allow.base, allow.prefix, allow.port);
                let _ = writeln!(
                    text,
                    "add rule inet ionet {chain} ip daddr {base}/{prefix} \
                     meta l4proto {{ tcp, udp }} th dport {port} accept"
                );
            }
        }
        EgressPolicy::Open => {
            let _ = writeln!(
                text,
                "add rule inet ionet {chain} ip daddr {{ {NOT_PUBLIC} }} counter drop"
            );
            for (base, prefix) in host_nets {
                let _ = writeln!(
                    text,
                    "add rule inet ionet {chain} ip daddr {base}/{prefix} counter drop"
                );
            }
            let _ = writeln!(text, "add rule inet ionet {chain} accept");
        }
    }
    let _ = writeln!(text, "add rule inet ionet {chain} counter drop");
    text
}

/// Takes the rules of one network out, whether they are there or not.
pub(crate) fn remove(cluster: &ClusterId) -> String {
    let interface = interface_name(cluster);
    let chain = chain_name(cluster);
    let mut text = base();
    // Deleting what is missing is an error in nftables, adding what is there is none.
    let _ = write!(
        text,
        "add chain inet ionet {chain}\n\
         add element inet ionet clusters {{ \"{interface}\" }}\n\
         add element inet ionet egress {{ \"{interface}\" : jump {chain} }}\n\
         delete element inet ionet clusters {{ \"{interface}\" }}\n\
         delete element inet ionet egress {{ \"{interface}\" }}\n\
         flush chain inet ionet {chain}\n\
         delete chain inet ionet {chain}\n"
    );
    text
}

/// Takes the whole table out.
pub(crate) fn purge() -> &'static str {
    "add table inet ionet\ndelete table inet ionet\n"
}

fn chain_name(cluster: &ClusterId) -> String {
    format!("cluster_{}", cluster.short())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Subnet;
    use ionet_core::Wallet;

    fn spec(egress: EgressPolicy) -> NetworkSpec {
        NetworkSpec {
            cluster: ClusterId::of_lease(&Wallet([7; 32])),
            subnet: "10.130.7.0/24".parse::<Subnet>().unwrap(),
            members: vec![],
            egress,
        }
    }

    fn rules(egress: EgressPolicy) -> Vec<String> {
        let spec = spec(egress);
        let chain = format!("add rule inet ionet {} ", chain_name(&spec.cluster));
        apply(&spec, &[(Ipv4Addr::new(198, 51, 100, 0), 24)])
            .lines()
            .filter_map(|l| l.strip_prefix(&chain).map(str::to_owned))
            .collect()
    }

    #[test]
    fn whatever_the_policy_the_last_word_is_drop() {
        for egress in [
            EgressPolicy::None,
            EgressPolicy::Mirrors(vec!["203.0.113.7:443".parse().unwrap()]),
            EgressPolicy::Open,
        ] {
            let rules = rules(egress);
            assert_eq!(rules.last().unwrap(), "counter drop");
            assert!(rules[0].ends_with("accept") && rules[0].starts_with("oifname"), "{rules:?}");
            assert_eq!(rules[1], "oifname @clusters counter drop");
        }
    }

    #[test]
    fn only_what_is_listed_is_accepted() {
        assert_eq!(rules(EgressPolicy::None).len(), 5);
        let mirrors = rules(EgressPolicy::Mirrors(vec!["203.0.113.7/24:443".parse().unwrap()]));
        assert_eq!(
            mirrors[4],
            "ip daddr 203.0.113.0/24 meta l4proto { tcp, udp } th dport 443 accept"
        );
        let open = rules(EgressPolicy::Open);
        let at = |text: &str| open.iter().position(|r| r.contains(text)).unwrap();
        assert!(at("10.0.0.0/8") < at("198.51.100.0/24 counter drop"));
        assert_eq!(open.iter().position(|r| r == "accept"), Some(open.len() - 2));
    }
}
