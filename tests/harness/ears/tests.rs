use super::*;
use crate::clips::{clip, of_agent, of_callers};

fn silence(millis: u64) -> Vec<i16> {
    vec![0; samples_in(Duration::from_millis(millis))]
}

fn between_silences(name: &str) -> Vec<i16> {
    [silence(400), clip(name).pcm.clone(), silence(300)].concat()
}

fn scaled(pcm: &[i16], gain: f32) -> Vec<i16> {
    pcm.iter()
        .map(|sample| (f32::from(*sample) * gain) as i16)
        .collect()
}

#[test]
fn every_caller_sentence_is_told_from_all_others() {
    for wanted in of_callers() {
        let heard = best_of(&between_silences(wanted.name), of_callers()).expect("heard");
        assert_eq!(heard.name, wanted.name);
        assert!(heard.at.abs_diff(Duration::from_millis(400)) <= Duration::from_millis(20));
    }
}

#[test]
fn a_sentence_that_was_not_said_is_not_heard() {
    for said in of_callers() {
        for other in of_callers().filter(|other| other.name != said.name) {
            let recording = [silence(2000), said.pcm.clone(), silence(2000)].concat();
            assert_eq!(find(&recording, other), None, "said {}", said.name);
        }
    }
}

#[test]
fn a_quiet_sentence_is_recognised() {
    let recording = scaled(&between_silences("caller-train"), 0.15);
    assert_eq!(
        best_of(&recording, of_callers()).map(|heard| heard.name),
        Some("caller-train")
    );
}

#[test]
fn silence_and_noise_are_no_sentence() {
    let mut state = 1u32;
    let noise: Vec<i16> = (0..72_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 20) as i16 - 2_048
        })
        .collect();
    assert_eq!(best_of(&noise, of_callers()), None);
    assert_eq!(best_of(&silence(3_000), of_callers()), None);
}

#[test]
fn numbers_are_transcribed_in_order() {
    let words = [
        "agent-six",
        "agent-sixteen",
        "agent-seven",
        "agent-twenty",
        "agent-two",
    ];
    let recording: Vec<i16> = words
        .iter()
        .flat_map(|name| [clip(name).pcm.clone(), silence(150)].concat())
        .collect();
    let heard: Vec<_> = transcribe(&recording, of_agent())
        .iter()
        .map(|heard| heard.name)
        .collect();
    assert_eq!(heard, words);
}

#[test]
fn sound_and_silence_are_found_where_they_are() {
    let recording = between_silences("caller-hello");
    let first = first_sound(&recording, Duration::ZERO).expect("there is sound");
    assert!(
        first.abs_diff(Duration::from_millis(400)) <= Duration::from_millis(30),
        "{first:?}"
    );
    let end = Duration::from_millis(400) + clip("caller-hello").duration();
    assert!(silent_from(&recording).abs_diff(end) <= Duration::from_millis(60));
    assert_eq!(silent_from(&silence(500)), Duration::ZERO);
}

#[test]
fn no_voice_of_ours_clicks_by_itself() {
    for clip in of_agent().chain(of_callers()) {
        let found = clicks(&between_silences(clip.name));
        assert!(found.is_empty(), "{}: {found:?}", clip.name);
    }
}

#[test]
fn a_hole_in_a_sentence_is_a_gap_and_a_jump_is_a_click() {
    let mut pcm = clip("caller-mountains").pcm.clone();
    assert_eq!(gaps(&pcm, Duration::from_millis(250)), []);
    assert!(clicks(&pcm).is_empty());
    pcm[24_000..33_600].fill(0);
    assert_eq!(gaps(&pcm, Duration::from_millis(250)).len(), 1);
    pcm[30_000] = 20_000;
    assert!(!clicks(&pcm).is_empty());
}

/// What is left of a recording after a call: Opus at 24 kHz in packets of 20 ms, decoded at
/// 48 kHz and halved again; every `lost`-th packet is missing and concealed.
fn through_opus(pcm: &[i16], lost: Option<usize>) -> Vec<i16> {
    let mut encoder =
        opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, opus::Application::Voip)
            .expect("an encoder");
    encoder
        .set_bitrate(opus::Bitrate::Bits(24_000))
        .expect("a bit rate");
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).expect("a decoder");
    let mut heard = Vec::new();
    for (at, frame) in pcm.chunks(480).enumerate() {
        let mut frame = frame.to_vec();
        frame.resize(480, 0);
        let packet = encoder.encode_vec(&frame, 1_000).expect("a packet");
        let is_lost = lost.is_some_and(|each| at % each == each - 1);
        let mut decoded = [0i16; 960];
        decoder
            .decode(if is_lost { &[] } else { &packet }, &mut decoded, false)
            .expect("a frame");
        let mean = |pair: &[i16]| ((i32::from(pair[0]) + i32::from(pair[1])) / 2) as i16;
        heard.extend(decoded.chunks(2).map(mean));
    }
    heard
}

#[test]
fn every_sentence_survives_opus_resampling_and_another_gain() {
    for wanted in of_callers() {
        let heard = scaled(&through_opus(&between_silences(wanted.name), None), 0.4);
        let found = best_of(&heard, of_callers()).expect("heard");
        assert_eq!(found.name, wanted.name);
        assert!(found.at.abs_diff(Duration::from_millis(400)) <= Duration::from_millis(40));
        assert!(found.score > 0.85, "{found:?}");
    }
}

#[test]
fn a_sentence_with_concealed_losses_is_still_recognised() {
    for wanted in of_callers() {
        let heard = through_opus(&between_silences(wanted.name), Some(12));
        assert_eq!(
            best_of(&heard, of_callers()).map(|heard| heard.name),
            Some(wanted.name)
        );
    }
}

#[test]
fn silence_after_opus_is_silence() {
    let heard = through_opus(&between_silences("caller-wait"), None);
    let end = Duration::from_millis(400) + clip("caller-wait").duration();
    assert!(silent_from(&heard).abs_diff(end) <= Duration::from_millis(100));
    assert!(clicks(&heard).is_empty());
}
