//! How long sound is away after a fault of the network, as JSON: two participants on our engine
//! who sound all the time, the real server, a relay for media and a wire for the signal connection.
//! Each joins again when the room library gives up, as the worker does.
//!
//! A figure is the worse of both directions. Nothing is asserted; a run in which sound did not come
//! back is counted as failed.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    faults::{Wire, impairment::Impairment, relay::UdpRelay},
    livekit_server::LivekitServer,
    user::configure_engine,
};

#[expect(
    dead_code,
    reason = "shared with another program, which needs more of it"
)]
#[path = "../conversation/figures.rs"]
mod figures;
mod moves;
mod peer;

use figures::{Figure, Report, milliseconds};
use peer::{Notes, Peer};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Sound that does not come back for so long is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sound that must flow before the next fault.
const CALM: Duration = Duration::from_secs(2);
/// A pause shorter than this is no fault: late packets of a busy machine.
const SHORT: Duration = Duration::from_millis(200);

/// What is done to the network.
#[derive(Clone, Copy)]
enum Fault {
    /// No datagram passes for that long.
    Media(Duration),
    /// Every participant comes from another port.
    Rebind,
    /// The signal connections end; new ones are taken.
    Signal,
    /// The signal connections end; new ones are refused for that long.
    SignalAway(Duration),
    /// Nothing passes at all for that long.
    Everything(Duration),
    /// The server is killed and started again.
    Restart,
}

struct Case {
    name: &'static str,
    fault: Fault,
    /// What is wanted of the 95th percentile, in milliseconds.
    wanted: f64,
}

const CASES: [Case; 7] = [
    Case {
        name: "media_cut_1s_to_sound",
        fault: Fault::Media(Duration::from_secs(1)),
        wanted: 1_000.0,
    },
    Case {
        name: "media_cut_5s_to_sound",
        fault: Fault::Media(Duration::from_secs(5)),
        wanted: 1_000.0,
    },
    Case {
        name: "rebind_longest_gap",
        fault: Fault::Rebind,
        wanted: f64::NAN,
    },
    Case {
        name: "signal_cut_longest_gap",
        fault: Fault::Signal,
        wanted: 200.0,
    },
    Case {
        name: "signal_away_3s_longest_gap",
        fault: Fault::SignalAway(Duration::from_secs(3)),
        wanted: 15_000.0,
    },
    Case {
        name: "everything_cut_10s_to_sound",
        fault: Fault::Everything(Duration::from_secs(10)),
        wanted: 15_000.0,
    },
    Case {
        name: "server_restart_to_sound",
        fault: Fault::Restart,
        wanted: 15_000.0,
    },
];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let args: Vec<String> = std::env::args().collect();
    if let [_, word, url] = args.as_slice()
        && word == moves::INSIDE
    {
        return runtime.block_on(moves::sit_inside(url));
    }
    configure_engine();
    let wish = Wish::from(&args)?;
    let report = runtime.block_on(measure(&wish))?;
    #[expect(clippy::print_stdout, reason = "the figures are this program's output")]
    {
        println!("{report:#}");
    }
    Ok(())
}

/// What was asked for.
struct Wish {
    runs: usize,
    /// Leaves out what needs root.
    skip_netns: bool,
    /// The cases whose name has this in it; empty = all.
    filter: String,
}

impl Wish {
    fn from(args: &[String]) -> Result<Self> {
        let mut wish = Self {
            runs: 10,
            skip_netns: false,
            filter: String::new(),
        };
        let mut args = args.iter().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--runs" => wish.runs = args.next().ok_or("--runs needs a number")?.parse()?,
                "--skip-netns" => wish.skip_netns = true,
                other => other.clone_into(&mut wish.filter),
            }
        }
        Ok(wish)
    }

    fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }
}

async fn measure(wish: &Wish) -> Result<serde_json::Value> {
    let runs = wish.runs;
    let mut report = Report::default();
    let (mut passed, mut failed) = (0, 0);
    for case in CASES.iter().filter(|case| wish.wants(case.name)) {
        eprintln!("  … {}", case.name);
        let mut figure = Figure::new(case.name, "ms", case.wanted);
        let mut scene = Scene::open().await?;
        for run in 0..runs {
            match scene.suffer(case.fault).await {
                Some(took) => {
                    passed += 1;
                    figure.push(milliseconds(took));
                    eprintln!("    run {run}: {:.0} ms", figure.last());
                }
                None => {
                    failed += 1;
                    eprintln!("    run {run}: no sound after {PATIENCE:?}");
                    scene = Scene::open().await?;
                }
            }
        }
        let (repairs, returns) = scene.repairs();
        eprintln!("    {repairs} repairs by the room library; joined again {returns} times");
        report.add(figure);
    }
    let mut skipped = 0;
    if wish.wants(moves::NAME) {
        eprintln!("  … {}", moves::NAME);
        if wish.skip_netns {
            skipped = runs;
        } else {
            let figure = moves::measure(runs).await?;
            passed += figure.count();
            failed += runs - figure.count();
            report.add(figure);
        }
    }
    let mut json = report.into_json();
    if let Some(object) = json.as_object_mut() {
        object.insert("part".to_owned(), json!("heal"));
        object.insert("passed".to_owned(), json!(passed));
        object.insert("failed".to_owned(), json!(failed));
        object.insert("skipped".to_owned(), json!(skipped));
    }
    Ok(json)
}

/// Two people who hear each other.
struct Scene {
    livekit: LivekitServer,
    relay: UdpRelay,
    wire: Wire,
    peers: [Peer; 2],
}

impl Scene {
    async fn open() -> Result<Self> {
        let (livekit, relay) = LivekitServer::relayed(Impairment::default()).await;
        let wire = Wire::to(livekit.address()).await?;
        let url = format!("ws://{}", wire.address());
        let peers = [
            Peer::join(&url, "ann").await?,
            Peer::join(&url, "bob").await?,
        ];
        let scene = Self {
            livekit,
            relay,
            wire,
            peers,
        };
        scene.is_calm().await.ok_or("nobody hears anybody")?;
        Ok(scene)
    }

    /// Begun by the room library, and by whoever uses it after it gave up.
    fn repairs(&self) -> (u64, u64) {
        let notes = || self.peers.iter().map(Peer::notes);
        (
            notes().map(Notes::repairs).sum(),
            notes().map(Notes::returns).sum(),
        )
    }

    /// One fault; how long sound was away, as the case counts it.
    async fn suffer(&mut self, fault: Fault) -> Option<Duration> {
        self.peers.iter().for_each(|peer| peer.notes().forget());
        self.is_calm().await?;
        let began = Instant::now();
        let since_heal = self.happen(fault).await;
        let healed = Instant::now();
        self.is_calm().await?;
        let took = self.peers.iter().map(|peer| {
            let notes = peer.notes();
            if since_heal {
                notes
                    .first_after(healed)
                    .map(|first| first.saturating_duration_since(healed))
            } else {
                Some(notes.longest_gap(began, Instant::now() - CALM / 2))
            }
        });
        took.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Lets it happen, and mends it. True when time is counted from then.
    async fn happen(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Media(length) => {
                self.relay.cut();
                tokio::time::sleep(length).await;
                self.relay.heal();
                true
            }
            Fault::Rebind => {
                let _ = self.relay.rebind();
                tokio::time::sleep(CALM).await;
                false
            }
            Fault::Signal => {
                self.wire.cut();
                tokio::time::sleep(2 * CALM).await;
                false
            }
            Fault::SignalAway(length) => {
                self.wire.take_down();
                tokio::time::sleep(length).await;
                self.wire.restore();
                tokio::time::sleep(CALM).await;
                false
            }
            Fault::Everything(length) => {
                self.relay.cut();
                self.wire.take_down();
                tokio::time::sleep(length).await;
                self.wire.restore();
                self.relay.heal();
                true
            }
            Fault::Restart => {
                self.livekit.kill().await;
                self.livekit.start_again().await;
                true
            }
        }
    }

    /// Waits until sound has flowed both ways for a while, counted from now.
    async fn is_calm(&self) -> Option<()> {
        let begun = Instant::now();
        let deadline = begun + PATIENCE;
        loop {
            let now = Instant::now();
            let flows = |peer: &Peer| {
                let from = now.checked_sub(CALM).unwrap_or(now);
                from >= begun && peer.notes().longest_gap(from, now) < SHORT
            };
            if self.peers.iter().all(flows) {
                return Some(());
            }
            if now > deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
