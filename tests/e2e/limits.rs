//! Nonsense from outside, and settings nobody can mean.

use std::time::Duration;

use tests::{
    eventually::{eventually, eventually_async, expect},
    faults::frames::FrameWire,
    livekit_server::LivekitServer,
    nonsense,
    sim_model::{Fault, Script},
    stack::{Stack, simulated_model},
    worker::{Settings, Worker},
};

use crate::story::{SOON, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn malformed_frames_of_the_model_do_not_end_the_call() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack.model.arm(Fault::Nonsense(3));
    let said = ann.say("caller-train").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-train", answer.ended, SOON).await;
    assert!(
        stack.worker.log().find(&["panicked"]).is_none(),
        "{}",
        stack.worker.log().tail()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_frames_on_the_agent_socket_cost_no_registration() {
    const FRAMES: usize = 2_000;
    let livekit = LivekitServer::start().await;
    let wire = FrameWire::to(livekit.address(), "/agent")
        .await
        .expect("a free port");
    let stack = Stack::through(livekit, wire.address()).await;
    for payload in nonsense::payloads(5, FRAMES) {
        wire.tell(0, payload);
    }
    eventually("the nonsense is told", SOON, || {
        let waiting = wire.waiting(0);
        expect(waiting == 0, format!("{waiting} frames wait"))
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-train").await;
    let answer = ann.hears("agent-you-said", said.ended, SOON).await;
    ann.hears("caller-train", answer.ended, SOON).await;
    assert_eq!(wire.opened(), 1, "the socket was not opened anew");
    assert!(
        stack.worker.log().find(&["panicked"]).is_none(),
        "{}",
        stack.worker.log().tail()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_the_configuration_is_listed_at_once() {
    let mut settings = Settings::new("ws://127.0.0.1:1", "ws://127.0.0.1:1/v1/realtime");
    settings.config = "[worker]\nslotz = 3\ndrain_grace = 7\n[colour]\nred = true\n".to_owned();
    let settings = settings.with("LIVEKIT_API_SECRET", "");
    let mut worker = Worker::start(&settings);
    let status = worker.ended(SOON).await;
    assert_eq!(status.code(), Some(78), "{}", worker.log().tail());
    for path in [
        "worker.slotz",
        "worker.drain_grace",
        "colour",
        "livekit.api_secret",
    ] {
        assert!(
            worker.log().find(&[path]).is_some(),
            "{path} in:\n{}",
            worker.log().tail()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_api_secret_ends_the_worker_with_a_clear_line() {
    let livekit = LivekitServer::start().await;
    let model = simulated_model(Script::default()).await;
    let wrong = "another-secret-that-no-log-may-show-0123456789";
    let settings = Settings::new(&livekit.url(), &model.url()).with("LIVEKIT_API_SECRET", wrong);
    let mut worker = Worker::start(&settings);
    let status = worker.ended(SOON).await;
    assert_eq!(status.code(), Some(78), "{}", worker.log().tail());
    assert!(!worker.log().text().contains(wrong), "a secret in the log");
    worker.assert_no_secret_was_printed();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_livekit_server_the_worker_lives_and_is_not_ready() {
    let (port, _) = tests::child::free_ports().expect("a free port");
    let model = simulated_model(Script::default()).await;
    let settings = Settings::new(&format!("ws://127.0.0.1:{port}"), &model.url());
    let mut worker = Worker::start(&settings);
    eventually_async("the worker answers and is not ready", SOON, || async {
        let live = worker
            .page("/live")
            .await
            .map_err(|error| error.to_string())?;
        let ready = worker
            .page("/ready")
            .await
            .map_err(|error| error.to_string())?;
        match (live.status, ready.status) {
            (200, 503) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(worker.status(), None, "it keeps trying");
    worker.signal("TERM").await;
    let status = worker.ended(Duration::from_secs(10)).await;
    assert!(status.success(), "{status:?}\n{}", worker.log().tail());
}
