//! `ionet cluster undercover`: rents like anybody at moments that nobody foresees, looks from
//! inside, and gives back. It is how a wallet pays for a check of what the market sells.
//!
//! Each rental is an ordinary `ionet cluster create --check`, run as one: nothing of it tells a
//! supplier or a coordinator that it is no other renter's. Which device comes of it is the
//! market's choice.

use super::Demands;
use crate::context::Context;
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::private_folder;
use crate::output::{duration, parse_duration};
use crate::process::this_program;
use crate::wallet::{address_of, amount, ledger};
use ionet_api::Offer;
use ionet_core::{Amount, Asset, ChipClass, Wallet};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _, TryRngCore as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Seconds that are paid for at most: as short as a lease may be, twice, since a check takes its
/// time.
const TTL_SECONDS: u64 = 2 * ionet_core::limits::TTL_SECONDS_MIN;
/// For an offer, where there is none: a device that has just proven itself is a moment away.
const OFFER_MAX: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_secs(1);
/// Most rentals of one run.
const COUNT_MAX: u16 = 1_000;

/// Options of `cluster undercover`.
#[derive(Debug, clap::Args)]
pub(crate) struct UndercoverArgs {
    /// Most that may be spent in all, such as 0.5 USDC
    #[arg(long, value_name = "USDC")]
    budget: String,
    /// How many rentals
    #[arg(long, default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(COUNT_MAX)))]
    count: u16,
    /// Over how long they are spread, at moments that are drawn
    #[arg(long, default_value = "1h", value_parser = parse_duration)]
    within: u64,
    /// Only chips of this class [default: drawn from what is offered]
    #[arg(long)]
    chip: Option<ChipClass>,
    /// Draw moments and offers from this number, to do the same again [default: entropy]
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    demands: Demands,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// What came of one rental: a line of the ledger file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rental {
    at_ms: i64,
    chip: String,
    region: String,
    /// `fine`, `short` (or broken), `not-rented`.
    outcome: String,
    cluster: Option<String>,
    devices: Vec<String>,
    evidence: Option<String>,
    /// Base units that this rental cost at the most, as the chain says.
    spent: u64,
    /// What was wrong.
    why: Option<String>,
}

/// `ionet cluster undercover`.
pub(crate) async fn run(context: &Context, args: UndercoverArgs) -> Result<()> {
    let budget = amount(Asset::Usdc, &args.budget)?;
    super::program()?;
    let words = args.demands.words();
    let mut draws = match args.seed {
        Some(seed) => StdRng::seed_from_u64(seed),
        None => StdRng::from_rng(&mut rand::rngs::OsRng.unwrap_err()),
    };
    let spread = duration(args.within);
    let question = format!("Rent {} times within {spread} for at most {budget}?", args.count);
    context.out.confirm(&question, args.yes)?;
    let (mut left, mut all) = (budget.base_units, Vec::new());
    for pause in pauses(&mut draws, args.count, args.within) {
        tokio::time::sleep(pause).await;
        let Some((chip, region)) = offered(context, &mut draws, args.chip).await? else {
            context.out.say("nothing is offered now");
            continue;
        };
        let most = Amount::new(Asset::Usdc, left);
        let rental = rent(context, (chip, &region), most, &words).await?;
        note(&log_file(context), &rental)?;
        left = left.saturating_sub(rental.spent);
        context.out.say(format!(
            "{} in {}: {}{}; {} of the budget is left",
            rental.chip,
            rental.region,
            rental.outcome,
            rental.why.as_ref().map_or_else(String::new, |w| format!(" ({w})")),
            Amount::new(Asset::Usdc, left),
        ));
        all.push(rental);
        if left == 0 {
            context.out.say("the budget is spent");
            break;
        }
    }
    answer(context, budget, left, &all)
}

fn answer(context: &Context, budget: Amount, left: u64, all: &[Rental]) -> Result<()> {
    let spent = Amount::new(Asset::Usdc, budget.base_units - left);
    let value = serde_json::json!({
        "budget": ionet_api::Money::from(budget),
        "spent": ionet_api::Money::from(spent),
        "rentals": all,
    });
    let count = |outcome: &str| all.iter().filter(|r| r.outcome == outcome).count();
    let path = log_file(context);
    context.out.answer(&value, || {
        format!(
            "{} fine, {} short, {} not rented; at most {spent} spent\n  kept in        {}",
            count("fine"),
            count("short"),
            count("not-rented"),
            path.display()
        )
    })
}

/// Pauses between rentals: moments drawn from the whole time, in order.
fn pauses(draws: &mut StdRng, count: u16, within_s: u64) -> Vec<Duration> {
    let within_ms = within_s.saturating_mul(1_000);
    let mut at: Vec<u64> = (0..count).map(|_| draws.random_range(0..=within_ms)).collect();
    at.sort_unstable();
    let since = |(n, ms): (usize, &u64)| ms - n.checked_sub(1).map_or(0, |before| at[before]);
    at.iter().enumerate().map(since).map(Duration::from_millis).collect()
}

/// One of the offers, waiting a little for one.
async fn offered(
    context: &Context,
    draws: &mut StdRng,
    only: Option<ChipClass>,
) -> Result<Option<(ChipClass, String)>> {
    let end = tokio::time::Instant::now() + OFFER_MAX;
    loop {
        let offers: Vec<Offer> = context.rest()?.get("/v1/offers").await?;
        let picked = pick(draws, &offers, only);
        if picked.is_some() || tokio::time::Instant::now() >= end {
            return Ok(picked);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A class and region with free chips, each free chip as likely as any other.
fn pick(
    draws: &mut StdRng,
    offers: &[Offer],
    only: Option<ChipClass>,
) -> Option<(ChipClass, String)> {
    let class = |offer: &Offer| offer.chip.parse::<ChipClass>().ok();
    let fits =
        |offer: &&Offer| class(offer).is_some_and(|chip| only.is_none_or(|wanted| wanted == chip));
    let fitting: Vec<_> = offers.iter().filter(fits).filter(|o| o.chips_free > 0).collect();
    let free: u64 = fitting.iter().map(|o| u64::from(o.chips_free)).sum();
    let mut drawn = draws.random_range(0..free.max(1));
    for offer in fitting {
        match drawn.checked_sub(offer.chips_free.into()) {
            Some(rest) => drawn = rest,
            None => return Some((class(offer)?, offer.region.clone())),
        }
    }
    None
}

/// Rents one device for as short as a lease is, looks, gives back.
async fn rent(
    context: &Context,
    (chip, region): (ChipClass, &str),
    most: Amount,
    demands: &[String],
) -> Result<Rental> {
    let mut rental = Rental {
        at_ms: super::now_ms(),
        chip: chip.to_string(),
        region: region.to_owned(),
        outcome: "not-rented".to_owned(),
        cluster: None,
        devices: Vec::new(),
        evidence: None,
        spent: 0,
        why: None,
    };
    let most_text = most.to_string();
    let locked = most_text.split(' ').next().unwrap_or_default();
    let ttl = format!("{TTL_SECONDS}s");
    let mut words: Vec<String> = [
        ["cluster", "create"],
        ["--yes", "--check"],
        ["--devices", "1"],
        ["--chip", &rental.chip],
        ["--region", region],
        ["--ttl", &ttl],
        ["--max-cost", locked],
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    words.extend_from_slice(demands);
    let (fine, said) = ionet(context, &words).await?;
    let check = if fine { &said["check"] } else { &said["error"]["detail"]["check"] };
    if check.is_null() {
        rental.why = said["error"]["message"].as_str().map(str::to_owned);
        return Ok(rental);
    }
    rental.take(check);
    rental.outcome = if fine { "fine" } else { "short" }.to_owned();
    let text = |v: &Value| v.as_str().map(str::to_owned);
    rental.why = text(&said["error"]["message"]);
    if fine && let Some(id) = rental.cluster.clone() {
        // Closed by the wallet itself, and not rejected: what passed is paid for what it served.
        let (closed, said) = ionet(context, &["cluster", "close", &id].map(str::to_owned)).await?;
        if !closed {
            rental.why = text(&said["error"]["message"]);
        }
    }
    rental.spent = match text(&check["lease"]).and_then(|l| l.parse::<Wallet>().ok()) {
        Some(lease) => spent(context, &lease, most.base_units).await?,
        None => most.base_units,
    };
    Ok(rental)
}

impl Rental {
    fn take(&mut self, check: &Value) {
        let text = |v: &Value| v.as_str().map(str::to_owned);
        (self.cluster, self.evidence) = (text(&check["cluster"]), text(&check["evidence"]));
        let found = check["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.devices = found.iter().filter_map(|f| text(&f["device"])).collect();
        self.devices.dedup();
    }
}

/// What a lease can cost by what the chain says of it: all that its suppliers may claim still,
/// fees included. One that is gone, or still open, counts as all that might be locked.
async fn spent(context: &Context, lease: &Wallet, most: u64) -> Result<u64> {
    use ionet_ledger::interface::account::LeaseState;
    let found = ledger(context)?.lease(&address_of(lease)).await?;
    Ok(match found {
        Some(lease) if lease.state != LeaseState::Open => lease.committed.0.min(most),
        Some(lease) => lease.deposit.0,
        None => most,
    })
}

/// Another `ionet` with the same wallet and network: whether it succeeded, and its last answer.
async fn ionet(context: &Context, words: &[String]) -> Result<(bool, Value)> {
    let output = tokio::process::Command::new(this_program()?)
        .arg("--json")
        .args(words)
        .env("IONET_HOME", context.home.path())
        .env("IONET_COORDINATOR", context.coordinator_url())
        .env("IONET_RPC", context.rpc_url())
        .env("IONET_WALLET", context.wallet_path())
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output()
        .await
        .or_internal("another ionet")?;
    let last = serde_json::Deserializer::from_slice(&output.stdout).into_iter().flatten().last();
    match last {
        Some(value) => Ok((output.status.success(), value)),
        None => Err(Failure::new(Kind::Internal, "another ionet ended without an answer")),
    }
}

fn log_file(context: &Context) -> PathBuf {
    context.home.checks().join("undercover.jsonl")
}

/// Adds a line, which is on the disk when this returns: what was spent is not forgotten.
fn note(path: &Path, rental: &Rental) -> Result<()> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .or_internal(path.display())?;
    let line = serde_json::to_string(rental).expect("plain data") + "\n";
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).or_internal(path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(chip: &str, chips_free: u32) -> Offer {
        let region = "local".to_owned();
        Offer { chip: chip.to_owned(), region, devices: 9, chips_free, lowest: Vec::new() }
    }

    #[test]
    fn moments_lie_in_the_time_and_follow_from_the_seed() {
        let drawn = |seed| pauses(&mut StdRng::seed_from_u64(seed), 20, 3_600);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert_eq!(drawn(1).len(), 20);
        assert!(drawn(1).iter().sum::<Duration>() <= Duration::from_secs(3_600));
        assert!(pauses(&mut StdRng::seed_from_u64(1), 3, 0).iter().all(Duration::is_zero));
    }

    #[test]
    fn only_what_is_free_and_known_is_rented() {
        let mut draws = StdRng::seed_from_u64(3);
        let offers = [offer("cpu", 1), offer("h200", 0), offer("warp-drive", 50), offer("l4", 99)];
        let mut picked = |only| pick(&mut draws, &offers, only).map(|(chip, _)| chip.to_string());
        let many: Vec<_> = (0..2_000).filter_map(|_| picked(None)).collect();
        let of = |chip: &str| many.iter().filter(|c| *c == chip).count();
        assert_eq!(of("cpu") + of("l4"), 2_000);
        assert!((1..200).contains(&of("cpu")), "{}", of("cpu"));
        assert_eq!(picked(Some(ChipClass::CPU)), Some("cpu".to_owned()));
        assert_eq!(picked("h200".parse().ok()), None);
        assert_eq!(pick(&mut draws, &[], None), None);
    }

    #[test]
    fn the_ledger_is_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checks/undercover.jsonl");
        let rental = Rental {
            at_ms: 1,
            chip: "cpu".into(),
            region: "local".into(),
            outcome: "fine".into(),
            cluster: None,
            devices: vec!["dev_x".into()],
            evidence: None,
            spent: 7,
            why: None,
        };
        note(&path, &rental).unwrap();
        note(&path, &Rental { spent: 8, ..rental.clone() }).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let read: Vec<Rental> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(read, [rental.clone(), Rental { spent: 8, ..rental }]);
    }
}
