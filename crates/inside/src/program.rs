//! `ionet-prove`: runs inside of a container, does what it is told, ends with its stdin.

use crate::disk::{self, Written};
use crate::frame::{Frames, encode};
use crate::link::{self, Ear};
use crate::message::{Answer, Order};
use crate::work::{Begun, Done};
use ionet_trust::{Beacon, Secret};
use std::io::{Read as _, Write as _};
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::exit;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// However stuck it is: the longest check takes a few minutes.
const LIFE_MAX: Duration = Duration::from_secs(600);
/// Orders that wait. The client sends the next when it has the answer, links apart.
const ORDERS_MAX: usize = 8;
/// Bytes of a reason.
const WHY_BYTES_MAX: usize = 256;

/// BLAKE3 of a program's file: what the client sent and what the program says that it is.
pub fn fingerprint(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// Runs until stdin ends. With `--light` at the lowest priority.
pub fn run() {
    std::thread::spawn(|| {
        let born = Instant::now();
        while born.elapsed() < LIFE_MAX {
            std::thread::park_timeout(LIFE_MAX);
        }
        exit(3);
    });
    // Where memory runs out, the check is to go, and not the workload beside it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    if std::env::args().any(|a| a == "--light") {
        yield_to_others();
    }
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let threads = u16::try_from(threads).unwrap_or(u16::MAX);
    say(&Answer::Hello { program: take_away(), threads });
    let orders = orders();
    let mut open = Open::default();
    for order in orders {
        match open.serve(order, threads) {
            Ok(Some(answer)) => say(&answer),
            Ok(None) => (),
            Err(why) => say(&failed(why)),
        }
    }
}

/// Hashes the program's own file and removes it: nothing is left, however the check ends.
fn take_away() -> [u8; 32] {
    let Ok(path) = std::env::current_exe() else { return [0; 32] };
    let hash = std::fs::read(&path).map_or([0; 32], |bytes| fingerprint(&bytes));
    // Only where the client put it: a program that was started by hand stays.
    if std::env::args().any(|a| a == "--once") {
        let _ = std::fs::remove_file(path);
    }
    hash
}

/// Reads orders until stdin ends, and the process with it, whatever it does at that moment.
fn orders() -> mpsc::Receiver<Order> {
    let (give, take) = mpsc::sync_channel(ORDERS_MAX);
    std::thread::spawn(move || {
        let (mut frames, mut piece) = (Frames::default(), vec![0u8; 64 * 1024]);
        loop {
            match std::io::stdin().read(&mut piece) {
                Ok(0) | Err(_) => exit(0),
                Ok(n) => frames.push(&piece[..n]),
            }
            loop {
                match frames.take::<Order>() {
                    Ok(None) => break,
                    Ok(Some(order)) => {
                        if give.send(order).is_err() {
                            exit(0);
                        }
                    }
                    Err(_) => exit(2),
                }
            }
        }
    });
    take
}

fn say(answer: &Answer) {
    let Ok(bytes) = encode(answer) else { exit(2) };
    let mut out = std::io::stdout().lock();
    if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
        exit(0);
    }
}

fn failed(why: String) -> Answer {
    let mut end = why.len().min(WHY_BYTES_MAX);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    Answer::Failed { why: why[..end].to_owned() }
}

/// What is begun and not ended.
#[derive(Default)]
struct Open {
    work: Option<(Begun, Done)>,
    file: Option<Written>,
}

impl Open {
    fn serve(&mut self, order: Order, threads: u16) -> Result<Option<Answer>, String> {
        let io = |e: std::io::Error| e.to_string();
        Ok(Some(match order {
            Order::Ping => Answer::Pong,
            Order::Multiply { beacon, device, task } => {
                let begun = Begun { beacon: Beacon(beacon), device };
                self.commit(begun, Done::multiply(begun, task, threads)?)
            }
            Order::Hold { beacon, device, task } => {
                let begun = Begun { beacon: Beacon(beacon), device };
                self.commit(begun, Done::hold(begun, task)?)
            }
            Order::Ask { late, secret } => {
                let (begun, done) = self.work.take().ok_or("nothing was committed to")?;
                Answer::Proof { bytes: done.open(begun, Beacon(late), Secret(secret))? }
            }
            Order::Write { key, bytes } => {
                self.file = None;
                self.file = Some(disk::write(Path::new("."), &key, bytes).map_err(io)?);
                Answer::Written
            }
            Order::Read { salt } => {
                let file = self.file.take().ok_or("nothing was written")?;
                Answer::Digest { hash: file.digest(&salt).map_err(io)? }
            }
            Order::Listen { token, salt, bytes } => {
                let ear = Ear::open().map_err(io)?;
                say(&Answer::Listening { port: ear.port });
                std::thread::spawn(move || match ear.hear(&token, &salt, bytes) {
                    Ok(hash) => say(&Answer::Received { hash }),
                    Err(e) => say(&Answer::Deaf { why: e.to_string() }),
                });
                return Ok(None);
            }
            Order::Send { to, port, token, key, bytes } => {
                link::send(SocketAddrV4::new(to.into(), port), &token, &key, bytes).map_err(io)?;
                Answer::Sent
            }
        }))
    }

    fn commit(&mut self, begun: Begun, done: Done) -> Answer {
        let hash = done.commitment();
        self.work = Some((begun, done));
        Answer::Commitment { hash }
    }
}

/// Lowers the priority of this thread; those that it starts inherit it.
fn yield_to_others() {
    // SAFETY: the call takes three integers; 0 is the calling thread.
    #[cfg(target_os = "linux")]
    unsafe {
        nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, 19);
    }
}
