//! Adapter: what somebody said before the agent was there → samples.
//!
//! LiveKit clients record it while they connect and send it as a file: the browser's as WebM with Opus,
//! others as raw samples. The only file that names the demuxer. It reads whole files and knows no time.

use std::{io::Cursor, time::Duration};

use matroska_demuxer::{Frame, MatroskaFile};

use super::{Pcm, SAMPLE_RATE, opus::Decoder, samples};

/// Clients record at most this much; of more the last part is kept.
const LONGEST: Duration = Duration::from_secs(10);
/// A recording that is longer than any client makes is not read to its end: a few bytes can stand for much
/// sound.
const ENOUGH: Duration = Duration::from_secs(15);
/// How every EBML file begins (RFC 8794, 11.2.1).
const EBML: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];
const OPUS: &str = "A_OPUS";

/// How raw samples are to be read; a WebM file says so itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Format {
    /// In Hz; 24,000 or 48,000.
    pub(crate) rate: u32,
    /// Interleaved.
    pub(crate) channels: usize,
}

/// The samples of a recording.
///
/// # Errors
/// Why it is of no use, in words.
pub(crate) fn decode(bytes: &[u8], mime_type: &str, format: Format) -> Result<Pcm, &'static str> {
    let mut pcm = if bytes.starts_with(&EBML) {
        from_webm(bytes)?
    } else if mime_type.starts_with("audio/webm") || mime_type.starts_with("video/") {
        return Err("no WebM");
    } else {
        from_raw(bytes, format)?
    };
    let excess = pcm.len().saturating_sub(samples(LONGEST));
    pcm.drain(..excess);
    Ok(Pcm::from(pcm))
}

/// A recording that ends in mid-packet is read as far as it goes.
fn from_webm(bytes: &[u8]) -> Result<Vec<i16>, &'static str> {
    let mut file = MatroskaFile::open(Cursor::new(bytes)).map_err(|_| "a broken WebM file")?;
    let tracks = file.tracks().iter();
    let opus = tracks.filter(|track| track.codec_id() == OPUS);
    let track = opus.map(|track| track.track_number().get()).next();
    let track = track.ok_or("no Opus in the WebM file")?;
    let mut decoder = Decoder::new().map_err(|_| "no decoder")?;
    let (mut frame, mut pcm) = (Frame::default(), Vec::new());
    while pcm.len() < samples(ENOUGH)
        && let Ok(true) = file.next_frame(&mut frame)
    {
        if frame.track == track && decoder.decode(&frame.data, &mut pcm).is_err() {
            break;
        }
    }
    if pcm.is_empty() {
        return Err("an empty WebM file");
    }
    Ok(pcm)
}

fn from_raw(bytes: &[u8], format: Format) -> Result<Vec<i16>, &'static str> {
    let Format { rate, channels } = format;
    if !(1..=8).contains(&channels) {
        return Err("raw samples of an unknown number of channels");
    }
    let interleaved: Vec<i16> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|sample| i16::from_le_bytes(*sample))
        .collect();
    let mono = interleaved.chunks_exact(channels).map(mean).collect();
    match rate {
        SAMPLE_RATE => Ok(mono),
        48_000 => Ok(halved(&mono)),
        _ => Err("raw samples at a rate other than 24 or 48 kHz"),
    }
}

fn mean(frame: &[i16]) -> i16 {
    let sum: i32 = frame.iter().map(|sample| i32::from(*sample)).sum();
    i16::try_from(sum / i32::try_from(frame.len()).unwrap_or(1)).unwrap_or_default()
}

/// Every second sample, after a filter that takes away most of what would fold back: speech has
/// little there.
fn halved(pcm: &[i16]) -> Vec<i16> {
    /// A half-band filter, in 512ths.
    const TAPS: [i32; 11] = [3, 0, -25, 0, 150, 256, 150, 0, -25, 0, 3];
    let at = |index: Option<usize>| {
        let sample = index.and_then(|index| pcm.get(index));
        sample.map_or(0, |sample| i32::from(*sample))
    };
    let filtered = |centre: usize| {
        let weigh = |(n, tap): (usize, &i32)| tap * at((centre + n).checked_sub(TAPS.len() / 2));
        let sum: i32 = TAPS.iter().enumerate().map(weigh).sum();
        (sum / 512).clamp(i16::MIN.into(), i16::MAX.into()) as i16
    };
    (0..pcm.len()).step_by(2).map(filtered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: Format = Format {
        rate: 24_000,
        channels: 1,
    };

    fn raw(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
        samples.into_iter().flat_map(i16::to_le_bytes).collect()
    }

    #[test]
    fn raw_samples_are_taken_as_they_are_and_stereo_as_its_mean() {
        let mono = decode(&raw([1, -2, 3]), "", RAW).unwrap();
        assert_eq!(mono, Pcm::from(vec![1, -2, 3]));
        let stereo = Format { channels: 2, ..RAW };
        let mixed = decode(&raw([10, 20, -30, -10]), "audio/pcm", stereo).unwrap();
        assert_eq!(mixed, Pcm::from(vec![15, -20]));
    }

    #[test]
    fn a_voice_at_48_khz_is_the_same_at_24_and_what_folds_back_is_gone() {
        let at_48 = Format {
            rate: 48_000,
            channels: 1,
        };
        let level = |hz: f64| {
            let tone = |n: i32| {
                (8_000.0 * (f64::from(n) * hz / 48_000.0 * std::f64::consts::TAU).sin()) as i16
            };
            let pcm = decode(&raw((0..48_000).map(tone)), "", at_48).unwrap();
            assert_eq!(pcm.as_slice().len(), 24_000);
            let power: f64 = pcm.as_slice().iter().map(|s| f64::from(*s).powi(2)).sum();
            (power / 24_000.0).sqrt()
        };
        let voice = level(1_000.0);
        assert!((5_400.0..5_900.0).contains(&voice), "{voice}");
        let folded = level(20_000.0);
        assert!(folded < voice / 10.0, "{folded}");
    }

    #[test]
    fn what_a_browser_recorded_is_decoded() {
        let bytes = include_bytes!("../../../tests/fixtures/recordings/chromium.webm");
        let pcm = decode(bytes, "audio/webm;codecs=opus", Format::default()).unwrap();
        let seconds = pcm.duration().as_secs_f32();
        assert!((1.0..4.0).contains(&seconds), "{seconds}");
        let loud = pcm.as_slice().iter().filter(|s| s.unsigned_abs() > 2_000);
        assert!(loud.count() > 2_000, "somebody speaks in it");
        let cut = decode(&bytes[..bytes.len() / 2], "audio/webm", Format::default()).unwrap();
        assert!(cut.duration() < pcm.duration(), "read as far as it goes");
    }

    #[test]
    fn a_few_bytes_that_stand_for_hours_are_not_decoded() {
        const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];
        let file = include_bytes!("../../../tests/fixtures/recordings/chromium.webm");
        let is_cluster = |bytes: &[u8]| bytes == CLUSTER;
        let header = file.windows(4).position(is_cluster).unwrap();
        let mut bomb = file[..header].to_vec();
        bomb.extend(CLUSTER);
        bomb.extend([
            0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xE7, 0x81, 0,
        ]);
        // A block with an Opus packet of two empty frames of 60 ms.
        let block = [0xA3, 0x85, 0x81, 0, 0, 0x80, 0x19];
        bomb.extend(block.iter().cycle().take(block.len() * 100_000));
        let pcm = from_webm(&bomb).unwrap();
        let most = ENOUGH + Duration::from_millis(120);
        assert!((1..=samples(most)).contains(&pcm.len()), "{}", pcm.len());
    }

    #[test]
    fn of_a_long_recording_the_last_ten_seconds_are_kept() {
        let long = (0..11).flat_map(|second| vec![second; 24_000]);
        let pcm = decode(&raw(long), "", RAW).unwrap();
        assert_eq!(pcm.duration(), LONGEST);
        assert_eq!(pcm.as_slice()[0], 1);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let wrong = |bytes: &[u8], mime, format| decode(bytes, mime, format).unwrap_err();
        assert_eq!(wrong(b"????ftyp", "video/mp4", RAW), "no WebM");
        assert_eq!(wrong(&EBML, "audio/webm", RAW), "a broken WebM file");
        let odd = Format {
            rate: 44_100,
            channels: 1,
        };
        assert!(wrong(&[0; 4], "", odd).contains("rate"));
        let none = Format::default();
        assert!(wrong(&[0; 4], "", none).contains("channels"));
    }
}
