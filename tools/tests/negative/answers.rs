//! S33: answers that are meant to fill the memory, or to take all the time.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use tools::{Outcome, http::LONGEST_ANSWER};

use crate::{
    hostile::{Answer, Hostile},
    plane::{LOOPBACK, outcome},
};

const MIB: u64 = 1024 * 1024;
/// What the system's buffers between two sockets hold, and some more.
const ON_THE_WAY: u64 = 64 * MIB;

fn zeros_packed(mib: u64) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..mib {
        packed.write_all(&[0; MIB as usize]).expect("memory");
    }
    packed.finish().expect("memory")
}

fn endless(times: u64, pause: Duration, head: &str, piece: &[u8]) -> Answer {
    Answer {
        head: head.as_bytes().to_vec(),
        piece: piece.to_vec(),
        times,
        pause,
    }
}

#[tokio::test]
async fn s33_bombs_and_answers_without_end_cost_little_and_have_an_end() {
    let packed = zeros_packed(32);
    assert!(packed.len() < LONGEST_ANSWER, "short enough to be read");
    let gzip = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let bomb = Answer::whole("200 OK", gzip, &packed);
    let twice = "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n";
    let hidden = Answer::whole("200 OK", twice, &packed);

    let mut chunk = format!("{:x}\r\n", MIB).into_bytes();
    chunk.resize(chunk.len() + MIB as usize, b'a');
    chunk.extend(b"\r\n");
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let gibibyte = endless(1_024, Duration::ZERO, head, &chunk);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99999999999\r\n\r\n";
    let announced = endless(1_024, Duration::ZERO, head, &chunk);
    let headers = endless(
        u64::MAX,
        Duration::ZERO,
        "HTTP/1.1 200 OK\r\n",
        &b"X-A: b\r\n".repeat(1_000),
    );

    let drop_by_drop = Duration::from_millis(50);
    let slow_head = endless(u64::MAX, drop_by_drop, "HTTP/1.1 200 OK\r\n", b"X-A: b\r\n");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    let slow_body = endless(u64::MAX, drop_by_drop, head, b"a");

    let failed = |why: &str| Outcome::Failed(why.to_owned());
    let packed = failed("the service answered in a packed form, which is not read");
    let too_long = failed("the service answered far more than can be read");
    let broken = failed("the connection broke before the answer came");
    let limit = Duration::from_secs(1);
    for (name, answer, wanted) in [
        ("gzip", bomb, packed.clone()),
        ("gzip behind another", hidden, packed),
        ("1 GiB in chunks", gibibyte, too_long.clone()),
        ("announced", announced, too_long),
        ("headers without end", headers, broken),
        ("a slow head", slow_head, Outcome::TimedOut { limit }),
        ("a slow body", slow_body, Outcome::TimedOut { limit }),
    ] {
        for effect in ["reads", "writes"] {
            let service = Hostile::start(answer.clone()).await;
            let form = json!({
                "url": format!("http://{}/", service.address()),
                "deadline_seconds": 1,
                "effect": effect,
            });
            let ended = outcome(form, LOOPBACK).await;
            // The service had the request: whether it did its work nobody knows.
            let wanted = match wanted.clone() {
                Outcome::Failed(what) if effect == "writes" => Outcome::Unknown(what),
                wanted => wanted,
            };
            assert_eq!(ended, wanted, "{name}, {effect}");
            assert!(
                service.sent() < ON_THE_WAY,
                "{name}: {} bytes",
                service.sent()
            );
        }
    }
}
