//! Quick figures of one machine: start, dispatch, latency per turn, memory and CPU per session.

use std::process::Command;

use crate::{
    cargo::{self, Profile},
    interop, paths,
    run::{Failure, run},
    servers, setup,
};

/// Builds in release mode and runs the benchmark program, which prints JSON.
pub(crate) fn bench(args: &[String]) -> Result<(), Failure> {
    check(args)?;
    setup::ensure(setup::BUILD)?;
    if args.first().is_some_and(|word| word == "tools") {
        cargo::build_for_release(&["bench-tools"])?;
        let program = cargo::program(Profile::Release, "bench-tools");
        return run(Command::new(program).args(&args[1..]));
    }
    let server = servers::livekit_server()?;
    let is_media = args.first().is_some_and(|word| word == "media");
    let name = if is_media {
        "bench-media"
    } else {
        "bench-conversation"
    };
    cargo::build_for_release(&[name])?;
    let mut command = Command::new(cargo::program(Profile::Release, name));
    match is_media {
        true => media(&mut command, &args[1..])?,
        false => {
            command.args(args);
        }
    }
    command.env("LIVEKIT_SERVER_BIN", server);
    command.env(
        "ROOM_AGENT_BIN",
        cargo::program(Profile::Release, "room-agent"),
    );
    run(&mut command)
}

/// The cost table, with what it needs besides.
fn media(command: &mut Command, args: &[String]) -> Result<(), Failure> {
    let wants = |part: &str| args.iter().any(|arg| arg == part);
    let is_table = !wants("--idle") && !wants("--profile");
    let is_everything = !wants("--worker") && !wants("--engine");
    if wants("--google") || (is_table && is_everything) {
        command.env("MEDIA_PYTHON", interop::python()?);
    }
    if wants("--profile") {
        setup::ensure(setup::PROFILE)?;
    }
    for arg in args {
        command.arg(arg);
        if arg == "--profile" {
            command.arg(paths::root().join(PICTURE));
        }
    }
    Ok(())
}

/// Where the flame graph is kept.
const PICTURE: &str = "tests/benches/media/flame.svg";

/// A wrong word is told before the minutes of a build.
fn check(args: &[String]) -> Result<(), Failure> {
    let mut rest = args.iter();
    let of_tools = args.first().is_some_and(|word| word == "tools");
    let of_media = args.first().is_some_and(|word| word == "media");
    while let Some(arg) = rest.next() {
        let is_right = match arg.as_str() {
            "tools" => of_tools,
            "--calls" | "--kills" if of_tools => is_number(rest.next()),
            "--stalls" => of_tools,
            _ if of_tools => false,
            "media" => of_media,
            "--worker" | "--engine" | "--google" | "--profile" if of_media => true,
            "--idle" | "--minutes" | "--calls" | "--seconds" if of_media => is_number(rest.next()),
            "--sessions" if of_media => are_numbers(rest.next()),
            _ if of_media => false,
            "conversation" | "--flood" => true,
            "--expiries" | "--faults" | "--interruptions" | "--lossy" | "--rotations"
            | "--sessions" | "--turns" => is_number(rest.next()),
            _ => false,
        };
        if !is_right {
            let usage = "usage: cargo xtask bench [--turns N] [--flood | --sessions N]\n       \
                         cargo xtask bench conversation [--turns N | --expiries N | --faults N | \
                         --interruptions N | --lossy N | --rotations N]\n       \
                         cargo xtask bench media [--worker] [--engine] [--google] \
                         [--sessions N,N,…] [--seconds S]\n       \
                         cargo xtask bench media --idle N [--minutes M]\n       \
                         cargo xtask bench media --profile [--calls N] [--seconds S]\n       \
                         cargo xtask bench tools [--calls N] [--kills N]\n       \
                         cargo xtask bench tools --stalls";
            return Err(Failure::new(format!("`{arg}`: {usage}")));
        }
    }
    Ok(())
}

fn is_number(word: Option<&String>) -> bool {
    word.is_some_and(|word| word.parse::<usize>().is_ok())
}

fn are_numbers(word: Option<&String>) -> bool {
    word.is_some_and(|word| word.split(',').all(|one| one.parse::<usize>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_word_is_refused() {
        let check =
            |words: &[&str]| check(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert!(check(&[]).is_ok());
        assert!(check(&["--turns", "25", "--flood"]).is_ok());
        assert!(check(&["conversation"]).is_ok());
        assert!(check(&["--sessions", "5"]).is_ok());
        assert!(check(&["conversation", "--faults", "1000"]).is_ok());
        assert!(check(&["conversation", "--rotations", "200"]).is_ok());
        assert!(check(&["conversation", "--interruptions", "20"]).is_ok());
        assert!(check(&["tools", "--kills", "1000"]).is_ok());
        assert!(check(&["tools", "--stalls"]).is_ok());
        assert!(check(&["media"]).is_ok());
        assert!(check(&["media", "--worker", "--sessions", "1,10"]).is_ok());
        assert!(check(&["media", "--idle", "1000", "--minutes", "10"]).is_ok());
        for wrong in [
            &["tools", "--turns", "5"][..],
            &["media", "--turns", "5"],
            &["media", "--sessions", "1,many"],
            &["--idle", "5"],
            &["--kills", "5"],
            &["--stalls"],
            &["--help"],
            &["--turns"],
            &["--turns", "many"],
            &["25"],
        ] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
