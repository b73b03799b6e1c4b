//! Session descriptions: an offer into a connection that has nothing, and one in mid-call; an answer to an offer of
//! ours.

use super::{
    super::pair::{End, Pair, negotiated},
    Script,
};
use crate::{
    data_channel::DataChannelInit,
    rtp_transceiver::RtpTransceiverDirection::{Inactive, RecvOnly, SendOnly, SendRecv},
    session_description::{SdpType, SessionDescription},
};

/// Values that programs get wrong.
const VALUES: [&str; 22] = [
    "",
    " ",
    "0",
    "-1",
    "127",
    "128",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "1e9",
    "NaN",
    "*",
    "-",
    "0 0 0",
    "a\u{0}b",
    "\u{fdfd}",
    "sha-256 00",
    "UDP/TLS/RTP/SAVPF",
    "webrtc-datachannel",
];
/// Lines that are valid somewhere.
const LINES: [&str; 20] = [
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "m=audio 0 UDP/TLS/RTP/SAVPF 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF",
    "a=group:BUNDLE",
    "a=mid:0",
    "a=mid:a_name_of_a_section_that_is_longer_than_any_that_was_foreseen",
    "a=rtpmap:111 opus/48000/2",
    "a=rtpmap:111 red/48000/2",
    "a=rtpmap:96 VP8/90000",
    "a=fmtp:97 apt=96",
    "a=fmtp:111 111/111",
    "a=extmap:15 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=simulcast:send 1;2;3 recv 4",
    "a=rid:1 send",
    "a=ssrc:1 cname:x",
    "a=ssrc-group:FID 1 2",
    "a=setup:passive",
    "a=sctp-port:0",
];
/// No description of ours is longer; a longer one only costs time.
const LONGEST: usize = 256 * 1_024;

/// The text of the input: itself, or one of ours after a script of edits.
fn text(real: &[String], input: &[u8]) -> String {
    if input.starts_with(b"v=0") {
        return String::from_utf8_lossy(input).into_owned();
    }
    let mut script = Script(input);
    let mut lines: Vec<String> = script.pick(real).lines().map(str::to_owned).collect();
    for _ in 0..1 + script.below(12) {
        edit(&mut lines, &mut script);
    }
    let mut text = lines.join("\r\n");
    text.truncate(text.floor_char_boundary(LONGEST));
    text.push_str("\r\n");
    text
}

fn edit(lines: &mut Vec<String>, script: &mut Script<'_>) {
    let at = script.below(lines.len());
    match script.below(8) {
        0 if lines.len() > 1 => drop(lines.remove(at)),
        1 => lines.insert(at, (*script.pick(&LINES)).to_owned()),
        2 => lines.insert(at, lines[script.below(lines.len())].clone()),
        3 => {
            let other = script.below(lines.len());
            lines.swap(at, other);
        }
        4 => replace_word(&mut lines[at], script),
        5 => lines[at] = lines[at].repeat(1 + script.below(200)),
        6 => repeat_section(lines, at, 1 + script.below(40)),
        _ => {
            let end = lines[at].floor_char_boundary(script.below(lines[at].len() + 1));
            lines[at].truncate(end);
        }
    }
}

/// Words are what stands between spaces, colons, semicolons, slashes and equals signs.
fn replace_word(line: &mut String, script: &mut Script<'_>) {
    let is_gap = |c: char| matches!(c, ' ' | ':' | ';' | '/' | '=');
    let starts: Vec<usize> = line
        .match_indices(is_gap)
        .map(|(at, gap)| at + gap.len())
        .collect();
    if starts.is_empty() {
        return;
    }
    let start = *script.pick(&starts);
    let end = line[start..]
        .find(is_gap)
        .map_or(line.len(), |at| start + at);
    let value = *script.pick(&VALUES);
    line.replace_range(start..end, value);
}

fn repeat_section(lines: &mut Vec<String>, at: usize, times: usize) {
    let is_start = |line: &String| line.starts_with("m=");
    let Some(start) = lines[..=at].iter().rposition(is_start) else {
        return;
    };
    let length = lines[start + 1..].iter().position(is_start);
    let end = length.map_or(lines.len(), |length| start + 1 + length);
    for number in 0..times {
        let section: Vec<String> = lines[start..end]
            .iter()
            .map(|line| match line.starts_with("a=mid:") {
                true => format!("a=mid:r{number}"),
                false => line.clone(),
            })
            .collect();
        lines.extend(section);
    }
}

/// Sound both ways, only out, only in, off; a data section.
fn full_pair() -> Pair {
    let mut pair = Pair::new();
    pair.caller.add_audio(Some("TR_a"), SendRecv);
    pair.caller.add_audio(Some("TR_b"), SendOnly);
    pair.caller.add_audio(None, RecvOnly);
    pair.caller.add_audio(None, Inactive);
    pair.caller
        .add_channel("_reliable", DataChannelInit::default());
    pair.caller.add_channel("n", negotiated(100));
    pair
}

pub(super) fn offers() -> Vec<String> {
    let full = full_pair().caller.connection.create_offer(false).unwrap();
    let mut small = Pair::new();
    small.caller.add_audio(None, RecvOnly);
    let small = small.caller.connection.create_offer(false).unwrap();
    let mut data = Pair::new();
    data.caller.add_channel("n", negotiated(100));
    let data = data.caller.connection.create_offer(false).unwrap();
    [full, small, data]
        .iter()
        .map(ToString::to_string)
        .collect()
}

pub(super) fn answer() -> String {
    let mut pair = full_pair();
    let offer = pair.caller.connection.create_offer(false).unwrap();
    pair.callee.connection.set_remote(offer).unwrap();
    pair.callee.connection.create_answer().unwrap().to_string()
}

/// Everything that follows from a description: an answer, addresses, states.
fn settle(end: &mut End, now: std::time::Instant, read: usize) {
    if let Ok(answer) = end.connection.create_answer() {
        assert!(answer.to_string().len() <= 65_536 + 16 * read);
        end.connection.set_local(answer).unwrap();
    }
    end.flush(now);
    let sections = end.connection.all_transceivers().len();
    assert!(
        sections <= 8 + read / 4,
        "{sections} sections of {read} bytes"
    );
}

#[test]
fn an_offer_is_accepted_or_refused() {
    let real = offers();
    bolero::check!().for_each(|input: &[u8]| {
        let text = text(&real, input);
        let Ok(offer) = SessionDescription::parse(&text, SdpType::Offer) else {
            return;
        };
        let mut pair = Pair::new();
        // The second time is another exchange in a connection that has one.
        for _ in 0..2 {
            let _ = pair.callee.connection.set_remote(offer.clone());
            settle(&mut pair.callee, pair.now, text.len());
            pair.step();
        }
    });
}

#[test]
fn an_offer_after_an_honest_one_is_accepted_or_refused() {
    let real = offers();
    bolero::check!().for_each(|input: &[u8]| {
        let mut pair = full_pair();
        pair.negotiate(false);
        let again = pair.caller.connection.create_offer(true).unwrap();
        let mut with_ours = real.clone();
        with_ours.extend([again.to_string(), again.to_string()]);
        let text = text(&with_ours, input);
        let Ok(offer) = SessionDescription::parse(&text, SdpType::Offer) else {
            return;
        };
        let _ = pair.callee.connection.set_remote(offer);
        settle(&mut pair.callee, pair.now, text.len());
        pair.step();
    });
}

#[test]
fn an_answer_is_accepted_or_refused() {
    bolero::check!().for_each(|input: &[u8]| {
        let mut pair = full_pair();
        let offer = pair.caller.connection.create_offer(false).unwrap();
        pair.caller.connection.set_local(offer.clone()).unwrap();
        pair.callee.connection.set_remote(offer).unwrap();
        let honest = pair.callee.connection.create_answer().unwrap();
        let text = text(&[honest.to_string()], input);
        let Ok(answer) = SessionDescription::parse(&text, SdpType::Answer) else {
            return;
        };
        let _ = pair.caller.connection.set_remote(answer);
        settle(&mut pair.caller, pair.now, text.len());
        pair.step();
        // Whatever became of it, the next offer is made or refused.
        let _ = pair.caller.connection.create_offer(false);
    });
}
