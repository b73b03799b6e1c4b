//! What both receivers make of badly delivered audio, as JSON and as a table.
//!
//! Without arguments: the simulation, on a virtual clock, the same in every run. `--write` writes
//! its table into the repository, `--check` fails when the table there is another one, `--real
//! [seconds per row]` measures real packets through a real server and an impaired network instead.

mod network;
mod real;
mod receivers;
mod simulation;
mod speech;
mod stream;
mod tally;

use std::{error::Error, process::ExitCode};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let report = match args.first().map(String::as_str) {
        None => simulation::report(simulation::Table::Leave),
        Some("--write") => simulation::report(simulation::Table::Write),
        Some("--check") => simulation::report(simulation::Table::Check),
        Some("--real") => real_packets(args.get(1).and_then(|seconds| seconds.parse().ok())),
        Some(unknown) => Err(format!("there is no argument `{unknown}`").into()),
    };
    match report {
        Ok(report) => {
            #[expect(clippy::print_stdout, reason = "the figures are this program's output")]
            {
                println!("{report:#}");
            }
            ExitCode::from(u8::from(report["failed"] != 0))
        }
        Err(error) => {
            eprintln!("impairment: {error}");
            ExitCode::FAILURE
        }
    }
}

fn real_packets(seconds: Option<u64>) -> Result<serde_json::Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(real::report(seconds))
}
