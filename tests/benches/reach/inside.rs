//! A participant inside a network namespace: this program run once more, asked by lines on its standard
//! input.

use std::{
    io::BufRead,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use libwebrtc::{ext, peer_connection_factory::IceTransportsType};
use livekit::prelude::*;
use serde::{Deserialize, Serialize};
use tests::{
    internet::{Internet, Place},
    livekit_server::Pass,
    microphone::{self, Microphone},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{PATIENCE, Result, Setup};

/// The word that makes this program the one inside.
pub(crate) const WORD: &str = "inside";
/// Time of a frame.
const FRAME: Duration = Duration::from_millis(10);
/// Packets that wait to be counted; they are counted at once.
const WAITING: usize = 1_024;

/// What it heard so far.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Heard {
    pub(crate) packets: u64,
    /// From the beginning of the join to the first packet.
    pub(crate) sound_ms: Option<u64>,
}

/// The one inside. Ends with this handle.
pub(crate) struct Inside {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Inside {
    pub(crate) fn start(
        internet: &Internet,
        place: Place,
        url: &str,
        name: &str,
        setup: &Setup,
    ) -> Result<Self> {
        let mut words = internet.enter(place);
        words.push(std::env::current_exe()?.display().to_string());
        words.extend([WORD, url, name].map(str::to_owned));
        words.push(serde_json::to_string(setup)?);
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

    pub(crate) async fn ask(&mut self) -> Result<Heard> {
        self.input.write_all(b"\n").await?;
        let answer = tokio::time::timeout(PATIENCE, self.output.next_line()).await??;
        let answer = answer.ok_or("the one inside has ended")?;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// What the one inside does: joins, sounds, and answers until nobody asks any more.
pub(crate) async fn sit(url: &str, name: &str, setup: Setup) -> Result<()> {
    let settings = ext::Settings {
        udp_ports: setup.ports.map(|(first, last)| first..=last),
        interfaces: setup.interfaces.clone(),
        ca_file: setup.ca_file.clone().map(Into::into),
        ..ext::Settings::default()
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    ext::configure(settings).map_err(|_| "settings are in force already")?;
    let packets = Arc::new(AtomicU64::new(0));
    let first = Arc::new(AtomicU64::new(0));
    let answer = {
        let (packets, first) = (packets.clone(), first.clone());
        move || -> Result<()> {
            for question in std::io::stdin().lock().lines() {
                question?;
                let packets = packets.load(Ordering::Relaxed);
                let heard = Heard {
                    packets,
                    sound_ms: (packets > 0).then(|| first.load(Ordering::Relaxed)),
                };
                #[expect(clippy::print_stdout, reason = "the answer is what is asked for")]
                {
                    println!("{}", serde_json::to_string(&heard)?);
                }
            }
            Ok(())
        }
    };
    // Reading waits, so it has a thread of its own; when nobody asks any more, all ends.
    let asked = tokio::task::spawn_blocking(answer);
    let policy = match setup.relay_only {
        true => IceTransportsType::Relay,
        false => IceTransportsType::All,
    };
    let call = call(url, name, policy, packets, first);
    tokio::select! {
        asked = asked => asked?,
        ended = call => ended,
    }
}

async fn call(
    url: &str,
    name: &str,
    policy: IceTransportsType,
    packets: Arc<AtomicU64>,
    first: Arc<AtomicU64>,
) -> Result<()> {
    let began = Instant::now();
    let mut options = RoomOptions::default();
    options.rtc_config.ice_transport_type = policy;
    let token = Pass::of(name, "reach").token();
    let (room, mut events) = Room::connect(url, &token, options).await?;
    let voice = Microphone::new(0);
    let published = voice.publish(&room, microphone::without_dtx());
    let sounding = async {
        published.await?;
        let mut pace = tokio::time::interval(FRAME);
        let frame: Vec<i16> = (0..microphone::FRAME as i16)
            .map(|n| (n % 40 - 20) * 300)
            .collect();
        loop {
            pace.tick().await;
            let _ = voice.capture(&frame).await;
        }
    };
    let listening = async {
        while let Some(event) = events.recv().await {
            if let RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(track),
                ..
            } = event
                && let Some(mut tap) = ext::tap_remote(&track.rtc_track(), WAITING)
            {
                while tap.recv().await.is_some() {
                    if packets.fetch_add(1, Ordering::Relaxed) == 0 {
                        first.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
                    }
                }
            }
        }
    };
    tokio::select! {
        ended = sounding => ended,
        () = listening => Err("the room is closed".into()),
    }
}
