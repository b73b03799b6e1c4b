//! Core: a sentence that somebody with authority wants said, until it is heard.
//!
//! Owns which response says it. Whoever takes the floor before its first sound only postpones it: who
//! asked for it was told that it is taken. What was begun is not said again.

use crate::{
    Dialog,
    floor::{Purpose, Request},
    model::{ItemId, ResponseId},
};

/// It is generated, or queued, and nobody has heard any of it.
#[derive(Debug)]
pub(crate) struct Sentence {
    by: ResponseId,
    request: Request,
}

impl Dialog {
    /// A response began that is wanted.
    pub(crate) fn begin_sentence(&mut self) {
        let live = self.responses.live.as_ref();
        let wanted = live.and_then(|live| Some((live.id.clone(), live.request.clone()?)));
        if let Some((by, request)) = wanted.filter(|(_, request)| is_sentence(request)) {
            self.sentence = Some(Sentence { by, request });
        }
    }

    /// The first sound of an item.
    pub(crate) fn hear_sentence(&mut self, item: &ItemId) {
        let response = self.playhead.response_of(item);
        self.sentence
            .take_if(|sentence| response == Some(&sentence.by));
    }

    /// Nothing more comes of a response: it is heard by what came, or never.
    pub(crate) fn end_sentence(&mut self) {
        let playhead = &self.playhead;
        self.sentence
            .take_if(|sentence| !playhead.plays(&sentence.by));
    }

    /// Somebody with authority wants something else.
    pub(crate) fn drop_sentence(&mut self) {
        self.sentence = None;
        let asked = self.responses.asked.as_mut();
        if let Some(asked) = asked.filter(|asked| is_sentence(&asked.request)) {
            asked.is_unwanted = true;
        }
    }

    /// Somebody takes the floor; only the response `keep` may go on.
    pub(crate) fn postpone_sentence(&mut self, keep: Option<&ResponseId>) {
        let asked = self.responses.asked.as_ref();
        let asked = asked.filter(|asked| !asked.is_unwanted && is_sentence(&asked.request));
        let asked = asked.map(|asked| asked.request.clone());
        let begun = self
            .sentence
            .take_if(|sentence| Some(&sentence.by) != keep)
            .map(|sentence| sentence.request);
        for request in asked.into_iter().chain(begun) {
            self.floor.want_again(request);
        }
    }
}

fn is_sentence(request: &Request) -> bool {
    request.purpose == Purpose::Say
}
