//! Hermetic: sessions that are a few lines, a server that is a few lines, and what jobs makes of
//! them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{
    config::{Secret, source::MapSource},
    dispatch::{
        agent_protocol::mock_server::{
            self as mock, Connection as Server, FromWorker, MockServer,
            livekit_wire::JobStatus as Wire,
        },
        connection::Settings,
    },
};

struct Worker {
    jobs: JoinSet<Drained>,
    wishes: watch::Sender<Wish>,
    registry: watch::Receiver<Vec<Entry>>,
    dispatcher: dispatch::Handle,
    _tasks: JoinSet<()>,
}

/// A worker whose sessions are this function.
fn worker<F>(
    url: &str,
    probe: bool,
    session: impl Fn(SessionRequest) -> F + Send + Sync + 'static,
) -> Worker
where
    F: Future<Output = SessionEnd> + Send + 'static,
{
    let settings = Settings {
        url: url.to_owned(),
        api_key: Secret::new("devkey"),
        api_secret: Secret::new("secret"),
    };
    let mut tasks = JoinSet::new();
    let names = ["desk".to_owned()];
    let (dispatcher, orders) = dispatch::start(&mut tasks, &settings, &names, 8);
    let (wishes, wish_reader) = watch::channel(Wish::Work);
    let (registry_writer, registry) = watch::channel(Vec::new());
    let parts = Parts {
        agents: Agents::load(&MapSource::default(), None, "receptionist").unwrap(),
        url: url.to_owned(),
        runner: Arc::new(move |request| Box::pin(session(request))),
        probe: Arc::new(move || Box::pin(async move { probe })),
        dispatcher: dispatcher.clone(),
        orders,
        wishes: wish_reader,
    };
    let mut jobs = JoinSet::new();
    jobs.spawn(run(parts, registry_writer));
    Worker {
        jobs,
        wishes,
        registry,
        dispatcher,
        _tasks: tasks,
    }
}

impl Worker {
    async fn sessions(&mut self, count: usize) {
        let seen = self.registry.wait_for(|entries| entries.len() == count);
        timeout(Duration::from_secs(10), seen)
            .await
            .expect("in time")
            .expect("jobs runs");
    }

    async fn drained(&mut self) -> Drained {
        let over = timeout(Duration::from_secs(20), self.jobs.join_next()).await;
        over.expect("in time")
            .expect("jobs ran")
            .expect("jobs did not panic")
    }
}

async fn give(server: &mut Server, job: &str, metadata: &str) {
    server
        .send(mock::offer(job, &format!("room of {job}"), ""))
        .await;
    let FromWorker::Availability {
        available: true, ..
    } = server.read_news().await
    else {
        panic!("the job was not taken")
    };
    server
        .send(mock::assignment(
            job,
            &format!("room of {job}"),
            "",
            metadata,
        ))
        .await;
}

fn status(job: &str, status: Wire, error: &str) -> FromWorker {
    FromWorker::Job {
        job: job.to_owned(),
        status,
        error: error.to_owned(),
    }
}

fn good() -> SessionEnd {
    SessionEnd {
        reason: CloseReason::CallerLeft,
        error: None,
    }
}

#[tokio::test]
async fn a_job_that_was_promised_before_the_drain_is_run() {
    let server = MockServer::start().await;
    let mut worker = worker(&server.url, true, patient);
    let mut server = server.registered().await;
    server.send(mock::offer("AJ_1", "room of AJ_1", "")).await;
    let FromWorker::Availability { available, .. } = server.read_news().await else {
        panic!("an answer was expected")
    };
    assert!(available);
    let until = Instant::now() + Duration::from_secs(60);
    worker.wishes.send_replace(Wish::Drain { until });
    // It must not come too soon: the worker is draining, and knows of no session.
    let mut view = worker.dispatcher.view();
    let drains = timeout(
        Duration::from_secs(10),
        view.wait_for(|view| view.is_draining),
    );
    drains.await.expect("in time").expect("the dispatcher runs");
    server
        .send(mock::assignment("AJ_1", "room of AJ_1", "", "{}"))
        .await;
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsRunning, "")
    );
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsSuccess, "")
    );
    assert_eq!(worker.drained().await, Drained::Quietly);
}

/// A session that lasts until it is told to end.
async fn patient(mut request: SessionRequest) -> SessionEnd {
    let _ = request.stop.wait_for(|stop| *stop != Stop::No).await;
    good()
}

#[tokio::test]
async fn the_status_is_sent_before_the_session_leaves_its_room() {
    static HAS_LEFT: AtomicBool = AtomicBool::new(false);
    let listening = MockServer::start().await;
    let _worker = worker(&listening.url, true, |request| async {
        let (reported, is_reported) = oneshot::channel();
        let end = good();
        request
            .ended
            .send(Ended {
                end: end.clone(),
                reported,
            })
            .unwrap();
        is_reported.await.expect("jobs reports before we leave");
        HAS_LEFT.store(true, Ordering::SeqCst);
        end
    });
    let mut server = listening.registered().await;
    give(&mut server, "AJ_1", "").await;
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsRunning, "")
    );
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsSuccess, "")
    );
    while !HAS_LEFT.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_ends_one_session_and_is_reported() {
    let listening = MockServer::start().await;
    let mut worker = worker(&listening.url, true, |request| async move {
        assert!(request.job != "AJ_bad", "this session has a bug");
        patient(request).await
    });
    let mut server = listening.registered().await;
    give(&mut server, "AJ_good", "").await;
    assert_eq!(
        server.read_news().await,
        status("AJ_good", Wire::JsRunning, "")
    );
    give(&mut server, "AJ_bad", "").await;
    loop {
        // The panic may come before or after its job is said to run.
        match server.read_news().await {
            FromWorker::Job {
                status: Wire::JsRunning,
                ..
            } => {}
            news => {
                assert_eq!(news, status("AJ_bad", Wire::JsFailed, "internal error"));
                break;
            }
        }
    }
    worker.sessions(1).await;
    assert_eq!(worker.registry.borrow()[0].job, "AJ_good");
}

#[tokio::test]
async fn bad_metadata_fails_the_job_with_its_path_and_frees_the_slot() {
    let listening = MockServer::start().await;
    let mut worker = worker(&listening.url, true, patient);
    let mut server = listening.registered().await;
    give(&mut server, "AJ_1", r#"{"variables": {"shoe": "size 42"}}"#).await;
    let told = "bad job metadata: variables.shoe: unknown variable";
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsFailed, told)
    );
    let mut view = worker.dispatcher.view();
    let freed = view.wait_for(|view| view.load.used == 0);
    timeout(Duration::from_secs(10), freed)
        .await
        .expect("in time")
        .expect("it runs");
    worker.sessions(0).await;
}

#[tokio::test]
async fn a_session_gets_its_agent_and_its_room() {
    let listening = MockServer::start().await;
    let (seen, mut is_seen) = mpsc::channel(1);
    let url = listening.url.clone();
    let _worker = worker(&listening.url, true, move |request| {
        let (seen, url) = (seen.clone(), url.clone());
        async move {
            let all = request.url == url
                && request.token.expose() == "room-token"
                && request.room.expose() == "room of AJ_1"
                && request.agent_name == "desk"
                && request.agent.instructions.contains("receptionist of Acme");
            seen.send(all).await.unwrap();
            good()
        }
    });
    let mut server = listening.registered().await;
    give(&mut server, "AJ_1", r#"{"variables": {"company": "Acme"}}"#).await;
    assert!(is_seen.recv().await.unwrap());
}

#[tokio::test]
async fn a_termination_ends_the_session_at_once() {
    let listening = MockServer::start().await;
    let _worker = worker(&listening.url, true, |mut request| async move {
        let _ = request
            .stop
            .wait_for(|stop| *stop == Stop::Now(CloseReason::Terminated))
            .await;
        SessionEnd {
            reason: CloseReason::Terminated,
            error: None,
        }
    });
    let mut server = listening.registered().await;
    give(&mut server, "AJ_1", "").await;
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsRunning, "")
    );
    server.send(mock::termination("AJ_1")).await;
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsSuccess, "")
    );
}

#[tokio::test]
async fn a_drain_lets_sessions_come_to_their_end() {
    let listening = MockServer::start().await;
    let mut worker = worker(&listening.url, true, patient);
    let mut server = listening.registered().await;
    give(&mut server, "AJ_1", "").await;
    worker.sessions(1).await;
    let until = Instant::now() + Duration::from_secs(3600);
    worker.wishes.send(Wish::Drain { until }).unwrap();
    assert_eq!(worker.drained().await, Drained::Quietly);
}

#[tokio::test]
async fn a_worker_without_sessions_drains_at_once() {
    let listening = MockServer::start().await;
    let mut worker = worker(&listening.url, true, patient);
    worker
        .wishes
        .send(Wish::Drain {
            until: Instant::now() + Duration::from_secs(9),
        })
        .unwrap();
    assert_eq!(worker.drained().await, Drained::Quietly);
}

#[tokio::test]
async fn when_the_grace_is_over_sessions_are_cut_off() {
    let listening = MockServer::start().await;
    let mut worker = worker(&listening.url, true, |request| async move {
        let _kept = request;
        std::future::pending().await
    });
    let mut server = listening.registered().await;
    give(&mut server, "AJ_1", "").await;
    worker.sessions(1).await;
    worker.wishes.send(Wish::Now).unwrap();
    let reported = async {
        loop {
            let news = server.read_news().await;
            if news == status("AJ_1", Wire::JsFailed, "aborted") {
                return;
            }
        }
    };
    let (drained, ()) = tokio::join!(worker.drained(), reported);
    assert_eq!(drained, Drained::Aborted);
}

#[tokio::test]
async fn a_refused_key_stops_new_jobs_until_a_probe_succeeds() {
    let listening = MockServer::start().await;
    let worker = worker(&listening.url, true, |_request| async {
        SessionEnd {
            reason: CloseReason::ModelUnavailable {
                reason: "invalid_api_key".to_owned(),
            },
            error: Some(SessionError::Model("invalid_api_key".to_owned())),
        }
    });
    let mut server = listening.registered().await;
    give(&mut server, "AJ_1", "").await;
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsRunning, "")
    );
    let told = "the model is unavailable: invalid_api_key";
    assert_eq!(
        server.read_news().await,
        status("AJ_1", Wire::JsFailed, told)
    );
    server.until_status(true).await;
    server.send(mock::offer("AJ_2", "another room", "")).await;
    let FromWorker::Availability { available, .. } = server.read_news().await else {
        panic!()
    };
    assert!(!available);
    tokio::time::pause();
    tokio::time::advance(PROBE_EVERY).await;
    tokio::time::resume();
    let mut view = worker.dispatcher.view();
    let open = view.wait_for(|view| !view.load.is_full);
    timeout(Duration::from_secs(10), open)
        .await
        .expect("in time")
        .expect("it runs");
}
