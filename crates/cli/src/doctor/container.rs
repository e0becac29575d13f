//! Checks of the container engine: the programs, and one real container.

use super::Check;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// A container that does nothing starts in half a second; a busy machine may need twenty.
const CONTAINER_SECONDS_MAX: u64 = 60;
/// Name of the image made of one empty file; removed at once.
const PROBE_IMAGE: &str = "localhost/ionet-doctor:probe";

/// The programs that are called.
pub(crate) fn tools() -> Vec<Check> {
    let mut found = Vec::new();
    let engines: Vec<&str> = ["podman", "docker"].into_iter().filter(|e| on_path(e)).collect();
    found.push(match engines.first() {
        Some(engine) => Check::ok("engine", format!("{engine} is installed")),
        None => Check::fail(
            "engine",
            "neither podman nor docker is installed",
            "scripts/setup.sh, or: apt-get install podman runc",
        ),
    });
    found.push(if on_path("runc") || on_path("crun") {
        Check::ok("oci runtime", if on_path("runc") { "runc" } else { "crun" })
    } else {
        Check::fail("oci runtime", "runc is missing", "apt-get install runc")
    });
    found.push(if on_path("nft") {
        Check::ok("nftables", "nft is installed")
    } else {
        Check::fail(
            "nftables",
            "nft is missing: containers could not be kept from your own network",
            "apt-get install nftables",
        )
    });
    let netavark = ["/usr/lib/podman/netavark", "/usr/libexec/podman/netavark"];
    if engines.first() == Some(&"podman") && !netavark.iter().any(|p| Path::new(p).exists()) {
        let todo = "apt-get install netavark aardvark-dns";
        found.push(Check::fail("netavark", "podman's network helper is missing", todo));
    }
    found
}

/// Whether the engine answers and really runs a container with our settings.
pub(crate) async fn engine() -> Check {
    const NAME: &str = "container";
    if !on_path("podman") {
        return docker().await;
    }
    if !nix::unistd::geteuid().is_root() {
        let todo = "`ionet up` asks for it with sudo";
        return Check::warn(NAME, "not looked at: containers' networks need root", todo);
    }
    match probe().await {
        Ok(()) => Check::ok(NAME, "one was started and its limits hold"),
        Err(why) => Check::fail(
            NAME,
            format!("one could not be started: {why}"),
            "run `podman info` and look at its first lines; scripts/setup.sh installs what is \
             usually missing",
        ),
    }
}

async fn docker() -> Check {
    const NAME: &str = "container";
    if !on_path("docker") {
        return Check::fail(NAME, "no engine to start one", "install podman first");
    }
    let mut ask = Command::new("docker");
    match output(ask.args(["version", "--format", "{{.Server.Version}}"])).await {
        Ok(version) => Check::ok(NAME, format!("docker {} answers", version.trim())),
        Err(why) => Check::fail(NAME, why, "start it: systemctl start docker"),
    }
}

/// Imports an image of one empty file, runs this machine's `true` in it, removes it.
async fn probe() -> Result<(), String> {
    let folder = tempfile_folder()?;
    let result = probe_in(&folder).await;
    let mut remove = podman(&folder);
    let _ = output(remove.args(["rmi", "--force", PROBE_IMAGE])).await;
    let _ = std::fs::remove_dir_all(&folder);
    result
}

async fn probe_in(folder: &Path) -> Result<(), String> {
    let archive = folder.join("probe.tar");
    // Podman refuses an empty layer; one empty file is enough. The program that runs comes from
    // this machine, read-only.
    let mut tar = Command::new("tar");
    std::fs::write(folder.join("probe"), "").map_err(|e| e.to_string())?;
    output(tar.args(["-cf"]).arg(&archive).arg("-C").arg(folder).arg("probe")).await?;
    let mut import = podman(folder);
    output(import.args(["import", "--quiet"]).arg(&archive).arg(PROBE_IMAGE)).await?;
    let mut run = podman(folder);
    run.args(["run", "--rm", "--network", "none", "--memory", "64m", "--pids-limit", "16"]);
    run.args(["--cap-drop", "all", "--security-opt", "no-new-privileges", "--read-only"]);
    for host in ["/bin", "/lib", "/lib64", "/usr"] {
        if Path::new(host).exists() {
            run.arg("--volume").arg(format!("{host}:{host}:ro"));
        }
    }
    output(run.args([PROBE_IMAGE, "/bin/true"])).await.map(drop)
}

/// `podman` with the settings that our service gets.
fn podman(folder: &Path) -> Command {
    let settings = folder.join("containers.conf");
    let mut command = Command::new("podman");
    if std::fs::write(&settings, crate::local::CONTAINERS_CONF).is_ok() {
        command.env("CONTAINERS_CONF", settings);
    }
    command
}

fn tempfile_folder() -> Result<std::path::PathBuf, String> {
    let folder = std::env::temp_dir().join(format!("ionet-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    Ok(folder)
}

/// What a program printed; its complaint if it failed.
async fn output(command: &mut Command) -> Result<String, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let limit = Duration::from_secs(CONTAINER_SECONDS_MAX);
    let done = tokio::time::timeout(limit, command.output())
        .await
        .map_err(|_| format!("no answer within {CONTAINER_SECONDS_MAX} s"))?
        .map_err(|e| e.to_string())?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&done.stderr);
    let line = complaint.lines().last().unwrap_or("it said nothing").chars().take(300).collect();
    Err(line)
}

/// Whether a program is on the PATH (and where root's programs lie).
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}
