//! Task: a participant in a program of its own, asked by JSON lines; see `peer.py` for the language.

use std::{fs::File, process::Stdio, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tests::child::Scratch;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::participant::{Facts, Keys, Packet, SMALL};

/// A running program. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    last: u64,
    scratch: Scratch,
}

/// No answer takes longer, a browser's start included.
const ANSWER: Duration = Duration::from_secs(60);
/// Time to end by itself.
const END: Duration = Duration::from_secs(10);

impl Program {
    /// Starts a program with these words.
    pub(crate) fn start(words: &[String]) -> Result<Self, String> {
        let (program, arguments) = words.split_first().ok_or("no program")?;
        let scratch = Scratch::new("interop").map_err(text)?;
        let errors = File::create(scratch.path().join("stderr")).map_err(text)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("no output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output).lines(),
            last: 0,
            scratch,
        })
    }

    pub(crate) async fn join(
        &mut self,
        url: &str,
        token: &str,
        single: bool,
        keys: Keys,
    ) -> Result<(), String> {
        let (key, keys) = match keys {
            Keys::None => (None, None),
            Keys::Shared(key) => (Some(key), None),
            Keys::Own(keys) => (None, Some(keys)),
        };
        let mut order = json!({ "do": "join", "url": url, "token": token, "single": single });
        order["key"] = json!(key);
        order["keys"] = json!(keys);
        self.ask(order).await.map(drop)
    }

    /// Returns when the last sample has left.
    pub(crate) async fn say(&mut self, pcm: &[i16]) -> Result<(), String> {
        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let order = json!({ "do": "say", "pcm": STANDARD.encode(bytes) });
        self.ask(order).await.map(drop)
    }

    /// What was heard from that sample on.
    pub(crate) async fn listen(&mut self, since: usize) -> Result<Vec<i16>, String> {
        let answer = self.ask(json!({ "do": "listen", "since": since })).await?;
        let bytes = bytes_of(&answer["pcm"])?;
        let pairs = bytes.chunks_exact(2);
        Ok(pairs.map(|b| i16::from_le_bytes([b[0], b[1]])).collect())
    }

    /// Samples heard so far.
    pub(crate) async fn position(&mut self) -> Result<usize, String> {
        // Nothing lies beyond, so that only the number travels.
        let order = json!({ "do": "listen", "since": u32::MAX });
        let position = self.ask(order).await?["position"].as_u64();
        Ok(position.ok_or("no position")? as usize)
    }

    pub(crate) async fn mute(&mut self, on: bool) -> Result<(), String> {
        self.ask(json!({ "do": "mute", "on": on })).await.map(drop)
    }

    pub(crate) async fn send(&mut self, packet: &Packet) -> Result<(), String> {
        let payload = STANDARD.encode(&packet.payload);
        let order = json!({ "do": "send", "payload": payload, "reliable": packet.reliable });
        self.ask(order).await.map(drop)
    }

    pub(crate) async fn write(&mut self, text: &str) -> Result<(), String> {
        self.ask(json!({ "do": "write", "text": text }))
            .await
            .map(drop)
    }

    pub(crate) async fn reconnect(&mut self, whole: bool) -> Result<(), String> {
        let order = json!({ "do": "reconnect", "whole": whole });
        self.ask(order).await.map(drop)
    }

    pub(crate) async fn set_key(&mut self, whose: &str, key: &str, at: u8) -> Result<(), String> {
        let order = json!({ "do": "set_key", "whose": whose, "key": key, "at": at });
        self.ask(order).await.map(drop)
    }

    pub(crate) async fn ratchet(&mut self, at: u8) -> Result<(), String> {
        self.ask(json!({ "do": "ratchet", "at": at }))
            .await
            .map(drop)
    }

    /// Packets and texts so far.
    pub(crate) async fn inbox(&mut self) -> Result<(Vec<Packet>, Vec<String>), String> {
        let answer = self.ask(json!({ "do": "inbox" })).await?;
        let packets = answer["packets"].as_array().ok_or("no packets")?;
        let packets = packets.iter().map(|packet| {
            let payload = bytes_of(&packet["payload"])?;
            let told = packet["reliable"].as_bool();
            Ok(Packet {
                reliable: told.unwrap_or(payload.len() != SMALL),
                payload,
            })
        });
        let texts = serde_json::from_value(answer["texts"].clone()).map_err(text)?;
        Ok((packets.collect::<Result<_, String>>()?, texts))
    }

    pub(crate) async fn facts(&mut self) -> Result<Facts, String> {
        let answer = self.ask(json!({ "do": "facts" })).await?;
        serde_json::from_value(answer).map_err(text)
    }

    /// Leaves the room, and ends.
    pub(crate) async fn leave(mut self) -> Result<(), String> {
        self.ask(json!({ "do": "leave" })).await?;
        self.input = None;
        match timeout(END, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("ended with {status}{}", self.complaints())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("did not end with its input".to_owned()),
        }
    }

    async fn ask(&mut self, mut order: Value) -> Result<Value, String> {
        self.last += 1;
        order["id"] = self.last.into();
        let answer = match timeout(ANSWER, self.exchange(&order)).await {
            Ok(answer) => answer,
            Err(_) => Err("no answer".to_owned()),
        };
        let told = |why: String| format!("{}: {why}{}", order["do"], self.complaints());
        let answer = answer.map_err(told)?;
        match answer["error"].as_str() {
            Some(error) => Err(told(error.to_owned())),
            None => Ok(answer),
        }
    }

    async fn exchange(&mut self, order: &Value) -> Result<Value, String> {
        let input = self.input.as_mut().ok_or("it has ended")?;
        let line = format!("{order}\n");
        input.write_all(line.as_bytes()).await.map_err(text)?;
        loop {
            let line = self.output.next_line().await.map_err(text)?;
            let line = line.ok_or("it has ended")?;
            // Libraries below it may print, too.
            let answer: Value = serde_json::from_str(&line).unwrap_or_default();
            if answer["id"] == order["id"] {
                return Ok(answer);
            }
        }
    }

    /// The last lines it wrote for people.
    fn complaints(&self) -> String {
        const LINES: usize = 12;
        let errors = std::fs::read_to_string(self.scratch.path().join("stderr"));
        let errors = errors.unwrap_or_default();
        let lines: Vec<&str> = errors.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LINES)..];
        tail.iter().map(|line| format!("\n    | {line}")).collect()
    }
}

fn bytes_of(value: &Value) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(value.as_str().unwrap_or_default())
        .map_err(text)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
