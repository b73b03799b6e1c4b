//! What this machine has, what is missing, and the line that installs it.

use crate::{
    run::{Failure, say},
    servers, setup,
};

/// Prints one line per need; fails when something is missing.
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
    let tools = [setup::BUILD, setup::BROWSER, setup::INTEROP].concat();
    for tool in tools {
        match tool.is_there() {
            true => say(format_args!("ok       {} ({})", tool.program, tool.why)),
            false => {
                say(format_args!("missing  {} ({})", tool.program, tool.why));
                missing_packages.push(tool.package);
            }
        }
    }
    say(format_args!(
        "info     livekit-server {}: the one on the PATH is used if its version fits, else it is built",
        servers::LIVEKIT_VERSION
    ));
    if !missing_packages.is_empty() {
        problems += missing_packages.len();
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
