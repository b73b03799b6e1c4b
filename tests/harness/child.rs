//! A program under test as a child process: its output is kept, and it dies with its handle.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child as Process, Command},
    task::JoinSet,
    time::timeout,
};

/// A running program. Dropping it kills it.
pub struct Child {
    name: &'static str,
    process: Process,
    lines: Lines,
    reading: JoinSet<()>,
}

/// What a program has written so far, line by line.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

/// Lines shown when a test fails.
const TAIL: usize = 30;
/// Characters shown of each; the server writes lines of thousands.
const WIDTH: usize = 240;

impl Child {
    /// Starts a program with exactly this environment besides `PATH`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(String, String)],
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", program.display()))
        })?;
        let lines = Lines::default();
        let mut reading = JoinSet::new();
        if let Some(output) = process.stdout.take() {
            reading.spawn(read(output, lines.clone()));
        }
        if let Some(output) = process.stderr.take() {
            reading.spawn(read(output, lines.clone()));
        }
        Ok(Self {
            name,
            process,
            lines,
            reading,
        })
    }

    /// Its output so far.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Its process id; `None` when it has ended and was waited for.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Sends a signal by name, such as `TERM`.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub async fn signal(&self, signal: &str) -> io::Result<()> {
        let Some(id) = self.id() else {
            return Err(io::Error::other("the process has ended"));
        };
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(id.to_string())
            .status();
        if sent.await?.success() {
            Ok(())
        } else {
            Err(io::Error::other("kill failed"))
        }
    }

    /// Waits for its end, and for its last words.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        match timeout(within, self.process.wait()).await {
            Ok(status) => {
                let read = async { while self.reading.join_next().await.is_some() {} };
                // Who holds its output open besides is not waited for.
                let _ = timeout(within, read).await;
                status.expect("a child can be waited for")
            }
            Err(_) => panic!(
                "{} did not end within {within:?}\n{}",
                self.name,
                self.lines.tail()
            ),
        }
    }

    /// Has it ended?
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Resident memory in bytes, from the process table.
    pub fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// Processor time used so far by all its threads, from the process table.
    pub fn cpu_time(&self) -> Option<Duration> {
        /// Linux counts processor time in hundredths of a second, on every architecture.
        const TICKS_PER_SECOND: u32 = 100;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()?)).ok()?;
        // The name stands in parentheses and may hold spaces; the 12th and 13th fields after it
        // are user and system time.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: u32 = fields.next()?.parse().ok()?;
        let system: u32 = fields.next()?.parse().ok()?;
        Some(Duration::from_secs(1) * (user + system) / TICKS_PER_SECOND)
    }

    /// How often its threads have given up the processor by themselves so far, from the process
    /// table; threads that are gone count no more.
    pub fn wakeups(&self) -> u64 {
        let Some(id) = self.id() else { return 0 };
        let threads = std::fs::read_dir(format!("/proc/{id}/task"));
        let of_thread = |thread: std::fs::DirEntry| {
            let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
            let mut lines = status.lines();
            let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count?.trim().parse::<u64>().ok()
        };
        let threads = threads.into_iter().flatten().flatten();
        threads.filter_map(of_thread).sum()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.start_kill();
        if std::thread::panicking() {
            eprintln!("-- the last lines of {}:\n{}", self.name, self.lines.tail());
        }
    }
}

impl Lines {
    /// Everything as one text.
    pub fn text(&self) -> String {
        self.lock().join("\n")
    }

    /// The first line with all of these words.
    pub fn find(&self, words: &[&str]) -> Option<String> {
        self.lock()
            .iter()
            .find(|line| words.iter().all(|word| line.contains(word)))
            .cloned()
    }

    /// Is there a line with all of these words? For [`crate::eventually::eventually`].
    ///
    /// # Errors
    /// The end of the output, when there is none.
    pub fn expect(&self, words: &[&str]) -> Result<String, String> {
        self.find(words)
            .ok_or_else(|| format!("no line with {words:?} in:\n{}", self.tail()))
    }

    /// The last lines, of long ones the beginning.
    pub fn tail(&self) -> String {
        let lines = self.lock();
        let last = &lines[lines.len().saturating_sub(TAIL)..];
        let short = |line: &String| line.chars().take(WIDTH).collect::<String>();
        last.iter().map(short).collect::<Vec<_>>().join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(output: impl AsyncRead + Unpin, lines: Lines) {
    let mut reader = BufReader::new(output).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        lines.lock().push(line);
    }
}

/// A directory of its own for one program, removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(name: &str) -> io::Result<Self> {
        let unique = format!("room-agent-{name}-{:016x}", rand::random::<u64>());
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Writes a file into it and tells where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A TCP port nobody listens on at this moment, and a UDP port, neither of which another test of
/// this process was given.
///
/// # Errors
/// When the system has none.
pub fn free_ports() -> io::Result<(u16, u16)> {
    let tcp = ungiven(|| std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr())?;
    let udp = ungiven(|| std::net::UdpSocket::bind(("127.0.0.1", 0))?.local_addr())?;
    Ok((tcp, udp))
}

/// Tests run side by side, and the system may name a port again as soon as it is closed, which is
/// before its server has opened it.
fn ungiven(free: impl Fn() -> io::Result<SocketAddr>) -> io::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = free()?.port();
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if given.insert(port) {
            return Ok(port);
        }
    }
}
