//! Adapter: still pictures that people show, as byte streams of their clients.
//!
//! Reads one picture to its end. It does not ask who may show one: the driver drops what comes from
//! participants that are not heard. Nor does it decode: the model does.

use std::time::Duration;

use dialog::{
    model::{Picture, PictureFormat},
    speaker::ParticipantId,
};
use livekit::{ByteStreamReader, TakeCell};

use super::{events::RoomInput, stream::read_all};

/// The topic on which front ends send them.
const TOPIC: &str = "images";
/// A picture that is not complete by then is dropped.
const DEADLINE: Duration = Duration::from_secs(20);
/// The longest file in bytes: as base64, and with what is around it, it fits into a message to the model.
/// A photograph of 1024 pixels is half of it.
const LONGEST: usize = 360_000;

/// How a file of each format begins.
const BEGINNINGS: [(&[u8], PictureFormat); 2] = [
    (&[0xff, 0xd8, 0xff], PictureFormat::Jpeg),
    (b"\x89PNG\r\n\x1a\n", PictureFormat::Png),
];

/// A picture that somebody sends.
pub(super) struct Showing {
    participant: ParticipantId,
    reader: ByteStreamReader,
}

impl Showing {
    /// A byte stream, if it is a picture.
    pub(super) fn of_stream(
        topic: &str,
        reader: &TakeCell<ByteStreamReader>,
        participant: ParticipantId,
    ) -> Option<Self> {
        if topic != TOPIC {
            return None;
        }
        let reader = reader.take()?;
        Some(Self {
            participant,
            reader,
        })
    }

    /// Reads it to its end; `None` = it is none that the model can see, and the log says why.
    pub(super) async fn read(mut self) -> Option<RoomInput> {
        let read = tokio::time::timeout(DEADLINE, read_all(&mut self.reader, LONGEST)).await;
        let read = read.unwrap_or_else(|_| Err("it did not end".to_owned()));
        let picture = read.and_then(|data| {
            let format = format_of(&data).ok_or("it is neither JPEG nor PNG")?;
            let data = (&*data).into();
            Ok(Picture { format, data })
        });
        match picture {
            Ok(picture) => Some(RoomInput::Picture {
                participant: self.participant,
                picture,
            }),
            Err(why) => {
                tracing::warn!(why, "a picture that was sent cannot be shown to the model");
                None
            }
        }
    }
}

/// By its first bytes: what a stranger says of a file is not believed.
fn format_of(data: &[u8]) -> Option<PictureFormat> {
    let found = BEGINNINGS
        .iter()
        .find(|(beginning, _)| data.starts_with(beginning));
    found.map(|(_, format)| *format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_first_bytes() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0];
        assert_eq!(format_of(&jpeg), Some(PictureFormat::Jpeg));
        let png = b"\x89PNG\r\n\x1a\n....";
        assert_eq!(format_of(png), Some(PictureFormat::Png));
        for other in [&b""[..], b"GIF89a", b"RIFF....WEBP", b"<svg", &jpeg[1..]] {
            assert_eq!(format_of(other), None, "{other:?}");
        }
    }
}
