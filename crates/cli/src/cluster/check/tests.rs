//! A coordinator that carries what hostile containers say.

use super::conduct::{Inside, conduct};
use super::visit::{Trouble, Visit, enter};
use crate::rest::Rest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use ionet_api::ExecMessage;
use ionet_core::{ClusterId, DeviceId, Wallet};
use ionet_inside::frame::{FRAME_BYTES_MAX, Frames, encode};
use ionet_inside::{
    Answer, Check, Draw, Hold, Member, Multiply, Order, Outcome, Plan, Seen, Word, fingerprint,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

const PROGRAM: &[u8] = b"a program of more than one message";

/// How a container behaves.
#[derive(Debug, Clone)]
enum Manner {
    /// The file cannot be written.
    NoShell,
    /// The program ends at once with this code, and says so on stderr.
    Ends(i64, &'static str),
    /// Says these bytes at once and then nothing.
    Says(Vec<u8>),
    /// Greets, and gives this to the first order, whatever it is.
    Greets(Vec<Answer>),
    /// The connection breaks after the greeting.
    Breaks,
    /// Greets and answers each order with the same kind of nonsense.
    Lies,
}

fn greeting() -> Answer {
    Answer::Hello { program: fingerprint(PROGRAM), threads: 2 }
}

/// Serves containers of this manner. Returns a client of it.
async fn coordinator(manner: Manner) -> Rest {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, manner.clone()));
        }
    });
    Rest::new(&base, "test").unwrap()
}

#[expect(clippy::result_large_err, reason = "tungstenite's own callback")]
async fn serve(stream: TcpStream, manner: Manner) {
    let mut asked = String::new();
    let note = |request: &Request, response: Response| {
        asked = request.uri().query().unwrap_or_default().to_owned();
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, note).await.unwrap();
    let mut end = End { socket, frames: Frames::default() };
    if asked.contains("arg=rm") {
        return end.say(ExecMessage::Exit { code: 0 }).await;
    }
    if asked.contains("arg=sh") {
        let mut come = Vec::new();
        while let Some(bytes) = end.stdin().await.filter(|b| !b.is_empty()) {
            come.extend(bytes);
        }
        let code = i64::from(matches!(manner, Manner::NoShell) || come != PROGRAM);
        return end.say(ExecMessage::Exit { code }).await;
    }
    match manner {
        Manner::NoShell => unreachable!("nothing is started that was not written"),
        Manner::Ends(code, why) => {
            end.say(ExecMessage::Stderr { data: STANDARD.encode(why) }).await;
            end.say(ExecMessage::Exit { code }).await;
        }
        Manner::Says(bytes) => {
            for piece in bytes.chunks(50_000) {
                end.stdout(piece).await;
            }
        }
        Manner::Greets(answers) => {
            end.answer(&greeting()).await;
            let _order = end.order().await;
            for answer in answers {
                end.answer(&answer).await;
            }
        }
        Manner::Breaks => {
            end.answer(&greeting()).await;
            let _order = end.order().await;
            return; // the socket goes
        }
        Manner::Lies => {
            end.answer(&greeting()).await;
            while let Some(order) = end.order().await {
                end.answer(&lie(&order)).await;
            }
        }
    }
    // Until the client has gone: what it does must not hang on the other side's end.
    while end.stdin().await.is_some() {}
}

/// An answer of the right kind with a wrong content.
fn lie(order: &Order) -> Answer {
    let hash = [7; 32];
    match order {
        Order::Ping => Answer::Pong,
        Order::Multiply { .. } | Order::Hold { .. } => Answer::Commitment { hash },
        Order::Ask { .. } => Answer::Proof { bytes: vec![1; 5_000] },
        Order::Write { .. } => Answer::Written,
        Order::Read { .. } => Answer::Digest { hash },
        Order::Listen { .. } => Answer::Listening { port: 9 },
        Order::Send { .. } => Answer::Failed { why: "\u{7}no route".to_owned() },
    }
}

/// The container's end of an exec.
struct End {
    socket: WebSocketStream<TcpStream>,
    frames: Frames,
}

impl End {
    async fn say(&mut self, message: ExecMessage) {
        let text = serde_json::to_string(&message).unwrap();
        let _ = self.socket.send(Message::text(text)).await;
    }

    async fn stdout(&mut self, bytes: &[u8]) {
        self.say(ExecMessage::Stdout { data: STANDARD.encode(bytes) }).await;
    }

    async fn answer(&mut self, answer: &Answer) {
        self.stdout(&encode(answer).unwrap()).await;
    }

    /// What comes on stdin; none: the client has gone.
    async fn stdin(&mut self) -> Option<Vec<u8>> {
        loop {
            let Message::Text(text) = self.socket.next().await?.ok()? else { continue };
            match serde_json::from_str(&text).unwrap() {
                ExecMessage::Stdin { data } => return Some(STANDARD.decode(data).unwrap()),
                other => panic!("a client does not say {other:?}"),
            }
        }
    }

    async fn order(&mut self) -> Option<Order> {
        loop {
            if let Some(order) = self.frames.take().unwrap() {
                return Some(order);
            }
            let bytes = self.stdin().await?;
            self.frames.push(&bytes);
        }
    }
}

fn cluster() -> ClusterId {
    ClusterId::of_lease(&Wallet([1; 32]))
}

async fn visited(manner: Manner) -> Result<Visit, Trouble> {
    let rest = coordinator(manner).await;
    enter(&rest, cluster(), DeviceId([1; 32]), PROGRAM, ("/tmp/.x", false)).await
}

#[tokio::test]
async fn a_container_without_our_program_is_not_entered() {
    let other = encode(&Answer::Hello { program: [9; 32], threads: 1 }).unwrap();
    let early = encode(&Answer::Pong).unwrap();
    let long = [&(FRAME_BYTES_MAX as u32 + 1).to_be_bytes()[..], &[0; 100_000]].concat();
    let endless = vec![0xff; 5_000_000];
    let no_libc = "version `GLIBC_2.99' not found\n";
    for (manner, expected) in [
        (Manner::NoShell, "could not be written"),
        (Manner::Ends(127, "not found"), "ended with code 127: not found"),
        (Manner::Ends(1, no_libc), "GLIBC_2.99"),
        (Manner::Says(other), "another program"),
        (Manner::Says(early), "not asked"),
        (Manner::Says(b"Welcome to Debian GNU/Linux!".to_vec()), "something else"),
        (Manner::Says(long), "something else"),
        (Manner::Says(endless), "something else"),
    ] {
        let name = format!("{manner:?}").chars().take(60).collect::<String>();
        let trouble = visited(manner).await.err().expect(&name).to_string();
        assert!(trouble.contains(expected), "{name}: {trouble}");
    }
}

#[tokio::test]
async fn after_a_trouble_nothing_is_asked_any_more() {
    let limit = std::time::Duration::from_secs(60);
    let twice = vec![Answer::Pong; 20];
    for (manner, expected) in
        [(Manner::Greets(twice), Some(Trouble::Unexpected)), (Manner::Breaks, None)]
    {
        let mut visit = visited(manner.clone()).await.unwrap();
        assert_eq!(visit.threads, 2);
        let mut answers = 0;
        let first = loop {
            match visit.ask(&Order::Ping, limit).await {
                Ok(_) => answers += 1,
                Err(trouble) => break trouble,
            }
        };
        assert!(answers <= 5, "{manner:?}: only what waited is taken");
        assert!(expected.is_none_or(|e| e == first), "{manner:?}: {first}");
        let again = visit.ask(&Order::Ping, limit).await;
        assert_eq!(again.err(), Some(first.clone()), "{manner:?}");
        assert_eq!(visit.heard(limit).await.err(), Some(first), "{manner:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_late() {
    let mut visit = visited(Manner::Greets(Vec::new())).await.unwrap();
    let limit = std::time::Duration::from_millis(50);
    assert_eq!(visit.ask(&Order::Ping, limit).await.err(), Some(Trouble::Late(limit)));
}

fn record(members: usize) -> Check {
    let zero = Word([0; 32]);
    let none = Draw { beacon: zero, late: zero, secret: zero };
    let member = |n: usize| Member::unseen(DeviceId([n as u8; 32]), String::new(), Vec::new());
    Check {
        version: Check::VERSION,
        cluster: cluster(),
        lease: Wallet([1; 32]),
        renter: Wallet([2; 32]),
        at_ms: 0,
        plan: Plan {
            multiply: Some(Multiply { side: 64, width: 16, openings: 4, time_ms: 1, threads: 0 }),
            hold: Some(Hold { bytes: 32 << 10, passes: 12, openings: 4 }),
            disk_bytes: Some(1_000),
            link_bytes: Some(1_000),
            light: false,
        },
        rounds: none,
        passes: none,
        seed: Word([5; 32]),
        members: (0..members).map(member).collect(),
        links: Vec::new(),
    }
}

#[tokio::test]
async fn members_that_lie_or_are_not_there_have_no_fine_figure() {
    let rest = coordinator(Manner::Lies).await;
    let gone = coordinator(Manner::NoShell).await;
    let mut inside = Vec::new();
    for (n, rest) in [&rest, &gone, &rest].into_iter().enumerate() {
        let device = DeviceId([n as u8; 32]);
        let door = enter(rest, cluster(), device, PROGRAM, ("/tmp/.x", false)).await;
        inside.push(Inside { device, ip: "127.0.0.1".parse().ok(), door });
    }
    let mut check = record(inside.len());
    // A liar's listener never says anything: its time is not waited for.
    check.plan.link_bytes = None;
    conduct(&mut check, &mut inside).await.unwrap();
    let found = check.findings().unwrap();
    assert_eq!(found.len(), 9);
    assert!(found.iter().all(|f| f.outcome == Outcome::Broken), "{found:?}");
    let why = |member| found.iter().filter(move |f| f.member == member).map(|f| &f.why);
    assert!(why(1).all(|w| w.contains("could not be written")), "{found:?}");
    assert!(why(0).all(|w| !w.contains("could not be written")), "{found:?}");
    // Nothing was known of the challenge before both had committed, and each draw is another.
    assert!(matches!(check.members[0].multiply, Some(Seen::Done(_))));
    let draws = [check.rounds.beacon, check.rounds.late, check.rounds.secret, check.passes.late];
    assert!((1..draws.len()).all(|n| !draws[..n].contains(&draws[n])), "{draws:?}");
}
