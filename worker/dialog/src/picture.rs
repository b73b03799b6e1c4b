//! Core: still pictures that people show to the agent.
//!
//! The model sees them and is not asked to say anything: people speak about what they show. Owns how
//! many stay in its context, where each is paid for with every answer.

use crate::{
    Dialog,
    model::{ItemId, NewItem, Order, Picture},
    speaker::ParticipantId,
};

/// Pictures that the model sees at once: enough to compare, and few enough to pay for.
pub(crate) const SEEN: usize = 3;

/// How a picture stands in accounts of the conversation.
pub(crate) const SHOWN: &str = "(shows a picture)";

/// What the model is told of a picture among several people.
pub(crate) fn caption(speaker: &str) -> String {
    format!("{speaker} shows this picture.")
}

/// The name of a picture's item; the same on every connection.
pub(crate) fn item_of(number: u64) -> ItemId {
    ItemId::new(format!("picture_{number}"))
}

impl Dialog {
    /// Somebody shows a picture.
    pub(crate) fn on_picture(&mut self, participant: &ParticipantId, picture: Picture) {
        if !self.audience.is_person(participant) {
            return self.note_unexpected("picture of a stranger");
        }
        if self.closing.is_some() {
            return self.note_unexpected("picture while closing");
        }
        self.heard_from_caller();
        let is_shared = self.audience.is_shared();
        let speaker = is_shared.then(|| self.audience.label(participant));
        let caption = speaker.as_deref().map(caption);
        let shown = self.conversation.user_showed(speaker, picture.clone());
        if !self.link.is_up() {
            return;
        }
        if let Some(item) = shown.forgotten {
            self.order(Order::Delete { item });
        }
        self.order(Order::Item(NewItem::Picture {
            item: shown.item,
            caption,
            picture,
        }));
    }
}
