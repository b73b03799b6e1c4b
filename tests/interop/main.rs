//! Calls between our engine and others, through the real server: sound both ways, messages, silence
//! and mute. The others are our own engine, Google's, and a headless Chromium.
//!
//! Prints one JSON object. Run with `cargo xtask interop`, which prepares what is needed; this
//! program only needs to be told where things are: `LIVEKIT_SERVER_BIN`, `INTEROP_PYTHON`, and `INTEROP_RECORDINGS`
//! for what was heard when a call failed.

mod call;
mod ours;
mod participant;
mod program;

use std::{
    net::Ipv4Addr,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tests::{
    livekit_server::{LivekitServer, Pass},
    network::Network,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    call::{Call, Length, Sheet},
    ours::Ours,
    participant::{Keys, Participant},
    program::Program,
};

/// Whom we talk with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Own,
    Google,
    Chromium,
}

/// One connection for everything, or one for each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Single,
    Dual,
}

/// Whether the call is encrypted end to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sealing {
    None,
    /// With the same key.
    Same,
    /// Each believes that another one is everybody's.
    Other,
    /// Each participant with a key of their own, which both know.
    Own,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    peer: Peer,
    ours: Mode,
    theirs: Mode,
    sealing: Sealing,
}

/// How a case ended.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// What was asked for.
#[derive(Default)]
struct Wish {
    quick: bool,
    skip_netns: bool,
    filters: Vec<String>,
}

/// Who they are in the room.
const US: &str = "us";
const THEM: &str = "them";
/// A key for each.
const OWN_KEYS: [(&str, &str); 2] = [(US, "what we seal with"), (THEM, "what they seal with")];

/// A case that takes longer hangs: about twenty times the usual.
const LONGEST: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() -> ExitCode {
    let wish = Wish::from(std::env::args().skip(1));
    let work = run(&wish);
    let interrupted = async {
        let mut terminated = signal(SignalKind::terminate()).expect("signals can be watched");
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
    };
    // Either way everything that was started or made is dropped, the network included.
    tokio::select! {
        code = work => code,
        () = interrupted => ExitCode::FAILURE,
    }
}

impl Wish {
    fn from(arguments: impl Iterator<Item = String>) -> Self {
        let mut wish = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--quick" => wish.quick = true,
                "--skip-netns" => wish.skip_netns = true,
                _ => wish.filters.push(argument),
            }
        }
        wish
    }

    fn length(&self) -> Length {
        match self.quick {
            true => Length::Short,
            false => Length::Whole,
        }
    }

    fn wants(&self, case: &Case) -> bool {
        let name = case.name();
        let is_plain = case.sealing == Sealing::None || case.peer == Peer::Own;
        let quick = case.peer != Peer::Chromium && case.ours == case.theirs && is_plain;
        (quick || !self.quick)
            && (self.filters.is_empty() || self.filters.iter().any(|word| name.contains(word)))
    }
}

impl Case {
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for peer in [Peer::Own, Peer::Google, Peer::Chromium] {
            for ours in [Mode::Single, Mode::Dual] {
                for theirs in [Mode::Single, Mode::Dual] {
                    cases.push(Self {
                        peer,
                        ours,
                        theirs,
                        sealing: Sealing::None,
                    });
                }
            }
            // The way of the packets is no matter of encryption.
            for sealing in [Sealing::Same, Sealing::Other, Sealing::Own] {
                cases.push(Self {
                    peer,
                    ours: Mode::Single,
                    theirs: Mode::Single,
                    sealing,
                });
            }
        }
        // The same call seen from its other end.
        cases.retain(|case| {
            case.peer != Peer::Own || (case.ours, case.theirs) != (Mode::Dual, Mode::Single)
        });
        cases
    }

    fn name(&self) -> String {
        let Self {
            peer, ours, theirs, ..
        } = self;
        let name = format!("{}-{}-{}", peer.name(), ours.name(), theirs.name());
        match self.sealing {
            Sealing::None => name,
            Sealing::Same => format!("{name}-sealed"),
            Sealing::Other => format!("{name}-wrong-key"),
            Sealing::Own => format!("{name}-sealed-each"),
        }
    }

    /// What we know, and what they know.
    fn keys(&self) -> (Keys, Keys) {
        match self.sealing {
            Sealing::None => (Keys::None, Keys::None),
            Sealing::Same => (Keys::Shared("one for both"), Keys::Shared("one for both")),
            Sealing::Other => (Keys::Shared("one for us"), Keys::Shared("one for them")),
            Sealing::Own => (Keys::Own(&OWN_KEYS), Keys::Own(&OWN_KEYS)),
        }
    }
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Google => "google",
            Self::Chromium => "chromium",
        }
    }
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Dual => "dual",
        }
    }

    fn is_single(self) -> bool {
        self == Self::Single
    }
}

/// All cases, one after the other: they need the processor and the clock for themselves.
async fn run(wish: &Wish) -> ExitCode {
    let mut cases = Case::all();
    cases.retain(|case| wish.wants(case));
    let needs_network = cases.iter().any(|case| case.peer == Peer::Google);
    let network = match needs_network && !wish.skip_netns {
        true => Network::make(),
        false => Err("--skip-netns".to_owned()),
    };
    let (mut counts, mut rows) = ([0, 0, 0], Vec::new());
    for case in &cases {
        let sheet = Sheet::default();
        let begun = Instant::now();
        let outcome = match (case.peer, &network) {
            (Peer::Google, Err(why)) if wish.skip_netns => Outcome::Skipped(why.clone()),
            (Peer::Google, Err(why)) => Outcome::Failed(why.clone()),
            _ => attempt(case, wish.length(), network.as_ref().ok(), &sheet).await,
        };
        counts[outcome.place()] += 1;
        let row = row(case, &outcome, &sheet, begun.elapsed());
        eprintln!("{} {} ({} s)", outcome.word(), case.name(), row["seconds"]);
        if let Some(why) = outcome.why() {
            eprintln!("  {why}");
        }
        rows.push(row);
    }
    let [passed, failed, skipped] = counts;
    say(&json!({
        "part": "interop",
        "passed": passed,
        "failed": failed,
        "skipped": skipped,
        "cases": rows,
    }));
    match failed == 0 && passed + skipped > 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// A case that panics or hangs fails, and the others go on.
async fn attempt(case: &Case, length: Length, network: Option<&Network>, sheet: &Sheet) -> Outcome {
    let story = AssertUnwindSafe(tell(case, length, network, sheet)).catch_unwind();
    match tokio::time::timeout(LONGEST, story).await {
        Ok(Ok(Ok(()))) => Outcome::Passed,
        Ok(Ok(Err(why))) => Outcome::Failed(why),
        Ok(Err(panic)) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Outcome::Failed(words.unwrap_or_else(|| "it panicked".to_owned()))
        }
        Err(_) => Outcome::Failed(format!("not over within {LONGEST:?}")),
    }
}

async fn tell(
    case: &Case,
    length: Length,
    network: Option<&Network>,
    sheet: &Sheet,
) -> Result<(), String> {
    let (server, host) = match (case.peer, network) {
        (Peer::Google, Some(network)) => {
            let near = network.near_end();
            let host = near.address;
            (LivekitServer::start_on(near).await, host)
        }
        _ => (LivekitServer::start().await, Ipv4Addr::LOCALHOST),
    };
    let us = Pass::of(US, "interop").token();
    let us = Ours::join(&server.url(), &us, case.ours.is_single(), case.keys().0).await;
    let us = Participant::Ours(Box::new(us.map_err(|why| format!("we join: {why}"))?));
    let url = format!("ws://{host}:{}", server.address().port());
    let them = join(case, network, &url).await;
    let them = them.map_err(|why| format!("they join: {why}"))?;
    let recordings = std::env::var_os("INTEROP_RECORDINGS");
    let mut call = Call {
        us,
        them,
        sheet: sheet.clone(),
        played: Vec::new(),
        recordings: recordings.map(|folder| Path::new(&folder).join(case.name())),
    };
    match case.sealing {
        Sealing::Other => call.talk_past_each_other().await?,
        Sealing::None | Sealing::Same => call.play(length).await?,
        Sealing::Own => {
            call.play(length).await?;
            call.change_keys().await?;
        }
    }
    let Call { mut us, them, .. } = call;
    call::part(&mut us, them).await?;
    us.leave().await
}

/// The other side.
async fn join(case: &Case, network: Option<&Network>, url: &str) -> Result<Participant, String> {
    let token = Pass::of(THEM, "interop").token();
    let (single, keys) = (case.theirs.is_single(), case.keys().1);
    let words = match (case.peer, network) {
        (Peer::Own, _) => {
            let ours = Ours::join(url, &token, single, keys).await?;
            return Ok(Participant::Ours(Box::new(ours)));
        }
        (Peer::Chromium, _) => vec!["node".to_owned(), file("page.mjs")],
        (Peer::Google, Some(network)) => {
            let python = std::env::var("INTEROP_PYTHON");
            let python = python.map_err(|_| "INTEROP_PYTHON is not set".to_owned())?;
            let mut words = network.enter();
            words.extend([python, file("peer.py")]);
            words
        }
        (Peer::Google, None) => return Err("no network".to_owned()),
    };
    let mut program = Program::start(&words)?;
    program.join(url, &token, single, keys).await?;
    Ok(Participant::Program(Box::new(program)))
}

/// A file beside this one.
fn file(name: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop");
    folder.join(name).display().to_string()
}

fn row(case: &Case, outcome: &Outcome, sheet: &Sheet, took: Duration) -> Value {
    let mut row = json!({
        "peer": case.peer.name(),
        "mode": case.ours.name(),
        "their_mode": case.theirs.name(),
        "encryption": format!("{:?}", case.sealing).to_lowercase(),
        "outcome": outcome.word(),
        "seconds": took.as_secs_f32().round(),
    });
    if let Some(why) = outcome.why() {
        row["why"] = why.lines().next().into();
    }
    for (name, value) in sheet.value() {
        row[name] = value;
    }
    row
}

impl Outcome {
    fn place(&self) -> usize {
        match self {
            Self::Passed => 0,
            Self::Failed(_) => 1,
            Self::Skipped(_) => 2,
        }
    }

    fn word(&self) -> &'static str {
        ["passed", "failed", "skipped"][self.place()]
    }

    fn why(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(why) | Self::Skipped(why) => Some(why),
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the result is what this program is for"
)]
fn say(result: &Value) {
    println!("{result}");
}
