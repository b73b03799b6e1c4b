//! Task: a program with sessions, ours or Google's, asked by JSON lines; `sessions.rs` and `wheel.py` speak it.

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::Result;

/// Longer than a thousand joins take.
const ANSWER: Duration = Duration::from_secs(300);

/// A running program; dropping it kills it.
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// The word that makes this program one with sessions.
pub(crate) const SESSIONS: &str = "sessions";

impl Program {
    /// Our engine, behind these words if there are any.
    pub(crate) fn ours(before: &[String]) -> Result<Self> {
        let own = std::env::current_exe()?.display().to_string();
        let words = [before, &[own, SESSIONS.to_owned()]].concat();
        Self::start(&words)
    }

    /// Any program.
    pub(crate) fn start(words: &[String]) -> Result<Self> {
        let (program, arguments) = words.split_first().ok_or("no program")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = child.stdout.take().ok_or("no output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    pub(crate) fn id(&self) -> Result<u32> {
        self.child
            .id()
            .ok_or_else(|| "the program has ended".into())
    }

    /// One more session for each token.
    pub(crate) async fn join(&mut self, url: &str, tokens: &[String]) -> Result<()> {
        let order = json!({ "do": "join", "url": url, "tokens": tokens });
        self.ask(&order).await.map(drop)
    }

    /// All sessions do this from now on.
    pub(crate) async fn act(&mut self, what: &str) -> Result<()> {
        self.ask(&json!({ "do": "act", "what": what }))
            .await
            .map(drop)
    }

    /// What the sessions noticed.
    pub(crate) async fn tell(&mut self) -> Result<Value> {
        self.ask(&json!({ "do": "tell" })).await
    }

    async fn ask(&mut self, order: &Value) -> Result<Value> {
        let line = format!("{order}\n");
        self.input.write_all(line.as_bytes()).await?;
        loop {
            let line = timeout(ANSWER, self.output.next_line()).await??;
            let line = line.ok_or("the program has ended")?;
            // Libraries below it may print, too.
            let Ok(answer) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            return match answer["error"].as_str() {
                Some(error) => Err(error.into()),
                None => Ok(answer),
            };
        }
    }
}
