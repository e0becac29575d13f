//! `ionet down`: stops the local network; with `--purge` leaves the machine as it was.

use super::network::LocalNetwork;
use super::{DownArgs, image, install, pid_file};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::home::Home;
use crate::process::Process;
use ionet_worker::WorkerConfig;
use std::path::Path;
use std::time::Duration;

/// The supervisor ends workers, coordinator and chain in this order, ten seconds each.
const GRACE: Duration = Duration::from_secs(35);
/// A worker leaves its containers, a chain finishes its commit.
const CHILD_GRACE: Duration = Duration::from_secs(5);
/// Podman's service has nothing to save.
const ENGINE_GRACE: Duration = Duration::from_secs(5);

/// Does it.
pub(crate) async fn down(context: &Context, args: DownArgs) -> Result<()> {
    let home = &context.home;
    let Some(network) = LocalNetwork::load(home)? else {
        let answer = serde_json::json!({ "running": false });
        return context.out.answer(&answer, || "no local network here; nothing to stop".into());
    };
    if !nix::unistd::geteuid().is_root() {
        return super::as_root(context, "down");
    }
    if args.purge {
        context.out.confirm(&question(context, &network, &args), args.yes)?;
    }
    crate::cluster::stop_tunnels(home).await;
    if let Some(supervisor) = Process::from_file(&pid_file(home, "supervisor")) {
        context.out.say("stopping workers, coordinator and chain");
        supervisor.end(GRACE, false).await;
    }
    end_left_over(home, &network).await;
    let removed = containers(context, &network).await;
    let podman = pid_file(home, "podman");
    if let Some(engine) = Process::from_file(&podman) {
        engine.end(ENGINE_GRACE, true).await;
    }
    let _ = std::fs::remove_file(podman);
    if network.own_engine {
        let _ = std::fs::remove_file(&network.socket);
    }
    if args.purge {
        purge(context, &network, &args).await?;
    }
    let answer =
        serde_json::json!({ "running": false, "containers": removed, "purged": args.purge });
    context.out.answer(&answer, || match args.purge {
        true => "the local network is gone; packages that setup.sh installed stay".into(),
        false => "the local network is stopped; `ionet up` goes on where it was".into(),
    })
}

/// Ends processes whose supervisor was killed.
pub(super) async fn end_left_over(home: &Home, network: &LocalNetwork) {
    for name in services(network) {
        if let Some(left) = Process::from_file(&pid_file(home, &name)) {
            left.end(CHILD_GRACE, true).await;
        }
        let _ = std::fs::remove_file(pid_file(home, &name));
    }
}

fn services(network: &LocalNetwork) -> Vec<String> {
    let workers = (1..=network.workers).map(|n| format!("worker-{n}"));
    workers.chain(["coordinator".into(), "chain".into()]).collect()
}

/// Containers and networks of the local workers. What cannot be removed is told, not fatal.
async fn containers(context: &Context, network: &LocalNetwork) -> usize {
    let mut removed = 0;
    let folders = std::fs::read_dir(network.folder().join("workers"));
    for folder in folders.into_iter().flatten().flatten().map(|e| e.path()) {
        let Ok(config) = WorkerConfig::load(&folder.join("worker.toml")) else { continue };
        match ionet_worker::purge(&config).await {
            Ok(n) => removed += n,
            Err(e) => context.out.say(format!("containers of {}: {e}", folder.display())),
        }
    }
    removed
}

fn question(context: &Context, network: &LocalNetwork, args: &DownArgs) -> String {
    let wallet = if network.made_wallet && !args.keep_wallet {
        format!(", the wallet {}", context.home.wallet().display())
    } else {
        String::new()
    };
    format!(
        "Remove the local network for good: {}{wallet}, its chain with all money on it, and the \
         Ray image if `up` made it?",
        network.folder().display(),
    )
}

async fn purge(context: &Context, network: &LocalNetwork, args: &DownArgs) -> Result<()> {
    let home = &context.home;
    if network.made_image {
        image::remove(network).await;
    }
    drop_rules().await;
    if let Some(link) = &network.link {
        install::unlink(link);
    }
    for folder in [home.local(), home.clusters(), home.intents(), home.sessions()] {
        remove_folder(&folder)?;
    }
    if network.made_config {
        let _ = std::fs::remove_file(home.config());
    }
    if network.made_wallet && !args.keep_wallet {
        let _ = std::fs::remove_file(home.wallet());
    }
    if network.made_home {
        // Fails when something of the person's is in it: then it stays.
        let _ = std::fs::remove_dir(home.path());
    }
    Ok(())
}

/// Removes the mesh's firewall rules, unless another network of this machine still uses them.
async fn drop_rules() {
    let nft = |args: &'static [&'static str]| async move {
        let mut command = tokio::process::Command::new("nft");
        command.args(args).stdin(std::process::Stdio::null());
        // Without nft or without the table there is nothing to remove.
        command.output().await.ok().filter(|done| done.status.success())
    };
    let Some(set) = nft(&["list", "set", "inet", "ionet", "clusters"]).await else { return };
    let is_there = |interface: &str| Path::new("/sys/class/net").join(interface).exists();
    if !guards_any(&String::from_utf8_lossy(&set.stdout), is_there) {
        nft(&["delete", "table", "inet", "ionet"]).await;
    }
}

/// Whether one of the interfaces that a listed set names, in quotes, is still there. A bridge that
/// someone removed by hand leaves its name behind, which guards nothing.
fn guards_any(set: &str, is_there: impl Fn(&str) -> bool) -> bool {
    let quoted = set.split('"').enumerate().filter(|(n, _)| n % 2 == 1);
    quoted.map(|(_, name)| name).any(is_there)
}

fn remove_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(crate::failure::Kind::Internal, format!("{}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::guards_any;

    #[test]
    fn names_of_bridges_that_are_gone_guard_nothing() {
        let set = "set clusters {\n type ifname\n elements = { \"ioaa\",\n \"iobb\" }\n }";
        assert!(guards_any(set, |name| name == "iobb"));
        assert!(!guards_any(set, |name| name == "iocc" || name.is_empty()));
        assert!(!guards_any("set clusters {\n type ifname\n }", |_| true));
    }
}
