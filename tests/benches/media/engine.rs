//! The media work alone: our engine in a program of its own, codec and the rest apart; and the same work done by
//! Google's engine, side by side in the same network namespace.

use std::path::Path;

use serde_json::{Value, json};
use tests::{
    child::Scratch,
    livekit_server::{LivekitServer, Pass},
    network::Network,
};

use crate::{
    Result, SETTLE, Wish,
    people::{People, Says, Traffic},
    process::{self, Window},
    program::Program,
    recording,
    table::{Row, round},
};

/// One thing that sessions are told to do, and what it is called in the table.
struct Task {
    order: &'static str,
    doing: &'static str,
    says: Says,
    /// The way of sound on which a delay is looked at: `up` to the ear, or `down` to the socket.
    way: Option<&'static str>,
    /// Percent of a core per session.
    wanted: Option<f64>,
}

const SPEAKS: Task = Task {
    order: "encode",
    doing: "speaks",
    says: Says::Nothing,
    way: Some("down"),
    wanted: None,
};
const SENDS: Task = Task {
    order: "send",
    doing: "speaks, without the codec",
    says: Says::Nothing,
    way: None,
    wanted: Some(0.35),
};
const LISTENS: Task = Task {
    order: "decode",
    doing: "listens",
    says: Says::Sentences,
    way: Some("up"),
    wanted: None,
};
const TAKES: Task = Task {
    order: "take",
    doing: "listens, without the codec",
    says: Says::Sentences,
    way: Some("up"),
    wanted: Some(0.1),
};

/// Where delays are looked at.
const DELAY_AT: usize = 50;

/// Rows, and what was seen besides.
pub(crate) struct Found {
    pub(crate) rows: Vec<Row>,
    pub(crate) delays: Vec<Value>,
}

/// A program and the people its sessions talk with.
struct Bench {
    part: &'static str,
    program: Program,
    people: People,
    url: String,
    memory_before: f64,
}

/// Our engine at every number of sessions.
pub(crate) async fn measure(wish: &Wish) -> Result<Found> {
    let livekit = LivekitServer::start().await;
    let people = People::of(&livekit)?;
    let mut bench = Bench::new("our engine", Program::ours(&[])?, people, livekit.url()).await?;
    let mut found = Found {
        rows: Vec::new(),
        delays: Vec::new(),
    };
    for &sessions in &wish.sessions {
        let tasks = [&SPEAKS, &SENDS, &LISTENS, &TAKES];
        bench.measure(wish, sessions, &tasks, &mut found).await?;
    }
    bench.people.leave().await;
    Ok(found)
}

/// Ours and Google's, as much of it as takes ten sessions.
pub(crate) async fn compare(wish: &Wish) -> Result<Found> {
    let network = Network::make()?;
    let scratch = Scratch::new("media")?;
    let sound = scratch.path().join("speech.pcm");
    let samples = recording::speech();
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    std::fs::write(&sound, bytes)?;
    let mut found = Found {
        rows: Vec::new(),
        delays: Vec::new(),
    };
    for part in ["our engine, beside Google's", "Google's engine"] {
        let near = network.near_end();
        let livekit = LivekitServer::start_on(near.clone()).await;
        let url = format!("ws://{}:{}", near.address, livekit.address().port());
        let mut words = network.enter();
        let program = if part == "Google's engine" {
            let python = std::env::var("MEDIA_PYTHON").map_err(|_| "MEDIA_PYTHON is not set")?;
            words.extend([python, script(), sound.display().to_string()]);
            Program::start(&words)?
        } else {
            Program::ours(&words)?
        };
        let people = People::of(&livekit)?;
        let mut bench = Bench::new(part, program, people, url).await?;
        for &sessions in wish.sessions.iter().filter(|sessions| **sessions <= 10) {
            let tasks = [&SPEAKS, &LISTENS];
            bench.measure(wish, sessions, &tasks, &mut found).await?;
        }
        bench.people.leave().await;
    }
    Ok(found)
}

fn script() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/media");
    folder.join("wheel.py").display().to_string()
}

impl Bench {
    async fn new(
        part: &'static str,
        program: Program,
        people: People,
        url: String,
    ) -> Result<Self> {
        tokio::time::sleep(SETTLE).await;
        let memory_before = process::memory(program.id()?)?;
        Ok(Self {
            part,
            program,
            people,
            url,
            memory_before,
        })
    }

    async fn measure(
        &mut self,
        wish: &Wish,
        sessions: usize,
        tasks: &[&Task],
        found: &mut Found,
    ) -> Result<()> {
        self.grow_to(sessions).await?;
        let rest = Task {
            order: "rest",
            doing: "rests",
            says: Says::Nothing,
            way: None,
            wanted: None,
        };
        let at_rest = self.row(wish, &rest, None).await?;
        let cpu_at_rest = at_rest.seen.cpu;
        found.rows.push(at_rest);
        for task in tasks {
            found
                .rows
                .push(self.row(wish, task, Some(cpu_at_rest)).await?);
            let Some(way) = task.way else {
                continue;
            };
            if self.people.count() == DELAY_AT.min(wish.most()) {
                found.delays.push(self.delay(way, task).await?);
            }
        }
        Ok(())
    }

    async fn grow_to(&mut self, sessions: usize) -> Result<()> {
        let room = |who: usize| format!("engine-{who}");
        let from = self.people.count();
        let token = |who: usize| Pass::of("agent", &room(who)).token();
        let tokens: Vec<String> = (from..sessions).map(token).collect();
        self.program.act("rest").await?;
        self.people
            .grow_to(sessions, |who| Pass::of("caller", &room(who)))
            .await?;
        self.program.join(&self.url, &tokens).await
    }

    async fn row(&mut self, wish: &Wish, task: &Task, at_rest: Option<f64>) -> Result<Row> {
        let (part, sessions) = (self.part, self.people.count());
        crate::progress(&format!("{part}: {sessions} sessions, each {}", task.doing));
        self.people.say(task.says);
        self.program.act(task.order).await?;
        tokio::time::sleep(SETTLE / 2).await;
        // Delays of the beginning do not count.
        self.program.act(task.order).await?;
        let traffic = Traffic::now();
        let seen: Window = process::watch(self.program.id()?, wish.window / 2).await?;
        let (said, heard) = traffic.since();
        let share = sessions as f64;
        Ok(Row {
            part,
            doing: task.doing,
            sessions,
            seen,
            cpu_at_rest: at_rest.unwrap_or(0.0),
            memory_before: self.memory_before,
            packets: (said / share, heard / share),
            wanted: (task.wanted, None),
        })
    }

    /// What the task adds to the way of a packet.
    async fn delay(&mut self, way: &'static str, task: &Task) -> Result<Value> {
        let mut told = self.program.tell().await?;
        let mut delay = told[way].take();
        delay["way"] = way.into();
        delay["doing"] = task.doing.into();
        delay["sessions"] = self.people.count().into();
        delay["unit"] = "ms".into();
        delay["wanted_p95"] = 3.0.into();
        Ok(delay)
    }
}

/// How much ours is of Google's: processor and memory per session, for each row of theirs.
pub(crate) fn ratios(rows: &[Row]) -> Vec<Value> {
    let theirs = rows
        .iter()
        .filter(|row| row.part == "Google's engine" && row.doing != "rests");
    let ratio = |theirs: &Row| {
        let is_same = |ours: &&Row| {
            ours.part == "our engine, beside Google's"
                && (ours.doing, ours.sessions) == (theirs.doing, theirs.sessions)
        };
        let ours = rows.iter().find(is_same)?;
        Some(json!({
            "doing": theirs.doing,
            "n": theirs.sessions,
            "cpu": round(ours.cpu() / theirs.cpu()),
            "memory": round(ours.memory() / theirs.memory()),
            "whole_process_memory": round(ours.seen.memory / theirs.seen.memory),
            "wanted_cpu": 0.25,
            "wanted_memory": 0.1,
        }))
    };
    theirs.filter_map(ratio).collect()
}
