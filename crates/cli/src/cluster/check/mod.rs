//! `ionet cluster check`: looks from inside of a cluster's containers at what was rented.
//!
//! The client sends its own program (`ionet-prove`) into each container, so that nothing of
//! image or supplier is trusted to be there, and times what comes back by its own clock.

mod conduct;
mod paper;
mod refuse;
mod share;
mod show;
mod sold;
mod undercover;
mod visit;

#[cfg(test)]
mod tests;

pub(crate) use sold::{Demands, Part, Scope};
pub(crate) use undercover::UndercoverArgs;

use crate::context::{Context, wallet_of};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::process::this_program;
use crate::rest::Rest;
use conduct::{Inside, conduct, drawn};
use futures_util::future::join_all;
use ionet_api::{Cluster, MemberView, Network, StateName};
use ionet_core::{ChainRef, ClusterId};
use ionet_inside::{Check, Draw, Finding, Word};
use ionet_trust::inside::Paper;
use rand::TryRngCore as _;
use rand::seq::SliceRandom as _;
use share::Shared;
use std::path::{Path, PathBuf};

/// Members that are looked at: each takes two of a cluster's 128 streams. Of a larger cluster so
/// many are drawn.
const MEMBERS_MAX: usize = 60;
/// Largest program that is sent.
const PROGRAM_BYTES_MAX: u64 = 64 << 20;

/// Options of `cluster check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The cluster
    #[arg(required_unless_present = "replay")]
    id: Option<ClusterId>,
    /// Only these: proof, memory, disk, network
    #[arg(long, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<Part>,
    /// Beside a workload: one thread for a second, at the lowest priority
    #[arg(long, conflicts_with = "only")]
    light: bool,
    #[command(flatten)]
    demands: Demands,
    #[command(flatten)]
    share: ShareArgs,
    /// Compute the findings of an earlier check again, from its file alone, or of one that was
    /// handed in, by its name
    #[arg(long, value_name = "FILE|CHECK", conflicts_with_all = ["id", "only", "light"])]
    replay: Option<PathBuf>,
}

/// Whether others see what was found.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ShareArgs {
    /// Keep what was found on this machine. Without it the signed record is handed in to the
    /// coordinator: from then on anybody can read that this wallet rented these devices, when, for
    /// how much, and what they showed
    #[arg(long)]
    no_share: bool,
}

/// `ionet cluster undercover`.
pub(crate) async fn undercover(context: &Context, args: UndercoverArgs) -> Result<()> {
    undercover::run(context, args).await
}

/// What was found and where the evidence lies.
pub(crate) struct Checked {
    check: Check,
    findings: Vec<Finding>,
    evidence: PathBuf,
    /// As it was signed, and whether it was handed in; none: it is somebody's old one.
    paper: Option<(Paper, Shared)>,
}

/// `ionet cluster check`.
pub(crate) async fn run(context: &Context, args: CheckArgs) -> Result<()> {
    if let Some(path) = args.replay {
        let check = earlier(context, &path).await?;
        let findings = check.findings().or_fail(Kind::Usage, path.display())?;
        return Checked { check, findings, evidence: path, paper: None }.answer(context);
    }
    let id = args.id.ok_or_else(|| Failure::usage("name a cluster"))?;
    let program = program()?;
    let rest = context.signed_in().await?;
    let cluster: Cluster = rest.get(&format!("/v1/clusters/{id}")).await?;
    let scope = Scope { only: args.only, light: args.light, demands: args.demands };
    let mut checked = check(context, &rest, &cluster, &program, &scope).await?;
    checked.share(&rest, args.share).await;
    checked.answer(context)
}

/// An earlier check: a file, or one that was handed in.
async fn earlier(context: &Context, what: &Path) -> Result<Check> {
    let name = what.to_str().filter(|name| name.len() == 64 && hex::decode(name).is_ok());
    match name.filter(|_| !what.exists()) {
        None => paper::read(what),
        Some(id) => paper::parsed(&context.rest()?.text(&format!("/v1/checks/{id}")).await?, &id),
    }
}

impl Checked {
    /// Whether something is not what was sold.
    pub(crate) fn is_bad(&self) -> bool {
        self.findings.iter().any(|f| f.outcome.is_bad())
    }

    /// Lets others see it, unless they shall not.
    pub(crate) async fn share(&mut self, rest: &Rest, args: ShareArgs) {
        if let Some((paper, shared)) = self.paper.as_mut().filter(|_| !args.no_share) {
            *shared = share::hand_in(rest, self.check.cluster, paper).await;
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let mut value = show::json(&self.check, &self.findings, &self.evidence);
        if let Some((_, shared)) = &self.paper
            && let serde_json::Value::Object(more) = shared.json()
        {
            value.as_object_mut().expect("an object").extend(more);
        }
        value
    }

    /// For people.
    pub(crate) fn text(&self, context: &Context) -> String {
        let table = show::table(context.out, &self.check, &self.findings);
        let path = self.evidence.display();
        let shared = self.paper.as_ref().map(|(_, shared)| shared.text());
        let shared = shared.map_or_else(String::new, |s| format!("\n  shared         {s}"));
        format!(
            "{table}\n\n  evidence       {path} (`ionet cluster check --replay` reads it){shared}"
        )
    }

    /// Answers; a failed check is a failure.
    fn answer(&self, context: &Context) -> Result<()> {
        if !self.is_bad() {
            return context.out.answer(&self.json(), || self.text(context));
        }
        context.out.say(self.text(context));
        Err(self.failure(""))
    }

    /// What is wrong, and `more`.
    pub(crate) fn failure(&self, more: &str) -> Failure {
        let what = show::complaints(&self.findings);
        let mut failure = Failure::refused(format!("not what was sold: {what}{more}"));
        failure.detail = Some(self.json());
        failure
    }
}

/// The program that is sent into containers: it lies beside this one.
pub(crate) fn program() -> Result<Vec<u8>> {
    let path = this_program()?.with_file_name("ionet-prove");
    let hint = "it is built with ionet: keep both in one folder";
    let size = std::fs::metadata(&path)
        .or_fail(Kind::NotFound, path.display())
        .map_err(|f| f.hint(hint))?
        .len();
    if size > PROGRAM_BYTES_MAX {
        return Err(Failure::refused(format!("{}: {size} bytes are too many", path.display())));
    }
    std::fs::read(&path).or_fail(Kind::NotFound, path.display())
}

/// Looks at a cluster that serves, and keeps the evidence.
pub(crate) async fn check(
    context: &Context,
    rest: &Rest,
    cluster: &Cluster,
    program: &[u8],
    scope: &Scope,
) -> Result<Checked> {
    let key = context.key()?;
    if cluster.state != StateName::Ready {
        let state = format!("{:?}", cluster.state).to_lowercase();
        return Err(Failure::refused(format!("{} is {state}: it must be ready", cluster.id)));
    }
    if cluster.renter != wallet_of(&key) {
        return Err(Failure::new(Kind::Auth, "the cluster is another wallet's"));
    }
    let network: Network = rest.get("/v1/network").await?;
    let chain = ChainRef { genesis: network.genesis, program: network.program };
    let members = drawn_members(context, cluster)?;
    let (plan, members_asked) = sold::sold(rest, cluster, &members, scope).await?;
    let none = Draw { beacon: Word([0; 32]), late: Word([0; 32]), secret: Word([0; 32]) };
    let mut check = Check {
        version: Check::VERSION,
        cluster: cluster.id,
        lease: cluster.lease,
        renter: cluster.renter,
        at_ms: now_ms(),
        plan,
        rounds: none,
        passes: none,
        seed: Word(drawn()?),
        members: members_asked,
        links: Vec::new(),
    };
    context.out.say(format!("looking from inside of {} containers", members.len()));
    let mut inside = enter(rest, cluster.id, &members, program, scope.light).await?;
    conduct(&mut check, &mut inside).await?;
    join_all(inside.into_iter().filter_map(|i| i.door.ok()).map(visit::Visit::leave)).await;
    let (paper, evidence) = paper::write(context, &key, chain, &check).await?;
    let findings = check.findings().or_internal("the record")?;
    Ok(Checked { check, findings, evidence, paper: Some((paper, Shared::Kept)) })
}

/// Unix milliseconds by this machine's clock.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// All members; of many, some that nobody can foresee.
fn drawn_members(context: &Context, cluster: &Cluster) -> Result<Vec<MemberView>> {
    let mut members = cluster.members.clone();
    if members.len() > MEMBERS_MAX {
        members.shuffle(&mut rand::rngs::OsRng.unwrap_err());
        members.truncate(MEMBERS_MAX);
        let all = cluster.members.len();
        context.out.say(format!("{MEMBERS_MAX} of {all} members are drawn for the check"));
    }
    Ok(members)
}

/// Our program in each container.
async fn enter(
    rest: &Rest,
    id: ClusterId,
    members: &[MemberView],
    program: &[u8],
    light: bool,
) -> Result<Vec<Inside>> {
    let doors = members.iter().map(|member| async move {
        // A name that nobody can lie in wait for.
        let path = format!("/tmp/.{}", hex::encode(&drawn()?[..16]));
        let door = visit::enter(rest, id, member.device, program, (&path, light)).await;
        Ok(Inside { device: member.device, ip: member.ip.parse().ok(), door })
    });
    join_all(doors).await.into_iter().collect()
}

/// For `cluster create`: looks, and sends back what is not what was sold.
pub(crate) async fn accept(
    context: &Context,
    rest: &Rest,
    cluster: &Cluster,
    program: &[u8],
    (demands, share): (Demands, ShareArgs),
) -> Result<Checked> {
    let scope = Scope { demands, ..Scope::default() };
    let mut checked = check(context, rest, cluster, program, &scope).await?;
    if !checked.is_bad() {
        checked.share(rest, share).await;
        return Ok(checked);
    }
    // Sent back first: the acceptance window waits for nobody.
    let back = refuse::refuse(context, cluster).await;
    checked.share(rest, share).await;
    context.out.say(checked.text(context));
    let back = back.map_err(|mut failure| {
        let found = checked.failure("").message;
        failure.message = format!("{found}; sending it back failed: {}", failure.message);
        failure.hint(format!("`ionet cluster close {}` ends it", cluster.id))
    })?;
    let late = back["late"].as_u64().filter(|n| *n > 0);
    let late = late.map_or_else(String::new, |n| format!(", {n} were too late to reject"));
    let more = format!(
        "; {} lines were rejected and owe nothing{late}; the lease is closed",
        back["rejected"]
    );
    let mut failure = checked.failure(&more);
    failure.detail = Some(serde_json::json!({ "check": checked.json(), "refused": back }));
    Err(failure.hint("`ionet cluster create` again places it anew"))
}
