//! Brings rules into force through `nft`.

use crate::MeshError;
use crate::rules::HostNet;
use nix::ifaddrs::getifaddrs;
use std::net::Ipv4Addr;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Times that a transaction is tried: the kernel refuses one that raced with another table's
/// change, and container engines change tables at every start.
const ATTEMPTS: usize = 5;

/// Applies `script` as one transaction: all of it or nothing.
pub(crate) async fn apply(script: &str) -> Result<(), MeshError> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match run(script).await? {
            None => return Ok(()),
            Some(message) => last = message,
        }
    }
    Err(MeshError::Firewall(last))
}

/// `None` when it worked, else what `nft` said.
async fn run(script: &str) -> Result<Option<String>, MeshError> {
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| {
            MeshError::Firewall(format!("cannot run `nft` ({e}); install the package nftables"))
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A broken pipe means that nft gave up early; its own words say why.
        let _ = stdin.write_all(script.as_bytes()).await;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(|e| MeshError::Firewall(format!("cannot wait for `nft`: {e}")))?;
    if output.status.success() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&output.stderr).lines().take(4).collect::<Vec<_>>().join("; ")))
}

/// The IPv4 networks that the host's own interfaces are on. Bridges of clusters are left out:
/// the rules name them by interface.
pub(crate) fn host_nets() -> Result<Vec<HostNet>, MeshError> {
    let addresses = getifaddrs()
        .map_err(|e| MeshError::Firewall(format!("cannot read the host's addresses: {e}")))?;
    let mut nets: Vec<HostNet> = addresses
        .filter_map(|a| {
            let ip = a.address?.as_sockaddr_in()?.ip();
            let mask = a.netmask?.as_sockaddr_in()?.ip();
            let prefix = u32::from(mask).leading_ones() as u8;
            Some((Ipv4Addr::from(u32::from(ip) & u32::from(mask)), prefix))
        })
        .collect();
    nets.sort_unstable();
    nets.dedup();
    Ok(nets)
}
