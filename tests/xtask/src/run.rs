//! Runs other programs: quietly while they go well, with all their words when they fail.

use std::{
    fmt,
    io::{IsTerminal, Write},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Why a step did not succeed: for people to read.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Prints to the person at the terminal. The one place that may.
#[expect(clippy::print_stdout, reason = "a command line speaks on stdout")]
pub(crate) fn say(text: impl fmt::Display) {
    println!("{text}");
}

/// Tells progress on stderr, so that stdout stays clean for JSON.
pub(crate) fn note(text: impl fmt::Display) {
    eprintln!("{text}");
}

/// Runs a command with its output in view; fails with its exit status.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    let status = command
        .status()
        .map_err(|error| Failure::new(format!("cannot start `{shown}`: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{shown}` ended with {status}")))
}

/// Sends what a command prints to stderr, for commands whose own stdout is JSON.
pub(crate) fn to_stderr(command: &mut Command) -> &mut Command {
    command.stdout(std::io::stderr())
}

/// Runs a command and returns what it printed on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("cannot start `{shown}`: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::new(format!(
        "`{shown}` ended with {}",
        output.status
    )))
}

/// Runs a long command behind one line that counts the seconds; shows all its output on failure.
pub(crate) fn long(what: &str, command: &mut Command) -> Result<(), Failure> {
    let begun = Instant::now();
    let shown = shown(command);
    let (done, ended) = mpsc::channel();
    let ticker = Ticker::start(what, begun, ended);
    let result = command.stdin(Stdio::null()).output();
    drop(done);
    ticker.finish();
    let output =
        result.map_err(|error| Failure::new(format!("cannot start `{shown}`: {error}")))?;
    if output.status.success() {
        note(format_args!(
            "  ✓ {what} ({:.0} s)",
            begun.elapsed().as_secs_f32()
        ));
        return Ok(());
    }
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(&output.stdout);
    let _ = stderr.write_all(&output.stderr);
    Err(Failure::new(format!(
        "{what}: `{shown}` ended with {}",
        output.status
    )))
}

/// A line that shows that something is still going on.
struct Ticker(Option<thread::JoinHandle<()>>);

impl Ticker {
    fn start(what: &str, begun: Instant, ended: mpsc::Receiver<()>) -> Self {
        if !std::io::stderr().is_terminal() {
            note(format_args!("  … {what}"));
            return Self(None);
        }
        let what = what.to_owned();
        Self(Some(thread::spawn(move || {
            while ended.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout)
            {
                eprint!("\r  … {what} ({} s)", begun.elapsed().as_secs());
            }
            eprint!("\r\u{1b}[2K");
        })))
    }

    fn finish(self) {
        if let Some(thread) = self.0 {
            let _ = thread.join();
        }
    }
}

/// Is this program on the PATH?
pub(crate) fn on_path(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| is_file(file))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
