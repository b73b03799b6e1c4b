//! Core: everything that can happen to a conversation.

use std::time::Duration;

use crate::{
    model::{CallId, Capabilities, Event, ItemId, Picture, ResponseId},
    speaker::{ParticipantId, Role},
};

/// One fact.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// Something the process or the room asks of the agent.
    Ask(Ask),
    /// Somebody came, changed or left.
    Audience(Audience),
    /// A person typed a line.
    Chat {
        /// Who typed it.
        participant: ParticipantId,
        /// The line; personal data.
        text: String,
    },
    /// The model reports.
    Model(Event),
    /// The link to the model changed.
    ModelLink(ModelLink),
    /// A person shows a still picture.
    Picture {
        /// Who shows it.
        participant: ParticipantId,
        /// The picture; personal data.
        picture: Picture,
    },
    /// What people hear.
    Playout(Playout),
    /// Somebody presses to talk, or lets go; where people mark their turns by hand.
    Press {
        /// Who.
        participant: ParticipantId,
        /// They press; otherwise they let go.
        is_down: bool,
    },
    /// An ear hears somebody begin or end to speak.
    Speech {
        /// Who.
        participant: ParticipantId,
        /// What.
        edge: SpeechEdge,
    },
    /// The agent can be heard: its track is published and somebody is subscribed to it.
    RoomReady,
    /// The link to the room broke: nobody hears or is heard until it is back.
    RoomAway,
    /// The link to the room is whole again.
    RoomBack,
    /// A call that the provider runs may go ahead; its end comes as [`crate::Output::McpCallDone`].
    ToolApproved {
        /// The call.
        call: CallId,
    },
    /// A tool call ended.
    ToolFinished {
        /// The call.
        call: CallId,
        /// What the model is told; bounded text.
        output: String,
        /// What the tool wants to happen to the conversation.
        then: AfterTool,
    },
}

/// Where speech begins and ends, by the ear's own detection. `before` = how long ago that was when it
/// became clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeechEdge {
    /// Speech that began was the agent's own voice, back through a microphone; it is over.
    Echoed,
    /// Speech began.
    Started {
        /// Time from the first sound to the detection.
        before: Duration,
    },
    /// Speech ended.
    Stopped {
        /// Time from the last sound to the detection.
        before: Duration,
    },
}

/// What happens to the conversation after a tool call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterTool {
    /// The model carries on with what the tool answered.
    #[default]
    Continue,
    /// The goodbye is played to its end, then the conversation is over.
    EndConversation,
}

/// Requests to the agent itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ask {
    /// End the conversation at once, for this reason.
    Close(crate::output::CloseReason),
    /// These are the tools that the model may call from now on, by name.
    Equip(Vec<String>),
    /// Finish what is being said, say goodbye, and end the conversation for this reason.
    End(crate::output::CloseReason),
    /// The same, and this sentence is the goodbye.
    EndSaying {
        /// Why it ends.
        reason: crate::output::CloseReason,
        /// The last words.
        words: String,
    },
    /// Answer again, after [`Self::Silence`].
    GoOn,
    /// This is what to greet with, unless that has begun.
    Greet(String),
    /// These people are heard from now on.
    Hear(crate::config::Hears),
    /// These are the instructions from now on.
    Instruct(String),
    /// Stop what is being said, and say exactly this.
    Interject(String),
    /// Say something along these lines.
    Say(String),
    /// Let the model remember less: its context is what every response pays for.
    Shrink,
    /// Stop what is being said and answer nothing until told to go on; keep hearing.
    Silence,
}

/// Changes among the people around the agent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Audience {
    /// Somebody came.
    Joined {
        /// Who.
        participant: ParticipantId,
        /// What they are to us.
        role: Role,
        /// Display name; untrusted text and personal data.
        name: String,
    },
    /// Somebody left for good.
    Left {
        /// Who.
        participant: ParticipantId,
    },
}

/// State of the link to the model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ModelLink {
    /// The connection is gone; the link is trying again.
    Down,
    /// The link has given up; `reason` is a short code for people and metrics.
    Exhausted {
        /// For example `invalid_api_key` or `unreachable`.
        reason: String,
    },
    /// The connection that [`crate::model::Order::Rotate`] asked for serves now.
    Rotated(Capabilities),
    /// A configured, empty connection waits beside the one that serves.
    Spare,
    /// A configured, empty connection is there.
    Up(Capabilities),
}

/// What was heard of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The response it belongs to.
    pub response: ResponseId,
    /// The item.
    pub item: ItemId,
    /// Handed to the encoder so far.
    pub heard: Duration,
}

/// Facts from the outgoing queue.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Playout {
    /// The playhead moved on; coalesced, about ten times a second.
    Advanced(Heard),
    /// The clip was heard to its end, was stopped, or there is none.
    ClipOver,
    /// Every item that was complete has been played; nothing is queued.
    Drained,
    /// A flush was carried out: what had been heard of every item that was cut. Items that were
    /// queued but never started stand there with zero.
    Flushed {
        /// In playing order.
        cut: Vec<Heard>,
    },
    /// A voice that could be heard fell silent because of a pause.
    Paused,
    /// A voice that could be heard fell silent because the rest of its item has not come.
    Starved,
    /// The first sample of an item was handed to the encoder.
    Started {
        /// The response it belongs to.
        response: ResponseId,
        /// The item.
        item: ItemId,
    },
}
