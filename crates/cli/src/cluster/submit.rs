//! `ionet cluster submit`: run a script on a cluster, without Ray on this machine.

use super::jobs::{Jobs, verdict};
use super::{pack, tunnel};
use crate::context::Context;
use crate::failure::{Failure, Result};
use ionet_core::ClusterId;
use std::path::PathBuf;

/// Options of `cluster submit`.
#[derive(Debug, clap::Args)]
pub(crate) struct SubmitArgs {
    /// The cluster
    id: ClusterId,
    /// The Python script
    script: PathBuf,
    /// Print the log until it ends (the default at a terminal); the exit code is the job's
    #[arg(long)]
    follow: bool,
    /// Return at once
    #[arg(short = 'd', long, conflicts_with = "follow")]
    detach: bool,
    /// Send this folder along; the script must lie in it [default: the script alone]
    #[arg(long, value_name = "DIR")]
    working_dir: Option<PathBuf>,
    /// Set a variable for the job
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Arguments of the script
    #[arg(last = true)]
    args: Vec<String>,
}

fn variable(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(fine) {
        return Err("a variable's name has letters, digits and _".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Does it.
pub(crate) async fn run(context: &Context, args: SubmitArgs) -> Result<()> {
    if !args.script.is_file() {
        return Err(Failure::not_found(format!("no script at {}", args.script.display())));
    }
    let (package, script) = packed(&args)?;
    let rest = context.signed_in().await?;
    let reach = tunnel::open(context, &rest, args.id).await?;
    let jobs = Jobs::new(&reach)?;
    let working_dir = package.uri();
    jobs.upload(package).await?;

    let words: Vec<String> =
        ["python".to_owned(), script].iter().chain(&args.args).map(|w| quoted(w)).collect();
    let variables: serde_json::Map<String, serde_json::Value> =
        args.env.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
    let id = format!("job-{}", &uuid::Uuid::now_v7().simple().to_string()[..20]);
    let body = serde_json::json!({
        "entrypoint": words.join(" "),
        "submission_id": id,
        "runtime_env": { "working_dir": working_dir, "env_vars": variables },
        "metadata": { "ionet_request_id": context.request_id },
    });
    let id = jobs.submit(&body).await?;
    context.out.say(format!("submitted {id}"));
    if args.detach || context.out.json && !args.follow {
        let answer = serde_json::json!({ "job": id, "cluster": args.id });
        return context.out.answer(&answer, || {
            format!("{id}\nfollow it: ionet cluster logs {} -f --job {id}", args.id)
        });
    }
    let job = jobs.follow(context, &id).await?;
    context.out.say(format!("{id}: {}", job.status.to_lowercase()));
    verdict(&job)
}

/// The package and the script's name in it.
fn packed(args: &SubmitArgs) -> Result<(pack::Package, String)> {
    let Some(root) = &args.working_dir else {
        let name = args.script.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok((pack::file(&args.script)?, name));
    };
    let full = |path: &PathBuf| {
        path.canonicalize().map_err(|e| Failure::not_found(format!("{}: {e}", path.display())))
    };
    let (root, script) = (full(root)?, full(&args.script)?);
    let name = script.strip_prefix(&root).map_err(|_| {
        Failure::usage(format!("{} is not in {}", script.display(), root.display()))
    })?;
    let name = name.to_string_lossy().into_owned();
    Ok((pack::folder(&root)?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_job_as_they_were_typed() {
        for word in ["plain", "--n=5", "two words", "it's", "$(rm -rf /)", "", "a;b", "ü"] {
            let script = format!("printf %s {}", quoted(word));
            let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }

    #[test]
    fn variables_are_checked() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        for bad in ["A", "=b", "A B=c"] {
            assert!(variable(bad).is_err(), "{bad}");
        }
    }
}
