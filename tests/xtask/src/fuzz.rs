//! Fuzz targets: each runs for some time in a process of its own; its memory is watched; one JSON object tells
//! what came of it.
//!
//! What kind of fuzzing this is: bolero's random engine on stable Rust. Inputs are the corpus, then random bytes
//! that the targets read as scripts of damage to real inputs; nothing steers them by coverage. The decoder of
//! Opus, which is C, also runs under AddressSanitizer (gcc's, through CFLAGS); Rust needs nightly for that and
//! does without.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use serde_json::{Value, json};

use crate::{
    cargo, paths,
    run::{Failure, note, say},
    setup,
};

mod campaign;
mod sanitizer;

use campaign::{Outcome, Verdict};

/// Seconds per target, unless told otherwise.
const NIGHT: u64 = 600;
const SHORT: u64 = 60;

/// A `#[test]` with a `bolero::check!()` in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    name: &'static str,
    /// Folder of the package.
    package: &'static str,
    /// Name of the test binary as cargo knows it: of the library, or of the file in `tests/`.
    binary: &'static str,
    test: &'static str,
}

const fn target(
    name: &'static str,
    package: &'static str,
    binary: &'static str,
    test: &'static str,
) -> Target {
    Target {
        name,
        package,
        binary,
        test,
    }
}

const ENGINE: &str = "worker/libwebrtc";

const TARGETS: &[Target] = &[
    target(
        "sdp-offer",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::description::an_offer_is_accepted_or_refused",
    ),
    target(
        "sdp-offer-again",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::description::an_offer_after_an_honest_one_is_accepted_or_refused",
    ),
    target(
        "sdp-answer",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::description::an_answer_is_accepted_or_refused",
    ),
    target(
        "candidate",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::candidate::a_candidate_is_taken_or_refused",
    ),
    target(
        "datagram",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::datagram::unproven_datagrams_change_nothing",
    ),
    target(
        "stun-answer",
        ENGINE,
        "libwebrtc",
        "engine::reach::binding::tests::hostile_answers_are_read_or_refused",
    ),
    target(
        "relay-stream",
        ENGINE,
        "libwebrtc",
        "engine::reach::framing::tests::any_stream_is_read_or_refused_and_little_is_held",
    ),
    target(
        "handshake",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::datagram::datagrams_in_mid_handshake_end_in_a_call_or_a_failure",
    ),
    target(
        "sealed",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::sealed::a_hostile_peer_harms_only_its_own_connection",
    ),
    target(
        "negotiation",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::negotiation::negotiation_in_any_order_is_carried_out_or_refused",
    ),
    target(
        "opus-engine",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::opus::a_packet_is_decoded_or_refused",
    ),
    target(
        "e2ee",
        ENGINE,
        "libwebrtc",
        "engine::fuzz::frame::a_sealed_frame_is_opened_or_dropped",
    ),
    target(
        "paced",
        ENGINE,
        "libwebrtc",
        "audio::jitter_buffer::operations::a_loudspeaker_is_served_whatever_comes_operations",
    ),
    target(
        "arrival",
        "worker",
        "room_agent",
        "media::ear::arrival::operations::a_time_line_is_kept_whatever_comes_operations",
    ),
    target(
        "opus-worker",
        "worker",
        "room_agent",
        "media::opus::tests::any_packet_is_decoded_or_refused",
    ),
    target(
        "journal",
        "worker",
        "room_agent",
        "audit::tests::any_bytes_are_read_and_damage_is_told",
    ),
    target(
        "redaction",
        "worker",
        "room_agent",
        "redaction::tests::no_text_makes_it_stumble",
    ),
    target(
        "tool-file",
        "worker",
        "room_agent",
        "tooling::files::tests::any_file_is_tools_or_a_list_of_problems",
    ),
    target(
        "http-reply",
        "tools",
        "tools",
        "http::tests::any_reply_is_an_answer_or_a_failure",
    ),
    target(
        "mcp-catalogue",
        "tools",
        "tools",
        "mcp::catalog::tests::any_text_is_a_catalogue_or_a_problem",
    ),
    target(
        "mcp-reply",
        "tools",
        "tools",
        "mcp::client::tests::any_reply_is_an_answer_a_listing_or_a_failure",
    ),
    target(
        "tool-arguments",
        "tools",
        "calls",
        "refusals::any_arguments_run_only_when_they_fit",
    ),
    target(
        "dialog",
        "worker/dialog",
        "operations",
        "whatever_happens_the_promises_hold",
    ),
];

/// The target that runs under AddressSanitizer, too.
const SANITIZED: &str = "opus-engine";

struct Wish {
    seconds: u64,
    names: Vec<String>,
}

/// `[--short | --seconds N] [target ...]`.
pub(crate) fn fuzz(args: &[String]) -> Result<(), Failure> {
    let wish = read(args)?;
    let wanted = |name: &str| wish.names.is_empty() || wish.names.iter().any(|own| own == name);
    setup::ensure(setup::BUILD)?;
    let plain: Vec<Target> = TARGETS.iter().copied().filter(|t| wanted(t.name)).collect();
    let sanitized = format!("{SANITIZED}-asan");
    let mut outcomes = Vec::new();
    if !plain.is_empty() {
        let binaries = binaries(&mut cargo::workspace("test"))?;
        outcomes = all(&plain, &binaries, wish.seconds)?;
    }
    if wanted(&sanitized) {
        outcomes.push(sanitizer::run(find(SANITIZED)?, sanitized, wish.seconds)?);
    }
    report(&outcomes)
}

fn read(args: &[String]) -> Result<Wish, Failure> {
    let mut wish = Wish {
        seconds: NIGHT,
        names: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--short" => wish.seconds = SHORT,
            "--seconds" => {
                let value = args.next().and_then(|value| value.parse().ok());
                wish.seconds = value.ok_or_else(|| Failure::new("--seconds wants a number"))?;
            }
            name => wish.names.push(name.to_owned()),
        }
    }
    let known = |name: &String| {
        TARGETS.iter().any(|target| target.name == name) || *name == format!("{SANITIZED}-asan")
    };
    match wish.names.iter().find(|name| !known(name)) {
        Some(stranger) => Err(Failure::new(format!("there is no target `{stranger}`"))),
        None => Ok(wish),
    }
}

fn find(name: &str) -> Result<Target, Failure> {
    let target = TARGETS.iter().find(|target| target.name == name);
    target
        .copied()
        .ok_or_else(|| Failure::new(format!("there is no target `{name}`")))
}

/// Builds the tests of the workspace; where each test binary lies, by folder of its package and name.
fn binaries(cargo: &mut std::process::Command) -> Result<Binaries, Failure> {
    note("  … the fuzz targets");
    // The choice of packages is that of `cargo xtask test`, so that nothing is compiled twice.
    let built = cargo.args(["--no-run", "--message-format=json"]);
    Ok(executables(&crate::run::output(built)?))
}

type Binaries = HashMap<(PathBuf, String), PathBuf>;

fn executables(messages: &str) -> Binaries {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    messages
        .filter_map(|message: Value| executable(&message))
        .collect()
}

fn executable(message: &Value) -> Option<((PathBuf, String), PathBuf)> {
    if message["profile"]["test"] != true {
        return None;
    }
    let path = message["executable"].as_str()?;
    let mut folder = PathBuf::from(message["manifest_path"].as_str()?);
    folder.pop();
    // A library is named by its package with underscores.
    let name = message["target"]["name"].as_str()?.replace('-', "_");
    Some(((folder, name), PathBuf::from(path)))
}

fn all(targets: &[Target], binaries: &Binaries, seconds: u64) -> Result<Vec<Outcome>, Failure> {
    let outcomes = side_by_side(targets, |target| one(*target, binaries, seconds));
    outcomes.into_iter().collect()
}

/// Does something with each, as many at a time as there are processors.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(items.iter());
    // The lock ends with the call: held while an item is worked on, it would make them wait in line.
    let next = || lock(&waiting).next();
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(item) = next() {
                    let result = work(item);
                    lock(&results).push(result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn one(target: Target, binaries: &Binaries, seconds: u64) -> Result<Outcome, Failure> {
    let folder = paths::root().join(target.package);
    let binary = binaries.get(&(folder, target.binary.to_owned()));
    let binary = binary.ok_or_else(|| {
        Failure::new(format!(
            "no test binary `{}` in {}",
            target.binary, target.package
        ))
    })?;
    campaign::run(target, target.name.to_owned(), binary, seconds, &[])
}

/// Prints the JSON; fails when a target did.
fn report(outcomes: &[Outcome]) -> Result<(), Failure> {
    let count = |verdict: &Verdict| {
        let same = |outcome: &&Outcome| {
            std::mem::discriminant(&outcome.verdict) == std::mem::discriminant(verdict)
        };
        outcomes.iter().filter(same).count()
    };
    let failed = count(&Verdict::Failed(String::new()));
    say(json!({
        "part": "fuzz",
        "passed": count(&Verdict::Passed),
        "failed": failed,
        "skipped": count(&Verdict::Skipped(String::new())),
        "targets": outcomes.iter().map(Outcome::to_json).collect::<Vec<_>>(),
    }));
    match failed {
        0 => Ok(()),
        _ => Err(Failure::new(format!("{failed} targets failed"))),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Condvar, time::Duration};

    use super::*;

    #[test]
    fn targets_run_side_by_side_on_several_processors() {
        let workers = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(2);
        let (running, joined) = (Mutex::new(0), Condvar::new());
        let met = side_by_side(&[0, 1][..workers], |_| {
            let mut count = lock(&running);
            *count += 1;
            joined.notify_all();
            let patience = Duration::from_secs(20);
            let all = joined.wait_timeout_while(count, patience, |count| *count < workers);
            !all.unwrap_or_else(PoisonError::into_inner).1.timed_out()
        });
        assert_eq!(met, vec![true; workers]);
    }

    #[test]
    fn every_check_in_the_sources_is_a_target_here() {
        let mut tracked = std::process::Command::new("git");
        tracked.current_dir(paths::root()).args([
            "grep",
            "--count",
            "--fixed-strings",
            "check!()",
            "--",
            "*.rs",
        ]);
        let listed = crate::run::output(&mut tracked).expect("a git work tree");
        let elsewhere = |line: &&str| !line.starts_with("tests/xtask/");
        let count = |line: &str| line.rsplit(':').next()?.parse::<usize>().ok();
        let checks: usize = listed.lines().filter(elsewhere).filter_map(count).sum();
        assert_eq!(checks, TARGETS.len(), "in:\n{listed}");
    }

    #[test]
    fn test_binaries_are_found_in_what_cargo_says() {
        let said = r#"{"reason":"compiler-artifact","manifest_path":"/r/worker/Cargo.toml",
            "target":{"name":"room-agent"},"profile":{"test":true},"executable":"/t/room_agent-1"}"#;
        let found = executables(&said.replace('\n', ""));
        let wanted = (PathBuf::from("/r/worker"), "room_agent".to_owned());
        assert_eq!(found[&wanted], PathBuf::from("/t/room_agent-1"));
    }
}
