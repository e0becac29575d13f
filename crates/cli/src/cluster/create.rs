//! `ionet cluster create`: quote, check, intent, signature, wait.

use super::fund::{self, FundArgs, Funding};
use super::terms::{ChainFacts, Expected, accept_seconds, check};
use super::{check as inside, progress, read_spec, tunnel, vouch};
use crate::context::{Context, wallet_of};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::{private_folder, read_json, write_atomic};
use crate::output::{duration, number, parse_duration};
use crate::rest::Rest;
use crate::wallet::{address_of, amount, asset, ledger};
use ionet_api::{Cluster, CreateCluster, Network, Quote};
use ionet_core::{
    Amount, Asset, ChipClass, ClusterId, ClusterSpec, Egress, GenesisHash, ImageRef, ProgramId,
    RegionFilter, Tier, Vouch, Wallet, limits,
};
use ionet_ledger::{KeypairFile, Ledger, LedgerError, Signer as _, addresses};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Lamports without which `open_lease` cannot pay for its accounts (about 0.008 SOL).
const LAMPORTS_MIN: u64 = 10_000_000;

/// Options of `cluster create`.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// How many devices, head included
    #[arg(long, required_unless_present_any = ["spec", "resume"],
        value_parser = clap::value_parser!(u16).range(1..=i64::from(limits::DEVICES_MAX)))]
    devices: Option<u16>,
    /// Class of their chips; `ionet device classes` lists them
    #[arg(long, required_unless_present_any = ["spec", "resume"])]
    chip: Option<ChipClass>,
    /// Chips of each device
    #[arg(long, default_value_t = 1)]
    chips_per_device: u8,
    /// Where they may stand
    #[arg(long, default_value = "any")]
    region: RegionFilter,
    /// How long it may last, such as 90s, 30m, 1h, 2d
    #[arg(long, default_value = "1h", value_parser = ttl)]
    ttl: u64,
    /// What the containers run [default: Ray with numpy and scikit-learn]
    #[arg(long, value_parser = image)]
    image: Option<ImageRef>,
    /// The least that it must reach outside: none, mirrors, open
    #[arg(long, default_value = "none")]
    egress: Egress,
    /// How far their chips must be known: claimed, measured, proven
    #[arg(long, value_name = "TIER", default_value = "claimed")]
    min_tier: Tier,
    /// Most that one chip may cost per hour, such as 0.05 [default: the price now]
    #[arg(long)]
    max_rate: Option<String>,
    /// Most that may be locked in all, such as 1.5
    #[arg(long)]
    max_cost: Option<String>,
    /// Pay in `usdc` or `io`
    #[arg(long, default_value = "usdc", value_parser = asset)]
    asset: Asset,
    /// Whose word about served time counts: coordinator, session, either
    #[arg(long, default_value = "either", value_parser = whose_word)]
    vouch: Vouch,
    #[command(flatten)]
    fund: FundArgs,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// Take the spec from a JSON or TOML file instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["devices", "chip"])]
    spec: Option<PathBuf>,
    /// Go on with a create that was interrupted
    #[arg(long, conflicts_with = "spec")]
    resume: bool,
    /// Sign without asking
    #[arg(short, long)]
    yes: bool,
    /// Do not wait until it is ready
    #[arg(long)]
    no_wait: bool,
    /// Only show the quote
    #[arg(long)]
    quote_only: bool,
    /// Look from inside before it is accepted, and send back what is not what was sold [default:
    /// `check` in config.toml]
    #[arg(long, env = "IONET_CHECK")]
    check: bool,
    #[command(flatten)]
    demands: inside::Demands,
    #[command(flatten)]
    share: inside::ShareArgs,
    /// How long to wait until it is ready
    #[arg(long, default_value = "15m", value_parser = parse_duration)]
    timeout: u64,
}

fn ttl(text: &str) -> std::result::Result<u64, String> {
    let seconds = parse_duration(text)?;
    if !(limits::TTL_SECONDS_MIN..=limits::TTL_SECONDS_MAX).contains(&seconds) {
        return Err(format!("a lease lasts {} s to a year", limits::TTL_SECONDS_MIN));
    }
    Ok(seconds)
}

fn image(text: &str) -> std::result::Result<ImageRef, String> {
    ImageRef::new(text).map_err(|e| e.to_string())
}

fn whose_word(text: &str) -> std::result::Result<Vouch, String> {
    match text {
        "coordinator" => Ok(Vouch::Coordinator),
        "session" => Ok(Vouch::Session),
        "either" => Ok(Vouch::Either),
        _ => Err("known are coordinator, session, either".to_owned()),
    }
}

impl CreateArgs {
    /// Whether it is looked at from inside before it is accepted.
    fn wants_check(&self, context: &Context) -> Result<bool> {
        let asked = self.check || self.demands.any();
        if asked && self.no_wait {
            return Err(Failure::usage("a cluster is looked at when it is ready: not --no-wait"));
        }
        Ok(asked || context.settings.check == Some(true) && !self.no_wait)
    }

    fn spec(&self) -> Result<ClusterSpec> {
        if let Some(path) = &self.spec {
            return read_spec(path);
        }
        let (Some(devices), Some(chip)) = (self.devices, self.chip) else {
            return Err(Failure::usage("--devices and --chip are missing"));
        };
        let max = self.max_rate.as_deref().map(|t| amount(self.asset, t)).transpose()?;
        let spec = ClusterSpec {
            kind: Default::default(),
            devices,
            chip,
            chips_per_device: self.chips_per_device,
            region: self.region,
            ttl_seconds: self.ttl,
            image: self.image.clone().unwrap_or_default(),
            egress: self.egress,
            min_tier: self.min_tier,
            asset: self.asset,
            rate_per_chip_max: max.map(|m| m.base_units),
            vouch: self.vouch,
            name: self.name.clone(),
        };
        spec.validate().map_err(|e| Failure::usage(e.to_string()))?;
        Ok(spec)
    }
}

/// A lease that was about to be opened: written before anything is signed, so that whatever
/// happens afterwards, the same lease is opened or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Intent {
    renter: Wallet,
    genesis: GenesisHash,
    counter: u64,
    lease: Wallet,
    quote: Quote,
    funding: Funding,
    /// Whether it is looked at from inside before it is accepted.
    #[serde(default)]
    check: bool,
}

impl Intent {
    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.lease))
    }

    fn write(&self, folder: &Path) -> Result<()> {
        private_folder(folder)?;
        write_atomic(&self.path(folder), &serde_json::to_vec(self).expect("plain data"), 0o600)
    }

    /// One key for one quote on one lease: a repeated request is the same request.
    fn key(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let hash = Sha256::new().chain_update(self.lease.0).chain_update(&self.quote.seal);
        format!("create-{}", hex::encode(&hash.finalize()[..16]))
    }
}

/// Everything that signing needs.
struct Buyer<'a> {
    context: &'a Context,
    rest: Rest,
    key: KeypairFile,
    ledger: Ledger,
    facts: ChainFacts,
    /// Least deposits in USDC and IO, in base units.
    min_deposit: [u64; 2],
    /// Seconds that suppliers have for their claims once a lease is closed.
    claim_window_s: u64,
    network: Network,
}

/// Does it.
pub(crate) async fn run(context: &Context, args: CreateArgs) -> Result<()> {
    let spec = if args.resume { None } else { Some(args.spec()?) };
    if args.quote_only {
        let spec = spec.ok_or_else(|| Failure::usage("a quote needs a spec"))?;
        let quote: Quote = context.rest()?.post("/v1/quotes", &spec).await?;
        return context.out.answer(&quote, || render(context, &quote));
    }
    let wanted = args.wants_check(context)?;
    let buyer = Buyer::new(context).await?;
    let intent = match (buyer.pending().await?, spec) {
        (Some(pending), None) => pending,
        (None, None) => {
            return Err(Failure::not_found("no create was interrupted")
                .hint("`ionet cluster list` shows what you have"));
        }
        (pending, Some(spec)) => {
            if let Some(pending) = pending.filter(|p| p.quote.spec == spec) {
                context.out.say("going on with a create of the same cluster that was interrupted");
                pending
            } else {
                buyer.quoted(spec, &args).await?
            }
        }
    };
    // What cannot be done is said before anything is signed.
    let looks = wanted || intent.check && !args.no_wait;
    let program = looks.then(inside::program).transpose()?;
    if looks {
        buyer.can_send_back()?;
    }
    let id = buyer.open(&intent).await?;
    if fund::needs_session(&intent.quote.spec, &intent.funding) {
        vouch::start(context, id).await?;
        context.out.say(format!(
            "a process on this machine looks after the lease: keep it on (`ionet cluster vouch \
             {id} --stop` ends it)"
        ));
    }
    if args.no_wait {
        let cluster: Cluster = buyer.rest.get(&format!("/v1/clusters/{id}")).await?;
        return context.out.answer(&cluster, || {
            format!("{id} is on its way; `ionet cluster show {id}` says how far")
        });
    }
    let cluster = progress::wait_ready(context, &buyer.rest, id, args.timeout).await?;
    let checked = match &program {
        Some(program) => {
            let how = (args.demands, args.share);
            Some(inside::accept(context, &buyer.rest, &cluster, program, how).await?)
        }
        None => None,
    };
    let access = tunnel::open(context, &buyer.rest, id).await?;
    let mut answer = serde_json::json!({ "cluster": cluster, "access": access.to_json() });
    if let Some(checked) = &checked {
        answer["check"] = checked.json();
        context.out.say(checked.text(context));
    }
    context.out.answer(&answer, || access.text(context, &buyer.network))
}

impl<'a> Buyer<'a> {
    async fn new(context: &'a Context) -> Result<Self> {
        let key = context.key()?;
        let ledger = ledger(context)?;
        let (rest, genesis, config, now) = tokio::try_join!(
            context.signed_in(),
            async { Ok(ledger.connection().genesis_hash().await?) },
            async { Ok(ledger.config().await?) },
            async { Ok(ledger.connection().clock().await?) },
        )?;
        let network: Network = rest.get("/v1/network").await?;
        let facts = ChainFacts {
            genesis: GenesisHash(genesis),
            program: ProgramId(ledger.program().to_bytes()),
            mints: config.now.mints.map(Wallet),
            fee: config.now.fee_bps,
            now,
        };
        let agreed = context.settings.genesis.as_ref();
        if network.genesis != facts.genesis
            || network.program != facts.program
            || agreed.is_some_and(|g| *g != facts.genesis.to_string())
        {
            return Err(Failure::new(
                Kind::Auth,
                "the coordinator settles on another chain or program than the one that this \
                 client is set to; nothing was signed",
            )
            .hint("compare `ionet chain status` with the coordinator's /v1/network"));
        }
        let min_deposit = config.now.min_deposit.map(|least| least.0);
        let claim_window_s = config.now.claim_window_s.into();
        Ok(Self { context, rest, key, ledger, facts, min_deposit, claim_window_s, network })
    }

    /// The intent of an interrupted create that can still become a cluster; others are removed.
    async fn pending(&self) -> Result<Option<Intent>> {
        let folder = self.context.home.intents();
        let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(None) };
        let renter = wallet_of(&self.key);
        let mut found = None;
        for path in entries.flatten().map(|e| e.path()) {
            let Ok(Some(intent)) = read_json::<Intent>(&path) else { continue };
            if intent.renter != renter || intent.genesis != self.facts.genesis {
                continue; // another wallet's or chain's: not ours to judge
            }
            let lease = self.ledger.lease(&address_of(&intent.lease)).await?;
            let next = self.ledger.next_counter(&self.key.address()).await?;
            let quote_lives = crate::context::now_unix() < intent.quote.expires_at;
            let opened = lease.is_some_and(|l| l.closed_at.0 == 0);
            if opened || next == intent.counter && quote_lives {
                found = Some(intent);
            } else {
                let _ = std::fs::remove_file(path);
            }
        }
        Ok(found)
    }

    async fn quoted(&self, spec: ClusterSpec, args: &CreateArgs) -> Result<Intent> {
        let out = self.context.out;
        let quote: Quote = self.rest.post("/v1/quotes", &spec).await?;
        let deposit_max = args.max_cost.as_deref().map(|t| amount(spec.asset, t)).transpose()?;
        let order = self.checked(&quote, &spec)?;
        let min = self.min_deposit[usize::from(spec.asset == Asset::Io)];
        let funding = Funding::of(&args.fund, &spec, &order, min)?;
        out.say(render(self.context, &quote));
        if let Some(text) = funding.text(&quote) {
            out.say(text);
        }
        if let Some(max) = deposit_max
            && funding.most() > max.base_units
        {
            let most = Amount::new(spec.asset, funding.most());
            let message = format!("{most} may be locked, above your --max-cost of {max}");
            return Err(Failure::refused(message)
                .hint("nothing was signed; ask for less time or fewer devices"));
        }
        self.can_pay(&quote, &funding).await?;
        out.confirm("Sign and lock the deposit?", args.yes)?;
        let wallet = self.key.address();
        let counter = self.ledger.next_counter(&wallet).await?;
        let lease = addresses::lease(&self.ledger.program(), &wallet, counter).0;
        let intent = Intent {
            renter: wallet_of(&self.key),
            genesis: self.facts.genesis,
            counter,
            lease: Wallet(lease.to_bytes()),
            quote,
            funding,
            check: args.wants_check(self.context)?,
        };
        intent.write(&self.context.home.intents())?;
        Ok(intent)
    }

    fn checked(&self, quote: &Quote, spec: &ClusterSpec) -> Result<ionet_ledger::OpenLeaseOrder> {
        let expected = Expected { spec: spec.clone(), coordinator: self.network.coordinator };
        check(quote, &expected, &self.facts).map_err(|e| {
            Failure::new(Kind::Auth, e.to_string())
                .hint("try another coordinator (--coordinator), or tell its operator")
        })
    }

    async fn can_pay(&self, quote: &Quote, funding: &Funding) -> Result<()> {
        let wallet = self.key.address();
        let mint = address_of(&quote.terms.mint);
        let held = self.ledger.tokens(&wallet, &mint).await?;
        let asset = quote.terms.asset;
        if funding.top_up_max > 0 {
            fund::is_free_for_top_up(&self.ledger, &self.key, quote).await?;
        }
        if held < funding.deposit {
            let (has, needs) = (Amount::new(asset, held), Amount::new(asset, funding.deposit));
            return Err(Failure::new(
                Kind::Money,
                format!("the wallet has {has}, the deposit is {needs}; nothing was signed"),
            )
            .hint("on a local network: `ionet wallet airdrop`; or ask for less time or devices"));
        }
        let session = fund::needs_session(&quote.spec, funding);
        let needed = LAMPORTS_MIN + if session { vouch::SESSION_LAMPORTS } else { 0 };
        if self.ledger.connection().lamports(&wallet).await? < needed {
            return Err(Failure::new(
                Kind::Money,
                format!(
                    "the wallet has less than {needed} lamports, which the chain's fees and rent \
                     need; nothing was signed"
                ),
            )
            .hint("on a local network: `ionet wallet airdrop`"));
        }
        Ok(())
    }

    /// Who looks before accepting must have time to refuse.
    fn can_send_back(&self) -> Result<()> {
        if accept_seconds(self.claim_window_s, true) > 0 {
            return Ok(());
        }
        let window = self.claim_window_s;
        let words = format!(
            "suppliers have {window} s for their claims on this chain: that leaves no time in \
             which a cluster could be sent back free of charge; nothing was signed"
        );
        let hint = "leave out --check, and look with `ionet cluster check` when it is ready";
        Err(Failure::refused(words).hint(hint))
    }

    /// Tells the coordinator, signs, sends. Safe to repeat with the same intent.
    async fn open(&self, intent: &Intent) -> Result<ClusterId> {
        let id = ClusterId::of_lease(&intent.lease);
        let lease_at = address_of(&intent.lease);
        if self.ledger.lease(&lease_at).await?.is_none() {
            let mut order = self.checked(&intent.quote, &intent.quote.spec)?;
            order.counter = intent.counter;
            order.accept_s = accept_seconds(self.claim_window_s, intent.check);
            let (spec, funding) = (&intent.quote.spec, &intent.funding);
            let grant = fund::equip(self.context, id, spec, funding, &mut order)?;
            self.tell(intent).await?;
            let opened = match grant {
                Some(grant) => self.ledger.open_lease_with(&self.key, &order, &grant).await,
                None => self.ledger.open_lease(&self.key, &order).await,
            };
            match opened {
                Ok((_, signature)) => {
                    self.context.out.say(format!("signed: lease {} ({signature})", intent.lease));
                }
                Err(e @ (LedgerError::Unavailable { .. } | LedgerError::Expired { .. })) => {
                    return Err(Failure::from(e).hint(
                        "it is not known whether the lease was opened: run `ionet cluster create \
                         --resume`, which opens no second one",
                    ));
                }
                // A concurrent run with the same intent may have been faster.
                Err(e) if self.ledger.lease(&lease_at).await?.is_none() => return Err(e.into()),
                Err(_) => (),
            }
        } else if self.rest.get::<Cluster>(&format!("/v1/clusters/{id}")).await.is_err() {
            self.tell(intent).await?;
        }
        // From here on the coordinator has it: nothing is left to resume.
        std::fs::remove_file(intent.path(&self.context.home.intents()))
            .or_internal("the intent's file")?;
        Ok(id)
    }

    async fn tell(&self, intent: &Intent) -> Result<Cluster> {
        let body = CreateCluster { quote: intent.quote.clone(), lease: intent.lease };
        self.rest.post_once("/v1/clusters", &body, &intent.key()).await
    }
}

fn render(context: &Context, quote: &Quote) -> String {
    let mut table =
        context.out.table(["role", "device", "known", "region", "per chip and hour", "why"]);
    for device in &quote.devices {
        table.add_row([
            format!("{:?}", device.role).to_lowercase().into(),
            device.device.to_string().into(),
            crate::device::painted(context.out, device.tier).into(),
            device.region.clone().into(),
            number(&device.rate.text),
            device.reason.clone().into(),
        ]);
    }
    format!(
        "{table}\n\n  price          {} per hour, fee of {} on top\n  at most        {} in {}\n  \
         deposit        {}; what is not used comes back when you close\n",
        quote.rate.text,
        ionet_units::Bps(quote.terms.fee_bps),
        quote.cost_max.text,
        duration(quote.spec.ttl_seconds),
        Amount::new(quote.terms.asset, quote.terms.deposit),
    )
}
