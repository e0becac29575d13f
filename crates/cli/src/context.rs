//! What every command is given: where things lie, whom to speak to, how to answer.

use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::{Home, Settings};
use crate::output::Output;
use crate::rest::Rest;
use ionet_core::Wallet;
use ionet_ledger::{Connection, KeypairFile, Signer as _};
use std::path::PathBuf;
use std::str::FromStr as _;

/// Options that every command takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GlobalArgs {
    /// Answer in JSON (one object; one a line for streams)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on stderr; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Name of this request in everybody's logs [default: drawn]
    #[arg(long, global = true, value_name = "ID", value_parser = request_id)]
    pub(crate) request_id: Option<String>,
    /// Coordinator [default: coordinator_url in config.toml, else http://127.0.0.1:8420]
    #[arg(long, global = true, env = "IONET_COORDINATOR", value_name = "URL")]
    pub(crate) coordinator: Option<String>,
    /// Solana JSON-RPC [default: rpc_url in config.toml, else http://127.0.0.1:8899]
    #[arg(long, global = true, env = "IONET_RPC", value_name = "URL")]
    pub(crate) rpc: Option<String>,
    /// Keypair file that signs [default: $IONET_HOME/wallet.json]
    #[arg(long, global = true, env = "IONET_WALLET", value_name = "FILE")]
    pub(crate) wallet: Option<PathBuf>,
}

/// Bytes of a request id: it stands in headers and logs.
const REQUEST_ID_BYTES_MAX: usize = 64;

fn request_id(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > REQUEST_ID_BYTES_MAX || !text.chars().all(fine) {
        return Err("1 to 64 letters, digits or . _ -".to_owned());
    }
    Ok(text.to_owned())
}

/// What every command is given.
pub(crate) struct Context {
    /// Where things lie.
    pub(crate) home: Home,
    /// The settings file.
    pub(crate) settings: Settings,
    /// How to answer.
    pub(crate) out: Output,
    /// Names this call in all logs.
    pub(crate) request_id: String,
    coordinator_url: String,
    rpc_url: String,
    wallet_path: PathBuf,
}

impl Context {
    /// From flags, environment and file, in this order.
    pub(crate) fn load(args: &GlobalArgs) -> Result<Self> {
        let home = Home::find()?;
        let settings = Settings::load(&home)?;
        let pick = |flag: &Option<String>, file: &Option<String>, default: &str| {
            flag.clone().or_else(|| file.clone()).unwrap_or_else(|| default.to_owned())
        };
        let coordinator_url =
            pick(&args.coordinator, &settings.coordinator_url, "http://127.0.0.1:8420");
        let rpc_url = pick(&args.rpc, &settings.rpc_url, "http://127.0.0.1:8899");
        Ok(Self {
            out: Output::new(args.json),
            request_id: args
                .request_id
                .clone()
                .unwrap_or_else(|| uuid::Uuid::now_v7().simple().to_string()),
            wallet_path: args.wallet.clone().unwrap_or_else(|| home.wallet()),
            coordinator_url: coordinator_url.trim_end_matches('/').to_owned(),
            rpc_url,
            settings,
            home,
        })
    }

    /// Where the coordinator is.
    pub(crate) fn coordinator_url(&self) -> &str {
        &self.coordinator_url
    }

    /// Where the chain is.
    pub(crate) fn rpc_url(&self) -> &str {
        &self.rpc_url
    }

    /// Where the wallet's key is.
    pub(crate) fn wallet_path(&self) -> &std::path::Path {
        &self.wallet_path
    }

    /// The wallet's key.
    pub(crate) fn key(&self) -> Result<KeypairFile> {
        Ok(KeypairFile::load(&self.wallet_path)?)
    }

    /// The wallet's address.
    pub(crate) fn wallet(&self) -> Result<Wallet> {
        Ok(wallet_of(&self.key()?))
    }

    /// The chain.
    pub(crate) fn chain(&self) -> Connection {
        Connection::new(&self.rpc_url)
    }

    /// The coordinator, without a wallet.
    pub(crate) fn rest(&self) -> Result<Rest> {
        Rest::new(&self.coordinator_url, &self.request_id)
    }

    /// The coordinator, signed in as the wallet.
    pub(crate) async fn signed_in(&self) -> Result<Rest> {
        let key = self.key()?;
        let rest = self.rest()?;
        crate::session::sign_in(rest, &key, &self.home).await
    }
}

/// The address of a key.
pub(crate) fn wallet_of(key: &KeypairFile) -> Wallet {
    Wallet(key.address().to_bytes())
}

/// An address from text that a person wrote.
pub(crate) fn parse_wallet(text: &str) -> Result<Wallet> {
    Wallet::from_str(text).or_fail(Kind::Usage, format!("`{text}`"))
}

/// Unix seconds by this machine's clock.
pub(crate) fn now_unix() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

impl From<ionet_ledger::LedgerError> for Failure {
    fn from(error: ionet_ledger::LedgerError) -> Self {
        use ionet_ledger::LedgerError as E;
        let message = error.to_string();
        match error {
            E::Unavailable { source, .. } => Failure::new(
                Kind::Unreachable,
                format!("{message}: {}", short(&source.to_string())),
            )
            .hint("start the local network with `ionet up`, or name another chain with --rpc"),
            E::Expired { .. } => Failure::new(Kind::Timeout, message).hint("try again"),
            E::NoBlock { .. } => Failure::new(Kind::Unreachable, message).hint("try again"),
            E::NotFound { .. } => Failure::not_found(message),
            E::Funds { .. } => Failure::new(Kind::Money, message).hint(
                "`ionet wallet show` says what is there; on a local network \
                 `ionet wallet airdrop` adds to it",
            ),
            E::Market(_) => Failure::new(Kind::Money, message),
            E::Refused { logs, .. } => {
                let mut failure = Failure::new(Kind::Money, message);
                failure.detail = (!logs.is_empty()).then(|| serde_json::json!({ "logs": logs }));
                failure
            }
            E::Signer(signer) => signer.into(),
            E::Malformed { .. } | E::TooLong { .. } => Failure::new(Kind::Internal, message),
        }
    }
}

/// The first line of a long error, bounded.
fn short(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

impl From<ionet_ledger::SignerError> for Failure {
    fn from(error: ionet_ledger::SignerError) -> Self {
        use ionet_ledger::SignerError as E;
        let message = error.to_string();
        match error {
            E::Missing { .. } => Failure::not_found(message)
                .hint("`ionet wallet new` makes one; --wallet names another file"),
            E::Exists { .. } => Failure::refused(message)
                .hint("name another file with --wallet, or move that one away first"),
            E::Malformed { .. } => Failure::usage(message),
            E::Refused(_) => Failure::new(Kind::Auth, message),
            E::Io { .. } => Failure::new(Kind::Internal, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_cannot_forge_headers_or_logs() {
        assert!(request_id("a-b_c.9").is_ok());
        for bad in ["", "a b", "a\r\nx: y", &"a".repeat(65), "é"] {
            assert!(request_id(bad).is_err(), "{bad:?}");
        }
    }
}
