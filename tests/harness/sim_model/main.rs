//! The simulated model as a program, for the demo and for compose.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use tests::sim_model::{Fault, Handshake, Script, SimModel};
use tokio::signal::unix::{SignalKind, signal};

/// A WebSocket server with the rules of the Realtime API and a synthetic voice.
#[derive(Parser)]
#[command(name = "sim-model", version)]
struct Arguments {
    /// Address to listen on; port 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// From the start of a response to its first audio, in milliseconds.
    #[arg(long, default_value = "250", value_name = "MILLISECONDS", value_parser = milliseconds)]
    reply_after: Duration,
    /// Seconds of audio sent per second.
    #[arg(long, default_value_t = 4.0)]
    pace: f32,
    /// From the end of a user turn to its transcript, in milliseconds.
    #[arg(long, default_value = "150", value_name = "MILLISECONDS", value_parser = milliseconds)]
    transcribe_after: Duration,
    /// Refuse this key with 401; may be given several times, `*` refuses every key.
    #[arg(long, value_name = "KEY")]
    refuse_key: Vec<String>,
    /// Refuse every upgrade with this HTTP status.
    #[arg(long, value_name = "STATUS")]
    refuse_upgrade: Option<u16>,
    /// End every session after this many seconds.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    expire_after: u64,
    /// In every response: cut the link after that many audio deltas.
    #[arg(long, value_name = "DELTAS", group = "fault")]
    drop_after: Option<u32>,
    /// In every response: fall silent for good after that many audio deltas.
    #[arg(long, value_name = "DELTAS", group = "fault")]
    stall_after: Option<u32>,
    /// In every response: send malformed frames after that many audio deltas.
    #[arg(long, value_name = "DELTAS", group = "fault")]
    nonsense_after: Option<u32>,
    /// Every response fails with this code, for example `rate_limit_exceeded`.
    #[arg(long, value_name = "CODE", group = "fault")]
    fail: Option<String>,
}

/// `500` and `500ms` are the same.
fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.trim_end_matches("ms")
        .parse()
        .map(Duration::from_millis)
}

impl Arguments {
    fn script(&self) -> Script {
        Script {
            reply_after: self.reply_after,
            pace: self.pace,
            transcribe_after: self.transcribe_after,
            expire_after: Duration::from_secs(self.expire_after),
            handshake: self
                .refuse_upgrade
                .map_or(Handshake::Accept, Handshake::Refuse),
            refused_keys: self.refuse_key.clone(),
            always: self.fault(),
            ..Script::default()
        }
    }

    fn fault(&self) -> Option<Fault> {
        let drop = self.drop_after.map(Fault::DropLink);
        let stall = self.stall_after.map(Fault::Stall);
        let nonsense = self.nonsense_after.map(Fault::Nonsense);
        drop.or(stall)
            .or(nonsense)
            .or_else(|| self.fail.clone().map(Fault::Fail))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    match serve(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the simulated model could not be started");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the one line that tells where to connect"
)]
async fn serve(arguments: &Arguments) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let model = SimModel::start_unrecorded(arguments.listen, arguments.script()).await?;
    println!("listening on {}", model.url());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
