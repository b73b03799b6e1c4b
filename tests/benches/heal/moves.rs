//! Somebody's address changes in mid-call: one of the two sits in a network namespace, in this program
//! run once more and asked by lines on its standard input.

use std::{
    io::BufRead,
    process::Stdio,
    time::{Duration, Instant},
};

use libwebrtc::ext;
use tests::{livekit_server::LivekitServer, network::Network};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{CALM, PATIENCE, Result, SHORT, figures::Figure, milliseconds, peer::Peer};

/// The word that makes this program the one inside.
pub(crate) const INSIDE: &str = "inside";
/// What the figure is called.
pub(crate) const NAME: &str = "address_change_longest_gap";
/// What is wanted of the 95th percentile, in milliseconds: the room library's own schedule.
const WANTED: f64 = 15_000.0;

/// The longest time without sound around each change, the worse of both directions. Runs that
/// ended without any sound are left out.
pub(crate) async fn measure(runs: usize) -> Result<Figure> {
    let mut figure = Figure::new(NAME, "ms", WANTED);
    let mut scene = Scene::open().await?;
    for run in 0..runs {
        match scene.suffer().await? {
            Some(gap) => {
                figure.push(milliseconds(gap));
                eprintln!("    run {run}: {:.0} ms", figure.last());
            }
            None => {
                eprintln!("    run {run}: no sound after {PATIENCE:?}");
                scene = Scene::open().await?;
            }
        }
    }
    Ok(figure)
}

/// One person here and one inside, who hear each other.
struct Scene {
    inside: Inside,
    outside: Peer,
    _livekit: LivekitServer,
    network: Network,
}

impl Scene {
    async fn open() -> Result<Self> {
        let network = Network::make()?;
        let near = network.near_end();
        let host = near.address;
        let livekit = LivekitServer::start_on(near).await;
        let url = format!("ws://{host}:{}", livekit.address().port());
        let mut scene = Self {
            outside: Peer::join(&url, "ann").await?,
            inside: Inside::start(&network, &url)?,
            _livekit: livekit,
            network,
        };
        scene
            .is_calm()
            .await?
            .then_some(scene)
            .ok_or_else(|| "nobody hears anybody".into())
    }

    /// `None` when sound did not come back.
    async fn suffer(&mut self) -> Result<Option<Duration>> {
        self.outside.notes().forget();
        if !self.is_calm().await? {
            return Ok(None);
        }
        let began = Instant::now();
        self.network.change_address()?;
        tokio::time::sleep(CALM).await;
        if !self.is_calm().await? {
            return Ok(None);
        }
        let now = Instant::now();
        let heard = self.inside.longest_gap(now - began).await?;
        let here = self.outside.notes().longest_gap(began, now);
        Ok(Some(here.max(heard)))
    }

    /// Waits until sound has flowed both ways for a while; false when it does not.
    async fn is_calm(&mut self) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = Instant::now();
            let from = now.checked_sub(CALM).unwrap_or(now);
            let flows = self.outside.notes().longest_gap(from, now) < SHORT;
            if flows && self.inside.longest_gap(CALM).await? < SHORT {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The one inside. Ends with this handle.
struct Inside {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Inside {
    fn start(network: &Network, url: &str) -> Result<Self> {
        let mut words = network.enter();
        words.push(std::env::current_exe()?.display().to_string());
        words.extend([INSIDE, url].map(str::to_owned));
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = child.stdout.take().ok_or("no output")?;
        Ok(Self {
            _child: child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    /// The longest time without a packet, this far back.
    async fn longest_gap(&mut self, back: Duration) -> Result<Duration> {
        let question = format!("{}\n", back.as_millis());
        self.input.write_all(question.as_bytes()).await?;
        let answer = self.output.next_line().await?;
        let answer = answer.ok_or("the one inside has ended")?;
        Ok(Duration::from_millis(answer.parse()?))
    }
}

/// What the one inside does: joins, sounds, and answers until nobody asks any more.
pub(crate) async fn sit_inside(url: &str) -> Result<()> {
    ext::configure(ext::Settings::default()).map_err(|_| "settings are in force already")?;
    let peer = Peer::join(url, "bob").await?;
    let answer = move || -> Result<()> {
        for question in std::io::stdin().lock().lines() {
            let back = Duration::from_millis(question?.parse()?);
            let now = Instant::now();
            let from = now.checked_sub(back).unwrap_or(now);
            let gap = peer.notes().longest_gap(from, now);
            #[expect(clippy::print_stdout, reason = "the answer is what is asked for")]
            {
                println!("{}", gap.as_millis());
            }
        }
        Ok(())
    };
    // Reading waits, so it has a thread of its own.
    tokio::task::spawn_blocking(answer).await??;
    Ok(())
}
