//! ICE candidates as text with their place in the session description.

use std::fmt;

use crate::session_description::SdpParseError;

/// One ICE candidate (RFC 8839), kept as the text it came in.
pub struct IceCandidate {
    mid: String,
    mline_index: i32,
    candidate: String,
}

impl IceCandidate {
    /// Takes a candidate line, with or without `a=`. An empty line means "no more candidates".
    ///
    /// # Errors
    /// When the text is not a candidate attribute.
    pub fn parse(sdp_mid: &str, sdp_mline_index: i32, sdp: &str) -> Result<Self, SdpParseError> {
        let candidate = sdp.trim().trim_start_matches("a=");
        let known = candidate.is_empty()
            || candidate.starts_with("end-of-candidates")
            || candidate
                .strip_prefix("candidate:")
                .is_some_and(has_eight_fields);
        if !known {
            return Err(SdpParseError {
                line: sdp.to_owned(),
                description: "not a candidate attribute".to_owned(),
            });
        }
        Ok(Self::new(
            sdp_mid.to_owned(),
            sdp_mline_index,
            candidate.to_owned(),
        ))
    }

    pub(crate) fn new(mid: String, mline_index: i32, candidate: String) -> Self {
        Self {
            mid,
            mline_index,
            candidate,
        }
    }

    /// Identification tag of the section the candidate belongs to.
    pub fn sdp_mid(&self) -> String {
        self.mid.clone()
    }

    /// Index of that section, from 0.
    pub fn sdp_mline_index(&self) -> i32 {
        self.mline_index
    }

    /// The attribute: `candidate:…`.
    pub fn candidate(&self) -> String {
        self.candidate.clone()
    }
}

/// Foundation, component, transport, priority, address, port, "typ", type (RFC 8839 section 5.1).
fn has_eight_fields(candidate: &str) -> bool {
    candidate.split_ascii_whitespace().count() >= 8
}

impl fmt::Display for IceCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.candidate)
    }
}

impl fmt::Debug for IceCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCandidate")
            .field("candidate", &self.candidate)
            .finish()
    }
}
