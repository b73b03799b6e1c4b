//! Everything that CI runs, in order, with minutes per step.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    browser, cargo, chart, compose, console, demo, e2e,
    run::{Failure, note, run, say},
    setup, tidy, unpatched,
};

type Step = (&'static str, fn() -> Result<(), Failure>);

/// Cheap and likely to fail first.
const STEPS: &[Step] = &[
    ("setup", set_up),
    ("format", format),
    ("tidy", tidy::tidy),
    ("clippy", clippy),
    ("docs", docs),
    ("console", console::test),
    ("unit and scene tests", unit),
    ("chart", chart::chart),
    ("compose", compose::compose),
    ("end to end", || e2e::e2e(&[])),
    ("browser", browser::browser),
    ("demo --check", demo::check),
];

const NIGHTLY: &[Step] = &[("churn", churn), ("unpatched", unpatched::unpatched)];

/// Runs all steps, or those whose names begin with one of `only`.
pub(crate) fn test(only: &[String]) -> Result<(), Failure> {
    steps(STEPS, only)
}

/// What is too long for every change.
pub(crate) fn nightly() -> Result<(), Failure> {
    steps(NIGHTLY, &[])
}

fn steps(all: &[Step], only: &[String]) -> Result<(), Failure> {
    let mut times = Vec::new();
    for (name, step) in all {
        if !only.is_empty() && !only.iter().any(|wanted| name.starts_with(wanted.as_str())) {
            continue;
        }
        note(format_args!("\n== {name}"));
        let begun = Instant::now();
        let result = step();
        times.push((*name, begun.elapsed()));
        if result.is_err() {
            summary(&times);
            return result.map_err(|failure| Failure::new(format!("{name}: {failure}")));
        }
    }
    summary(&times);
    Ok(())
}

fn summary(times: &[(&str, Duration)]) {
    say("\nminutes  step");
    for (name, time) in times {
        say(format_args!("{:7.1}  {name}", time.as_secs_f32() / 60.0));
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    say(format_args!("{:7.1}  total", total.as_secs_f32() / 60.0));
}

fn set_up() -> Result<(), Failure> {
    setup::ensure_toolchains(&["cargo", "go", "node"])?;
    setup::ensure(setup::BUILD)?;
    setup::ensure(setup::BROWSER)
}

fn format() -> Result<(), Failure> {
    // `cargo fmt` takes no --locked.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(program)
        .current_dir(crate::paths::root())
        .args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<(), Failure> {
    // By name too: the tests that run only by name are no part of "all targets".
    for targets in [["--all-targets"].as_slice(), &["--test", "*"]] {
        let mut command = cargo::cargo("clippy");
        command
            .arg("--workspace")
            .args(targets)
            .args(["--", "-D", "warnings"]);
        run(&mut command)?;
    }
    Ok(())
}

fn docs() -> Result<(), Failure> {
    let mut command = cargo::cargo("doc");
    command.args([
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--lib",
    ]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn unit() -> Result<(), Failure> {
    run(cargo::cargo("test").arg("--workspace"))
}

/// 500 people come and go; memory stays flat.
fn churn() -> Result<(), Failure> {
    e2e::prepare()?;
    run(&mut e2e::harness("churn"))
}
