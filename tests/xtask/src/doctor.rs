//! What this machine has, what is missing, and the line that installs it.

use crate::{
    run::{Failure, on_path, say},
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
    for tool in setup::BUILD.iter().chain(setup::BROWSER) {
        match on_path(tool.program) {
            Some(_) => say(format_args!("ok       {} ({})", tool.program, tool.why)),
            None => {
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
