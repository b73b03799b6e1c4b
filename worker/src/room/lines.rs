//! Task: receives typed lines and tells them in the order in which they were begun.
//!
//! Of each participant one line is read at a time: a line that is answered before the one that was typed before it
//! would turn the conversation round. People do not wait for each other.

use std::collections::{HashSet, VecDeque};

use dialog::speaker::ParticipantId;
use tokio::task::JoinSet;

use super::{chat::Line, events::RoomInput};
use crate::telemetry::event::ProtocolError;

/// Lines that wait or are being read, of everybody. When full, the newest is dropped and counted: people do not
/// type that fast.
const RECEIVED: usize = 16;

/// What people are typing.
#[derive(Default)]
pub(super) struct Lines {
    waiting: VecDeque<Line>,
    reading: JoinSet<(ParticipantId, Option<RoomInput>)>,
    /// Whose line is being read.
    writers: HashSet<ParticipantId>,
}

impl Lines {
    /// Receives one more line.
    pub(super) fn receive(&mut self, line: Line) {
        if self.waiting.len() + self.reading.len() == RECEIVED {
            return ProtocolError {
                link: "room",
                what: "more typed lines at once than are read",
            }
            .emit();
        }
        self.waiting.push_back(line);
        self.read_on();
    }

    /// The next line that ended; `None` = none is being received. Within: `None` = it never came, or it is empty.
    pub(super) async fn next(&mut self) -> Option<Option<RoomInput>> {
        let ended = self.reading.join_next().await?;
        let line = ended.ok().and_then(|(writer, line)| {
            self.writers.remove(&writer);
            line
        });
        self.read_on();
        Some(line)
    }

    fn read_on(&mut self) {
        for line in std::mem::take(&mut self.waiting) {
            if self.writers.insert(line.participant().clone()) {
                self.reading.spawn(async move {
                    let writer = line.participant().clone();
                    (writer, line.read().await)
                });
            } else {
                self.waiting.push_back(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(writer: &str, text: &str) -> Line {
        Line::of_message(text.to_owned(), ParticipantId::new(writer))
    }

    async fn all(lines: &mut Lines) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(line) = lines.next().await {
            let Some(RoomInput::Chat { participant, text }) = line else {
                panic!("no line")
            };
            texts.push(format!("{}: {text}", participant.as_str()));
        }
        texts
    }

    #[tokio::test]
    async fn lines_of_one_person_keep_their_order_and_people_do_not_wait_for_each_other() {
        let mut lines = Lines::default();
        for number in 1..=5 {
            lines.receive(line("ann", &number.to_string()));
        }
        lines.receive(line("bob", "me too"));
        let told = all(&mut lines).await;
        let of_ann: Vec<_> = told.iter().filter(|line| line.starts_with("ann")).collect();
        assert_eq!(of_ann, ["ann: 1", "ann: 2", "ann: 3", "ann: 4", "ann: 5"]);
        let at = told.iter().position(|line| line == "bob: me too");
        assert!(at.is_some_and(|at| at < 2), "{told:?}");
    }

    #[tokio::test]
    async fn more_than_anybody_types_is_not_kept() {
        let mut lines = Lines::default();
        for number in 0..2 * RECEIVED {
            lines.receive(line("ann", &number.to_string()));
        }
        assert_eq!(all(&mut lines).await.len(), RECEIVED);
    }
}
