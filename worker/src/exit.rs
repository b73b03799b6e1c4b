//! Core: how the process ends, in the words of `sysexits`: shells, systemd and Kubernetes read
//! them.

use std::{fmt, process::ExitCode};

/// The end of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 75: a drain was cut short; callers noticed.
    Aborted,
    /// 70: a bug of ours.
    Bug(String),
    /// 78: the configuration or the keys are wrong; starting again will not help.
    Config(String),
    /// 65: what was to be read does not hold.
    Data(String),
    /// 0: as it should.
    Done,
    /// 69: something we need is not there; starting again may help.
    Unavailable(String),
    /// 64: the command line is wrong.
    Usage,
}

impl Exit {
    /// The number the parent process sees.
    pub fn code(&self) -> u8 {
        match self {
            Self::Aborted => 75,
            Self::Bug(_) => 70,
            Self::Config(_) => 78,
            Self::Data(_) => 65,
            Self::Done => 0,
            Self::Unavailable(_) => 69,
            Self::Usage => 64,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted => f.write_str("the drain was cut short"),
            Self::Bug(what) | Self::Config(what) | Self::Data(what) | Self::Unavailable(what) => {
                f.write_str(what)
            }
            Self::Done | Self::Usage => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_sysexits() {
        let text = String::new;
        let exits = [
            (Exit::Done, 0),
            (Exit::Usage, 64),
            (Exit::Data(text()), 65),
            (Exit::Unavailable(text()), 69),
            (Exit::Bug(text()), 70),
            (Exit::Aborted, 75),
            (Exit::Config(text()), 78),
        ];
        for (exit, code) in exits {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }
}
