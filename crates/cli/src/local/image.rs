//! The Ray image: built by the script of the source tree, which travels in this program.

use super::network::LocalNetwork;
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::write_atomic;
use ionet_core::RAY_IMAGE;
use std::process::Stdio;
use tokio::process::Command;

const SCRIPT: &str = include_str!("../../../../images/ray/build.sh");
const REQUIREMENTS: &str = include_str!("../../../../images/ray/requirements.txt");
const CONSTRAINTS: &str = include_str!("../../../../images/ray/constraints.txt");

/// Whether the engine has an image of that name.
pub(crate) async fn is_there(network: &LocalNetwork) -> bool {
    let mut command = engine(network);
    command.args(["image", "inspect", RAY_IMAGE]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|s| s.success())
}

/// Builds the image unless the one of this very recipe is there. Takes minutes the first time.
pub(crate) async fn build(network: &LocalNetwork) -> Result<()> {
    let folder = network.folder().join("image");
    for (name, text) in
        [("build.sh", SCRIPT), ("requirements.txt", REQUIREMENTS), ("constraints.txt", CONSTRAINTS)]
    {
        write_atomic(&folder.join(name), text.as_bytes(), 0o755)?;
    }
    let log = network.log("image");
    std::fs::create_dir_all(log.parent().expect("logs/")).or_internal("logs")?;
    let file = std::fs::File::create(&log).or_internal(log.display())?;
    let err = file.try_clone().or_internal(log.display())?;
    let status = Command::new("bash")
        .arg(folder.join("build.sh"))
        .env("IONET_CONTAINERS_CONF", network.containers_conf())
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(err)
        .kill_on_drop(true)
        .status()
        .await
        .or_internal("bash")?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    let last = said.lines().last().unwrap_or("it said nothing").to_owned();
    Err(Failure::new(Kind::Refused, format!("the Ray image was not built: {last}"))
        .hint(format!("see {}; then `ionet up` again", log.display())))
}

/// Where the script keeps what it needs while it builds.
const CACHE: &str = "/var/cache/ionet";

/// Removes the image, and what its making left.
pub(crate) async fn remove(network: &LocalNetwork) {
    let _ = std::fs::remove_dir_all(CACHE);
    let mut command = engine(network);
    command.args(["image", "rm", "--force", RAY_IMAGE]).stdin(Stdio::null());
    // Not there is what we want.
    let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
}

fn engine(network: &LocalNetwork) -> Command {
    let podman = crate::doctor::on_path("podman");
    let mut command = Command::new(if podman { "podman" } else { "docker" });
    command.env("CONTAINERS_CONF", network.containers_conf());
    command
}
