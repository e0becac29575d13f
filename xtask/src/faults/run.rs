//! Plants one fault after the other in a copy of the sources, builds the bytecode, and sees which
//! test of the program catches it.

use super::docs::write_part;
use super::{Fault, Faults, read};
use crate::tree::Tree;
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the program is built from, and with.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "crates/units",
    "programs/build.sh",
    "programs/interface",
    "programs/market/Cargo.toml",
    "programs/market/Cargo.lock",
    "programs/market/packaged.toml",
    "programs/market/src",
];
/// Faults that are tried at the same time.
const WORKERS: usize = 5;

/// What became of a fault.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The named test fails, and the ordinary course of a lease does not (or it may).
    Caught,
    /// The named test fails, but so does everything.
    Blunt,
    /// Another test fails.
    Elsewhere(String),
    /// No test fails.
    Survived,
    /// It cannot be tried: it does not compile, say.
    Broken(String),
}

/// Where a run works: copies, so that nobody's edits disturb it.
struct Bench {
    folder: PathBuf,
    /// Where the tests expect to be run.
    package: PathBuf,
    /// Name and copy of each test binary.
    binaries: Vec<(String, PathBuf)>,
}

/// One copy of the sources, in which one fault at a time is planted.
struct Worker<'a> {
    bench: &'a Bench,
    folder: PathBuf,
}

/// Plants every fault, or those whose name contains one of `only`.
pub(crate) fn run(only: &[&str]) -> anyhow::Result<()> {
    let tree = Tree::of_this_repository()?;
    let faults = read(&tree)?;
    let wrong = super::check(&tree)?;
    wrong.iter().for_each(|finding| eprintln!("{finding}"));
    ensure!(wrong.is_empty(), "the list does not fit the program any more");
    let bench = Bench::new(&tree)?;
    let workers = (0..WORKERS).map(|at| Worker::new(&bench, &tree, at));
    let workers = workers.collect::<anyhow::Result<Vec<Worker>>>()?;
    workers[0].build()?;
    if let Some(test) = workers[0].first_failure(&faults.long, Part::Short)? {
        bail!("without any fault {test} fails");
    }
    let named = |fault: &&Fault| only.is_empty() || only.iter().any(|o| fault.name.contains(o));
    let wanted: Vec<&Fault> = faults.fault.iter().filter(named).collect();
    let verdicts = try_all(&workers, &faults, &wanted);
    fs::remove_dir_all(&bench.folder)?;
    let (mut caught, mut left, mut bad) = (0, vec![], 0);
    for (fault, verdict) in verdicts {
        bad += usize::from(!is_good(fault, &verdict));
        match verdict {
            Verdict::Caught | Verdict::Blunt => caught += 1,
            Verdict::Elsewhere(_) | Verdict::Broken(_) => (),
            Verdict::Survived => left.push(fault),
        }
    }
    println!("{caught} caught by the test that the list names, {} survive", left.len());
    ensure!(bad == 0, "{bad} faults are not as the list says");
    if only.is_empty() {
        let manifest: toml::Table = toml::from_str(tree.get("programs/bytecode.toml")?)?;
        let sha = manifest["market"]["sha256"].as_str().context("the bytecode's hash")?;
        write_part(&tree, "faults", &summary(&sha[..16], caught, &left))?;
    }
    Ok(())
}

/// Shares the faults out among the workers. The verdicts come in the list's order, whoever was
/// faster.
fn try_all<'a>(
    workers: &[Worker],
    all: &Faults,
    wanted: &[&'a Fault],
) -> Vec<(&'a Fault, Verdict)> {
    let next = AtomicUsize::new(0);
    let work = |worker: &Worker| {
        let mut done = vec![];
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(fault) = wanted.get(turn) else { return done };
            let verdict = worker.try_fault(all, fault);
            let verdict = verdict.unwrap_or_else(|why| Verdict::Broken(format!("{why:#}")));
            let word = if is_good(fault, &verdict) { "ok " } else { "BAD" };
            println!("{word}  {:32} {verdict:?}", fault.name);
            done.push((turn, verdict));
        }
    };
    let verdicts: BTreeMap<usize, Verdict> = std::thread::scope(|scope| {
        let threads: Vec<_> = workers.iter().map(|w| scope.spawn(|| work(w))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a worker")).collect()
    });
    verdicts.into_iter().map(|(turn, verdict)| (wanted[turn], verdict)).collect()
}

fn is_good(fault: &Fault, verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Caught => fault.test.is_some(),
        Verdict::Blunt => fault.blunt,
        Verdict::Elsewhere(_) | Verdict::Broken(_) => false,
        Verdict::Survived => fault.equivalent.is_some(),
    }
}

fn summary(bytecode: &str, caught: usize, left: &[&Fault]) -> String {
    let mut out = format!(
        "Of {} faults planted in the sources of bytecode `{bytecode}`, {caught} were caught, each \
         by the test that the list names; {} survive, because nothing can show them:\n",
        caught + left.len(),
        left.len(),
    );
    for fault in left {
        let why = fault.equivalent.as_deref().unwrap_or_default();
        out.push_str(&format!("\n- `{}`: {why}", fault.name));
    }
    out
}

/// Which tests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Short,
    Long,
}

impl Bench {
    fn new(tree: &Tree) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("ionet-faults-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let package = tree.root.join("programs/tests");
        let mut binaries = vec![];
        for (name, built) in test_binaries(&tree.root)? {
            let at = folder.join(&name);
            fs::copy(&built, &at)?;
            binaries.push((name, at));
        }
        ensure!(!binaries.is_empty(), "no test binaries");
        Ok(Self { folder, package, binaries })
    }
}

impl<'a> Worker<'a> {
    fn new(bench: &'a Bench, tree: &Tree, at: usize) -> anyhow::Result<Self> {
        let folder = bench.folder.join(at.to_string());
        for path in SOURCES {
            copy(&tree.root.join(path), &folder.join(path))?;
        }
        Ok(Self { bench, folder })
    }

    fn bytecode(&self) -> PathBuf {
        self.folder.join("programs/market/market.so")
    }

    /// Builds what is in the folder.
    fn build(&self) -> anyhow::Result<()> {
        let output = Command::new("sh")
            .arg(self.folder.join("programs/build.sh"))
            .env("PROGRAM_STAGE", self.folder.join("stage"))
            .output()?;
        if !output.status.success() {
            bail!("it does not build:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    fn try_fault(&self, all: &Faults, fault: &Fault) -> anyhow::Result<Verdict> {
        let file = self.folder.join(&fault.file);
        let text = fs::read_to_string(&file)?;
        fs::write(&file, fault.plant(&text).map_err(anyhow::Error::msg)?)?;
        let built = self.build().with_context(|| fault.name.clone());
        fs::write(&file, &text)?;
        built?;
        if let Some(test) = &fault.test
            && self.fails(test)?
        {
            let blunt = fault.blunt || (*test != all.smoke && self.fails(&all.smoke)?);
            return Ok(if blunt { Verdict::Blunt } else { Verdict::Caught });
        }
        for part in [Part::Short, Part::Long] {
            if let Some(test) = self.first_failure(&all.long, part)? {
                return Ok(Verdict::Elsewhere(test));
            }
        }
        Ok(Verdict::Survived)
    }

    /// Whether this one test fails.
    fn fails(&self, test: &str) -> anyhow::Result<bool> {
        let (name, test) = test.split_once("::").context("binary::test")?;
        let binary =
            self.bench.binaries.iter().find(|b| b.0 == name).context("such a test binary")?;
        let (good, said) = self.execute(&binary.1, &["--exact", test])?;
        ensure!(said.contains("running 1 test\n"), "{name} has no test {test}");
        Ok(!good)
    }

    /// A test of this part that fails.
    fn first_failure(&self, long: &[String], part: Part) -> anyhow::Result<Option<String>> {
        for (name, binary) in &self.bench.binaries {
            let args: Vec<&str> = match (part, long.contains(name)) {
                (Part::Short, true) => continue,
                (Part::Short, false) => long.iter().flat_map(|word| ["--skip", word]).collect(),
                (Part::Long, true) => vec![],
                (Part::Long, false) => long.iter().map(String::as_str).collect(),
            };
            let (good, said) = self.execute(binary, &args)?;
            if !good {
                let failed = said.lines().find_map(|line| {
                    line.strip_prefix("test ")?.strip_suffix(" ... FAILED").map(str::to_owned)
                });
                let test = failed.unwrap_or_else(|| "(it was killed)".to_owned());
                return Ok(Some(format!("{name}::{test}")));
            }
        }
        Ok(None)
    }

    /// Runs a test binary on the bytecode that was built last: whether all went well, and what
    /// it said.
    fn execute(&self, binary: &Path, args: &[&str]) -> anyhow::Result<(bool, String)> {
        let output = Command::new(binary)
            .args(args)
            .current_dir(&self.bench.package)
            .env("IONET_MARKET_SO", self.bytecode())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }
}

/// Names and paths of the program's test binaries, built if they are not.
fn test_binaries(root: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let output = Command::new(env!("CARGO"))
        .args(["test", "-q", "-p", "ionet-program-tests", "--tests", "--no-run"])
        .arg("--message-format=json")
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the tests do not build");
    let mut found = vec![];
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let is_test = message["target"]["kind"][0] == "test";
        if let (true, Some(built), Some(name)) =
            (is_test, message["executable"].as_str(), message["target"]["name"].as_str())
        {
            found.push((name.to_owned(), built.into()));
        }
    }
    Ok(found)
}

/// Copies a file or a folder.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let at = to.join(entry.path().strip_prefix(from)?);
        // For a file itself the rest of the path is empty.
        let at = if entry.depth() == 0 { to.to_owned() } else { at };
        if entry.file_type().is_dir() {
            fs::create_dir_all(&at)?;
        } else {
            fs::create_dir_all(at.parent().context("a folder")?)?;
            fs::copy(entry.path(), &at).with_context(|| at.display().to_string())?;
        }
    }
    Ok(())
}
