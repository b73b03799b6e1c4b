//! Quick figures of one machine: start, dispatch, latency per turn, memory and CPU per session.

use std::process::Command;

use crate::{
    cargo::{self, Profile},
    run::{Failure, run},
    servers, setup,
};

/// Builds in release mode and runs the benchmark program, which prints JSON.
pub(crate) fn bench(args: &[String]) -> Result<(), Failure> {
    check(args)?;
    setup::ensure(setup::BUILD)?;
    if args.first().is_some_and(|word| word == "tools") {
        cargo::build_programs(Profile::Release)?;
        let program = cargo::program(Profile::Release, "bench-tools");
        return run(Command::new(program).args(&args[1..]));
    }
    let server = servers::livekit_server()?;
    cargo::build_programs(Profile::Release)?;
    let mut command = Command::new(cargo::program(Profile::Release, "bench-conversation"));
    command.args(args).env("LIVEKIT_SERVER_BIN", server);
    command.env(
        "ROOM_AGENT_BIN",
        cargo::program(Profile::Release, "room-agent"),
    );
    run(&mut command)
}

/// A wrong word is told before the minutes of a build.
fn check(args: &[String]) -> Result<(), Failure> {
    let mut rest = args.iter();
    let of_tools = args.first().is_some_and(|word| word == "tools");
    while let Some(arg) = rest.next() {
        let is_right = match arg.as_str() {
            "tools" => of_tools,
            "--calls" | "--kills" if of_tools => is_number(rest.next()),
            "--stalls" => of_tools,
            _ if of_tools => false,
            "conversation" | "--flood" => true,
            "--expiries" | "--faults" | "--interruptions" | "--rotations" | "--sessions"
            | "--turns" => is_number(rest.next()),
            _ => false,
        };
        if !is_right {
            let usage = "usage: cargo xtask bench [--turns N] [--flood | --sessions N]\n       \
                         cargo xtask bench conversation [--turns N | --expiries N | --faults N | \
                         --interruptions N | --rotations N]\n       \
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
        for wrong in [
            &["tools", "--turns", "5"][..],
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
