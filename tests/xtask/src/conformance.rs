//! Upstream's own tests on our engine: the published `livekit` package, our `libwebrtc` under it,
//! the real LiveKit server beside it.
//!
//! Owns the order of the files, one process per test (a hang or an abort then costs one test, not
//! a file), and the verdict. It changes nothing in upstream's code and repeats no test.

mod package;
mod server;
mod verdict;

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;

use self::{
    package::Upstream,
    server::Server,
    verdict::{Outcome, Report, Skips, TestId},
};
use crate::{
    children::{Children, run_until},
    paths,
    run::{Failure, note, output, say},
    setup,
};

/// Every test target of the package, quick ones first. `lib` is the package's own unit tests.
const FILES: &[&str] = &[
    "lib",
    "room_test",
    "audio_test",
    "engine_lifecycle_test",
    "data_channel_test",
    "data_stream_test",
    "rpc_test",
    "data_track_test",
    "schema_storage_test",
    "reconnection_test",
    "peer_connection_signaling_test",
    "data_channel_encryption",
    "dynacast_test",
    "packet_trailer_test",
    "platform_audio_test",
    "video_test",
];
/// What fits beside every change: about two minutes beyond building.
const QUICK: &[&str] = &[
    "lib",
    "room_test",
    "audio_test",
    "engine_lifecycle_test",
    "data_channel_test",
];
/// Upstream's slowest test waits 90 s for the end of all attempts to reconnect.
const ONE_TEST: Duration = Duration::from_secs(180);

/// What to run.
struct Choice {
    files: Vec<String>,
    /// A part of the names wanted; everything when empty.
    name: String,
}

/// `cargo xtask conformance [--quick] [file | file::part-of-a-name ...]`
pub(crate) fn conformance(args: &[String]) -> Result<(), Failure> {
    let report = run(&choice(args)?)?;
    let failures: Vec<&str> = report.failures().collect();
    say(json!({
        "part": "conformance",
        "passed": report.passed,
        "failed": failures.len(),
        "skipped": report.skipped,
        "failures": failures,
    }));
    verdict(&report)
}

/// The part that runs with every change; prints nothing on stdout.
pub(crate) fn quick() -> Result<(), Failure> {
    verdict(&run(&choice(&["--quick".to_owned()])?)?)
}

fn verdict(report: &Report) -> Result<(), Failure> {
    note(report);
    if report.is_good() {
        return Ok(());
    }
    let failures: Vec<&str> = report.failures().collect();
    Err(Failure::new(failures.join("\n  ")))
}

fn choice(args: &[String]) -> Result<Choice, Failure> {
    let mut chosen = Choice {
        files: Vec::new(),
        name: String::new(),
    };
    for arg in args {
        if arg == "--quick" {
            chosen.files.extend(QUICK.iter().map(|&file| file.into()));
            continue;
        }
        let (file, name) = arg.split_once("::").unwrap_or((arg, ""));
        if !FILES.contains(&file) {
            let known = FILES.join(", ");
            return Err(Failure::new(format!("no file `{file}`; there is {known}")));
        }
        chosen.files.push(file.into());
        name.clone_into(&mut chosen.name);
    }
    if chosen.files.is_empty() {
        chosen.files.extend(FILES.iter().map(|&file| file.into()));
    }
    Ok(chosen)
}

fn run(choice: &Choice) -> Result<Report, Failure> {
    setup::ensure(setup::BUILD)?;
    let skips = Skips::read(&paths::root().join("tests/upstream/skips.toml"))?;
    let upstream = package::prepare(FILES)?;
    let mut report = Report::default();
    let mut files = Vec::new();
    for file in &choice.files {
        match skips.whole(file) {
            Some(reason) => leave_out(file, reason, &upstream, &mut report)?,
            None => files.push(file.clone()),
        }
    }
    let binaries = upstream.build(&files)?;
    let mut children = Children::new(paths::scratch("conformance").join("logs"))?;
    let server = server::start(&mut children)?;
    for file in &files {
        let binary = binaries
            .get(file)
            .ok_or_else(|| Failure::new(format!("cargo built no test binary for `{file}`")))?;
        let program = Program {
            file,
            binary,
            upstream: &upstream,
            server: &server,
        };
        program.run(choice, &skips, &mut report)?;
    }
    Ok(report)
}

/// Counts the tests of a file that is not even built.
fn leave_out(
    file: &str,
    reason: &str,
    upstream: &Upstream,
    report: &mut Report,
) -> Result<(), Failure> {
    for name in upstream.tests_in(file)? {
        report.add(
            &TestId::new(file, &name),
            Outcome::Skipped(reason.to_owned()),
        );
    }
    Ok(())
}

/// One test binary.
struct Program<'a> {
    file: &'a str,
    binary: &'a PathBuf,
    upstream: &'a Upstream,
    server: &'a Server,
}

impl Program<'_> {
    fn run(&self, choice: &Choice, skips: &Skips, report: &mut Report) -> Result<(), Failure> {
        let begun = Instant::now();
        let all = self.list()?;
        if choice.name.is_empty() {
            report.stale(skips.unknown(self.file, &all));
        }
        let wanted: Vec<_> = all
            .into_iter()
            .filter(|test| test.name.contains(&choice.name))
            .collect();
        note(format_args!("  {}: {} tests", self.file, wanted.len()));
        for test in wanted {
            let outcome = match skips.reason(&test) {
                Some(reason) => Outcome::Skipped(reason.to_owned()),
                None => self.one(&test)?,
            };
            report.add(&test, outcome);
        }
        note(format_args!("    {:.0} s", begun.elapsed().as_secs_f32()));
        Ok(())
    }

    fn list(&self) -> Result<Vec<TestId>, Failure> {
        let listed = output(self.command().args(["--list", "--format", "terse"]))?;
        Ok(verdict::listed(self.file, &listed))
    }

    /// Runs one test in a process of its own and says what became of it.
    fn one(&self, test: &TestId) -> Result<Outcome, Failure> {
        let log = self.log(test);
        let begun = Instant::now();
        let mut command = self.command();
        command.args(["--exact", &test.name, "--test-threads=1"]);
        let ended = run_until(&mut command, &log, ONE_TEST)?;
        let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        let outcome = verdict::outcome(&text, ended);
        if let Outcome::Failed(why) = &outcome {
            let seconds = begun.elapsed().as_secs_f32();
            note(format_args!(
                "    ✗ {test} after {seconds:.1} s: {why}\n      {}",
                log.display()
            ));
        }
        Ok(outcome)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command
            .current_dir(&self.upstream.folder)
            .env("CARGO_MANIFEST_DIR", &self.upstream.folder)
            .env("LIVEKIT_URL", &self.server.url)
            .env("LIVEKIT_API_KEY", server::API_KEY)
            .env("LIVEKIT_API_SECRET", server::API_SECRET);
        command
    }

    fn log(&self, test: &TestId) -> PathBuf {
        let name = test.name.replace("::", ".");
        let logs = paths::scratch("conformance").join("logs");
        logs.join(format!("{}.{name}.log", self.file))
    }
}
