//! Where things lie: `$IONET_HOME`, and the client's settings in it.

use crate::failure::{Failure, Kind, OrFail as _, Result};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// `$IONET_HOME`, else `~/.ionet`.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// Finds it. Under `sudo` it is the home of who called.
    pub(crate) fn find() -> Result<Self> {
        if let Some(home) = std::env::var_os("IONET_HOME").filter(|h| !h.is_empty()) {
            return Ok(Self(std::path::absolute(home).or_internal("IONET_HOME")?));
        }
        let owner = invoking_user().and_then(|user| user.home);
        let home = owner.or_else(|| std::env::var_os("HOME").map(PathBuf::from));
        let home = home.ok_or_else(|| {
            Failure::usage("neither IONET_HOME nor HOME is set").hint("export IONET_HOME=...")
        })?;
        Ok(Self(home.join(".ionet")))
    }

    /// A given folder.
    #[cfg(test)]
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The client's settings.
    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The renter's wallet, unless another one is named.
    pub(crate) fn wallet(&self) -> PathBuf {
        self.0.join("wallet.json")
    }

    /// What this machine knows of its clusters: tunnels, Ray tokens.
    pub(crate) fn clusters(&self) -> PathBuf {
        self.0.join("clusters")
    }

    /// Leases that were about to be opened.
    pub(crate) fn intents(&self) -> PathBuf {
        self.0.join("intents")
    }

    /// What was seen from inside of clusters.
    pub(crate) fn checks(&self) -> PathBuf {
        self.0.join("checks")
    }

    /// Short-lived tokens of the coordinator.
    pub(crate) fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }

    /// A device's key and enrolment, on a rig outside a local network.
    pub(crate) fn device(&self) -> PathBuf {
        self.0.join("device")
    }

    /// The local network's state.
    pub(crate) fn local(&self) -> PathBuf {
        self.0.join("local")
    }
}

/// Who called `sudo`, where someone did.
pub(crate) struct InvokingUser {
    /// User id.
    pub(crate) uid: u32,
    /// Group id.
    pub(crate) gid: u32,
    /// Home folder.
    pub(crate) home: Option<PathBuf>,
}

/// Who called `sudo`; `None` without it.
pub(crate) fn invoking_user() -> Option<InvokingUser> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
    if uid == 0 {
        return None;
    }
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    Some(InvokingUser { uid, gid, home: user.map(|u| u.dir) })
}

/// Gives `path` to whoever called `sudo`, so that the client's files stay the person's own.
pub(crate) fn give_to_invoking_user(path: &Path) {
    if let Some(user) = invoking_user() {
        // A file that stays root's is a nuisance, not a danger.
        let _ = std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid));
    }
}

/// Settings of a client. Flags go before environment, environment before the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where the coordinator's REST interface is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) coordinator_url: Option<String>,
    /// Where the chain's JSON-RPC is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rpc_url: Option<String>,
    /// The market program that this client agrees to sign for. `None`: the one of this release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<String>,
    /// The chain that this client agrees to sign for. `None`: whatever the RPC endpoint says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) genesis: Option<String>,
    /// Whether each new cluster is looked at from inside before it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) check: Option<bool>,
}

impl Settings {
    /// Reads `config.toml`; defaults where there is none.
    pub(crate) fn load(home: &Home) -> Result<Self> {
        let path = home.config();
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .or_fail(Kind::Usage, path.display())
                .map_err(|f| f.hint("correct or remove the file")),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Failure::new(Kind::Internal, format!("{}: {e}", path.display()))),
        }
    }
}

/// Makes a folder for its owner's eyes only.
pub(crate) fn private_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).or_internal(path.display())
}

/// Writes a file whole or not at all: a temporary one beside it, synced, then renamed.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let what = path.display();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).or_internal(folder.display())?;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)
        .or_internal(&what)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).or_internal(&what)?;
    std::fs::rename(&beside, path).or_internal(&what)
}

/// The same, unless the file holds just that already: who watches it sees changes only.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    write_atomic(path, bytes, mode)
}

/// Reads a JSON file; `None` where there is none.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).or_internal(path.display()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Failure::new(Kind::Internal, format!("{}: {e}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_refuse_what_they_do_not_know() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(Settings::load(&home).unwrap(), Settings::default());
        std::fs::write(home.config(), "coordinator_url = \"http://127.0.0.1:1\"\n").unwrap();
        assert!(Settings::load(&home).unwrap().coordinator_url.is_some());
        std::fs::write(home.config(), "cordinator_url = \"http://127.0.0.1:1\"\n").unwrap();
        let failure = Settings::load(&home).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.message.contains("cordinator_url"), "{}", failure.message);
    }

    #[test]
    fn files_are_replaced_whole_and_keep_their_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/secret");
        write_atomic(&path, b"one", 0o600).unwrap();
        write_atomic(&path, b"two", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
