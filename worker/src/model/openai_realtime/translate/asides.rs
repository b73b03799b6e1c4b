//! Core: responses beside the conversation that are on their way.
//!
//! They are ours by their metadata. Nothing of them is part of the conversation but their end.

use std::collections::VecDeque;

use dialog::model::Tag;

use super::orders::tag_of_aside;
use crate::model::openai_realtime::wire::server_event::Response;

/// Questions that may be open at once; the oldest is forgotten, and its answer with it.
const OPEN: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Asides {
    open: VecDeque<(String, Tag)>,
}

impl Asides {
    /// A response began. Returns whether it is beside the conversation.
    pub(super) fn begin(&mut self, response: &Response) -> bool {
        let Some(tag) = tag_of(response) else {
            return false;
        };
        if self.open.len() == OPEN {
            self.open.pop_front();
        }
        self.open.push_back((response.id.clone(), tag));
        true
    }

    /// This response is beside the conversation.
    pub(super) fn holds(&self, response: &str) -> bool {
        self.open.iter().any(|(open, _)| open == response)
    }

    /// A response ended. Returns what it answers, when it was beside the conversation.
    pub(super) fn end(&mut self, response: &Response) -> Option<Tag> {
        let at = self.open.iter().position(|(open, _)| *open == response.id);
        let known = at.and_then(|at| self.open.remove(at)).map(|(_, tag)| tag);
        known.or_else(|| tag_of(response))
    }
}

fn tag_of(response: &Response) -> Option<Tag> {
    let metadata = response.metadata.as_ref()?;
    metadata.client_event_id.as_deref().and_then(tag_of_aside)
}
