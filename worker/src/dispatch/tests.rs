//! Hermetic: the dispatcher against a server of a few lines, over a real socket on loopback.

use livekit_wire::JobStatus as Wire;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    agent_protocol::{
        JobStatus,
        mock_server::{self as mock, Connection as Server, FromWorker, MockServer, livekit_wire},
    },
    connection::Settings,
    *,
};

struct Worker {
    handle: Handle,
    jobs: mpsc::Receiver<JobOrder>,
    _tasks: JoinSet<()>,
}

fn worker(url: &str, slots: usize, names: &[&str]) -> Worker {
    let settings = Settings {
        url: url.to_owned(),
        api_key: crate::config::Secret::new("devkey"),
        api_secret: crate::config::Secret::new("secret"),
    };
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut tasks = JoinSet::new();
    let (handle, jobs) = start(&mut tasks, &settings, &names, slots);
    Worker {
        handle,
        jobs,
        _tasks: tasks,
    }
}

impl Worker {
    async fn until(&self, what: impl FnMut(&View) -> bool) {
        let mut view = self.handle.view();
        let seen = timeout(Duration::from_secs(10), view.wait_for(what)).await;
        assert!(
            seen.is_ok(),
            "the dispatcher never got there: {:?}",
            self.handle.view().borrow()
        );
    }

    async fn next_job(&mut self) -> JobOrder {
        let order = timeout(Duration::from_secs(10), self.jobs.recv()).await;
        order.expect("an order in time").expect("an order")
    }
}

async fn answer(server: &mut Server) -> (String, bool, bool) {
    match server.read_news().await {
        FromWorker::Availability {
            job,
            available,
            terminate,
            ..
        } => (job, available, terminate),
        other => panic!("an answer was expected, not {other:?}"),
    }
}

fn job(id: &str, status: Wire, error: &str) -> FromWorker {
    FromWorker::Job {
        job: id.to_owned(),
        status,
        error: error.to_owned(),
    }
}

#[tokio::test]
async fn an_offer_becomes_a_job_and_its_end_is_reported() {
    let server = MockServer::start().await;
    let mut worker = worker(&server.url, 2, &["desk"]);
    let mut server = server.registered().await;
    worker.until(View::is_registered).await;

    server.send(mock::offer("AJ_1", "kitchen", "")).await;
    let FromWorker::Availability {
        available,
        identity,
        ..
    } = server.read_news().await
    else {
        panic!("an answer was expected")
    };
    assert!(available);
    assert_eq!(identity, "agent-AJ_1");
    server
        .send(mock::assignment("AJ_1", "kitchen", "", "{}"))
        .await;
    let JobOrder::Start(assignment) = worker.next_job().await else {
        panic!("a start")
    };
    assert_eq!(assignment.offer.agent_name, "desk");
    assert_eq!(assignment.token.expose(), "room-token");
    assert_eq!(assignment.url, None);

    worker
        .handle
        .job_status("AJ_1", "desk", JobStatus::Running)
        .await;
    assert_eq!(server.read_news().await, job("AJ_1", Wire::JsRunning, ""));
    server.send(mock::termination("AJ_1")).await;
    let JobOrder::Terminate { job: ended } = worker.next_job().await else {
        panic!("an end")
    };
    assert_eq!(ended, "AJ_1");
    worker
        .handle
        .job_status("AJ_1", "desk", JobStatus::Failed("model away".to_owned()))
        .await;
    assert_eq!(
        server.read_news().await,
        job("AJ_1", Wire::JsFailed, "model away")
    );
    worker.handle.ended("AJ_1").await;
    worker.until(|view| view.load.used == 0).await;
}

#[tokio::test]
async fn a_burst_of_offers_fills_every_slot_once_and_says_full() {
    let server = MockServer::start().await;
    let worker = worker(&server.url, 3, &[""]);
    let mut server = server.registered().await;
    for index in 0..20 {
        server
            .send(mock::offer(
                &format!("AJ_{index}"),
                &format!("room {index}"),
                "",
            ))
            .await;
    }
    let mut accepted = 0;
    for _ in 0..20 {
        accepted += usize::from(answer(&mut server).await.1);
    }
    assert_eq!(accepted, 3);
    let FromWorker::Worker { load, .. } = server.until_status(true).await else {
        unreachable!()
    };
    assert_eq!(load, 1.0);
    worker.until(|view| view.load.is_full).await;
}

#[tokio::test]
async fn a_second_agent_of_one_name_in_a_room_is_terminated() {
    let server = MockServer::start().await;
    let _worker = worker(&server.url, 9, &["desk"]);
    let mut server = server.registered().await;
    server.send(mock::offer("AJ_1", "kitchen", "")).await;
    assert_eq!(answer(&mut server).await, ("AJ_1".to_owned(), true, false));
    server.send(mock::offer("AJ_2", "kitchen", "")).await;
    assert_eq!(answer(&mut server).await, ("AJ_2".to_owned(), false, true));
}

#[tokio::test]
async fn an_agent_may_follow_one_that_leaves() {
    let server = MockServer::start().await;
    let worker = worker(&server.url, 9, &["desk"]);
    let mut server = server.registered().await;
    let yes = |job: &str| (job.to_owned(), true, false);
    for (job, next) in [("AJ_1", "AJ_2"), ("AJ_2", "AJ_3")] {
        if job == "AJ_1" {
            server.send(mock::offer(job, "kitchen", "")).await;
            assert_eq!(answer(&mut server).await, yes(job));
        }
        server
            .send(mock::assignment(job, "kitchen", "", "{}"))
            .await;
        if job == "AJ_1" {
            // Somebody ended its dispatch, and wants another one at once.
            server.send(mock::termination(job)).await;
        } else {
            let done = worker.handle.job_status(job, "desk", JobStatus::Success);
            done.await;
            assert_eq!(
                server.read_news().await,
                self::job(job, Wire::JsSuccess, "")
            );
        }
        server.send(mock::offer(next, "kitchen", "")).await;
        assert_eq!(answer(&mut server).await, yes(next));
    }
}

#[tokio::test]
async fn every_agent_name_has_a_registration_of_its_own() {
    let server = MockServer::start().await;
    let worker = worker(&server.url, 9, &["desk", "guest"]);
    let mut names = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..2 {
        let mut connection = server.connected().await;
        let FromWorker::Register { agent_name } = connection.read().await else {
            panic!()
        };
        names.push(agent_name);
        assert!(!worker.handle.view().borrow().is_registered());
        connection.send(mock::registered("AW_1")).await;
        connections.push(connection);
    }
    names.sort();
    assert_eq!(names, ["desk", "guest"]);
    worker.until(View::is_registered).await;
    // One room may have one agent of each name.
    for (index, connection) in connections.iter_mut().enumerate() {
        connection
            .send(mock::offer(&format!("AJ_{index}"), "kitchen", ""))
            .await;
        assert!(answer(connection).await.1);
    }
}

#[tokio::test]
async fn draining_keeps_the_socket_and_takes_nothing() {
    let server = MockServer::start().await;
    let worker = worker(&server.url, 9, &[""]);
    let mut server = server.registered().await;
    worker.handle.drain().await;
    server.until_status(true).await;
    server.send(mock::offer("AJ_1", "kitchen", "")).await;
    assert_eq!(answer(&mut server).await, ("AJ_1".to_owned(), false, false));
    worker
        .handle
        .job_status("AJ_0", "", JobStatus::Success)
        .await;
    assert_eq!(server.read_news().await, job("AJ_0", Wire::JsSuccess, ""));
    let finished = worker.handle.finish();
    let ((), ()) = tokio::join!(finished, server.closed());
}

#[tokio::test]
async fn a_lost_connection_comes_back_and_brings_what_was_not_said() {
    let listening = MockServer::start().await;
    let mut worker = worker(&listening.url, 2, &["desk"]);
    let mut server = listening.registered().await;
    server.send(mock::offer("AJ_1", "kitchen", "")).await;
    assert!(answer(&mut server).await.1);
    server
        .send(mock::assignment("AJ_1", "kitchen", "", ""))
        .await;
    assert!(matches!(worker.next_job().await, JobOrder::Start(_)));
    drop(server);
    worker.until(|view| !view.is_registered()).await;
    assert_eq!(
        worker.handle.view().borrow().load.active,
        1,
        "the job goes on"
    );

    let said = worker.handle.job_status("AJ_1", "desk", JobStatus::Success);
    let seen = async {
        let mut server = listening.connected().await;
        assert!(matches!(server.read().await, FromWorker::Register { .. }));
        server.send(mock::registered("AW_2")).await;
        assert_eq!(server.read_news().await, job("AJ_1", Wire::JsSuccess, ""));
    };
    tokio::join!(said, seen);
}

#[tokio::test]
async fn a_job_refused_at_once_is_reported_when_the_server_knows_it() {
    let server = MockServer::start().await;
    let mut worker = worker(&server.url, 1, &["desk"]);
    let mut server = server.registered().await;
    server.send(mock::offer("AJ_1", "kitchen", "")).await;
    assert!(answer(&mut server).await.1);
    server
        .send(mock::assignment("AJ_1", "kitchen", "", ""))
        .await;
    assert!(matches!(worker.next_job().await, JobOrder::Start(_)));
    let refused = JobStatus::Failed("bad metadata".to_owned());
    let handle = &worker.handle;
    handle.job_status_soon("AJ_1", "desk", refused).await;
    // What is said of another job does not wait, and overtakes.
    let other = JobStatus::Success;
    handle.job_status_soon("AJ_0", "desk", other).await;
    assert_eq!(server.read_news().await, job("AJ_0", Wire::JsSuccess, ""));
    let refused = job("AJ_1", Wire::JsFailed, "bad metadata");
    assert_eq!(server.read_news().await, refused);
}

#[tokio::test]
async fn a_key_that_is_refused_at_first_is_final() {
    let server = MockServer::start().await;
    let worker = worker(&server.url, 2, &[""]);
    server.refuse(401).await;
    worker.until(|view| view.is_refused).await;
}

#[tokio::test]
async fn a_server_that_is_away_or_ill_is_tried_again() {
    let server = MockServer::start().await;
    let worker = worker(&server.url, 2, &[""]);
    server.refuse(503).await;
    let mut hung_up = server.connected().await;
    assert!(matches!(hung_up.read().await, FromWorker::Register { .. }));
    drop(hung_up);
    let _server = server.registered().await;
    worker.until(View::is_registered).await;
    assert!(!worker.handle.view().borrow().is_refused);
}

#[tokio::test]
async fn nonsense_and_pings_do_not_disturb_a_connection() {
    let server = MockServer::start().await;
    let _worker = worker(&server.url, 2, &[""]);
    let mut server = server.registered().await;
    server.send(b"\xff\xff\xff".to_vec()).await;
    server.send(Vec::new()).await;
    server.send_text("{\"ping\":{}}").await;
    server.ping().await;
    server.send(mock::offer("AJ_1", "kitchen", "")).await;
    assert!(answer(&mut server).await.1);
}

#[tokio::test]
async fn an_offer_whose_assignment_never_comes_frees_its_slot() {
    let server = MockServer::start().await;
    let worker = worker(&server.url, 1, &[""]);
    let mut server = server.registered().await;
    server.send(mock::offer("AJ_1", "kitchen", "")).await;
    assert!(answer(&mut server).await.1);
    worker.until(|view| view.load.used == 1).await;
    tokio::time::pause();
    tokio::time::advance(admission::ASSIGNMENT_DEADLINE).await;
    tokio::time::resume();
    worker.until(|view| view.load.used == 0).await;
}
