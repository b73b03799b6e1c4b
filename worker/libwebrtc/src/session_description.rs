//! Session descriptions as text. Callers edit the text between creation and use, so it is kept
//! verbatim; the engine has its own record of what it offered.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The part a description plays in offer and answer (RFC 9429).
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum SdpType {
    /// Opens an exchange.
    Offer,
    /// A provisional answer.
    PrAnswer,
    /// Closes an exchange.
    Answer,
    /// Takes an offer back.
    Rollback,
}

impl FromStr for SdpType {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "offer" => Self::Offer,
            "pranswer" => Self::PrAnswer,
            "answer" => Self::Answer,
            "rollback" => Self::Rollback,
            _ => return Err("not a session description type"),
        })
    }
}

impl fmt::Display for SdpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offer => "offer",
            Self::PrAnswer => "pranswer",
            Self::Answer => "answer",
            Self::Rollback => "rollback",
        })
    }
}

/// A session description: its type and its text.
#[derive(Clone)]
pub struct SessionDescription {
    sdp_type: SdpType,
    text: String,
}

/// Why a text is not a session description or not a candidate.
#[derive(Clone, Error, Debug)]
#[error("cannot read the session description: {description} (line: {line})")]
pub struct SdpParseError {
    /// The offending line.
    pub line: String,
    /// What is wrong with it.
    pub description: String,
}

impl SessionDescription {
    /// Checks the shape of the text (RFC 8866: `v=0` first, then `x=value` lines, none over 8 KiB) and keeps it.
    ///
    /// # Errors
    /// With the first line that cannot stand in a session description.
    pub fn parse(sdp: &str, sdp_type: SdpType) -> Result<Self, SdpParseError> {
        if sdp_type != SdpType::Rollback {
            check_lines(sdp)?;
        }
        Ok(Self {
            sdp_type,
            text: sdp.to_owned(),
        })
    }

    pub(crate) fn from_text(text: String, sdp_type: SdpType) -> Self {
        Self { sdp_type, text }
    }

    /// The part it plays.
    pub fn sdp_type(&self) -> SdpType {
        self.sdp_type
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Bytes of a line. Real ones are a tenth of it; reading one of 256 KiB takes hundreds of megabytes below.
const LONGEST_LINE: usize = 8 * 1_024;
/// Characters of a line that is too long which are told.
const SHOWN: usize = 80;

fn check_lines(sdp: &str) -> Result<(), SdpParseError> {
    let error = |line: &str, description: &str| SdpParseError {
        line: line.to_owned(),
        description: description.to_owned(),
    };
    let mut lines = sdp.lines().filter(|line| !line.is_empty());
    match lines.next() {
        Some("v=0") => {}
        Some(line) => return Err(error(line, "the first line must be v=0")),
        None => return Err(error("", "the description is empty")),
    }
    for line in lines {
        if line.len() > LONGEST_LINE {
            let start: String = line.chars().take(SHOWN).collect();
            return Err(error(&start, "a line is longer than 8 KiB"));
        }
        if !is_field(line) {
            return Err(error(
                line,
                "a line is one letter, an equals sign and a value",
            ));
        }
    }
    Ok(())
}

fn is_field(line: &str) -> bool {
    matches!(line.as_bytes(), [letter, b'=', ..] if letter.is_ascii_lowercase())
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionDescription")
            .field("sdp_type", &self.sdp_type)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(sdp: &str) -> Option<String> {
        let refused = SessionDescription::parse(sdp, SdpType::Offer).err()?;
        Some(format!("{}: {}", refused.description, refused.line.len()))
    }

    #[test]
    fn a_line_may_be_long_and_not_endless() {
        let offer = |length: usize| format!("v=0\r\na={}\r\n", "x".repeat(length - 2));
        assert_eq!(refusal(&offer(LONGEST_LINE)), None);
        let refused = refusal(&offer(LONGEST_LINE + 1));
        assert_eq!(refused.as_deref(), Some("a line is longer than 8 KiB: 80"));
    }

    #[test]
    fn what_is_no_description_is_refused_with_its_line() {
        let refused = |sdp| refusal(sdp).expect("refused");
        assert_eq!(refused(""), "the description is empty: 0");
        assert_eq!(refused("a=x"), "the first line must be v=0: 3");
        let shape = "a line is one letter, an equals sign and a value: 2";
        assert_eq!(refused("v=0\r\nxx"), shape);
    }
}
