//! Programs we started and must stop: each in a process group of its own, so that Ctrl-C reaches
//! only us and we end them in order.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::run::{Failure, note};

/// How long a program may take to end after it was asked politely, each time.
const POLITE: Duration = Duration::from_secs(3);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// All programs of one run; stops them, last first, when dropped.
pub(crate) struct Children {
    running: Vec<Running>,
    interrupted: Arc<AtomicBool>,
    logs: PathBuf,
}

struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Children {
    /// Watches for Ctrl-C and SIGTERM from now on; logs go into the folder `logs`.
    pub(crate) fn new(logs: PathBuf) -> Result<Self, Failure> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        std::fs::create_dir_all(&logs)?;
        Ok(Self {
            running: Vec::new(),
            interrupted,
            logs,
        })
    }

    /// Starts a program; what it prints goes to `<logs>/<name>.log`.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        command: &mut Command,
    ) -> Result<(), Failure> {
        let log = self.logs.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .map_err(|error| Failure::new(format!("cannot start {name}: {error}")))?;
        self.running.push(Running { name, child, log });
        Ok(())
    }

    /// The log of a program so far.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.logs.join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Waits until `ready` gives an answer; fails with the end of the program's log when the
    /// program ends first or `limit` passes.
    pub(crate) fn wait_for<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        mut ready: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(value) = ready(self) {
                return Ok(value);
            }
            self.check()?;
            if Instant::now() > deadline {
                let log = tail(&self.logs.join(format!("{name}.log")));
                return Err(Failure::new(format!(
                    "{name} was not ready after {} s; its log ends:\n{log}",
                    limit.as_secs()
                )));
            }
            pause();
        }
    }

    /// Waits until Ctrl-C, or until a program ends by itself, which is a failure.
    pub(crate) fn wait_for_interrupt(&mut self) -> Result<(), Failure> {
        while !self.interrupted.load(Ordering::Relaxed) {
            self.check()?;
            pause();
        }
        Ok(())
    }

    /// Fails when somebody interrupted us or a program has ended.
    fn check(&mut self) -> Result<(), Failure> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::new("interrupted"));
        }
        for running in &mut self.running {
            if let Some(status) = running.child.try_wait()? {
                let log = tail(&running.log);
                let name = running.name;
                return Err(Failure::new(format!("{name} ended with {status}:\n{log}")));
            }
        }
        Ok(())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        while let Some(mut running) = self.running.pop() {
            stop(&mut running);
        }
    }
}

fn stop(running: &mut Running) {
    if let Ok(Some(_)) = running.child.try_wait() {
        return;
    }
    // The second time means now: a server that still has participants waits for them after the
    // first.
    for _ in 0..2 {
        ask_to_end(&running.child);
        let deadline = Instant::now() + POLITE;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = running.child.try_wait() {
                return;
            }
            pause();
        }
    }
    note(format_args!("  {} did not end by itself", running.name));
    let _ = running.child.kill();
    let _ = running.child.wait();
}

/// The standard library can only kill; the shell's own `kill` asks politely.
fn ask_to_end(child: &Child) {
    let ask = format!("kill -TERM {}", child.id());
    let _ = Command::new("sh").args(["-c", &ask]).status();
}

/// How a program came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Success,
    Failure,
    /// It was stopped: its time was over.
    TooLate,
}

/// Runs a program to its end, or stops it after `limit`; what it prints goes into the file `log`.
pub(crate) fn run_until(
    command: &mut Command,
    log: &Path,
    limit: Duration,
) -> Result<Ended, Failure> {
    let file = File::create(log)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(Ended::Success),
            Some(_) => return Ok(Ended::Failure),
            None if Instant::now() < deadline => pause(),
            None => break,
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(Ended::TooLate)
}

/// Does an HTTP server answer this path with 200?
pub(crate) fn answers_http(port: u16, path: &str) -> bool {
    http_get(port, path).is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The whole answer to a GET on loopback.
pub(crate) fn http_get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn tail(log: &Path) -> String {
    const KEEP: u64 = 4_000;
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KEEP)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask has no event loop; this is its only wait"
)]
fn pause() {
    thread::sleep(LOOK);
}
