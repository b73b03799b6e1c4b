//! S1–S4: where a tool must not be led.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use serde_json::json;
use tools::http::{Names, Surroundings};

use crate::{
    hostile::{Answer, Hostile, certificate},
    plane::{LOOPBACK, ask, gateway, outcome, tool},
    service::Service,
};

const FORBIDDEN: &str = "Failed: this tool may not connect there";

#[tokio::test]
async fn s01_tool_urls_to_inside_addresses_are_refused() {
    let service = Service::answering("200 OK", "text/plain", "inside").await;
    let port = service.address().port();
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "2130706433",
        "%31%32%37.0.0.1",
        "１２７.０.０.１",
        "127。0。0。1",
        "10.0.0.1",
        "10.255.255.254",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "2852039166",
        "0xa9.0xfe.0xa9.0xfe",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fd00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
    ] {
        let form = json!({"url": format!("http://{host}:{port}/")});
        let told = outcome(form, &[]).await.text_for_model();
        assert_eq!(told, FORBIDDEN, "{host}");
    }

    for host in ["localhost.", "metadata.example.", "METADATA.example"] {
        let form = json!({"url": format!("http://{host}:{port}/")});
        let surroundings = Surroundings {
            names: Arc::new(Inside),
            ..Surroundings::default()
        };
        let session = gateway(&form, &[], surroundings);
        let told = ask(&session, "c1", &json!({})).await.text_for_model();
        assert_eq!(told, FORBIDDEN, "{host}");
    }

    // A name before the host, and a host that is not all of it, are no tool at all.
    for url in [
        "http://allowed.example@127.0.0.1/",
        "http://allowed.example:secret@127.0.0.1/",
        "http://{{args.host}}/",
        "http://allowed.example{{args.host}}/",
        "http://127.0.0.1\\@allowed.example/",
        "http:///127.0.0.1/",
    ] {
        let form = json!({"url": url, "arguments": {"host": {"type": "string"}}});
        let problems = tool(&form, LOOPBACK, Surroundings::default()).map(|_| ());
        let problems = problems.expect_err(url);
        assert_eq!(problems[0].path, "url", "{url}: {problems:?}");
    }

    // What a caller says stays behind the host.
    let form = json!({
        "url": format!("http://127.0.0.1:{port}/{{{{args.to}}}}"),
        "arguments": {"to": {"type": "string"}},
    });
    let gateway = gateway(&form, LOOPBACK, Surroundings::default());
    for (id, to) in ["@169.254.169.254/", "/169.254.169.254/", "..@x", "\\\\x"]
        .into_iter()
        .enumerate()
    {
        let told = ask(&gateway, &format!("c{id}"), &json!({ "to": to })).await;
        assert_eq!(told.text_for_model(), "inside", "{to}");
    }
    assert_eq!(service.requests().len(), 4, "and nobody else asked");
    for request in service.requests() {
        assert!(
            request.contains(&format!("host: 127.0.0.1:{port}\r\n")),
            "{request}"
        );
    }
}

/// Every name stands for this machine.
struct Inside;

#[async_trait]
impl Names for Inside {
    async fn addresses(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }
}

/// A name that stands for other addresses each time it is looked up; the last ones stay.
struct Changing {
    answers: Vec<Vec<IpAddr>>,
    looks: AtomicUsize,
}

impl Changing {
    fn surroundings(answers: &[&[&str]]) -> (Surroundings, Arc<Self>) {
        let address = |text: &&str| text.parse().expect("an address");
        let answers = answers.iter().map(|all| all.iter().map(address).collect());
        let names = Arc::new(Self {
            answers: answers.collect(),
            looks: AtomicUsize::new(0),
        });
        let surroundings = Surroundings {
            names: names.clone(),
            ..Surroundings::default()
        };
        (surroundings, names)
    }
}

#[async_trait]
impl Names for Changing {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(name, "service.test");
        let look = self.looks.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[look.min(self.answers.len() - 1)].clone())
    }
}

#[tokio::test]
async fn s02_a_name_that_turns_inwards_after_it_was_looked_at_is_not_followed() {
    // One loopback address stands for a public one; another one, with the same port, is the inside.
    let outside = Service::answering("200 OK", "text/plain", "outside").await;
    let port = outside.address().port();
    let inside = SocketAddr::from(([127, 0, 0, 2], port));
    let inside = Hostile::at(inside, Answer::whole("200 OK", "", b"inside"), None).await;
    let form = json!({"url": format!("http://service.test:{port}/")});

    let (rebinding, names) = Changing::surroundings(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let session = gateway(&form, &["127.0.0.1"], rebinding);
    let mut told = Vec::new();
    for id in ["c1", "c2", "c3"] {
        told.push(ask(&session, id, &json!({})).await.text_for_model());
    }
    assert_eq!(told, ["outside", FORBIDDEN, FORBIDDEN]);
    assert!(names.looks.load(Ordering::SeqCst) >= 3, "each time anew");

    let (mixed, _) = Changing::surroundings(&[&["127.0.0.2", "10.0.0.1", "127.0.0.1"]]);
    let session = gateway(&form, &["127.0.0.1"], mixed);
    let told = ask(&session, "c1", &json!({})).await.text_for_model();
    assert_eq!(told, "outside", "of several addresses the good one");
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn s03_redirects_are_not_followed_wherever_they_lead() {
    const POINTS: &str = "Failed: the service points somewhere else, and tools do not follow";
    // Where it leads is admitted: it is the redirect itself that is not followed.
    let target = Hostile::start(Answer::whole("200 OK", "", b"inside")).await;
    let inside = format!("http://{}/", target.address());
    let statuses = ["301 Moved Permanently", "302 Found", "303 See Other"];
    let statuses = statuses
        .into_iter()
        .chain(["307 Temporary Redirect", "308 Permanent Redirect"]);
    for status in statuses {
        for location in [
            inside.as_str(),
            "http://169.254.169.254/latest/meta-data/",
            "//[::1]/",
            "/",
        ] {
            let answer = Answer::whole(status, &format!("Location: {location}\r\n"), b"");
            let service = Hostile::start(answer).await;
            let form = json!({"url": format!("http://{}/", service.address())});
            let told = outcome(form, LOOPBACK).await.text_for_model();
            assert_eq!(told, POINTS, "{status} {location}");
            assert_eq!(service.connections(), 1, "{status} {location}");
        }
    }

    // From TLS to plain text, by a service that proves who it is.
    let (authority, tls) = certificate("service.test");
    let good = Answer::whole("200 OK", "", b"over TLS");
    let downgrade = Answer::whole("302 Found", &format!("Location: {inside}\r\n"), b"");
    for (answer, wanted) in [(good, "over TLS"), (downgrade, POINTS)] {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let service = Hostile::at(any, answer, Some(tls.clone())).await;
        let (names, _) = Changing::surroundings(&[&["127.0.0.1"]]);
        let surroundings = Surroundings {
            authorities: vec![authority.clone()],
            ..names
        };
        let port = service.address().port();
        let form = json!({"url": format!("https://service.test:{port}/")});
        let session = gateway(&form, LOOPBACK, surroundings);
        let told = ask(&session, "c1", &json!({})).await.text_for_model();
        assert_eq!(told, wanted);
    }
    assert_eq!(target.connections(), 0);
}

/// Says to a child process where the service is; a test does not change its own variables.
const CHILD: &str = "TOOLS_NEGATIVE_SERVICE";

#[tokio::test]
async fn s04_proxies_of_the_environment_are_not_used() {
    if let Ok(service) = std::env::var(CHILD) {
        return among_proxies(&service).await;
    }
    let service = Service::answering("200 OK", "text/plain", "asked directly").await;
    let proxy = Hostile::start(Answer::whole("200 OK", "", b"asked by proxy")).await;
    let variables: BTreeMap<&str, String> = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
        .into_iter()
        .chain(["http_proxy", "https_proxy", "all_proxy"])
        .map(|name| (name, format!("http://{}", proxy.address())))
        .chain([(CHILD, format!("http://{}/", service.address()))])
        .collect();
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child
        .args([
            "--exact",
            "addresses::s04_proxies_of_the_environment_are_not_used",
        ])
        .envs(variables)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    let ended = tokio::task::spawn_blocking(move || child.output()).await;
    let ended = ended.expect("no panic").expect("it starts");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert_eq!(service.requests().len(), 1, "the tool asked");
    assert_eq!(proxy.connections(), 1, "the other client did not");
}

/// In the child: an ordinary client goes through the proxy, and the tool does not.
async fn among_proxies(service: &str) {
    let told = outcome(json!({ "url": service }), LOOPBACK).await;
    assert_eq!(told.text_for_model(), "asked directly");
    let ordinary = reqwest::Client::new().get(service).send().await;
    let ordinary = ordinary.expect("an answer").text().await;
    assert_eq!(ordinary.expect("a text"), "asked by proxy");
}
