//! Core: the few things of a session description that str0m does not tell: the streams a section
//! announces, the certificate, whether the peer wants silence left out. Text in, facts out.

/// One section (`m=` line) of a description.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    /// `audio`, `video` or `application`.
    pub(crate) kind: &'a str,
    pub(crate) mid: &'a str,
    /// Stream and track id of each `a=msid`; `-` (no stream) is left out.
    pub(crate) streams: Vec<(&'a str, &'a str)>,
    /// The peer wants Opus silence left out (RFC 7587 section 6.1).
    pub(crate) wants_dtx: bool,
    /// The first payload type is redundant coding (RFC 2198): the peer wants it before the plain
    /// codec.
    pub(crate) prefers_copies: bool,
}

/// The sections in order.
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut preferred = "";
    for line in text.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            // Kind, port, protocol, payload types.
            let kind = media.split(' ').next().unwrap_or_default();
            preferred = media.split(' ').nth(3).unwrap_or_default();
            sections.push(Section {
                kind,
                ..Section::default()
            });
            continue;
        }
        let Some(section) = sections.last_mut() else {
            continue;
        };
        if let Some(mid) = line.strip_prefix("a=mid:") {
            section.mid = mid.trim();
        } else if let Some(msid) = line.strip_prefix("a=msid:") {
            section.streams.extend(parse_msid(msid));
        } else if let Some((payload_type, codec)) = parse_codec(line) {
            section.prefers_copies |= payload_type == preferred && codec.starts_with("red/");
        } else if line.starts_with("a=fmtp:") {
            section.wants_dtx |= line.contains("usedtx=1");
        }
    }
    sections
}

fn parse_codec(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("a=rtpmap:")?.split_once(' ')
}

fn parse_msid(msid: &str) -> Option<(&str, &str)> {
    let mut tokens = msid.split_ascii_whitespace();
    let stream = tokens.next()?;
    (stream != "-").then(|| (stream, tokens.next().unwrap_or(stream)))
}

/// The certificate fingerprints (RFC 8122), each once, in a form that compares.
pub(crate) fn fingerprints(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("a=fingerprint:"));
    let mut found: Vec<String> = lines.map(|line| line.trim().to_ascii_lowercase()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The ICE user name (RFC 8839 section 5.4); bundled sections share it.
pub(crate) fn ice_ufrag(text: &str) -> Option<&str> {
    text.lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}

/// The candidates (RFC 8839 section 5.1) of all sections, as their attribute's text.
pub(crate) fn candidates(text: &str) -> impl Iterator<Item = &str> {
    let attributes = text.lines().filter_map(|line| line.strip_prefix("a="));
    attributes.filter(|attribute| attribute.starts_with("candidate:"))
}

/// The head of a description, then its sections, each with its line ends.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let after = rest.get(1..)?;
        let end = after.find("\nm=").map_or(rest.len(), |at| at + 2);
        let (part, tail) = rest.split_at(end);
        rest = tail;
        Some(part)
    })
}

/// Leaves out `a=ssrc` and `a=ssrc-group` of sections that send nothing: they say nothing to
/// anyone, and a first offer travels in a URL.
pub(crate) fn without_idle_sources(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for section in parts(text) {
        let idle = section.starts_with("m=")
            && section
                .lines()
                .any(|line| matches!(line, "a=recvonly" | "a=inactive"));
        let keep = |line: &&str| !(idle && line.starts_with("a=ssrc"));
        section
            .split_inclusive('\n')
            .filter(keep)
            .for_each(|line| out.push_str(line));
    }
    out
}

/// Offers the plain codec before redundant coding in what we send, as browsers do. A server that is to use
/// none (encrypted tracks: it could not take it out for others) leaves the order of an offer as it is.
pub(crate) fn plain_first(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for section in parts(text) {
        let sends = |line| matches!(line, "a=sendonly" | "a=sendrecv");
        let head = section.split_inclusive('\n').next().unwrap_or_default();
        if !head.starts_with("m=audio") || !section.lines().any(sends) {
            out.push_str(section);
            continue;
        }
        let codecs = section.lines().filter_map(parse_codec);
        let red: Vec<&str> = codecs
            .filter_map(|(payload_type, codec)| codec.starts_with("red/").then_some(payload_type))
            .collect();
        // Kind, port, protocol; payload types.
        let words: Vec<&str> = head.split_ascii_whitespace().collect();
        let (fixed, types) = words.split_at(words.len().min(3));
        let (copies, plain): (Vec<&str>, Vec<&str>) =
            types.iter().copied().partition(|t| red.contains(t));
        out.push_str(&[fixed, &plain, &copies].concat().join(" "));
        out.push_str(&section[head.trim_end().len()..]);
    }
    out
}

/// The same description under the next version number (RFC 8866 section 5.2).
pub(crate) fn next_version(text: &str) -> String {
    let bump = |line: &str| {
        let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let version = fields.get(2)?.parse::<u64>().ok()?;
        fields[2] = (version + 1).to_string();
        Some(fields.join(" "))
    };
    text.split_inclusive('\n')
        .map(|line| match line.starts_with("o=") {
            true => bump(line).unwrap_or_else(|| line.to_owned()),
            false => line.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 7 2 IN IP4 0.0.0.0\r\ns=-\r\na=fingerprint:sha-256 AA:BB\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=sendrecv\r\na=msid:PA_1|TR_2 TR_2\r\n\
        a=fmtp:111 minptime=10;usedtx=1\r\na=ssrc:1 cname:x\r\na=fingerprint:sha-256 aa:bb\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=recvonly\r\na=msid:- t\r\n\
        a=ssrc:2 cname:x\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n";

    #[test]
    fn sections_tell_their_streams_and_wishes() {
        let sections = sections(OFFER);
        let mids: Vec<_> = sections
            .iter()
            .map(|section| (section.kind, section.mid))
            .collect();
        assert_eq!(mids, [("audio", "0"), ("audio", "1"), ("application", "d")]);
        assert_eq!(sections[0].streams, [("PA_1|TR_2", "TR_2")]);
        assert!(sections[0].wants_dtx && !sections[1].wants_dtx);
        assert!(sections[1].streams.is_empty());
    }

    #[test]
    fn copies_are_preferred_when_their_payload_type_comes_first() {
        for (order, expected) in [("63 111", true), ("111 63", false)] {
            let text = format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF {order}\r\na=rtpmap:111 opus/48000/2\r\n\
                 a=rtpmap:63 red/48000/2\r\n"
            );
            assert_eq!(sections(&text)[0].prefers_copies, expected);
        }
    }

    #[test]
    fn the_same_certificate_in_other_letters_is_the_same() {
        assert_eq!(fingerprints(OFFER), ["sha-256 aa:bb"]);
    }

    #[test]
    fn sources_of_receiving_sections_are_left_out() {
        let lean = without_idle_sources(OFFER);
        assert!(lean.contains("a=ssrc:1 ") && !lean.contains("a=ssrc:2 "));
        assert_eq!(lean.len(), OFFER.len() - "a=ssrc:2 cname:x\r\n".len());
    }

    #[test]
    fn the_plain_codec_is_offered_first_where_we_send() {
        let section = |order: &str, direction: &str| {
            format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF {order}\r\na=rtpmap:63 red/48000/2\r\n\
                 a=rtpmap:111 opus/48000/2\r\na={direction}\r\n"
            )
        };
        let (head, tail) = ("v=0\r\ns=-\r\n", "m=application 9 UDP/DTLS/SCTP x\r\n");
        let offer = |sent: &str| {
            let received = section("63 111 13", "recvonly");
            [head, &section(sent, "sendrecv"), &received, tail].concat()
        };
        assert_eq!(plain_first(&offer("63 111 13")), offer("111 13 63"));
        assert_eq!(plain_first(&offer("111 13 63")), offer("111 13 63"));
        for odd in [
            "",
            "m=audio",
            "m=audio\r\na=sendrecv\r\n",
            "m=audio 9\na=sendonly",
        ] {
            assert_eq!(plain_first(odd), odd);
        }
    }

    #[test]
    fn the_next_version_differs_in_one_number() {
        assert_eq!(next_version(OFFER), OFFER.replace("o=- 7 2", "o=- 7 3"));
    }
}
