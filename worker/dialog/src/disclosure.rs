//! Core: the sentence that tells people that they are talking to a machine.
//!
//! Said before anything else, whatever people do meanwhile, and followed until somebody has heard it
//! to its end; what was heard of it is noted, as evidence. Owns whether that is still to come. Laws
//! ask for it (EU AI Act, article 50).

use crate::{
    Dialog,
    floor::{Purpose, Request},
    model::{ItemId, ResponseId},
    note::Note,
    plain_words::words,
    playhead::Playhead,
    silenced,
};

/// Attempts to have it said word for word; models rarely need a second one.
const ATTEMPTS: u32 = 3;

/// How far it is.
#[derive(Debug)]
pub(crate) struct Disclosure {
    /// `None` = nothing is to be said, or it has been.
    sentence: Option<String>,
    attempts: u32,
    /// The response that says it, once it has come.
    by: Option<ResponseId>,
    /// What was heard, the last time.
    heard: String,
}

impl Disclosure {
    pub(crate) fn new(sentence: Option<&String>) -> Self {
        Self {
            sentence: sentence.filter(|text| !words(text).is_empty()).cloned(),
            attempts: 0,
            by: None,
            heard: String::new(),
        }
    }

    pub(crate) fn is_due(&self) -> bool {
        self.sentence.is_some()
    }

    /// The model says it now.
    pub(crate) fn begin(&mut self, response: &ResponseId) {
        self.by = Some(response.clone());
        self.heard.clear();
    }

    /// This item is of the response that says it.
    pub(crate) fn is_in(&self, item: &ItemId, playhead: &Playhead) -> bool {
        let by = self.by.as_ref();
        by.is_some_and(|by| playhead.response_of(item) == Some(by))
    }

    /// More of an item was heard: this is all of it so far.
    pub(crate) fn hear(&mut self, response: &ResponseId, text: &str) {
        if self.by.as_ref() == Some(response) {
            text.clone_into(&mut self.heard);
        }
    }

    fn was_heard(&self) -> bool {
        let wanted = words(self.sentence.as_deref().unwrap_or_default());
        words(&self.heard)
            .windows(wanted.len().max(1))
            .any(|part| part == wanted)
    }
}

impl Dialog {
    /// Sees to it that it is said. Asked for before anybody can hear it, as the greeting is.
    pub(crate) fn disclose(&mut self) {
        if !self.disclosure.is_due() || self.is_disclosing() {
            return;
        }
        if self.disclosure.by.take().is_some() && self.disclosure.was_heard() {
            return self.end_disclosure(true);
        }
        let has_company = self.audience.caller().is_some() && !self.is_silenced;
        if self.closing.is_some() || !has_company || !self.link.is_up() {
            return;
        }
        if self.disclosure.attempts == ATTEMPTS {
            return self.end_disclosure(false);
        }
        self.disclosure.attempts += 1;
        let sentence = self.disclosure.sentence.as_deref().unwrap_or_default();
        let request = Request::saying(Purpose::Disclosure, &silenced::verbatim(sentence));
        self.floor.want_again(request);
    }

    /// It is asked for, or on its way to people's ears.
    pub(crate) fn is_disclosing(&self) -> bool {
        let is_it = |response: &ResponseId| Some(response) == self.disclosure.by.as_ref();
        let asked = self.responses.asked.as_ref();
        let live = self.responses.live.as_ref();
        self.floor.wants(Purpose::Disclosure)
            || asked.is_some_and(|asked| asked.request.purpose == Purpose::Disclosure)
            || live.is_some_and(|live| is_it(&live.id))
            || self
                .disclosure
                .by
                .as_ref()
                .is_some_and(|by| self.playhead.plays(by))
    }

    /// The conversation is over; what was begun and not heard to its end is evidence, too.
    pub(crate) fn close_disclosure(&mut self) {
        if self.disclosure.is_due() && self.disclosure.attempts > 0 {
            self.end_disclosure(false);
        }
    }

    fn end_disclosure(&mut self, is_whole: bool) {
        self.disclosure.sentence = None;
        let said = std::mem::take(&mut self.disclosure.heard);
        self.note(Note::Disclosed { said, is_whole });
    }
}
