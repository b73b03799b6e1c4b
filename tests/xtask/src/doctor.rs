//! What this machine has, what is missing, and the line that installs it.

use crate::{
    run::{Failure, say},
    servers, setup,
};

/// Prints one line per need; fails when something is missing that the demo needs.
pub(crate) fn doctor() -> Result<(), Failure> {
    let mut missing_packages = Vec::new();
    let mut problems = 0;
    for toolchain in setup::TOOLCHAINS {
        match toolchain.problem() {
            None => say(format_args!(
                "ok       {}",
                toolchain.found().unwrap_or_default()
            )),
            Some(problem) => {
                problems += 1;
                say(format_args!("missing  {problem}"));
            }
        }
    }
    for (tools, word) in [
        (setup::BUILD, "missing"),
        (setup::BROWSER, "for test"),
        (setup::INTEROP, "for test"),
        (setup::PROFILE, "to bench"),
    ] {
        for tool in tools {
            let told = format!("{} ({})", tool.program, tool.why);
            if tool.is_there() {
                say(format_args!("ok       {told}"));
                continue;
            }
            say(format_args!("{word:<8} {told}"));
            missing_packages.push(tool.package);
            problems += usize::from(word == "missing");
        }
    }
    say(format_args!(
        "info     livekit-server {}: the one on the PATH is used if its version fits, else it is built",
        servers::LIVEKIT_VERSION
    ));
    if !missing_packages.is_empty() {
        say(format_args!(
            "install  {}",
            setup::install_line(&missing_packages)
        ));
    }
    if problems == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("{problems} missing")))
}
