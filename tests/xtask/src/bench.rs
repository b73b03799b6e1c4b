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
    while let Some(arg) = rest.next() {
        let is_right = match arg.as_str() {
            "conversation" | "--flood" => true,
            "--faults" | "--rotations" | "--turns" => {
                rest.next().is_some_and(|n| n.parse::<usize>().is_ok())
            }
            _ => false,
        };
        if !is_right {
            let usage = "usage: cargo xtask bench [--turns N] [--flood]\n       \
                         cargo xtask bench conversation [--turns N | --faults N | --rotations N]";
            return Err(Failure::new(format!("`{arg}`: {usage}")));
        }
    }
    Ok(())
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
        assert!(check(&["conversation", "--faults", "1000"]).is_ok());
        assert!(check(&["conversation", "--rotations", "200"]).is_ok());
        for wrong in [&["--help"][..], &["--turns"], &["--turns", "many"], &["25"]] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
