//! Task: receives typed lines and tells them in the order in which they were begun.
//!
//! Of each participant one line is read at a time: a line that is answered before the one that was typed before it
//! would turn the conversation round. People do not wait for each other.

use std::collections::{HashMap, VecDeque};

use dialog::speaker::ParticipantId;
use futures_util::future::BoxFuture;
use tokio::task::{Id, JoinSet};

use super::events::RoomInput;
use crate::telemetry::event::ProtocolError;

/// Lines that wait or are being read, of everybody. When full, the newest is dropped and counted: people do not
/// type that fast.
const RECEIVED: usize = 16;

/// A line on its way; `None` = it never came, or it is empty.
type Reading = BoxFuture<'static, Option<RoomInput>>;

/// What people are typing.
#[derive(Default)]
pub(super) struct Lines {
    waiting: VecDeque<(ParticipantId, Reading)>,
    reading: JoinSet<Option<RoomInput>>,
    /// Whose line is being read.
    writers: HashMap<Id, ParticipantId>,
}

impl Lines {
    /// Receives one more line.
    pub(super) fn receive(&mut self, writer: ParticipantId, line: Reading) {
        if self.waiting.len() + self.reading.len() == RECEIVED {
            return ProtocolError {
                link: "room",
                what: "more typed lines at once than are read",
            }
            .emit();
        }
        self.waiting.push_back((writer, line));
        self.read_on();
    }

    /// The next line that ended; `None` = none is being received.
    pub(super) async fn next(&mut self) -> Option<Option<RoomInput>> {
        let ended = self.reading.join_next_with_id().await?;
        let (id, line) = ended.unwrap_or_else(|error| (error.id(), None));
        self.writers.remove(&id);
        self.read_on();
        Some(line)
    }

    fn read_on(&mut self) {
        for (writer, line) in std::mem::take(&mut self.waiting) {
            if self.writers.values().any(|busy| *busy == writer) {
                self.waiting.push_back((writer, line));
            } else {
                let id = self.reading.spawn(line).id();
                self.writers.insert(id, writer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    fn chat(writer: &ParticipantId, text: &str) -> Option<RoomInput> {
        let (participant, text) = (writer.clone(), text.to_owned());
        Some(RoomInput::Chat { participant, text })
    }

    fn shown(line: Option<RoomInput>) -> String {
        match line {
            Some(RoomInput::Chat { participant, text }) => {
                format!("{}: {text}", participant.as_str())
            }
            _ => "nothing".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_line_waits_for_the_one_before_it_and_nobody_waits_for_others() {
        let (ann, bob) = (ParticipantId::new("ann"), ParticipantId::new("bob"));
        let mut lines = Lines::default();
        let (done, slow) = oneshot::channel::<()>();
        let writer = ann.clone();
        let first = async move { slow.await.ok().and_then(|()| chat(&writer, "first")) };
        lines.receive(ann.clone(), first.boxed());
        let second = chat(&ann, "second");
        lines.receive(ann, async { second }.boxed());
        let third = chat(&bob, "me too");
        lines.receive(bob, async { third }.boxed());

        let mut told = Vec::new();
        told.extend(lines.next().await.map(shown));
        done.send(()).expect("the first line is still being read");
        while let Some(line) = lines.next().await {
            told.push(shown(line));
        }
        assert_eq!(told, ["bob: me too", "ann: first", "ann: second"]);
    }

    #[tokio::test]
    async fn a_line_that_breaks_holds_up_nobody() {
        let ann = ParticipantId::new("ann");
        let mut lines = Lines::default();
        lines.receive(ann.clone(), async { panic!("a rehearsed bug") }.boxed());
        let second = chat(&ann, "second");
        lines.receive(ann, async { second }.boxed());
        assert_eq!(lines.next().await.map(shown).as_deref(), Some("nothing"));
        assert_eq!(
            lines.next().await.map(shown).as_deref(),
            Some("ann: second")
        );
    }

    #[tokio::test]
    async fn more_than_anybody_types_is_not_kept() {
        let ann = ParticipantId::new("ann");
        let mut lines = Lines::default();
        for _ in 0..2 * RECEIVED {
            lines.receive(ann.clone(), async { None }.boxed());
        }
        let mut told = 0;
        while lines.next().await.is_some() {
            told += 1;
        }
        assert_eq!(told, RECEIVED);
    }
}
