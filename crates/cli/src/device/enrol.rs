//! Enrolment: request on the rig, grant where the wallet is, accept on the rig. Neither key
//! visits the other's machine.

use super::blob;
use crate::context::{Context, now_unix, parse_wallet, wallet_of};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::output::parse_duration;
use crate::wallet::{amount, ledger};
use ionet_api::Network;
use ionet_core::{
    Amount, Asset, ChainRef, DeviceGrant, DeviceId, Enrolment, EnrolmentError, GRANT_SECONDS_MAX,
    GenesisHash, ProgramId, REQUEST_SECONDS_MAX, SignatureBytes, SignedGrant, SignedRequest,
    Wallet,
};
use ionet_ledger::interface::instruction::Offer;
use ionet_ledger::interface::limits::COORDINATORS_MAX;
use ionet_ledger::{KeypairFile, Ledger, RegistrationConsent};
use ionet_units::{Rate, Timestamp};
use ionet_worker::{DeviceKey, enrol};
use std::path::{Path, PathBuf};

/// A grant lives so long unless told otherwise: a year.
const GRANT_SECONDS: i64 = 365 * 86_400;

/// Options of `device request`.
#[derive(Debug, clap::Args)]
pub(crate) struct RequestArgs {
    /// The wallet that shall own the device and be paid
    #[arg(long, value_name = "ADDRESS")]
    supplier: String,
    /// Where the device's key is kept [default: $IONET_HOME/device]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// How long the wallet may take to answer, at most 7d
    #[arg(long, default_value = "1d", value_parser = parse_duration)]
    valid: u64,
    /// The chain, without asking the coordinator: its genesis hash
    #[arg(long, requires = "program")]
    genesis: Option<String>,
    /// The market program on it
    #[arg(long, requires = "genesis")]
    program: Option<String>,
}

/// Options of `device grant`.
#[derive(Debug, clap::Args)]
pub(crate) struct GrantArgs {
    /// What `device request` printed; `-`: from stdin
    blob: String,
    /// What one chip shall cost per hour, such as 0.05
    #[arg(long)]
    ask: String,
    /// In `usdc` or `io`
    #[arg(long, default_value = "usdc", value_parser = crate::wallet::asset)]
    asset: Asset,
    /// Chips of the device that may be hired
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    chips: u16,
    /// Where earnings go [default: the wallet itself]
    #[arg(long, value_name = "ADDRESS")]
    payout: Option<String>,
    /// How long the grant holds, at most five years
    #[arg(long, default_value = "365d", value_parser = parse_duration)]
    valid: u64,
    /// Let any coordinator hire it, not only this one
    #[arg(long)]
    any_coordinator: bool,
    /// Sign without asking
    #[arg(short, long)]
    yes: bool,
}

/// What a device asks per chip and hour; zero: not for this asset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asks {
    /// Base units of USDC.
    pub(crate) usdc: u64,
    /// Base units of IO.
    pub(crate) io: u64,
}

fn state_dir(context: &Context, given: Option<PathBuf>) -> PathBuf {
    given.unwrap_or_else(|| context.home.device())
}

fn unix_after(seconds: u64, most: i64) -> Result<i64> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    if !(1..=most).contains(&seconds) {
        return Err(Failure::usage(format!("--valid must be 1s to {}d", most / 86_400)));
    }
    Ok(now_unix().saturating_add(seconds))
}

/// `ionet device request`.
pub(crate) async fn request(context: &Context, args: RequestArgs) -> Result<()> {
    let supplier = parse_wallet(&args.supplier)?;
    let chain = match (&args.genesis, &args.program) {
        (Some(genesis), Some(program)) => ChainRef {
            genesis: GenesisHash(parse_wallet(genesis)?.0),
            program: ProgramId(parse_wallet(program)?.0),
        },
        _ => {
            let network: Network = context.rest()?.get("/v1/network").await?;
            ChainRef { genesis: network.genesis, program: network.program }
        }
    };
    let expires = unix_after(args.valid, REQUEST_SECONDS_MAX)?;
    let key = DeviceKey::load_or_create(&state_dir(context, args.state_dir))
        .or_fail(Kind::Usage, "device key")?;
    let signed = ionet_worker::request(&key, supplier, chain, expires);
    let blob = blob::encode(&signed);
    let answer = serde_json::json!({ "device": key.id(), "request": blob, "expires": expires });
    context.out.say(format!(
        "{} asks to work for {supplier}. Run this where the wallet is:\n\n  ionet device grant \
         --ask 0.05 <the word below>\n",
        key.id()
    ));
    context.out.answer(&answer, || blob)
}

/// `ionet device grant`.
pub(crate) async fn grant(context: &Context, args: GrantArgs) -> Result<()> {
    let signed: SignedRequest = blob::decode(&blob::read(&args.blob)?)?;
    let key = context.key()?;
    let ledger = ledger(context)?;
    let chain = chain_of(&ledger).await?;
    check(&signed, &wallet_of(&key), &chain)?;
    let ask = amount(args.asset, &args.ask)?;
    if ask.base_units == 0 {
        return Err(Failure::usage("an ask of zero hires nothing out").hint("--ask 0.05"));
    }
    let expires = unix_after(args.valid, GRANT_SECONDS_MAX)?;
    let coordinator = match args.any_coordinator {
        true => None,
        false => Some(context.rest()?.get::<Network>("/v1/network").await?.coordinator),
    };
    let payout = args.payout.as_deref().map(parse_wallet).transpose()?;
    let asks = match args.asset {
        Asset::Usdc => Asks { usdc: ask.base_units, io: 0 },
        Asset::Io => Asks { usdc: 0, io: ask.base_units },
    };
    let offer = offer(args.chips, asks, payout.unwrap_or(wallet_of(&key)), expires, coordinator);
    context.out.say(describe(&signed, ask, &offer, expires));
    context.out.confirm("Sign the grant and register the device on-chain?", args.yes)?;
    let enrolment = sign(&ledger, &key, signed, offer, expires).await?;
    let blob = blob::encode(&enrolment);
    context.out.say("Registered. Run this on the rig:\n\n  ionet device accept <the word below>\n");
    let device = enrolment.request.request.device;
    let answer = serde_json::json!({ "device": device, "grant": blob, "expires": expires });
    context.out.answer(&answer, || blob)
}

fn describe(signed: &SignedRequest, ask: Amount, offer: &Offer, expires: i64) -> String {
    let coordinators = match offer.accepts_any {
        true => "any".to_owned(),
        false => Wallet(offer.coordinators[0]).to_string(),
    };
    format!(
        "The wallet would sign:\n  device        {}\n  owned by      {}\n  paid to       {}\n  \
         asks          {ask} per chip and hour, {} chips\n  hired out by  {coordinators}\n  \
         until         {}\n",
        signed.request.device,
        signed.request.supplier,
        Wallet(offer.payout_owner),
        offer.units_total,
        ionet_core::rfc3339(expires),
    )
}

/// `ionet device accept`.
pub(crate) async fn accept(context: &Context, blob: &str, given: Option<PathBuf>) -> Result<()> {
    let enrolment: Enrolment = blob::decode(&blob::read(blob)?)?;
    let folder = state_dir(context, given);
    let key = DeviceKey::load(&folder).map_err(|e| {
        Failure::not_found(e.to_string()).hint("`ionet device request` makes the device's key")
    })?;
    // Whichever chain it names, it must be whole; whether it is the right one, the coordinator
    // says, and here too if one answers.
    let chain = match context.rest()?.get::<Network>("/v1/network").await {
        Ok(network) => ChainRef { genesis: network.genesis, program: network.program },
        Err(_) => enrolment.request.request.chain,
    };
    let wallet = enrolment.verify(&chain, key.id(), now_unix()).map_err(refused)?;
    enrol::save(&folder, &enrolment).or_internal("enrolment")?;
    let answer = serde_json::json!({ "device": key.id(), "supplier": wallet });
    context.out.answer(&answer, || format!("{} now works for {wallet}", key.id()))
}

/// The chain that a ledger speaks to.
async fn chain_of(ledger: &Ledger) -> Result<ChainRef> {
    Ok(ChainRef {
        genesis: GenesisHash(ledger.connection().genesis_hash().await?),
        program: ProgramId(ledger.program().to_bytes()),
    })
}

fn refused(error: EnrolmentError) -> Failure {
    Failure::new(Kind::Auth, error.to_string())
}

/// Whether `wallet` may grant this now.
fn check(signed: &SignedRequest, wallet: &Wallet, chain: &ChainRef) -> Result<()> {
    signed.verify(chain, now_unix()).map_err(refused)?;
    if signed.request.supplier != *wallet {
        return Err(Failure::new(
            Kind::Auth,
            format!(
                "the device asks to work for {}, but this wallet is {wallet}",
                signed.request.supplier
            ),
        )
        .hint("name the right key with --wallet, or ask anew with --supplier"));
    }
    Ok(())
}

fn offer(
    chips: u16,
    asks: Asks,
    payout: Wallet,
    expires: i64,
    coordinator: Option<Wallet>,
) -> Offer {
    let mut coordinators = [[0; 32]; COORDINATORS_MAX];
    if let Some(only) = coordinator {
        coordinators[0] = only.0;
    }
    Offer {
        units_total: chips,
        asks: [Rate(asks.usdc), Rate(asks.io)],
        payout_owner: payout.0,
        expires_at: Timestamp(expires),
        accepts_any: coordinator.is_none(),
        coordinators_len: u8::from(coordinator.is_some()),
        coordinators,
    }
}

/// Signs the grant and puts the device on the chain. Safe to repeat: a device that this wallet
/// has registered gets the new offer.
async fn sign(
    ledger: &Ledger,
    key: &KeypairFile,
    signed: SignedRequest,
    offer: Offer,
    expires: i64,
) -> Result<Enrolment> {
    let request = &signed.request;
    let wallet = wallet_of(key);
    match ledger.device(&request.device.0).await? {
        Some(known) if known.supplier != wallet.0 => {
            let message = format!("the device is registered to {}", Wallet(known.supplier));
            return Err(Failure::new(Kind::Auth, message)
                .hint("its owner must retire it first; a new state folder makes a new device"));
        }
        Some(_) => {
            ledger.update_device(key, &request.device.0, offer).await?;
        }
        None => {
            let consent = RegistrationConsent {
                device: request.device.0,
                expires: request.expires,
                signature: signed.signature.0,
            };
            ledger.register_device(key, &consent, offer).await?;
        }
    }
    let grant = DeviceGrant {
        device: request.device,
        supplier: wallet,
        chain: request.chain,
        granted: now_unix(),
        expires,
    };
    let signature = SignatureBytes(key.sign_now(&grant.signing_bytes()).into());
    Ok(Enrolment { request: signed, grant: SignedGrant { grant, signature } })
}

/// Both halves on one machine, for workers of a local network. Leaves a good enrolment alone.
pub(crate) async fn enrol_here(
    ledger: &Ledger,
    folder: &Path,
    supplier: &KeypairFile,
    asks: Asks,
    coordinator: Wallet,
) -> Result<DeviceId> {
    let key = DeviceKey::load_or_create(folder).or_internal("device key")?;
    let chain = chain_of(ledger).await?;
    let now = now_unix();
    let wanted = [Rate(asks.usdc), Rate(asks.io)];
    let as_wanted = ledger.device(&key.id().0).await?.is_some_and(|d| d.asks == wanted);
    if let Ok(kept) = enrol::load(folder, &key)
        && as_wanted
        && kept.verify(&chain, key.id(), now).is_ok()
    {
        return Ok(key.id());
    }
    let signed = ionet_worker::request(&key, wallet_of(supplier), chain, now + 3_600);
    check(&signed, &wallet_of(supplier), &chain)?;
    let expires = now + GRANT_SECONDS;
    let offer = offer(1, asks, wallet_of(supplier), expires, Some(coordinator));
    let enrolment = sign(ledger, supplier, signed, offer, expires).await?;
    enrol::save(folder, &enrolment).or_internal("enrolment")?;
    Ok(key.id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_ledger::Keypair;

    fn chain(n: u8) -> ChainRef {
        ChainRef { genesis: GenesisHash([n; 32]), program: ProgramId([2; 32]) }
    }

    #[test]
    fn a_request_for_another_wallet_or_chain_or_time_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let device = DeviceKey::load_or_create(folder.path()).unwrap();
        let wallet = wallet_of(&KeypairFile::in_memory(Keypair::new()));
        let make = |expires| ionet_worker::request(&device, wallet, chain(1), expires);
        let good = make(now_unix() + 60);
        check(&good, &wallet, &chain(1)).unwrap();
        let mut forged = good.clone();
        forged.request.expires += 1;
        for (signed, by, on, word) in [
            (good.clone(), Wallet([9; 32]), chain(1), "but this wallet is"),
            (good, wallet, chain(7), "another chain"),
            (make(now_unix() - 1), wallet, chain(1), "expired"),
            (forged, wallet, chain(1), "signature"),
        ] {
            let failure = check(&signed, &by, &on).unwrap_err();
            assert_eq!(failure.exit_code(), 8);
            assert!(failure.message.contains(word), "{}", failure.message);
        }
    }
}
