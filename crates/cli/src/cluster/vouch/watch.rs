//! The loop: look, count, sign, send, top up.

use super::count::{Counts, LOOK_MS, Seen};
use super::{chain, key, look, state_file, top_up};
use crate::cluster::{folder, money};
use crate::context::{Context, wallet_of};
use crate::failure::{Failure, Kind, Result};
use crate::home::{read_json, write_atomic};
use crate::process::Process;
use crate::wallet::{address_of, ledger};
use ionet_api::{Cluster, RECEIPTS_MAX, Receipt, Vouch, Vouched};
use ionet_core::{Amount, Asset, ClusterId, SignatureBytes, Wallet};
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::{Lease, LeaseState, Vouch as ChainVouch};
use ionet_ledger::interface::statement::Receipt as Statement;
use ionet_ledger::{Address, KeypairFile, Ledger, PlacedLine, Signer as _};
use ionet_network::At;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// How long the coordinator may not take receipts before they go to the chain: a restart takes
/// seconds, and a transaction costs its fee.
const CARRIED_MAX: Duration = Duration::from_secs(60);

/// What the chain shows in one look.
struct Sight {
    lease: Lease,
    lines: Vec<PlacedLine>,
    clock: Timestamp,
}

/// Everything that the renter's side of one lease needs.
struct Watch<'a> {
    context: &'a Context,
    id: ClusterId,
    folder: PathBuf,
    ledger: Ledger,
    genesis: [u8; 32],
    address: Address,
    wallet: KeypairFile,
    /// Who signs receipts: the session key, else the wallet; none: the lease takes neither's word.
    voucher: Option<KeypairFile>,
    /// The session key, if the lease has one that is kept here.
    session: Option<KeypairFile>,
    began: Instant,
    counts: Counts,
    /// Seconds that the coordinator, or the chain, took.
    delivered: BTreeMap<super::count::LineName, u64>,
    /// Since when the coordinator has not taken receipts.
    uncarried: Option<Instant>,
    /// What was said last, so that a lasting trouble is said once.
    said: String,
    capped: bool,
}

/// `ionet cluster vouch --foreground`.
pub(super) async fn serve(context: &Context, id: ClusterId) -> Result<()> {
    let mut watch = Watch::new(context, id).await?;
    let state = state_file(&watch.folder);
    Process::current().write(&state)?;
    let mut tick = tokio::time::interval(Duration::from_millis(LOOK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop = Box::pin(crate::local::stop_signal());
    let over = loop {
        tokio::select! {
            () = &mut stop => break watch.round(true).await,
            _ = tick.tick() => if watch.round(false).await { break true },
        }
    };
    if over {
        chain::tidy(context, &watch.ledger, &watch.wallet, &watch.folder).await;
    }
    let _ = std::fs::remove_file(state);
    Ok(())
}

impl<'a> Watch<'a> {
    async fn new(context: &'a Context, id: ClusterId) -> Result<Self> {
        let (wallet, ledger) = (context.key()?, ledger(context)?);
        let at = match context.signed_in().await {
            Ok(rest) => rest.get::<Cluster>(&format!("/v1/clusters/{id}")).await?.lease,
            Err(f) if f.kind == Kind::Unreachable => {
                money::find_lease(&ledger, &wallet_of(&wallet), id).await?
            }
            Err(f) => return Err(f),
        };
        let address = address_of(&at);
        let lease = ledger.lease(&address).await?;
        let lease = lease.ok_or_else(|| Failure::not_found("its lease is not open yet"))?;
        if Wallet(lease.renter) != wallet_of(&wallet) {
            return Err(Failure::new(Kind::Auth, "the lease is another wallet's"));
        }
        let folder = folder(context, id);
        crate::home::private_folder(&folder)?;
        let of_lease = |key: &KeypairFile| key.address().to_bytes() == lease.session;
        let session = key::load(&folder)?.filter(of_lease);
        let voucher = match (lease.vouch, key::load(&folder)?.filter(of_lease)) {
            (ChainVouch::Coordinator, _) => None,
            (ChainVouch::Either | ChainVouch::Session, Some(session)) => Some(session),
            (ChainVouch::Either | ChainVouch::Session, None) => Some(context.key()?),
        };
        if voucher.is_none() && session.is_none() {
            let message = "this lease takes only the coordinator's word, and has no session key \
                           that could add to its deposit";
            return Err(Failure::refused(message)
                .hint("rent with --vouch session, --vouch either or --auto-top-up"));
        }
        let before: Vec<Seen> = read_json(&counts_file(&folder))?.unwrap_or_default();
        Ok(Self {
            genesis: ledger.connection().genesis_hash().await?,
            counts: Counts::resume(&before),
            began: Instant::now(),
            delivered: BTreeMap::new(),
            uncarried: None,
            said: String::new(),
            capped: false,
            context,
            id,
            folder,
            ledger,
            address,
            wallet,
            voucher,
            session,
        })
    }

    fn say(&mut self, text: String) {
        if text != self.said {
            self.context.out.say(&text);
            self.said = text;
        }
    }

    /// One look and what follows from it; `last`: there will be no other. Returns whether the
    /// lease is over.
    async fn round(&mut self, last: bool) -> bool {
        let sight = match self.sight().await {
            Ok(Some(sight)) => sight,
            Ok(None) => return true,
            Err(f) => {
                self.say(format!("the chain cannot be read: {}", f.message));
                return false;
            }
        };
        let over = sight.lease.state != LeaseState::Open;
        if self.voucher.is_some()
            && let Err(f) = self.vouch(&sight, last || over).await
        {
            self.say(format!("could not vouch: {}", f.message));
        }
        if let Err(f) = self.top_up(&sight).await {
            self.say(format!("could not top up: {}", f.message));
        }
        over
    }

    /// The lease as it is now; none: its accounts are gone.
    async fn sight(&self) -> Result<Option<Sight>> {
        // The clock first: what it shows later is never less.
        let clock = Timestamp(self.ledger.connection().clock().await?);
        let Some(lease) = self.ledger.lease(&self.address).await? else { return Ok(None) };
        let lines = self.ledger.lines(&self.address, &lease).await?;
        Ok(Some(Sight { lease, lines, clock }))
    }

    async fn vouch(&mut self, sight: &Sight, last: bool) -> Result<()> {
        let started = sight.lines.iter().any(|l| l.line.started_at.0 > 0);
        if !started {
            return Ok(());
        }
        let rest = self.context.signed_in().await;
        let alive = match &rest {
            Ok(rest) => look::alive(self.context, rest, self.id).await,
            Err(_) => Ok(BTreeSet::new()),
        };
        // What cannot be seen is not vouched for; what was seen before still is.
        let alive = alive.unwrap_or_else(|f| {
            self.say(format!("the cluster cannot be looked at: {}", f.message));
            BTreeSet::new()
        });
        let now = At(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX));
        self.counts.look(now, sight.clock, &sight.lease, &sight.lines, &alive);
        let seen = self.counts.seen();
        let text = serde_json::to_vec(&seen).expect("plain data");
        write_atomic(&counts_file(&self.folder), &text, 0o600)?;
        // A coordinator that started anew may have lost what it took: the last word is about all.
        let news: Vec<Seen> = seen.into_iter().filter(|s| last || self.is_news(s)).collect();
        if news.is_empty() {
            return Ok(());
        }
        let carried = match rest {
            Ok(rest) => self.send(&rest, &news).await,
            Err(f) => Err(f),
        };
        match carried {
            Ok(()) => self.uncarried = None,
            Err(f) => {
                let since = *self.uncarried.get_or_insert_with(Instant::now);
                if since.elapsed() < CARRIED_MAX && !last {
                    return Err(f);
                }
                self.attest(sight, &news).await?;
                self.uncarried = Some(Instant::now());
            }
        }
        Ok(())
    }

    fn is_news(&self, seen: &Seen) -> bool {
        self.delivered.get(&seen.line).is_none_or(|served_s| seen.served_s > *served_s)
    }

    /// Sends receipts through the coordinator, which hands them to the devices.
    async fn send(&mut self, rest: &crate::rest::Rest, news: &[Seen]) -> Result<()> {
        for some in news.chunks(RECEIPTS_MAX) {
            let receipts = some.iter().filter_map(|seen| self.receipt(seen)).collect();
            let path = format!("/v1/clusters/{}/receipts", self.id);
            let answer: Vouched = rest.post(&path, &Vouch { receipts }).await?;
            let refused = |seen: &Seen| {
                let name = (seen.line.page, seen.line.index);
                answer.refused.iter().find(|r| (r.page, r.line) == name)
            };
            for seen in some {
                match refused(seen).map(|r| r.reason.clone()) {
                    None => {
                        self.delivered.insert(seen.line, seen.served_s);
                    }
                    Some(why) => {
                        let (page, index) = (seen.line.page, seen.line.index);
                        self.say(format!("line {page}/{index}: {why}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn receipt(&self, seen: &Seen) -> Option<Receipt> {
        let key = self.voucher.as_ref()?;
        let statement = Statement {
            lease: self.address.to_bytes(),
            page: seen.line.page,
            index: seen.line.index,
            generation: seen.line.generation,
            served_s: seen.served_s,
        };
        let bytes = statement.signing_bytes(&self.genesis, self.ledger.program().as_array());
        Some(Receipt {
            page: statement.page,
            line: statement.index,
            generation: statement.generation,
            served_s: statement.served_s,
            signer: wallet_of(key),
            signature: SignatureBytes(key.sign_now(&bytes).into()),
        })
    }

    /// Nobody carries receipts: the chain takes the same word.
    async fn attest(&mut self, sight: &Sight, news: &[Seen]) -> Result<()> {
        let Some(key) = &self.voucher else { return Ok(()) };
        let lease = (&self.address, &sight.lease);
        let done = chain::attest(&self.ledger, key, lease, &sight.lines, sight.clock, news).await?;
        if done > 0 {
            self.say(format!("the coordinator takes no receipts: {done} lines attested on-chain"));
        }
        Ok(())
    }

    /// Adds to the deposit with the session key alone, as far as the renter's leave goes.
    async fn top_up(&mut self, sight: &Sight) -> Result<()> {
        let Some(session) = &self.session else { return Ok(()) };
        let Some(tokens) = self.ledger.renter_tokens(&sight.lease).await? else { return Ok(()) };
        let leave = tokens.delegate.filter(|(key, _)| *key == session.address());
        let Some((_, leave)) = leave else { return Ok(()) };
        let lease = &sight.lease;
        let Some(amount) = top_up::due(lease, sight.clock, leave, tokens.amount) else {
            return Ok(());
        };
        self.ledger.top_up_as_delegate(session, &self.address, lease, amount).await?;
        let asset = if lease.mint_index == 1 { Asset::Io } else { Asset::Usdc };
        let left = Amount::new(asset, leave - amount);
        self.say(format!("added {} to the deposit; {left} may follow", Amount::new(asset, amount)));
        if leave == amount && !self.capped {
            self.capped = true;
            self.context.out.say("that was the last of the automatic top-up");
        }
        Ok(())
    }
}

fn counts_file(folder: &std::path::Path) -> PathBuf {
    folder.join("vouched.json")
}
