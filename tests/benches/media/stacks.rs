//! Core: call stacks as `perf script` prints them, and whose they are.

use std::collections::BTreeMap;

/// One sample: functions from the outermost to the innermost, the thread's name first.
pub(crate) type Stack = Vec<String>;

/// Parts of the worker, by what the names of their functions begin with. The first one that fits counts.
const OWNERS: [(&str, &str); 35] = [
    ("room_agent::media::playout", "playout"),
    ("room_agent::media::clock", "playout"),
    ("room_agent::media", "ears and mixer"),
    ("earshot", "ears and mixer"),
    ("room_agent::model", "model link"),
    ("tokio_tungstenite", "model link"),
    ("tungstenite", "model link"),
    ("serde_json", "model link"),
    ("base64", "model link"),
    ("room_agent::telemetry", "telemetry"),
    ("tracing_", "telemetry"),
    ("tracing", "runtime"),
    ("prometheus", "telemetry"),
    ("room_agent", "session"),
    ("dialog", "session"),
    ("tools", "session"),
    ("libwebrtc", "engine"),
    ("str0m", "engine"),
    ("dimpl", "engine"),
    ("sctp", "engine"),
    ("livekit", "livekit crate"),
    ("prost", "livekit crate"),
    ("reqwest", "livekit crate"),
    ("hyper", "livekit crate"),
    ("tokio", "runtime"),
    ("mio", "runtime"),
    ("silk_", "codec"),
    ("celt_", "codec"),
    ("opus_", "codec"),
    ("opus::", "codec"),
    ("ec_enc", "codec"),
    ("ec_dec", "codec"),
    ("aws_lc", "ciphers"),
    ("rustls", "ciphers"),
    ("ring", "ciphers"),
];

/// What these do is done for somebody: they are counted with whoever asked, and by themselves only when nobody
/// is known to have.
const HELPERS: [&str; 3] = ["ciphers", "codec", "runtime"];

/// Reads what `perf script -F comm,ip,sym` prints.
pub(crate) fn read(text: &str) -> Vec<Stack> {
    let mut stacks = Vec::new();
    let mut stack = Stack::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            if stack.len() > 1 {
                // Innermost first, below the thread.
                stack[1..].reverse();
                stacks.push(std::mem::take(&mut stack));
            }
            stack.clear();
            continue;
        }
        if !line.starts_with(char::is_whitespace) || stack.is_empty() {
            stack = vec![line.trim().to_owned()];
            continue;
        }
        let name = line.trim().split_once(' ').map_or("", |(_, name)| name);
        stack.push(plain(name));
    }
    if stack.len() > 1 {
        stack[1..].reverse();
        stacks.push(stack);
    }
    stacks
}

/// Shares of all samples, in percent: by owner, and by owner and function, the largest first.
pub(crate) fn shares(stacks: &[Stack]) -> [Vec<(String, f64)>; 2] {
    let (mut owners, mut functions) = (BTreeMap::new(), BTreeMap::new());
    for stack in stacks {
        let (owner, function) = owner(stack);
        *owners.entry(owner.to_owned()).or_insert(0) += 1;
        let function = format!("{owner}: {function}");
        *functions.entry(function).or_insert(0) += 1;
    }
    [owners, functions].map(|counts: BTreeMap<String, u32>| {
        let percent = |count| 100.0 * f64::from(count) / stacks.len().max(1) as f64;
        let mut shares: Vec<_> = counts
            .into_iter()
            .map(|(name, count)| (name, percent(count)))
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    })
}

/// Whose sample it is, and the innermost function of theirs. System calls, allocations and ciphers belong to
/// whoever made them.
pub(crate) fn owner(stack: &Stack) -> (&'static str, &str) {
    let (thread, frames) = (stack.first(), stack.get(1..).unwrap_or_default());
    let mut helper = None;
    for frame in frames.iter().rev() {
        for codec in ["opus_encode", "opus_decode"] {
            if frame.starts_with(codec) {
                return ("codec", codec);
            }
        }
        let Some(owner) = owner_of(frame) else {
            continue;
        };
        if !HELPERS.contains(&owner) {
            return (owner, frame);
        }
        // The codec's own frames fill more of the stack than a sample keeps: its caller may be missing.
        if helper.is_none_or(|(known, _)| known == "ciphers") {
            helper = Some((owner, frame.as_str()));
        }
    }
    let innermost = frames.last().or(thread).map_or("", String::as_str);
    helper.unwrap_or(("other", innermost))
}

/// Whose function it is, if it is one of ours or of a library we know.
pub(crate) fn owner_of(frame: &str) -> Option<&'static str> {
    let head = frame.trim_start_matches(['<', '&', '_', '(']);
    let known = |(begins, _): &&(&str, &str)| head.starts_with(begins);
    OWNERS.iter().find(known).map(|(_, owner)| *owner)
}

/// Without the compiler's number at the end, and without generic arguments at the end.
fn plain(name: &str) -> String {
    let name = name.trim_end_matches(" ([kernel.kallsyms])");
    let name = match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 => rest,
        _ => name,
    };
    name.replace("::{{closure}}", "")
        .replace("::{closure#0}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
media-clock
\tffff memcpy
\t1 silk_NSQ
\t2 opus_encode_native
\t3 libwebrtc::audio::encode::TrackEncoder::push::h0123456789abcdef
\t4 room_agent::media::clock::run::{{closure}}

tokio-rt-worker
\tffffffff81 __sys_sendmsg
\t5 <str0m::Rtc as Foo>::bar
\t6 tokio::runtime::run
";

    #[test]
    fn samples_belong_to_the_innermost_part_that_is_known() {
        let stacks = read(TEXT);
        assert_eq!(stacks.len(), 2);
        assert_eq!(stacks[0][0], "media-clock");
        assert_eq!(stacks[0][1], "room_agent::media::clock::run");
        assert_eq!(owner(&stacks[0]), ("codec", "opus_encode"));
        assert_eq!(owner(&stacks[1]), ("engine", "<str0m::Rtc as Foo>::bar"));
        let [owners, _] = shares(&stacks);
        assert_eq!(owners.len(), 2);
        assert!(owners.iter().all(|(_, share)| *share == 50.0));
    }
}
