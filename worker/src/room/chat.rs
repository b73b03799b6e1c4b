//! Adapter: typed lines, as text streams on `lk.chat` and as the older chat message.
//!
//! Reads one line to its end. It does not ask who may type: the driver drops what comes from
//! participants that are not heard.

use std::time::Duration;

use dialog::speaker::ParticipantId;
use futures_util::StreamExt;
use livekit::{TakeCell, TextStreamReader};

use super::events::RoomInput;

/// The topic of typed lines.
const TOPIC: &str = "lk.chat";

/// A line that is not complete by then is dropped: nobody types over the wire for this long.
const DEADLINE: Duration = Duration::from_secs(10);

/// The longest line that is passed on; the rest is cut. In bytes.
const LONGEST: usize = 16 * 1024;

/// A line that somebody sends.
pub(super) struct Line {
    participant: ParticipantId,
    content: Content,
}

enum Content {
    Complete(String),
    Stream(TextStreamReader),
}

impl Line {
    /// A text stream, if it is a typed line.
    pub(super) fn of_stream(
        topic: &str,
        reader: &TakeCell<TextStreamReader>,
        participant: ParticipantId,
    ) -> Option<Self> {
        if topic != TOPIC {
            return None;
        }
        Some(Self {
            participant,
            content: Content::Stream(reader.take()?),
        })
    }

    /// A chat message of an older front end.
    pub(super) fn of_message(text: String, participant: ParticipantId) -> Self {
        Self {
            participant,
            content: Content::Complete(text),
        }
    }

    /// Who sends it.
    pub(super) fn participant(&self) -> &ParticipantId {
        &self.participant
    }

    /// Reads the line to its end; `None` = it never came, or it is empty.
    pub(super) async fn read(self) -> Option<RoomInput> {
        let text = match self.content {
            Content::Complete(text) => text,
            Content::Stream(reader) => tokio::time::timeout(DEADLINE, read_all(reader))
                .await
                .ok()??,
        };
        let text = cut(text.trim());
        (!text.is_empty()).then(|| RoomInput::Chat {
            participant: self.participant,
            text: text.to_owned(),
        })
    }
}

/// The text to its end, or as much of it as is passed on; `None` = it broke off.
async fn read_all(mut reader: TextStreamReader) -> Option<String> {
    let mut text = String::new();
    while text.len() < LONGEST
        && let Some(piece) = reader.next().await
    {
        text.push_str(&piece.ok()?);
    }
    Some(text)
}

/// At most [`LONGEST`] bytes, never in the middle of a character.
fn cut(text: &str) -> &str {
    let mut end = LONGEST.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_complete_line_is_trimmed() {
        let line = Line::of_message("  hello \n".to_owned(), ParticipantId::new("ann"));
        let Some(RoomInput::Chat { text, .. }) = line.read().await else {
            panic!("no line")
        };
        assert_eq!(text, "hello");
    }

    #[tokio::test]
    async fn an_empty_line_is_no_line() {
        let line = Line::of_message(" \t\n".to_owned(), ParticipantId::new("ann"));
        assert!(line.read().await.is_none());
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let long = "ä".repeat(LONGEST);
        let short = cut(&long);
        assert!(short.len() <= LONGEST);
        assert!(short.chars().all(|c| c == 'ä'));
    }
}
