//! The booking service as a process: what it tells whoever asks, and what is left when it is killed.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Longer than any answer takes.
const SOON: Duration = Duration::from_secs(20);

/// A folder that is gone with its handle.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("booking-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder in the system's own for such things");
        Self(folder)
    }

    fn service(&self) -> Service {
        Service::start(&self.0.join("book.sqlite"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running service; dropped, it is killed as `kill -9` does.
struct Service {
    process: Child,
    port: u16,
}

impl Service {
    fn start(file: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_booking-service"))
            .arg(file)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was built");
        let mut line = String::new();
        let output = process.stdout.take().expect("a pipe");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where it listens");
        let port = line.trim().strip_prefix("listening on ");
        let port = port.and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {line:?}"));
        Self { process, port }
    }

    /// Sends a request and does not wait for the answer. `line`: method and path.
    fn send(&self, line: &str, key: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(SOON)).expect("a time");
        let key = match key {
            "" => String::new(),
            key => format!("Idempotency-Key: {key}\r\n"),
        };
        let length = body.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{key}\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        stream
    }

    /// Status and body of the answer.
    fn ask(&self, line: &str, key: &str, body: &str) -> (u16, Value) {
        let mut answer = String::new();
        self.send(line, key, body)
            .read_to_string(&mut answer)
            .expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let body = serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"));
        (status.expect("a status"), body)
    }

    fn book(&self, key: &str, slot: &str, name: &str) -> (u16, Value) {
        let body = json!({"slot": slot, "name": name}).to_string();
        self.ask("POST /appointments", key, &body)
    }

    fn booked(&self) -> Vec<Value> {
        let (status, body) = self.ask("GET /appointments", "", "");
        assert_eq!(status, 200, "{body}");
        body["appointments"].as_array().expect("a list").clone()
    }

    /// The first free slots.
    fn free(&self) -> Vec<String> {
        let (status, body) = self.ask("GET /slots?day=next", "", "");
        assert_eq!(status, 200, "{body}");
        let free = body["free"].as_array().expect("a list").iter();
        free.map(|one| one["slot"].as_str().expect("a time").to_owned())
            .collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().expect("it runs until it is killed");
        self.process.wait().expect("it was started here");
    }
}

#[test]
fn callers_who_want_the_same_slot_at_once_get_it_once() {
    let folder = Folder::new("race");
    let service = folder.service();
    let slot = service.free().remove(0);
    let start = Barrier::new(20);
    let ends: Vec<(u16, Value)> = thread::scope(|scope| {
        let callers: Vec<_> = (0..20)
            .map(|caller| {
                let (service, slot, start) = (&service, &slot, &start);
                scope.spawn(move || {
                    start.wait();
                    service.book(&format!("key {caller}"), slot, "Ann")
                })
            })
            .collect();
        let end = |caller: thread::ScopedJoinHandle<'_, _>| caller.join().expect("an answer");
        callers.into_iter().map(end).collect()
    });
    let (booked, refused): (Vec<_>, Vec<_>) = ends.iter().partition(|(status, _)| *status == 201);
    assert_eq!((booked.len(), refused.len()), (1, 19));
    for (status, body) in refused {
        assert_eq!(*status, 409);
        assert_eq!(body["error"], "that slot was just taken");
        assert_eq!(body["free"].as_array().map(Vec::len), Some(3), "{body}");
        // The model is told 300 characters of it.
        assert!(body.to_string().len() < 300, "{body}");
    }
    assert_eq!(service.booked(), [booked[0].1.clone()]);
}

#[test]
fn a_service_killed_before_its_answer_was_heard_has_booked_once() {
    let folder = Folder::new("killed");
    let mut service = folder.service();
    let slot = service.free().remove(0);
    let body = json!({"slot": slot, "name": "Ann"}).to_string();
    let unheard = service.send("POST /appointments", "k1", &body);
    let until = Instant::now() + SOON;
    while service.booked().is_empty() {
        assert!(Instant::now() < until, "it was not booked");
    }
    drop(service);
    drop(unheard);
    service = folder.service();
    let (status, first) = service.book("k1", &slot, "Ann");
    assert_eq!((status, &first["slot"]), (201, &json!(slot)));
    assert_eq!(service.book("k1", &slot, "Ann"), (201, first.clone()));
    assert_eq!(service.booked(), [first]);
}

#[test]
fn killed_at_any_moment_and_asked_again_it_has_booked_each_wish_once() {
    let folder = Folder::new("moments");
    const ROUNDS: usize = 24;
    for round in 0..ROUNDS {
        let service = folder.service();
        let slot = service.free().remove(0);
        let body = json!({"slot": slot, "name": "Ann"}).to_string();
        let key = format!("key {round}");
        let unheard = service.send("POST /appointments", &key, &body);
        // So many other answers later: from before it was read to long after it was answered.
        for _ in 0..round % 4 {
            service.free();
        }
        drop(service);
        drop(unheard);
        let service = folder.service();
        let (status, booked) = service.book(&key, &slot, "Ann");
        assert_eq!((status, &booked["slot"]), (201, &json!(slot)), "{booked}");
        assert_eq!(service.booked().len(), round + 1);
    }
}

#[test]
fn a_key_with_another_body_is_refused() {
    let folder = Folder::new("key");
    let service = folder.service();
    let free = service.free();
    let (status, _) = service.book("k1", &free[0], "Ann");
    assert_eq!(status, 201);
    for (slot, name) in [(&free[0], "Ben"), (&free[1], "Ann")] {
        let (status, body) = service.book("k1", slot, name);
        assert_eq!(status, 422, "{body}");
        let error = body["error"].as_str().unwrap_or_default();
        assert!(error.contains("to book something else"), "{error}");
    }
    assert_eq!(service.booked().len(), 1);
}

#[test]
fn slots_are_told_by_day_and_what_is_booked_is_not_offered() {
    let folder = Folder::new("slots");
    let service = folder.service();
    let first = service.free().remove(0);
    service.book("k1", &first, "Ann");
    assert!(!service.free().contains(&first));
    let (status, body) = service.ask(&format!("GET /slots?day={}", &first[..10]), "", "");
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["free"].as_array().map(Vec::len), Some(13), "{body}");
    let said = body["free"][0]["say"].as_str().unwrap_or_default();
    assert!(said.ends_with(" at 9:30"), "{said}");
    // No practice has a book for that day.
    let (status, body) = service.ask("GET /slots?day=2999-01-01", "", "");
    assert_eq!((status, &body["free"]), (200, &json!([])), "{body}");
}

#[test]
fn what_cannot_be_done_is_told_in_words() {
    let folder = Folder::new("bad");
    let service = folder.service();
    let slot = service.free().remove(0);
    let booking = |slot: &str, name: &str| json!({"slot": slot, "name": name}).to_string();
    let good = booking(&slot, "Ann");
    let long = "x".repeat(129);
    let huge = booking(&slot, &"x".repeat(5_000));
    let post = "POST /appointments";
    for (line, key, body, status, told) in [
        (post, "", good.as_str(), 400, "send an Idempotency-Key"),
        (post, &long, &good, 400, "send an Idempotency-Key"),
        (post, "k1", "", 400, "EOF"),
        (post, "k1", "{}", 400, "missing field"),
        (post, "k1", r#"{"slot": 1, "name": "A"}"#, 400, "string"),
        (post, "k1", &huge, 400, "too long"),
        (
            post,
            "k1",
            &booking("at nine", "Ann"),
            400,
            "slot is a time",
        ),
        (post, "k1", &booking(&slot, " "), 400, "name is one line"),
        (post, "k1", &booking(&slot, "A\nB"), 400, "name is one line"),
        (
            post,
            "k1",
            &booking("2020-01-01T09:00:00Z", "A"),
            422,
            "passed",
        ),
        (
            post,
            "k1",
            &booking("2999-01-01T09:00:00Z", "A"),
            404,
            "no such slot",
        ),
        ("GET /slots", "", "", 400, "name a day"),
        ("GET /slots?day=friday", "", "", 400, "name a day"),
        ("GET /slots?day=2020-01-01", "", "", 422, "passed"),
        ("GET /nothing", "", "", 404, "no such page"),
        ("DELETE /appointments", "", "", 405, "not with this method"),
    ] {
        let (code, answer) = service.ask(line, key, body);
        let error = answer["error"].as_str().unwrap_or_default();
        assert_eq!(code, status, "{line} {body}: {error}");
        assert!(error.contains(told), "{line} {body}: {error}");
    }
    assert_eq!(service.booked(), Vec::<Value>::new());
}
