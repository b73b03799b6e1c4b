//! What the machine must have. Installs it on Debian and Ubuntu when it may; otherwise asks for it
//! in one line.

use std::process::Command;

use crate::run::{Failure, long, on_path, output};

/// Something that comes from the system's packages.
#[derive(Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) why: &'static str,
    /// Arguments under which the program succeeds only when the package is there; empty when being
    /// on the PATH is proof enough.
    pub(crate) probe: &'static [&'static str],
}

/// A C compiler and cmake build libopus and the ciphers.
pub(crate) const BUILD: &[Tool] = &[
    Tool {
        program: "cc",
        package: "build-essential",
        why: "builds the native parts",
        probe: &[],
    },
    Tool {
        program: "cmake",
        package: "cmake",
        why: "builds libopus",
        probe: &[],
    },
];

/// The headless caller.
pub(crate) const BROWSER: &[Tool] = &[Tool {
    program: "chromium",
    package: "chromium",
    why: "is the caller in browser tests",
    probe: &[],
}];

/// Another engine to call, on an address of its own.
pub(crate) const INTEROP: &[Tool] = &[
    Tool {
        program: "ip",
        package: "iproute2",
        why: "makes a network namespace for Google's engine",
        probe: &[],
    },
    Tool {
        program: "python3",
        package: "python3-venv",
        why: "runs Google's engine",
        probe: &["-c", "import ensurepip, venv"],
    },
];

/// A router between network namespaces.
pub(crate) const NETWORKS: &[Tool] = &[
    Tool {
        program: "ip",
        package: "iproute2",
        why: "makes network namespaces",
        probe: &[],
    },
    Tool {
        program: "nft",
        package: "nftables",
        why: "lets a router translate addresses and refuse packets",
        probe: &[],
    },
    Tool {
        program: "sysctl",
        package: "procps",
        why: "lets a router forward packets",
        probe: &[],
    },
];

/// Samples of call stacks.
pub(crate) const PROFILE: &[Tool] = &[Tool {
    program: "perf",
    package: "linux-perf",
    why: "takes samples of the worker's call stacks",
    probe: &[],
}];

/// Makes sure that all of them are there.
pub(crate) fn ensure(tools: &[Tool]) -> Result<(), Failure> {
    let missing: Vec<_> = tools.iter().filter(|tool| !tool.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    if !may_install() {
        return Err(Failure::new(format!(
            "please run: {}",
            install_line(&packages)
        )));
    }
    long(
        "the system's package list",
        Command::new("apt-get").args(["update", "-qq"]),
    )?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&packages);
    long(
        &format!("system packages: {}", packages.join(", ")),
        &mut install,
    )
}

impl Tool {
    /// Is it installed?
    pub(crate) fn is_there(&self) -> bool {
        let probe = || Command::new(self.program).args(self.probe).output();
        on_path(self.program).is_some()
            && (self.probe.is_empty() || probe().is_ok_and(|output| output.status.success()))
    }
}

/// The one line that installs these packages.
pub(crate) fn install_line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install -y {}",
        packages.join(" ")
    )
}

fn may_install() -> bool {
    is_root() && on_path("apt-get").is_some()
}

/// Go, Node and Rust come from their own installers: too many ways for us to choose one.
pub(crate) struct Toolchain {
    pub(crate) program: &'static str,
    pub(crate) args: &'static [&'static str],
    pub(crate) at_least: (u32, u32),
    pub(crate) install: &'static str,
}

pub(crate) const TOOLCHAINS: &[Toolchain] = &[
    Toolchain {
        program: "cargo",
        args: &["--version"],
        at_least: (1, 90),
        install: "see https://rustup.rs",
    },
    Toolchain {
        program: "go",
        args: &["version"],
        at_least: (1, 26),
        install: "see https://go.dev/doc/install",
    },
    Toolchain {
        program: "node",
        args: &["--version"],
        at_least: (20, 0),
        install: "see https://nodejs.org (version 20 or later, with npm)",
    },
];

/// Fails with every toolchain that is missing or too old.
pub(crate) fn ensure_toolchains(programs: &[&str]) -> Result<(), Failure> {
    let problems: Vec<_> = TOOLCHAINS
        .iter()
        .filter(|toolchain| programs.contains(&toolchain.program))
        .filter_map(|toolchain| toolchain.problem())
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(problems.join("\n")))
}

impl Toolchain {
    /// The version found, as its program words it.
    pub(crate) fn found(&self) -> Option<String> {
        on_path(self.program)?;
        let mut command = Command::new(self.program);
        output(command.args(self.args))
            .ok()
            .map(|text| text.trim().to_owned())
    }

    /// What is wrong with it, with the way to mend it.
    pub(crate) fn problem(&self) -> Option<String> {
        let (major, minor) = self.at_least;
        let Some(found) = self.found() else {
            return Some(format!("{} is missing: {}", self.program, self.install));
        };
        match version_in(&found) {
            Some(version) if version >= self.at_least => None,
            _ => Some(format!(
                "{} {major}.{minor} or later is needed, this is `{found}`: {}",
                self.program, self.install
            )),
        }
    }
}

/// The first `major.minor` in a text such as `go version go1.26.8 linux/amd64`.
fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .find_map(|word| {
            let mut parts = word.split('.');
            let major = parts.next()?.parse().ok()?;
            let minor = parts.next()?.parse().ok()?;
            Some((major, minor))
        })
}

/// May this process do everything?
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_are_read_as_programs_word_them() {
        for (text, expected) in [
            ("go version go1.26.8 linux/amd64", Some((1, 26))),
            ("v20.20.2", Some((20, 20))),
            ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)", Some((1, 95))),
            ("no digits here", None),
        ] {
            assert_eq!(version_in(text), expected, "{text}");
        }
    }
}
