//! Core: what a tool, a command, a meter or the end of the process asks of the conversation.

use std::time::Instant;

use crate::{
    Dialog,
    floor::{Purpose, Request},
    input::Ask,
    model::Order,
    note::Note,
    silenced,
};

impl Dialog {
    pub(crate) fn on_ask(&mut self, now: Instant, ask: Ask) {
        match ask {
            Ask::Close(reason) => self.finish(reason),
            Ask::Equip(tools) => self.equip(tools),
            Ask::End(reason) => self.begin_close(now, reason, None),
            Ask::EndSaying { reason, words } => {
                self.config.goodbye = silenced::verbatim(&words);
                self.begin_close(now, reason, None);
            }
            Ask::GoOn => self.go_on(),
            Ask::Greet(words) => self.config.greeting = Some(words),
            Ask::Hear(hears) => {
                self.audience.hear(hears);
                self.settle_ears();
            }
            Ask::Instruct(instructions) => self.instruct(instructions),
            Ask::Interject(words) => self.interject(now, &words),
            Ask::Say(_) if self.closing.is_some() => self.note_unexpected("say while closing"),
            Ask::Say(words) => self.floor.want(Request::saying(Purpose::Say, &words)),
            Ask::Shrink => self.shrink(),
            Ask::Silence => self.be_silent(now),
        }
    }

    /// From now on, and on every later connection.
    fn instruct(&mut self, instructions: String) {
        if self.link.is_up() {
            self.order(Order::Instruct(instructions.clone()));
        }
        self.instructions = Some(instructions);
    }

    /// The same for tools. A call that runs goes on.
    fn equip(&mut self, tools: Vec<String>) {
        if self.link.is_up() {
            self.order(Order::Equip(tools.clone()));
        }
        self.tools = Some(tools);
    }

    /// A connection that is away begins small anyway when it is back.
    fn shrink(&mut self) {
        if !self.link.is_up() || self.closing.is_some() {
            return;
        }
        let playhead = &self.playhead;
        let shrunk = self.conversation.shrink(|item| playhead.holds(item));
        let Some((items, account)) = shrunk else {
            return;
        };
        let note = Note::Shrunk { items: items.len() };
        for item in items {
            self.order(Order::Delete { item });
        }
        self.order(Order::Item(account));
        self.note(note);
    }
}
