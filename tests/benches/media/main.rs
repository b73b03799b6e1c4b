//! The cost table: what our media engine and the whole worker cost, and what Google's engine costs for the same.
//!
//! Everything runs on this machine: a real LiveKit server, people who send packets that were encoded before, and
//! the process that is looked at, whose user and system time come from the process table. Rows in which less than
//! 30 % of the machine was idle say so. JSON on stdout; progress, and the same as a table, on stderr. Nothing is
//! asserted.

use std::{error::Error, path::PathBuf, time::Duration};

use serde_json::{Value, json};

mod calls;
mod engine;
mod flame;
mod idle;
mod people;
mod process;
mod profile;
mod program;
mod recording;
mod sessions;
mod stacks;
mod table;
mod whole;

#[expect(
    dead_code,
    reason = "shared with another program, which needs more of it"
)]
#[path = "../conversation/figures.rs"]
mod figures;

use table::Row;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// After a change, until what is measured has come to rest.
const SETTLE: Duration = Duration::from_secs(4);

/// What sessions do while they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// They send sound, and are sent next to nothing.
    Speaks,
    /// They are sent sound, and send none.
    Listens,
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::Speaks => "speaks",
            Self::Listens => "listens",
        }
    }
}

/// What was asked for.
#[derive(Debug)]
struct Wish {
    parts: Vec<String>,
    sessions: Vec<usize>,
    /// How long the worker is looked at; the engines half as long.
    window: Duration,
    /// Connections to hold instead, and for how long.
    idle: Option<usize>,
    held: Duration,
    /// Where to draw a profile instead, and of how many calls.
    picture: Option<PathBuf>,
    calls: usize,
}

const PARTS: [&str; 3] = ["--worker", "--engine", "--google"];

impl Wish {
    fn from(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut wish = Self {
            parts: Vec::new(),
            sessions: vec![1, 10, 50, 100],
            window: Duration::from_secs(20),
            idle: None,
            held: Duration::from_secs(600),
            picture: None,
            calls: 50,
        };
        while let Some(word) = words.next() {
            let mut next = || {
                words
                    .next()
                    .ok_or_else(|| format!("what comes behind `{word}`?"))
            };
            match word.as_str() {
                "--idle" => wish.idle = Some(next()?.parse()?),
                "--minutes" => wish.held = Duration::from_secs(60 * next()?.parse::<u64>()?),
                "--profile" => wish.picture = Some(next()?.into()),
                "--calls" => wish.calls = next()?.parse()?,
                "--sessions" => {
                    let list = next()?;
                    let counts = list.split(',').map(str::parse);
                    wish.sessions = counts.collect::<std::result::Result<_, _>>()?;
                }
                "--seconds" => wish.window = Duration::from_secs(next()?.parse()?),
                part if PARTS.contains(&part) => wish.parts.push(word),
                _ => return Err(format!("`{word}` is not known").into()),
            }
        }
        Ok(wish)
    }

    /// The largest number of sessions.
    fn most(&self) -> usize {
        self.sessions.iter().copied().max().unwrap_or(1)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if std::env::args()
        .nth(1)
        .is_some_and(|word| word == program::SESSIONS)
    {
        return runtime.block_on(sessions::serve());
    }
    let wish = Wish::from(std::env::args().skip(1))?;
    let report = runtime.block_on(measure(&wish))?;
    #[expect(clippy::print_stdout, reason = "the figures are this program's output")]
    {
        println!("{report:#}");
    }
    Ok(())
}

async fn measure(wish: &Wish) -> Result<Value> {
    if let Some(count) = wish.idle {
        return idle::hold(count, wish.held).await;
    }
    if let Some(picture) = &wish.picture {
        return profile::draw(wish.calls, wish.window, picture).await;
    }
    let (mut rows, mut delays) = (Vec::new(), Vec::new());
    if wish.wants("--worker") {
        rows.extend(whole::measure(wish).await?);
    }
    if wish.wants("--engine") {
        let found = engine::measure(wish).await?;
        rows.extend(found.rows);
        delays = found.delays;
    }
    if wish.wants("--google") {
        rows.extend(engine::compare(wish).await?.rows);
    }
    let ratios = engine::ratios(&rows);
    show(&rows);
    let conclusions = table::conclusions(&rows);
    for other in conclusions.iter().chain(&delays).chain(&ratios) {
        eprintln!("{other}");
    }
    let rows: Vec<Value> = rows.iter().map(Row::to_json).collect();
    Ok(json!({
        "machine": figures::machine(),
        "rows": rows,
        "conclusions": conclusions,
        "delays": delays,
        "of_googles": ratios,
    }))
}

fn show(rows: &[Row]) {
    eprintln!("{}", table::HEAD);
    for row in rows {
        eprintln!("{}", row.to_markdown());
    }
}

fn progress(step: &str) {
    eprintln!("  … {step}");
}
