//! The private network of a cluster.
//!
//! A cluster's members reach each other and, beyond that, only what the supplier's egress
//! policy allows: never the host, never the supplier's own network, never another cluster.
//! [`ClusterNetwork`] is what the worker knows. [`LocalMesh`] implements it for members on one
//! machine: a bridge of the container engine inside nftables rules of our own. A mesh across
//! machines implements the same trait: it joins bridges of several hosts, and the members'
//! addresses stay what [`NetworkSpec`] says.
//!
//! **Invariant:** `ensure` returns only after the rules are in force, so a container that is
//! started afterwards was never on an open network.
//!
//! ```no_run
//! # async fn demo(spec: ionet_mesh::NetworkSpec) -> Result<(), Box<dyn std::error::Error>> {
//! use ionet_mesh::{ClusterNetwork, LocalMesh, engine};
//! let engine = engine::Engine::connect(&engine::discover(None)?).await?;
//! let handle = LocalMesh::new(engine).ensure(&spec).await?;
//! println!("containers join {}", handle.name);
//! # Ok(()) }
//! ```

pub mod engine;
mod firewall;
mod local;
mod rules;
mod spec;

pub use local::LocalMesh;
pub use spec::{Allow, EgressPolicy, NetworkHandle, NetworkSpec, SpecError, Subnet, network_name};

use async_trait::async_trait;
use ionet_core::ClusterId;

/// Why a network could not be made, removed or listed.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The spec contradicts itself.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The engine does not answer as it should.
    #[error(transparent)]
    Engine(#[from] engine::EngineError),
    /// A network of this cluster is there, with another subnet or kind.
    #[error("the network {name} is there already with other settings ({found})")]
    Conflict {
        /// Its name.
        name: String,
        /// What was found.
        found: String,
    },
    /// The subnet belongs to another network of this machine.
    #[error("the subnet {subnet} is in use on this machine: {message}")]
    SubnetTaken {
        /// The subnet.
        subnet: Subnet,
        /// In the engine's words.
        message: String,
    },
    /// Containers are still on the network.
    #[error("the network {0} still has containers")]
    InUse(String),
    /// The packet filter refused our rules: nothing may run on this network.
    #[error("nftables: {0}")]
    Firewall(String),
}

/// Makes, removes and lists the private networks of clusters on this machine.
#[async_trait]
pub trait ClusterNetwork: Send + Sync {
    /// Makes the network and its rules as `spec` says, or finds them so. Safe to repeat and
    /// safe when several processes do it at the same instant. Call it again from time to time:
    /// it also puts back rules that someone flushed, and follows changes of the host's own
    /// addresses.
    async fn ensure(&self, spec: &NetworkSpec) -> Result<NetworkHandle, MeshError>;

    /// Removes the network, then its rules. One that is not there is removed already.
    async fn remove(&self, cluster: &ClusterId) -> Result<(), MeshError>;

    /// The networks of clusters on this machine, by whoever made them, ordered by cluster.
    async fn list(&self) -> Result<Vec<NetworkHandle>, MeshError>;
}
