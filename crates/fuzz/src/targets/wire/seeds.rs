//! Each message once.

use super::{Kind, cbor};
use crate::honest::{CHAIN, DEVICE, wallet};
use crate::targets::statement::enrolled;
use crate::targets::tagged;
use ionet_core::{
    ChipClass, ClusterId, Cpu, Disk, Egress, GenesisHash, ImageRef, Inventory, Member, Membership,
    PartId, PartSpec, PartState, PartStatus, Provenance, Quantity, Region, Role, Signal,
    SignatureBytes, Slice, Task, Tier, TrialId, Units, Verdict,
};
use ionet_inside::frame::encode;
use ionet_inside::{Answer, Hold, Multiply, Order};
use ionet_trust::signals::{ChipFacts, Link, Purpose as PrintOf, Report, Salt};
use ionet_wire::message::{
    Command, CommandAnswer, CommandBody, Echo, ExecFrame, Heartbeat, HeartbeatAnswer, Hello, Open,
    Opened, Outcome, PartSecrets, Purpose, Refused, RefusedCode, SignedReceipt, ToCoordinator,
    ToDevice, Welcome,
};
use ionet_wire::prove::{FromProver, ToProver};

fn part() -> PartId {
    PartId { cluster: ClusterId::of_lease(&wallet(7)), generation: 3 }
}

fn parts() -> Vec<PartStatus> {
    let states = [PartState::Starting, PartState::Ready { alive_nodes: Some(3) }];
    states.map(|state| PartStatus { id: part(), state, started_at: Some(-5) }).to_vec()
}

fn receipt() -> SignedReceipt {
    SignedReceipt {
        cluster: part().cluster,
        lease: wallet(7),
        page: 1,
        line: 2,
        generation: 3,
        served_s: 4,
        signer: wallet(1),
        signature: SignatureBytes([3; 64]),
    }
}

const SLICE: Slice = Slice { cpu_milli: 1, memory_bytes: 1 << 30, scratch_bytes: 0 };

fn hello() -> Hello {
    let chip = ionet_core::Chip {
        class: ChipClass::CPU,
        model: "Processor".to_owned(),
        uuid: None,
        memory_bytes: 1 << 30,
        cdi: None,
    };
    Hello {
        software: "0.1.0".to_owned(),
        features: vec!["prove/1".to_owned()],
        enrolment: enrolled(),
        last_session: 1,
        boot: 2,
        inventory: Inventory {
            hostname: "host".to_owned(),
            os: "Linux".to_owned(),
            cpu: Cpu { model: "P".to_owned(), threads: 4, architecture: "x86_64".to_owned() },
            memory_bytes: 1 << 30,
            disk: Disk { total_bytes: 2, free_bytes: 1 },
            network: Vec::new(),
            chips: vec![chip],
            slice: SLICE,
            region: Region::LOCAL,
            egress: Egress::Open,
        },
        parts: parts(),
        receipts: vec![receipt()],
        draining: false,
    }
}

fn report() -> Report {
    let link = |width| Some(Link { width, generation: 3 });
    let chip = ChipFacts {
        model: "NVIDIA A10-24Q".to_owned(),
        uuid: Some("GPU-1".to_owned()),
        link: link(4),
        link_best: link(16),
        ..ChipFacts::default()
    };
    let salt = Salt::new(&[1; 32], &GenesisHash([2; 32]), 3);
    let prints = salt.print(PrintOf::Board, "PF3ABCDE").into_iter().collect();
    Report { chips: vec![chip], prints, ..Report::default() }
}

fn to_coordinator() -> Vec<ToCoordinator> {
    let outcome = Outcome::Rejected { reason: "why".to_owned() };
    vec![
        ToCoordinator::Hello(Box::new(hello())),
        ToCoordinator::Heartbeat(Heartbeat { seq: 1, parts: parts() }),
        ToCoordinator::CommandAnswer(CommandAnswer { number: 1, outcome }),
        ToCoordinator::Draining,
        ToCoordinator::Report(Box::new(report())),
        ToCoordinator::Echo(Echo { nonce: [7; 16] }),
    ]
}

fn run_part() -> CommandBody {
    let member = Member { device: DEVICE, ip: [10, 130, 0, 2].into(), role: Role::Head };
    let membership =
        Membership { subnet: [10, 130, 0, 0].into(), prefix: 16, members: vec![member] };
    let spec = PartSpec {
        id: part(),
        device: DEVICE,
        role: Role::Head,
        image: ImageRef::default(),
        membership,
        chips: 1,
        slice: SLICE,
        egress: Egress::Open,
    };
    let secrets = PartSecrets { ray_token: "ab".repeat(32) };
    let (lease, vouchers) = (wallet(7), vec![wallet(8)]);
    CommandBody::RunPart { spec: Box::new(spec), lease, vouchers, secrets }
}

fn to_device() -> Vec<ToDevice> {
    let command = |body| {
        let request_id = "r".to_owned();
        ToDevice::Command(Box::new(Command { leader_epoch: 1, number: 2, request_id, body }))
    };
    vec![
        ToDevice::Welcome(Welcome {
            session: 1,
            leader_epoch: 2,
            chain: CHAIN,
            coordinator: wallet(5),
            idle_interval_ms: 20_000,
            hired_interval_ms: 2_000,
            features: Vec::new(),
            salt: Some(Salt::new(&[6; 32], &CHAIN.genesis, 7)),
        }),
        ToDevice::Refused(Refused {
            code: RefusedCode::Busy,
            message: "no".to_owned(),
            retry_after_ms: Some(5),
        }),
        ToDevice::HeartbeatAnswer(HeartbeatAnswer { seq: 9, receipts: vec![receipt()] }),
        command(run_part()),
        command(CommandBody::StopPart { id: part(), grace_seconds: 3 }),
    ]
}

fn to_prover() -> Vec<ToProver> {
    let multiply =
        Task::Multiply { units: Units::Integer, side: 64, width: 16, openings: 4, time_ms: 1_000 };
    let stream = Task::Stream { bytes: 1 << 15, openings: 4, time_ms: 1_000 };
    let figure = ionet_core::Measure {
        quantity: Quantity::IntegerRate,
        value: 5,
        provenance: Provenance::Proven,
        at_ms: 6,
        trial: Some(TrialId(7)),
    };
    let signal = Signal { code: "c".to_owned(), text: "t".to_owned(), at_ms: 1 };
    let verdict = Verdict {
        tier: Tier::Measured,
        score: 900,
        class: Some(ChipClass::CPU),
        evidence: vec![figure],
        signals: vec![signal],
        reason: Some("not all".to_owned()),
        at_ms: 6,
        expires_at_ms: 8,
    };
    let tasks = vec![multiply, stream];
    vec![
        ToProver::Start { trial: TrialId(5), beacon: [1; 32], tasks, on_chip: true },
        ToProver::Next { task: 1, beacon: [2; 32] },
        ToProver::Ask { late: [3; 32], secret: [4; 32] },
        ToProver::Judged { verdict: Box::new(verdict) },
    ]
}

fn from_prover() -> Vec<FromProver> {
    let reason = || "busy".to_owned();
    vec![
        FromProver::Commitment { task: 0, hash: [1; 32] },
        FromProver::Skipped { task: 1, reason: reason() },
        FromProver::Proof { task: 0, bytes: vec![1, 1, 0] },
        FromProver::Declined { reason: reason() },
    ]
}

fn opens() -> Vec<Open> {
    let purposes = [
        Purpose::Dial { port: 8265 },
        Purpose::Logs { follow: true, tail: 3 },
        Purpose::Prove,
        Purpose::Exec { argv: vec!["a".to_owned()], tty: true },
    ];
    let open =
        |purpose| Open { leader_epoch: 1, request_id: "r".to_owned(), part: Some(part()), purpose };
    purposes.map(open).to_vec()
}

pub(crate) fn message_seeds() -> Vec<Vec<u8>> {
    fn all<M: serde::Serialize>(kind: Kind, messages: Vec<M>) -> Vec<(u8, Vec<u8>)> {
        messages.iter().map(|message| (kind as u8, cbor(message))).collect()
    }
    let opened = vec![Opened::Ok, Opened::Refused { reason: "no".to_owned() }];
    let exec = vec![ExecFrame::Stdin { bytes: vec![0, 255] }, ExecFrame::Exit { code: -1 }];
    let seeds = [
        all(Kind::ToCoordinator, to_coordinator()),
        all(Kind::ToDevice, to_device()),
        all(Kind::ToProver, to_prover()),
        all(Kind::FromProver, from_prover()),
        all(Kind::Open, opens()),
        all(Kind::Opened, opened),
        all(Kind::Exec, exec),
    ];
    tagged(seeds.concat())
}

/// A few messages of each direction in one stream.
pub(crate) fn frames_seeds() -> Vec<Vec<u8>> {
    let (word, device) = ([9; 32], DEVICE);
    let task = Multiply { side: 64, width: 16, openings: 2, time_ms: 5, threads: 1 };
    let hold = Hold { bytes: 1 << 20, passes: 12, openings: 3 };
    let orders = [
        Order::Ping,
        Order::Multiply { beacon: word, device, task },
        Order::Hold { beacon: word, device, task: hold },
        Order::Ask { late: word, secret: word },
        Order::Write { key: word, bytes: u64::MAX },
        Order::Send { to: [10, 0, 0, 1], port: 80, token: word, key: word, bytes: 1 },
    ];
    let answers = [
        Answer::Hello { program: word, threads: 4 },
        Answer::Pong,
        Answer::Commitment { hash: word },
        Answer::Proof { bytes: vec![1, 2] },
        Answer::Failed { why: "full".to_owned() },
    ];
    let orders: Vec<u8> = orders.iter().flat_map(|m| encode(m).expect("short")).collect();
    let answers: Vec<u8> = answers.iter().flat_map(|m| encode(m).expect("short")).collect();
    tagged([(2, answers.clone()), (254, answers), (3, orders)])
}
