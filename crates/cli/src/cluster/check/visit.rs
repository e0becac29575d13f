//! Our program in one container: brought there, greeted, asked. Whatever comes back is hostile.

use super::super::pipe::{self, Heard, PipeIn, PipeOut};
use crate::failure::Failure;
use crate::rest::Rest;
use ionet_core::{ClusterId, DeviceId};
use ionet_inside::frame::{FrameError, Frames, encode};
use ionet_inside::{Answer, Order};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// For ten megabytes over a slow line.
const UPLOAD_MAX: Duration = Duration::from_secs(60);
/// Until the program that is there says hello.
const HELLO_MAX: Duration = Duration::from_secs(20);
/// For the removal of what did not start.
const SWEEP_MAX: Duration = Duration::from_secs(5);
/// Answers that wait: one to an order, and the listener's.
const ANSWERS_MAX: usize = 4;
/// Bytes of stderr that are kept, to say why a program did not start.
const STDERR_BYTES_MAX: usize = 256;
/// Copies stdin into a file that nobody else may read, and makes it a program.
const RECEIVE: &str = "umask 077; cat > \"$0\" && chmod 700 \"$0\"";

/// Why a container cannot be asked any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The exec was not opened, or broke.
    #[error("{0}")]
    Unreachable(String),
    /// The program did not get there whole.
    #[error("the check's program could not be written into the container (code {0})")]
    Upload(i64),
    /// Another program than the one that was sent answers.
    #[error("another program answers than the one that was sent")]
    Stranger,
    /// It ended.
    #[error("the check's program ended with code {code}{said}")]
    Left {
        /// How.
        code: i64,
        /// What it said on stderr.
        said: String,
    },
    /// It says what is no answer.
    #[error("the container says something else: {0}")]
    Garbage(#[from] FrameError),
    /// It says what was not asked.
    #[error("the container answers what was not asked")]
    Unexpected,
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Unreachable(failure.message)
    }
}

/// An answer and when it came.
type Come = Result<(Instant, Answer), Trouble>;

/// The program in one container.
pub(crate) struct Visit {
    to: PipeIn,
    answers: mpsc::Receiver<Come>,
    /// What its listener says, which comes between other answers.
    heard: mpsc::Receiver<Come>,
    reader: JoinHandle<()>,
    /// After a trouble nothing is asked any more: what would come may answer something else.
    trouble: Option<Trouble>,
    /// Threads that it may use, as it says.
    pub(crate) threads: u16,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Brings `program` into the container of `device` and starts it.
pub(crate) async fn enter(
    rest: &Rest,
    id: ClusterId,
    device: DeviceId,
    program: &[u8],
    (path, light): (&str, bool),
) -> Result<Visit, Trouble> {
    timeout(UPLOAD_MAX, upload(rest, id, device, program, path))
        .await
        .map_err(|_| Trouble::Late(UPLOAD_MAX))??;
    let mut argv = vec![path, "--once"];
    argv.extend(light.then_some("--light"));
    let begun = async {
        let (to, from) = pipe::open(rest, id, Some(device), &argv).await?;
        let mut visit = Visit::new(to, from);
        match visit.next(HELLO_MAX).await?.1 {
            Answer::Hello { program: hash, threads }
                if hash == ionet_inside::fingerprint(program) =>
            {
                visit.threads = threads;
                Ok(visit)
            }
            Answer::Hello { .. } => Err(Trouble::Stranger),
            _ => Err(Trouble::Unexpected),
        }
    };
    let begun = begun.await;
    if begun.is_err() {
        // A program that runs has removed itself.
        let _ = timeout(SWEEP_MAX, sweep(rest, id, device, path)).await;
    }
    begun
}

async fn upload(
    rest: &Rest,
    id: ClusterId,
    device: DeviceId,
    program: &[u8],
    path: &str,
) -> Result<(), Trouble> {
    let (mut to, mut from) =
        pipe::open(rest, id, Some(device), &["sh", "-c", RECEIVE, path]).await?;
    to.send_all(program).await?;
    to.send(&[]).await?;
    loop {
        match from.next().await? {
            Some(Heard::Exit(0)) => return Ok(()),
            Some(Heard::Exit(code)) => return Err(Trouble::Upload(code)),
            Some(Heard::Stdout(_) | Heard::Stderr(_)) => (),
            None => return Err(Trouble::Unreachable("the connection broke".to_owned())),
        }
    }
}

async fn sweep(rest: &Rest, id: ClusterId, device: DeviceId, path: &str) -> Result<(), Failure> {
    let (mut to, mut from) = pipe::open(rest, id, Some(device), &["rm", "-f", path]).await?;
    to.send(&[]).await?;
    while let Some(heard) = from.next().await? {
        if matches!(heard, Heard::Exit(_)) {
            break;
        }
    }
    Ok(())
}

impl Visit {
    fn new(to: PipeIn, from: PipeOut) -> Self {
        let (answer, answers) = mpsc::channel(ANSWERS_MAX);
        let (hear, heard) = mpsc::channel(ANSWERS_MAX);
        let reader = tokio::spawn(read(from, answer, hear));
        Self { to, answers, heard, reader, trouble: None, threads: 0 }
    }

    /// Gives an order and waits for its answer: how long it took, and what it is.
    pub(crate) async fn ask(
        &mut self,
        order: &Order,
        limit: Duration,
    ) -> Result<(Duration, Answer), Trouble> {
        if let Some(trouble) = &self.trouble {
            return Err(trouble.clone());
        }
        let asked = Instant::now();
        let asking = async {
            self.to.send_all(&encode(order)?).await?;
            Self::one(&mut self.answers, asked + limit, limit).await
        };
        let come = asking.await;
        self.settled(come).map(|(at, answer)| (at - asked, answer))
    }

    /// What the listener says, and when.
    pub(crate) async fn heard(&mut self, limit: Duration) -> Come {
        if let Some(trouble) = &self.trouble {
            return Err(trouble.clone());
        }
        let come = Self::one(&mut self.heard, Instant::now() + limit, limit).await;
        self.settled(come)
    }

    async fn next(&mut self, limit: Duration) -> Come {
        let come = Self::one(&mut self.answers, Instant::now() + limit, limit).await;
        self.settled(come)
    }

    async fn one(from: &mut mpsc::Receiver<Come>, until: Instant, limit: Duration) -> Come {
        match timeout_at(until, from.recv()).await {
            Ok(Some(come)) => come,
            Ok(None) => Err(Trouble::Unreachable("the connection broke".to_owned())),
            Err(_) => Err(Trouble::Late(limit)),
        }
    }

    fn settled<T>(&mut self, come: Result<T, Trouble>) -> Result<T, Trouble> {
        self.trouble = come.as_ref().err().cloned();
        come
    }

    /// Ends the program.
    pub(crate) async fn leave(mut self) {
        let _ = timeout(SWEEP_MAX, self.to.send(&[])).await;
    }
}

/// Reads until the program ends or says nonsense, noting when each answer came.
async fn read(mut from: PipeOut, answer: mpsc::Sender<Come>, hear: mpsc::Sender<Come>) {
    let (mut frames, mut said) = (Frames::default(), Vec::new());
    let end = loop {
        match from.next().await {
            Ok(Some(Heard::Stdout(bytes))) => frames.push(&bytes),
            Ok(Some(Heard::Stderr(bytes))) => {
                let room = STDERR_BYTES_MAX.saturating_sub(said.len());
                said.extend_from_slice(&bytes[..bytes.len().min(room)]);
                continue;
            }
            Ok(Some(Heard::Exit(code))) => break Trouble::Left { code, said: printable(&said) },
            Ok(None) => break Trouble::Unreachable("the connection broke".to_owned()),
            Err(failure) => break failure.into(),
        }
        let now = Instant::now();
        loop {
            let to = match frames.take::<Answer>() {
                Ok(None) => break,
                Ok(Some(it)) => {
                    let listener = matches!(it, Answer::Received { .. } | Answer::Deaf { .. });
                    let to = if listener { &hear } else { &answer };
                    // One answer to an order: whoever says more is not listened to.
                    to.try_send(Ok((now, it))).map_err(|_| Trouble::Unexpected)
                }
                Err(e) => Err(e.into()),
            };
            if let Err(trouble) = to {
                let _ = hear.send(Err(trouble.clone())).await;
                let _ = answer.send(Err(trouble)).await;
                return;
            }
        }
    };
    let _ = hear.try_send(Err(end.clone()));
    let _ = answer.send(Err(end)).await;
}

fn printable(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}
