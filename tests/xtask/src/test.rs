//! Everything that CI runs, in order, with minutes per step.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    browser, cargo, chart, compose, conformance, console, demo, e2e, fuzz, heal, impairment,
    interop, parity, reach,
    run::{Failure, note, run, say, to_stderr},
    setup, soak, tidy, unpatched, visitor,
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
    ("parity", parity::parity),
    ("end to end", || e2e::e2e(&[])),
    ("conformance", conformance::quick),
    ("interop", interop::quick),
    ("reach", reach::quick),
    ("impairment", impairment::check),
    ("browser", browser::browser),
    ("demo --check", demo::check),
    ("newcomer", demo::newcomer),
    ("receptionist", demo::receptionist),
];

const NIGHTLY: &[Step] = &[
    ("conformance", || conformance::conformance(&[])),
    ("parity", parity::parity),
    ("interop", || interop::interop(&[])),
    ("heal", || heal::heal(&[])),
    ("reach", || reach::reach(&[])),
    ("visitor", visitor::visitor),
    ("stories", stories),
    ("churn", churn),
    ("unpatched", google),
    ("interruptions", interruptions),
    ("impairment", impairment::check),
    ("impairment with real packets", impairment::real),
    ("fuzz", || fuzz::fuzz(&[])),
    ("call", || soak::soak(&[])),
];

/// An hour each: the call waits most of the time, and fuzzing takes what processors have left.
const SIDE_BY_SIDE: &[&str] = &["fuzz", "call"];

/// Runs all steps, or those whose names begin with one of `only`.
pub(crate) fn test(only: &[String]) -> Result<(), Failure> {
    steps(STEPS, only)
}

/// What is too long for every change. Each part prints one JSON object on stdout. A part that
/// fails does not keep the others from running.
pub(crate) fn nightly(only: &[String]) -> Result<(), Failure> {
    let (long, short): (Vec<&Step>, Vec<&Step>) = chosen(NIGHTLY, only)?
        .into_iter()
        .partition(|(name, _)| SIDE_BY_SIDE.contains(name));
    let mut parts: Vec<Ended> = short.into_iter().map(timed).collect();
    parts.extend(side_by_side(&long));
    let mut failures = Vec::new();
    for part in &parts {
        if let Err(failure) = &part.result {
            note(format_args!("{}: {failure}", part.name));
            failures.push(part.name);
        }
    }
    note(summary(&parts));
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("failed: {}", failures.join(", "))))
}

fn side_by_side(parts: &[&'static Step]) -> Vec<Ended> {
    thread::scope(|scope| {
        let running: Vec<_> = parts
            .iter()
            .map(|part| (part.0, scope.spawn(|| timed(part))))
            .collect();
        let end = |(name, running): (&'static str, thread::ScopedJoinHandle<'_, Ended>)| {
            running.join().unwrap_or_else(|_| Ended {
                name,
                time: Duration::ZERO,
                result: Err(Failure::new("it panicked")),
            })
        };
        running.into_iter().map(end).collect()
    })
}

fn steps(all: &'static [Step], only: &[String]) -> Result<(), Failure> {
    let mut ended: Vec<Ended> = Vec::new();
    for step in chosen(all, only)? {
        ended.push(timed(step));
        if let Some(Ended {
            name,
            result: Err(failure),
            ..
        }) = ended.last()
        {
            say(summary(&ended));
            return Err(Failure::new(format!("{name}: {failure}")));
        }
    }
    say(summary(&ended));
    Ok(())
}

/// All steps, or those whose names begin with one of `only`. A word that picks nothing is an error:
/// a misspelt step must not pass.
fn chosen(all: &'static [Step], only: &[String]) -> Result<Vec<&'static Step>, Failure> {
    let picks = |(name, _): &&Step, wanted: &String| name.starts_with(wanted.as_str());
    if let Some(stranger) = only
        .iter()
        .find(|wanted| !all.iter().any(|step| picks(&step, wanted)))
    {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        return Err(Failure::new(format!(
            "there is no `{stranger}`; there are: {names}"
        )));
    }
    let wanted = |step: &&Step| only.is_empty() || only.iter().any(|word| picks(step, word));
    Ok(all.iter().filter(wanted).collect())
}

/// One step that was run.
struct Ended {
    name: &'static str,
    time: Duration,
    result: Result<(), Failure>,
}

fn timed((name, step): &Step) -> Ended {
    note(format_args!("\n== {name}"));
    let begun = Instant::now();
    let result = step();
    Ended {
        name,
        time: begun.elapsed(),
        result,
    }
}

fn summary(steps: &[Ended]) -> String {
    let mut text = "\nminutes  step\n".to_owned();
    for step in steps {
        text.push_str(&format!(
            "{:7.1}  {}\n",
            step.time.as_secs_f32() / 60.0,
            step.name
        ));
    }
    let total: Duration = steps.iter().map(|step| step.time).sum();
    text + &format!("{:7.1}  total", total.as_secs_f32() / 60.0)
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
        let mut command = cargo::workspace("clippy");
        command.args(targets).args(["--", "-D", "warnings"]);
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
    run(&mut cargo::workspace("test"))
}

/// The end-to-end stories that wait long.
fn stories() -> Result<(), Failure> {
    e2e::prepare()?;
    verdict("stories", || {
        // One after the other: two floods at once leave nothing of two cores to those who talk.
        run(to_stderr(e2e::one_at_a_time("e2e").arg("--ignored")))
    })
}

/// 500 people come and go; memory stays flat.
fn churn() -> Result<(), Failure> {
    e2e::prepare()?;
    verdict("churn", || run(to_stderr(&mut e2e::harness("churn"))))
}

/// Hundreds of coughs, doors, "mm-hm" and commands beside the agent's voice, in virtual time.
fn interruptions() -> Result<(), Failure> {
    let mut command = cargo::cargo("test");
    command
        .args([
            "-p",
            "room-agent",
            "--lib",
            "interruptions",
            "--",
            "--nocapture",
        ])
        .env("INTERRUPTION_SOUNDS", "300");
    verdict("interruptions", || run(to_stderr(&mut command)))
}

fn google() -> Result<(), Failure> {
    verdict("unpatched", unpatched::unpatched)
}

/// For a part that either holds or does not: its JSON object.
fn verdict(part: &str, check: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let result = check();
    let failed = u8::from(result.is_err());
    let passed = 1 - failed;
    say(format_args!(
        r#"{{"part":"{part}","passed":{passed},"failed":{failed},"skipped":0}}"#
    ));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &'static [Step], only: &[&str]) -> Result<Vec<&'static str>, Failure> {
        let only: Vec<String> = only.iter().map(ToString::to_string).collect();
        Ok(chosen(all, &only)?
            .into_iter()
            .map(|(name, _)| *name)
            .collect())
    }

    #[test]
    fn what_runs_side_by_side_is_part_of_the_night() {
        let names = names(NIGHTLY, &[]).unwrap();
        assert!(SIDE_BY_SIDE.iter().all(|name| names.contains(name)));
        let ended = side_by_side(&[
            &("good", || Ok(())),
            &("bad", || Err(Failure::new("as it should"))),
        ]);
        let results: Vec<_> = ended.iter().map(|e| (e.name, e.result.is_ok())).collect();
        assert_eq!(results, [("good", true), ("bad", false)]);
    }

    #[test]
    fn steps_are_picked_by_how_they_begin_and_a_misspelt_one_is_refused() {
        assert_eq!(names(STEPS, &[]).unwrap().len(), STEPS.len());
        assert_eq!(
            names(STEPS, &["clip", "unit"]).unwrap(),
            ["clippy", "unit and scene tests"]
        );
        let refused = names(NIGHTLY, &["fuzz", "soak"]).unwrap_err().to_string();
        assert!(
            refused.contains("`soak`") && refused.contains("call"),
            "{refused}"
        );
    }
}
