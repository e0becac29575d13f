//! The network of a cluster whose members are all on this machine: one bridge.

use crate::engine::{Engine, EngineError, EngineKind};
use crate::spec::{NetworkHandle, NetworkSpec, Subnet, interface_name, network_name};
use crate::{ClusterNetwork, EgressPolicy, MeshError, firewall, rules};
use async_trait::async_trait;
use bollard::models::{Ipam, IpamConfig, Network, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};
use ionet_core::ClusterId;
use serde_json::json;
use std::collections::HashMap;

/// On every network of ours: which cluster it belongs to.
const CLUSTER_LABEL: &str = "io.ionet.cluster";
/// Docker's and Podman's shared option for the bridge's name.
const BRIDGE_OPTION: &str = "com.docker.network.bridge.name";

/// Bridges of the local container engine, inside rules of our own.
#[derive(Debug, Clone)]
pub struct LocalMesh {
    engine: Engine,
}

impl LocalMesh {
    /// On this engine. Needs root: it writes packet filter rules.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Removes every network of ours and the whole table of rules. For `make down PURGE=1`.
    pub async fn purge(&self) -> Result<(), MeshError> {
        for network in self.list().await? {
            self.remove(&network.cluster).await?;
        }
        firewall::apply(rules::purge()).await
    }

    async fn find(&self, cluster: &ClusterId) -> Result<Option<NetworkHandle>, MeshError> {
        let name = network_name(cluster);
        let found =
            self.engine.docker().inspect_network(&name, None::<InspectNetworkOptions>).await;
        match found.map_err(EngineError::from) {
            Ok(inspect) => {
                let handle = handle_of(
                    inspect.labels.as_ref(),
                    inspect.ipam.as_ref(),
                    inspect.internal.unwrap_or(false),
                );
                handle.map(Some).ok_or_else(|| MeshError::Conflict {
                    name,
                    found: "not made by ionet".to_owned(),
                })
            }
            Err(e) if e.is_missing() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Creates the network; refusals are judged by the caller, who looks whether it is there.
    async fn create(&self, spec: &NetworkSpec, internal: bool) -> Result<(), EngineError> {
        let name = network_name(&spec.cluster);
        let interface = interface_name(&spec.cluster);
        let cluster = spec.cluster.to_string();
        let (subnet, gateway) = (spec.subnet.to_string(), spec.subnet.gateway().to_string());
        match self.engine.kind() {
            EngineKind::Podman => {
                let body = json!({
                    "name": name, "driver": "bridge", "network_interface": interface,
                    "internal": internal, "dns_enabled": false, "ipv6_enabled": false,
                    "labels": { CLUSTER_LABEL: cluster },
                    "subnets": [{ "subnet": subnet, "gateway": gateway }],
                });
                self.engine.podman_post("/networks/create", &body).await
            }
            EngineKind::Docker => {
                let config = IpamConfig {
                    subnet: Some(subnet),
                    gateway: Some(gateway),
                    ..Default::default()
                };
                let request = NetworkCreateRequest {
                    name,
                    driver: Some("bridge".to_owned()),
                    internal: Some(internal),
                    enable_ipv6: Some(false),
                    ipam: Some(Ipam { config: Some(vec![config]), ..Default::default() }),
                    options: Some(HashMap::from([(BRIDGE_OPTION.to_owned(), interface)])),
                    labels: Some(HashMap::from([(CLUSTER_LABEL.to_owned(), cluster)])),
                    ..Default::default()
                };
                self.engine.docker().create_network(request).await?;
                Ok(())
            }
        }
    }
}

#[async_trait]
impl ClusterNetwork for LocalMesh {
    async fn ensure(&self, spec: &NetworkSpec) -> Result<NetworkHandle, MeshError> {
        spec.validate()?;
        // Rules first: they name the bridge, which need not exist yet, and no container can be
        // on it before they are in force.
        firewall::apply(&rules::apply(spec, &firewall::host_nets()?)).await?;
        let internal = spec.egress == EgressPolicy::None;
        let handle = match self.find(&spec.cluster).await? {
            Some(handle) => handle,
            None => {
                let created = self.create(spec, internal).await;
                // Another process may have been quicker: what counts is what is there now.
                match (self.find(&spec.cluster).await?, created) {
                    (Some(handle), _) => handle,
                    (None, Err(e)) if e.status().is_some() => {
                        let (subnet, message) = (spec.subnet, e.to_string());
                        return Err(MeshError::SubnetTaken { subnet, message });
                    }
                    (None, Err(e)) => return Err(e.into()),
                    (None, Ok(())) => {
                        let gone = "the network vanished after it was made".to_owned();
                        return Err(EngineError::Refused(gone).into());
                    }
                }
            }
        };
        if handle.subnet != spec.subnet || handle.internal != internal {
            let found = format!("{}, internal: {}", handle.subnet, handle.internal);
            return Err(MeshError::Conflict { name: handle.name, found });
        }
        Ok(handle)
    }

    async fn remove(&self, cluster: &ClusterId) -> Result<(), MeshError> {
        let name = network_name(cluster);
        if let Err(e) = self.engine.docker().remove_network(&name).await {
            let e = EngineError::from(e);
            if !e.is_missing() {
                // Engines differ in the status with which they refuse a network in use: 403,
                // 409 or 500. What is attached tells.
                let in_use = self.find(cluster).await?.is_some() && e.status().is_some();
                return Err(if in_use { MeshError::InUse(name) } else { e.into() });
            }
        }
        firewall::apply(&rules::remove(cluster)).await
    }

    async fn list(&self) -> Result<Vec<NetworkHandle>, MeshError> {
        let filters = HashMap::from([("label".to_owned(), vec![CLUSTER_LABEL.to_owned()])]);
        let options = ListNetworksOptions { filters: Some(filters) };
        let networks =
            self.engine.docker().list_networks(Some(options)).await.map_err(EngineError::from)?;
        let of = |n: &Network| {
            handle_of(n.labels.as_ref(), n.ipam.as_ref(), n.internal.unwrap_or(false))
        };
        let mut handles: Vec<_> = networks.iter().filter_map(of).collect();
        handles.sort_by_key(|h| h.cluster);
        Ok(handles)
    }
}

/// What an engine says of a network, if it is one of ours.
fn handle_of(
    labels: Option<&HashMap<String, String>>,
    ipam: Option<&Ipam>,
    internal: bool,
) -> Option<NetworkHandle> {
    let cluster: ClusterId = labels?.get(CLUSTER_LABEL)?.parse().ok()?;
    let config = ipam?.config.as_ref()?.first()?;
    let subnet: Subnet = config.subnet.as_ref()?.parse().ok()?;
    Some(NetworkHandle {
        cluster,
        name: network_name(&cluster),
        interface: interface_name(&cluster),
        subnet,
        internal,
    })
}
