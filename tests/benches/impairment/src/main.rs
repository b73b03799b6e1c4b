//! What both receivers make of badly delivered audio, as JSON and as a table.
//!
//! Without arguments: the simulation, on a virtual clock, the same in every run. `--write` writes
//! its table into the repository, `--check` fails when the table there is another one. `--real
//! [seconds per row]` measures real packets through a real server and an impaired network instead,
//! and `--write` then writes the table of those.

mod network;
mod real;
mod receivers;
mod simulation;
mod speech;
mod stream;
mod tally;

use std::{error::Error, process::ExitCode};

use simulation::Table;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let report = read(&args).and_then(|(is_real, seconds, table)| match is_real {
        false => simulation::report(table),
        true => real_packets(seconds, table),
    });
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

/// `[--check | --write] [--real [seconds per row]]`
fn read(args: &[String]) -> Result<(bool, Option<u64>, Table)> {
    let (mut is_real, mut seconds, mut table) = (false, None, Table::Leave);
    for arg in args {
        match arg.as_str() {
            "--check" => table = Table::Check,
            "--real" => is_real = true,
            "--write" => table = Table::Write,
            number if is_real => seconds = Some(number.parse()?),
            unknown => return Err(format!("there is no argument `{unknown}`").into()),
        }
    }
    Ok((is_real, seconds, table))
}

fn real_packets(seconds: Option<u64>, table: Table) -> Result<serde_json::Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(real::report(seconds, table))
}
