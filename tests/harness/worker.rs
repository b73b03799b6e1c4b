//! Our worker as a child process, as an operator would run it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitStatus,
    time::Duration,
};

use crate::{
    child::{Child, Lines, Scratch, free_ports},
    eventually::{eventually_async, expect},
    livekit_server::{API_KEY, API_SECRET, target_dir},
    scrape::{self, Page},
};

/// The model key of every test; a marker: it must show up in no log.
pub const MODEL_KEY: &str = "sk-test-key-that-no-log-may-show";

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the LiveKit server is.
    pub livekit_url: String,
    /// Where the model is.
    pub model_url: String,
    /// Further lines of the configuration file.
    pub config: String,
    /// Further variables, which win over those set here.
    pub environment: Vec<(String, String)>,
    /// Agent definitions: file name and text.
    pub agents: Vec<(String, String)>,
}

impl Settings {
    /// The settings of an ordinary worker.
    pub fn new(livekit_url: &str, model_url: &str) -> Self {
        Self {
            livekit_url: livekit_url.to_owned(),
            model_url: model_url.to_owned(),
            config: String::new(),
            environment: Vec::new(),
            agents: Vec::new(),
        }
    }

    /// With one more environment variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running worker; dropping it kills it.
pub struct Worker {
    child: Child,
    admin: SocketAddr,
    _scratch: Scratch,
}

/// What a command of `room-agent` prints: as an operator of that server would run it.
///
/// # Panics
/// When it fails.
pub async fn print(livekit_url: &str, arguments: &[&str]) -> String {
    let output = tokio::process::Command::new(binary())
        .args(arguments)
        .env("LIVEKIT_URL", livekit_url)
        .env("LIVEKIT_API_KEY", API_KEY)
        .env("LIVEKIT_API_SECRET", API_SECRET)
        .output()
        .await
        .expect("room-agent runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.trim().to_owned()
}

impl Worker {
    /// Starts a worker; it may not be ready yet.
    ///
    /// # Panics
    /// When there is no such program.
    pub fn start(settings: &Settings) -> Self {
        let (port, _) = free_ports().expect("a free port");
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let scratch = Scratch::new("worker").expect("a scratch directory");
        let mut environment = environment(settings, admin);
        let mut arguments = vec!["run".to_owned()];
        if !settings.config.is_empty() {
            let path = scratch
                .write("config.toml", &settings.config)
                .expect("written");
            arguments.extend(["--config".to_owned(), path.display().to_string()]);
        }
        if !settings.agents.is_empty() {
            // Beside the configuration, which is no agent.
            let dir = scratch.path().join("agents");
            std::fs::create_dir(&dir).expect("made");
            for (name, text) in &settings.agents {
                std::fs::write(dir.join(name), text).expect("written");
            }
            let dir = dir.display().to_string();
            environment.push(("ROOM_AGENT__AGENTS__DIR".to_owned(), dir));
        }
        let child =
            Child::start("room-agent", &binary(), &arguments, &environment).expect("room-agent");
        Self {
            child,
            admin,
            _scratch: scratch,
        }
    }

    /// Starts a worker and waits until it takes jobs.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn ready(settings: &Settings) -> Self {
        let worker = Self::start(settings);
        worker.becomes_ready().await;
        worker
    }

    /// Waits until it takes jobs.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn becomes_ready(&self) {
        eventually_async("the worker is ready", Duration::from_secs(20), || async {
            match self.page("/ready").await {
                Ok(page) => expect(
                    page.status == 200,
                    format!("{page:?}\n{}", self.log().tail()),
                ),
                Err(error) => Err(format!("{error}\n{}", self.log().tail())),
            }
        })
        .await;
    }

    /// One of its HTTP pages.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn page(&self, path: &str) -> std::io::Result<Page> {
        scrape::get(self.admin, path).await
    }

    /// Asks with a token; `line` is method and path.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn authorized(
        &self,
        line: (&str, &str),
        token: &str,
        json: &str,
    ) -> std::io::Result<Page> {
        scrape::authorized(self.admin, line, token, json).await
    }

    /// A metric, if it is there.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        scrape::metric(&self.page("/metrics").await.ok()?.body, series)
    }

    /// Its log so far.
    pub fn log(&self) -> &Lines {
        self.child.lines()
    }

    /// Its process id; `None` when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a signal by name.
    ///
    /// # Panics
    /// When it has ended already.
    pub async fn signal(&self, signal: &str) {
        self.child.signal(signal).await.expect("the worker runs");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        self.child.ended(within).await
    }

    /// Has it ended?
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.status()
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> Option<u64> {
        self.child.resident()
    }

    /// How often its threads have waited for something so far.
    pub fn wakeups(&self) -> u64 {
        self.child.wakeups()
    }

    /// Processor time used so far.
    pub fn cpu_time(&self) -> Option<Duration> {
        self.child.cpu_time()
    }

    /// Neither key nor secret nor a token stands in its log.
    ///
    /// # Panics
    /// When one does.
    pub fn assert_no_secret_was_printed(&self) {
        let log = self.log().text();
        // A signed token begins with the encoded `{"`.
        for secret in [API_SECRET, MODEL_KEY, "eyJ"] {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "a secret in the log");
        }
    }
}

fn environment(settings: &Settings, admin: SocketAddr) -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> = [
        ("LIVEKIT_URL", settings.livekit_url.as_str()),
        ("LIVEKIT_API_KEY", API_KEY),
        ("LIVEKIT_API_SECRET", API_SECRET),
        ("OPENAI_API_KEY", MODEL_KEY),
        ("ROOM_AGENT__MODEL__URL", &settings.model_url),
        ("ROOM_AGENT__ADMIN__LISTEN", &admin.to_string()),
        ("ROOM_AGENT__ENGINE__LOOPBACK", "true"),
        ("ROOM_AGENT__LOG__FORMAT", "json"),
        ("ROOM_AGENT__LOG__LEVEL", "info"),
        ("RUST_BACKTRACE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    environment.extend(settings.environment.iter().cloned());
    environment
}

/// From the environment, or beside this test's own build.
fn binary() -> PathBuf {
    std::env::var_os("ROOM_AGENT_BIN")
        .map_or_else(|| target_dir().join("debug/room-agent"), PathBuf::from)
}
