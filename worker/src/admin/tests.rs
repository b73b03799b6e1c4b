//! Hermetic: the routes over a real socket on loopback.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
};

use tools::approval::{Approver, Request, Verdict};

use super::{routes::Admin, *};
use crate::{
    audit::{self, Audit},
    config::{LiveKit, Secret},
    dispatch::{View, admission::Load},
    supervision::{approvals::Approvals, command::Verb, grant::Grants},
    telemetry::Pii,
};

struct Server {
    address: SocketAddr,
    view: watch::Sender<View>,
    drain: mpsc::Receiver<()>,
    approvals: Approvals,
    stop: CancellationToken,
}

fn server() -> Server {
    server_with(Audit::default())
}

fn server_with(audit: Audit) -> Server {
    let (view, view_reader) = watch::channel(View::default());
    let (_, sessions) = watch::channel(Vec::new());
    let (drain_writer, drain) = mpsc::channel(1);
    let approvals = Approvals::default();
    let admin = Admin {
        approvals: approvals.clone(),
        grants: grants(),
        audit,
        view: view_reader,
        sessions,
        drain: drain_writer,
    };
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let address = listener.address;
    let stop = CancellationToken::new();
    start(vec![(listener, routes::router(admin))], stop.clone()).unwrap();
    Server {
        address,
        view,
        drain,
        approvals,
        stop,
    }
}

fn grants() -> Grants {
    Grants::new(&LiveKit {
        api_key: Secret::new("devkey"),
        api_secret: Secret::new("secret"),
        ..LiveKit::default()
    })
}

impl Server {
    async fn ask(&self, request: &str) -> String {
        self.send(request, "", "").await
    }

    /// With these header lines and this JSON.
    async fn send(&self, request: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn ready_means_registered_and_not_draining_and_says_nothing_about_slots() {
    let server = server();
    assert!(server.ask("GET /live").await.starts_with("HTTP/1.1 200"));
    assert!(server.ask("GET /ready").await.ends_with("not registered"));
    let full = Load {
        active: 2,
        used: 2,
        slots: 2,
        is_full: true,
    };
    let registered = View {
        registrations: vec![("desk".to_owned(), true)],
        load: full,
        ..View::default()
    };
    server.view.send_replace(registered.clone());
    assert!(server.ask("GET /ready").await.starts_with("HTTP/1.1 200"));
    server.view.send_replace(View {
        is_draining: true,
        ..registered
    });
    let answer = server.ask("GET /ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.ends_with("draining"),
        "{answer}"
    );
}

#[tokio::test]
async fn one_of_two_names_is_not_ready() {
    let server = server();
    let registrations = vec![("a".to_owned(), true), ("b".to_owned(), false)];
    server.view.send_replace(View {
        registrations,
        ..View::default()
    });
    assert!(server.ask("GET /ready").await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn it_answers_as_other_workers_do() {
    let server = server();
    let load = Load {
        active: 1,
        used: 1,
        slots: 4,
        is_full: false,
    };
    let registrations = vec![("desk".to_owned(), true)];
    server.view.send_replace(View {
        registrations,
        load,
        ..View::default()
    });
    assert!(server.ask("GET /").await.ends_with("OK"));
    let answer = server.ask("GET /worker").await;
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let worker: Value = serde_json::from_str(body).unwrap();
    assert_eq!(worker["agent_name"], "desk");
    assert_eq!(worker["worker_type"], "JT_ROOM");
    assert_eq!(worker["active_jobs"], 1);
    assert_eq!(worker["worker_load"], 0.25);
    assert_eq!(worker["protocol_version"], 1);
    assert!(server.ask("GET /sessions").await.ends_with("[]"));
    assert!(
        server
            .ask("GET /metrics")
            .await
            .contains("room_agent_build_info")
    );
}

#[tokio::test]
async fn a_drain_can_be_asked_for_twice_from_this_machine() {
    let mut server = server();
    for _ in 0..3 {
        assert!(server.ask("POST /drain").await.starts_with("HTTP/1.1 202"));
    }
    assert!(server.drain.recv().await.is_some());
    assert!(server.ask("GET /drain").await.starts_with("HTTP/1.1 405"));
    assert!(server.ask("GET /nowhere").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_call_that_waits_is_decided_by_who_holds_a_grant_for_its_room() {
    let dir = ::tests::child::Scratch::new("approvals").unwrap();
    let audit = Audit::start(&audit::Config {
        dir: Some(dir.path().to_owned()),
        ..Default::default()
    });
    let server = server_with(audit.unwrap());
    let desk = server
        .approvals
        .desk(Pii::new("kitchen".to_owned()), "job", Audit::default());
    let tool = tools::ToolName::parse("refund").unwrap();
    let arguments = serde_json::json!({"amount": 5});
    let call = tools::CallId::new("c1");
    let asking = desk.approve(Request {
        call: &call,
        tool: &tool,
        arguments: &arguments,
        question: "Refund five?",
        within: Duration::from_secs(60),
    });
    let bearer = |room: &str, verb: Verb| {
        let grant = grants().mint(room, &[verb], SystemTime::now(), Duration::from_secs(60));
        format!("authorization: Bearer {}\r\n", grant.unwrap().expose())
    };
    let may = bearer("kitchen", Verb::Approve);
    let deciding = async {
        tokio::task::yield_now().await;
        let list = "GET /approvals?room=kitchen";
        for (headers, status) in [
            (String::new(), 401),
            (bearer("garden", Verb::Approve), 403),
            (bearer("kitchen", Verb::Say), 403),
        ] {
            let answer = server.send(list, &headers, "").await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
        }
        let shown = server.send(list, &may, "").await;
        let shown: Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
        assert_eq!(shown[0]["tool"], "refund");
        let this = format!("POST /approvals/{}", shown[0]["id"].as_str().unwrap());
        let yes = r#"{"approve": true}"#;
        for (request, headers, body, status) in [
            (&this, &bearer("garden", Verb::Approve), yes, 403),
            (&"POST /approvals/77".to_owned(), &may, yes, 403),
            (&this, &may, r#"{"approve": "perhaps"}"#, 422),
            (&this, &may, yes, 204),
            (&this, &may, yes, 403),
        ] {
            let answer = server.send(request, headers, body).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{request}: {answer}"
            );
        }
    };
    let (verdict, ()) = tokio::join!(asking, deciding);
    assert_eq!(verdict, Verdict::Approved);
    let journal = audit::reader::read(&audit::recovery::files(dir.path()).unwrap());
    let used = journal
        .entries
        .iter()
        .filter(|entry| entry.kind == "grant.used");
    let used: Vec<(&str, &Value, &Value)> = used
        .map(|entry| {
            (
                &*entry.session,
                &entry.data["outcome"],
                &entry.data["asked"]["approve"],
            )
        })
        .collect();
    let (refused, taken, yes) = ("refused".into(), "taken".into(), true.into());
    assert_eq!(used, [("job", &refused, &yes), ("job", &taken, &yes)]);
}
