//! Adapter: WAV files → what an agent says when there is no model to say it.

use std::{io::Cursor, path::Path};

use dialog::output::Clip;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{
        parse::{Problem, Problems},
        source::Source,
    },
    media::{Pcm, SAMPLE_RATE},
};

/// Longer than any sentence for the purpose, shorter than anybody's patience.
const LONGEST_SECONDS: u32 = 8;

/// Recordings for the moments in which there is no model. WAV, 24 kHz, mono, 16 bits, at most eight
/// seconds; paths below the agents directory. Absent = English ones; empty = silence.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClipFiles {
    /// Played when somebody waits in silence for more than 700 ms because the model is away.
    pub one_moment: Option<String>,
    /// Played before the agent leaves because the model stays away for good.
    pub failure: Option<String>,
}

/// The recordings of one agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clips {
    one_moment: Pcm,
    failure: Pcm,
}

impl Clips {
    /// The English ones, built into the worker.
    pub(super) fn shipped() -> Self {
        let decoded = |wav: &[u8]| decode(wav).unwrap_or_default();
        Self {
            one_moment: decoded(include_bytes!("../../clips/en/one-moment.wav")),
            failure: decoded(include_bytes!("../../clips/en/failure.wav")),
        }
    }

    /// Reads what a definition names; the shipped ones stand for the rest.
    pub(super) fn load(
        files: &ClipFiles,
        source: &dyn Source,
        directory: Option<&Path>,
    ) -> Result<Self, Problems> {
        let mut clips = Self::shipped();
        let mut problems = Vec::new();
        for (key, file, clip) in [
            ("one_moment", &files.one_moment, &mut clips.one_moment),
            ("failure", &files.failure, &mut clips.failure),
        ] {
            let Some(file) = file else {
                continue;
            };
            match read(file, source, directory) {
                Ok(pcm) => *clip = pcm,
                Err(what) => problems.push(Problem::new(format!("clips.{key}"), what)),
            }
        }
        Problems::none_or(problems)?;
        Ok(clips)
    }

    /// The samples of one; none = it is meant to be silent.
    pub fn of(&self, clip: Clip) -> Pcm {
        match clip {
            Clip::OneMoment => self.one_moment.clone(),
            Clip::Failure => self.failure.clone(),
            _ => Pcm::default(),
        }
    }
}

fn read(file: &str, source: &dyn Source, directory: Option<&Path>) -> Result<Pcm, String> {
    if file.is_empty() {
        return Ok(Pcm::default());
    }
    let directory = directory.ok_or("needs an agents directory")?;
    let wav = source
        .read_bytes(&directory.join(file))
        .map_err(|error| error.kind().to_string())?;
    decode(&wav).map_err(str::to_owned)
}

fn decode(wav: &[u8]) -> Result<Pcm, &'static str> {
    let reader = hound::WavReader::new(Cursor::new(wav)).map_err(|_| "no WAV file")?;
    let spec = reader.spec();
    let is_ours = (spec.sample_rate, spec.channels, spec.bits_per_sample) == (SAMPLE_RATE, 1, 16)
        && spec.sample_format == hound::SampleFormat::Int;
    if !is_ours {
        return Err("expected 24 kHz, mono, 16 bits");
    }
    if reader.duration() > LONGEST_SECONDS * SAMPLE_RATE {
        return Err("longer than 8 seconds");
    }
    let samples: Result<Vec<i16>, _> = reader.into_samples().collect();
    samples
        .map(Pcm::from)
        .map_err(|_| "the WAV file is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::MapSource;

    fn wav(rate: u32, seconds: u32) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        for _ in 0..rate * seconds {
            writer.write_sample(7_i16).unwrap();
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn load(file: &str, bytes: Vec<u8>) -> Result<Clips, Problems> {
        let source = MapSource::default().bytes("/agents/clips/moment.wav", bytes);
        let files = ClipFiles {
            one_moment: Some(file.to_owned()),
            failure: None,
        };
        Clips::load(&files, &source, Some(Path::new("/agents")))
    }

    #[test]
    fn the_shipped_ones_are_short_sentences() {
        let clips = Clips::shipped();
        for clip in [Clip::OneMoment, Clip::Failure] {
            let seconds = clips.of(clip).duration().as_secs_f32();
            assert!((0.5..8.0).contains(&seconds), "{clip:?}: {seconds}");
        }
    }

    #[test]
    fn a_definition_brings_its_own_or_silence() {
        let own = load("clips/moment.wav", wav(24_000, 1)).unwrap();
        assert_eq!(own.of(Clip::OneMoment), Pcm::from(vec![7; 24_000]));
        assert_eq!(own.of(Clip::Failure), Clips::shipped().of(Clip::Failure));
        let silent = load("", Vec::new()).unwrap();
        assert!(silent.of(Clip::OneMoment).is_empty());
    }

    #[test]
    fn what_cannot_be_played_is_told_with_its_path() {
        let told = |file: &str, bytes| load(file, bytes).unwrap_err().to_string();
        let wrong = "clips.one_moment: ";
        for (file, bytes, what) in [
            ("clips/none.wav", Vec::new(), "entity not found"),
            ("clips/moment.wav", b"RIFF".to_vec(), "no WAV file"),
            (
                "clips/moment.wav",
                wav(16_000, 1),
                "expected 24 kHz, mono, 16 bits",
            ),
            ("clips/moment.wav", wav(24_000, 9), "longer than 8 seconds"),
        ] {
            assert_eq!(told(file, bytes), format!("{wrong}{what}"));
        }
        let mut cut = wav(24_000, 1);
        cut.truncate(1_000);
        assert!(told("clips/moment.wav", cut).starts_with(wrong));
    }
}
