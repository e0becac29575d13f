//! Containers as the worker uses them: adopted after a restart, replaced by generation, read,
//! entered, dialled, removed.

mod common;

use common::{Bench, echo, echoes, until};
use futures_util::StreamExt;
use ionet_runtime::engine::{Engine, ServiceLife, serve_podman};
use ionet_runtime::{
    ContainerName, ContainerRuntime, ContainerSpec, ContainerState, ExecOutput, LogRequest,
    Runtime, RuntimeError, Settings,
};
use std::path::Path;
use tokio::io::AsyncWriteExt;

/// A container without a network: most of these tests need none.
fn offline(bench: &Bench, member: u8, shell: &str) -> ContainerSpec {
    ContainerSpec { network: None, ..bench.spec(0, member, shell) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_worker_adopts_what_runs() {
    let bench = Bench::new(7).await;
    let spec = offline(&bench, 0, "exec sleep 600");
    let first = bench.runtime.start(&spec).await.unwrap();
    assert!(first.state.is_running());

    // A new process knows nothing but its device's key.
    let engine = Engine::connect(bench.engine.socket()).await.unwrap();
    let reborn = ContainerRuntime::new(engine, Settings::default());
    assert_eq!(reborn.list(&spec.device).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(reborn.start(&spec).await.unwrap(), first, "it was started anew");
    let stranger = bench.device(0, 3);
    assert_eq!(reborn.list(&stranger).await.unwrap(), []);

    // A newer generation replaces it; an older one is refused.
    let newer = ContainerSpec { generation: 2, ..spec.clone() };
    let second = reborn.start(&newer).await.unwrap();
    assert_ne!(second.id, first.id);
    let stale = reborn.start(&spec).await;
    assert!(matches!(stale, Err(RuntimeError::Stale { have: 2, wanted: 1, .. })), "{stale:?}");
    // Another spec of the same generation replaces too.
    let other = ContainerSpec { pids_max: 32, ..newer.clone() };
    assert_ne!(reborn.start(&other).await.unwrap().id, second.id);

    reborn.stop(&spec.name, 0).await.unwrap();
    let state = reborn.inspect(&spec.name).await.unwrap().state;
    assert!(matches!(state, ContainerState::Exited { .. }), "{state:?}");
    reborn.stop(&spec.name, 0).await.unwrap();
    reborn.remove(&spec.name).await.unwrap();
    reborn.remove(&spec.name).await.unwrap();
    let gone = reborn.inspect(&spec.name).await;
    assert!(matches!(gone, Err(RuntimeError::Missing(_))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_outlive_the_engines_service() {
    let bench = Bench::new(15).await;
    bench.ensure(0).await;
    let folder = tempfile::tempdir().unwrap();
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/containers.conf");
    let serve = async |name: &str| {
        let socket = folder.path().join(name);
        let service = serve_podman(&socket, Some(&conf), ServiceLife::Owned).await.unwrap();
        let engine = Engine::connect(&socket).await.unwrap();
        (service, ContainerRuntime::new(engine, Settings::default()))
    };
    let (service, runtime) = serve("one.sock").await;
    let spec = bench.spec(0, 0, &echo(5_003));
    let before = runtime.start(&spec).await.unwrap();
    let mut connection =
        until("the server", || async { runtime.dial(&spec.name, 5_003).await.ok() }).await;
    drop(service);
    until("the service to end", || async { runtime.inspect(&spec.name).await.err() }).await;
    assert!(echoes(&mut connection, b"still there").await);

    let (_service, reborn) = serve("two.sock").await;
    assert_eq!(reborn.start(&spec).await.unwrap(), before);
    let mut connection = reborn.dial(&spec.name, 5_003).await.unwrap();
    assert!(echoes(&mut connection, b"and again").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_not_run_again() {
    let bench = Bench::new(8).await;
    let spec = offline(&bench, 0, "echo once; exit 7");
    bench.runtime.start(&spec).await.unwrap();
    let state = bench.runtime.wait(&spec.name).await.unwrap();
    assert!(
        matches!(state, ContainerState::Exited { code: 7, oom_killed: false, .. }),
        "{state:?}"
    );
    let again = bench.runtime.start(&spec).await.unwrap();
    assert_eq!(again.state, state);
    let ContainerState::Exited { started_at, finished_at, .. } = state else { unreachable!() };
    assert!(started_at > 1_600_000_000 && finished_at >= started_at, "{state:?}");
    let refused = bench.runtime.dial(&spec.name, 1).await.err();
    assert!(matches!(refused, Some(RuntimeError::NotRunning(_))), "{refused:?}");
    bench.clean(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_not_ours_is_left_alone() {
    let bench = Bench::new(9).await;
    let spec = offline(&bench, 0, "exec sleep 600");
    bench.runtime.start(&spec).await.unwrap();
    // Another device on this machine wants the name.
    let thief = ContainerSpec { device: bench.device(0, 1), generation: 9, ..spec.clone() };
    let refused = bench.runtime.start(&thief).await;
    assert!(matches!(refused, Err(RuntimeError::Foreign(_))), "{refused:?}");
    assert!(bench.runtime.inspect(&spec.name).await.unwrap().state.is_running());
    bench.clean(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_follow_until_the_end() {
    let bench = Bench::new(10).await;
    let spec = offline(&bench, 0, "for i in 1 2 3; do echo line $i; sleep 0.3; done; echo end >&2");
    bench.runtime.start(&spec).await.unwrap();
    let all = async |request| {
        let mut lines = bench.runtime.logs(&spec.name, request).await.unwrap();
        let mut text = String::new();
        while let Some(piece) = lines.next().await {
            text.push_str(&String::from_utf8_lossy(&piece.unwrap()));
        }
        text
    };
    let follow = LogRequest { follow: true, ..Default::default() };
    let followed = tokio::time::timeout(common::DEADLINE, all(follow)).await.expect("no end");
    assert_eq!(followed, "line 1\nline 2\nline 3\nend\n");
    assert_eq!(all(LogRequest { tail: Some(2), ..Default::default() }).await, "line 3\nend\n");
    let future = LogRequest { since: Some(i64::from(i32::MAX)), ..Default::default() };
    assert_eq!(all(future).await, "");
    let nobody = ContainerName::new("ionet-nobody").unwrap();
    assert!(matches!(
        bench.runtime.logs(&nobody, follow).await.err(),
        Some(RuntimeError::Missing(_))
    ));
    bench.clean(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_have_input_output_and_a_code() {
    let bench = Bench::new(11).await;
    let spec = offline(&bench, 0, "exec sleep 600");
    bench.runtime.start(&spec).await.unwrap();
    let command = ["bash", "-c", "echo to-err >&2; tr a-z A-Z; exit 5"].map(str::to_owned);
    let mut exec = bench.runtime.exec(&spec.name, &command).await.unwrap();
    exec.stdin.write_all(b"hello\n").await.unwrap();
    exec.stdin.shutdown().await.unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(piece) = exec.output.next().await {
        match piece.unwrap() {
            ExecOutput::Stdout(bytes) => out.extend_from_slice(&bytes),
            ExecOutput::Stderr(bytes) => err.extend_from_slice(&bytes),
        }
    }
    assert_eq!((out.as_slice(), err.as_slice()), (&b"HELLO\n"[..], &b"to-err\n"[..]));
    assert_eq!(bench.code(&exec.id).await, 5);
    // Text that a shell would act on is one argument.
    let odd = ["echo", "$(id); `reboot` && x | y > z"].map(str::to_owned);
    let mut exec = bench.runtime.exec(&spec.name, &odd).await.unwrap();
    let Some(Ok(ExecOutput::Stdout(bytes))) = exec.output.next().await else { panic!("no output") };
    assert_eq!(bytes, "$(id); `reboot` && x | y > z\n");
    bench.clean(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dial_works_with_and_without_the_right_to_enter() {
    let bench = Bench::new(12).await;
    let spec = offline(&bench, 0, &echo(5_001));
    bench.runtime.start(&spec).await.unwrap();
    let relay = Settings { dial_by_relay: true, ..Default::default() };
    let by_relay = ContainerRuntime::new(bench.engine.clone(), relay);
    // More than any buffer on the way holds at once.
    let text: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
    for runtime in [&bench.runtime, &by_relay] {
        let mut connection =
            until("the server", || async { runtime.dial(&spec.name, 5_001).await.ok() }).await;
        for piece in text.chunks(16_384) {
            assert!(echoes(&mut connection, piece).await);
        }
        let refused = runtime.dial(&spec.name, 5_002).await.err();
        assert!(matches!(refused, Some(RuntimeError::Dial { port: 5_002, .. })), "{refused:?}");
    }
    bench.clean(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_inside_and_images_must_be_here() {
    let bench = Bench::new(13).await;
    let mut spec = offline(&bench, 0, "exec sleep 600");
    spec.secrets.insert("TOKEN".into(), ionet_runtime::Secret::new("mine-alone"));
    bench.runtime.start(&spec).await.unwrap();
    let other = offline(&bench, 1, "exec sleep 600");
    bench.runtime.start(&other).await.unwrap();
    assert_eq!(bench.run(&spec.name, "echo $TOKEN").await.1, "mine-alone\n");
    let peek = "cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'";
    assert!(!bench.run(&other.name, peek).await.1.contains("mine-alone"));

    let image = ionet_core::ImageRef::new("localhost/nobody-made-this:1").unwrap();
    let missing = bench.runtime.ensure_image(&image).await.err();
    assert!(matches!(missing, Some(RuntimeError::ImageMissing { .. })), "{missing:?}");
    let missing = bench.runtime.start(&ContainerSpec { image, generation: 2, ..spec }).await;
    assert!(matches!(missing, Err(RuntimeError::ImageMissing { .. })), "{missing:?}");
    bench.clean(0).await;
}
