//! Every command of this repository. Starts on a bare machine: few, pure Rust dependencies.
//!
//! Owns the order of steps and what they need installed. It does not know how the product works:
//! it builds programs, starts them, waits until they answer, and stops them.

mod bench;
mod browser;
mod cargo;
mod chart;
mod children;
mod compose;
mod conformance;
mod console;
mod demo;
mod doctor;
mod e2e;
mod fuzz;
mod heal;
mod impairment;
mod interop;
mod parity;
mod paths;
mod ports;
mod reach;
mod run;
mod servers;
mod setup;
mod soak;
mod test;
mod tidy;
mod unpatched;
mod visitor;

use std::process::ExitCode;

use run::Failure;

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [--example receptionist] [--host ADDRESS] [--check] [--release]
                              a talking room on this machine; --check lets a headless browser be the caller;
                              --host: for visitors on other machines, who reach this one at ADDRESS;
                              --example: with the agent, tools and service of tests/examples
  test [step ...]             everything CI runs, with all set-up, and minutes per step
  nightly [part ...]          what is too long for every change; one JSON object per part on stdout
  bench [--turns N] [--flood]  quick figures as JSON; --flood: with and without a flood in another room
  bench conversation [--turns N | --faults N | --rotations N | --lossy N]
                              all that is promised of a conversation (half an hour), or one part of it:
                              voice to voice, a thousand model failures, two hundred rotations
  bench media [--worker] [--engine] [--google] | --idle N | --profile
                              what a call costs: processor and memory of the whole worker, of our engine and of
                              Google's (12 minutes); N connections that nobody uses; a flame graph of 50 calls
  interop [--quick] [--skip-netns] [filter ...]    calls with Google's engine, Chromium and our own; prints JSON
  soak [--minutes N] [--loss PERCENT]  one long call over a lossy network (60, 5)
  impairment [--check | --write] [--real [seconds]]  badly delivered audio: figures of both receivers as JSON; the table of them
  heal [--runs N] [--skip-netns] [name]
                             how long sound is away after faults of the network, as JSON
  reach [--runs N] [name]     through which networks a call gets, and over what: JSON, and a table
  visitor                     a browser on another machine (a network namespace) talks with the demo's agent, with UDP
                              and without, as JSON
  doctor                      what this machine has, what is missing, and the line that installs it
  fuzz [--short] [target ...] hostile input, 10 minutes per target (--short: 60 s), as JSON
  tidy                        the house rules as checks
  e2e | browser | chart | compose | console    one step of `test` by itself
  conformance [--quick] [file ...]   upstream's own tests on our engine, against the real server
  parity           PARITY.toml against the published crate's source: every public item is named
  unpatched                   type-check against Google's engine: proof that only upstream's API is used
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match dispatch(command, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask {command}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, rest: &[String]) -> Result<(), Failure> {
    match command {
        "bench" => bench::bench(rest),
        "browser" => browser::browser(),
        "chart" => chart::chart(),
        "compose" => compose::compose(),
        "conformance" => conformance::conformance(rest),
        "console" => console::test(),
        "demo" => demo::demo(rest),
        "doctor" => doctor::doctor(),
        "impairment" => impairment::impairment(rest),
        "e2e" => e2e::e2e(rest),
        "fuzz" => fuzz::fuzz(rest),
        "interop" => interop::interop(rest),
        "nightly" => test::nightly(rest),
        "parity" => parity::parity(),
        "soak" => soak::soak(rest),
        "test" => test::test(rest),
        "tidy" => tidy::tidy(),
        "unpatched" => unpatched::unpatched(),
        "heal" => heal::heal(rest),
        "reach" => reach::reach(rest),
        "visitor" => visitor::visitor(),
        "help" | "--help" | "-h" => {
            run::say(USAGE);
            Ok(())
        }
        unknown => Err(Failure::new(format!(
            "there is no command `{unknown}`\n\n{USAGE}"
        ))),
    }
}
