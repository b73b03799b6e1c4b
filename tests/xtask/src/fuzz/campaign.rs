//! One target for some time: started, watched, judged.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::Target;
use crate::{
    paths,
    run::{Failure, note},
};

/// Memory a target may take, in megabytes: an input is a few kilobytes.
const MEMORY: u64 = 768;
/// Beyond its time; an input that takes longer than this hangs.
const GRACE: Duration = Duration::from_secs(120);
/// How often memory and clock are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What came of a target.
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    pub(super) seconds: f64,
    /// Random inputs, and those of the corpus.
    pub(super) inputs: u64,
    pub(super) corpus: u64,
    /// Largest resident size in megabytes.
    pub(super) memory: u64,
}

pub(super) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Outcome {
    pub(super) fn skipped(name: String, why: &str) -> Self {
        Self {
            name,
            verdict: Verdict::Skipped(why.to_owned()),
            seconds: 0.0,
            inputs: 0,
            corpus: 0,
            memory: 0,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let (result, why) = match &self.verdict {
            Verdict::Passed => ("passed", None),
            Verdict::Failed(why) => ("failed", Some(why)),
            Verdict::Skipped(why) => ("skipped", Some(why)),
        };
        json!({
            "name": self.name,
            "result": result,
            "why": why,
            "seconds": (self.seconds * 10.0).round() / 10.0,
            "inputs": self.inputs,
            "corpus": self.corpus,
            "peak_mb": self.memory,
        })
    }
}

/// Runs the target; its words go to a log.
pub(super) fn run(
    target: Target,
    name: String,
    binary: &Path,
    seconds: u64,
    env: &[(&str, &str)],
) -> Result<Outcome, Failure> {
    let folder = paths::scratch("fuzz");
    std::fs::create_dir_all(&folder)?;
    let log = folder.join(format!("{name}.log"));
    let file = File::create(&log)?;
    // Whatever else runs meanwhile comes first.
    let mut command = Command::new("nice");
    command
        .current_dir(paths::root().join(target.package))
        .args(["-n", "19"])
        .arg(binary)
        .args([target.test, "--exact", "--nocapture"])
        .env("BOLERO_RANDOM_TEST_TIME_MS", (seconds * 1_000).to_string())
        // Some targets limit their number of inputs for the quick run of `cargo test`.
        .env("BOLERO_RANDOM_ITERATIONS", usize::MAX.to_string())
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let begun = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|error| Failure::new(format!("cannot start {name}: {error}")))?;
    let (end, memory) = watch(&mut child, Duration::from_secs(seconds) + GRACE)?;
    let words = std::fs::read_to_string(&log).unwrap_or_default();
    let counts = counts(&words);
    let verdict = match end {
        End::Exited(status) if status.success() && counts.is_some() => Verdict::Passed,
        End::Exited(status) => Verdict::Failed(format!("{status}; see {}", log.display())),
        End::Grew => Verdict::Failed(format!("took more than {MEMORY} MB")),
        End::Hung => Verdict::Failed("an input did not come to an end".to_owned()),
    };
    let (corpus, inputs) = counts.unwrap_or_default();
    note(format_args!(
        "  {name}: {inputs} inputs, {memory} MB at most"
    ));
    Ok(Outcome {
        name,
        verdict,
        seconds: begun.elapsed().as_secs_f64(),
        inputs,
        corpus,
        memory,
    })
}

enum End {
    Exited(ExitStatus),
    Grew,
    Hung,
}

/// Until the end; with the largest resident size in megabytes.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no event loop; this is how it waits for a child"
)]
fn watch(child: &mut Child, limit: Duration) -> Result<(End, u64), Failure> {
    let begun = Instant::now();
    let mut memory = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((End::Exited(status), memory));
        }
        memory = memory.max(resident(child.id()).unwrap_or(0));
        let end = match () {
            () if memory > MEMORY => Some(End::Grew),
            () if begun.elapsed() > limit => Some(End::Hung),
            () => None,
        };
        if let Some(end) = end {
            child.kill()?;
            child.wait()?;
            return Ok((end, memory));
        }
        thread::sleep(LOOK);
    }
}

/// Resident megabytes of a process.
fn resident(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1_024)
}

/// Inputs of the corpus and random ones, from the engine's last line.
fn counts(words: &str) -> Option<(u64, u64)> {
    let line = words.lines().rfind(|line| line.contains("run time: "))?;
    let number = |label: &str| {
        let rest = line.split(label).nth(1)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let corpus = number("corpus inputs: ").unwrap_or(0);
    let inputs = number("rng inputs: ").unwrap_or(0);
    (corpus + inputs > 0).then_some((corpus, inputs))
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn inputs_are_counted_by_kind() {
        let line = "test a::b ...\trun time: 1.0s | iterations/s: 7 | corpus inputs: 3 | \
            rng inputs: 40 | exit reason: max duration (1s) exceeded";
        assert_eq!(counts(line), Some((3, 40)));
        assert_eq!(counts("test a::b ... ok"), None, "nothing ran");
    }
}
