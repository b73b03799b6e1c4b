//! What people and the world do in a scene.

use std::time::Duration;

use dialog::{
    Input,
    input::{AfterTool, Ask, Audience, ModelLink, SpeechEdge},
    model::{CallId, Capabilities, Event, ItemId, Picture, PictureFormat},
    speaker::{ParticipantId, Role},
};

use super::{EDGE_LAG, Scene, What};

impl Scene {
    pub(crate) fn joins(self, at: f64, name: &str) -> Self {
        self.comes(at, name, Role::Caller)
    }

    pub(crate) fn agent_joins(self, at: f64, name: &str) -> Self {
        self.comes(at, name, Role::OtherAgent)
    }

    fn comes(self, at: f64, name: &str, role: Role) -> Self {
        let participant = ParticipantId::new(name);
        let name = name.to_owned();
        self.fact(
            at,
            Input::Audience(Audience::Joined {
                participant,
                role,
                name,
            }),
        )
    }

    pub(crate) fn leaves(self, at: f64, name: &str) -> Self {
        let participant = ParticipantId::new(name);
        self.fact(at, Input::Audience(Audience::Left { participant }))
    }

    /// The caller speaks; 0.3 s of silence later the model calls it a turn, and 0.2 s after that
    /// it knows the words.
    pub(crate) fn says(self, from: f64, to: f64, text: &str) -> Self {
        self.person_says("ann", from, to, text)
    }

    pub(crate) fn person_says(self, who: &str, from: f64, to: f64, text: &str) -> Self {
        let item = self.next_user_item();
        self.ear_hears(who, from, to)
            .model_hears_speech(from, to)
            .transcript(to + 0.5, item.as_str(), text)
    }

    /// The model knows the words of an item.
    pub(crate) fn transcript(self, at: f64, item: &str, text: &str) -> Self {
        self.model(
            at,
            Event::UserTranscript {
                item: ItemId::new(item),
                text: text.to_owned(),
                is_final: true,
            },
        )
    }

    /// The same, and nobody understands the words.
    pub(crate) fn speaks(self, from: f64, to: f64) -> Self {
        self.makes_noise(from, to).model_hears_speech(from, to)
    }

    /// An ear takes it for speech; the model does not.
    pub(crate) fn makes_noise(self, from: f64, to: f64) -> Self {
        self.ear_hears("ann", from, to)
    }

    /// The ear of this person hears speech.
    pub(crate) fn ear_hears(self, who: &str, from: f64, to: f64) -> Self {
        let edge = |edge| Input::Speech {
            participant: ParticipantId::new(who),
            edge,
        };
        let started = SpeechEdge::Started {
            before: Duration::ZERO,
        };
        let stopped = SpeechEdge::Stopped { before: EDGE_LAG };
        self.fact(from, edge(started))
            .fact(to + EDGE_LAG.as_secs_f64(), edge(stopped))
    }

    /// The ear of this person takes the agent's own voice for speech, and recognises it.
    pub(crate) fn ear_hears_agent(self, who: &str, from: f64, to: f64) -> Self {
        let edge = |edge| Input::Speech {
            participant: ParticipantId::new(who),
            edge,
        };
        let before = Duration::ZERO;
        self.fact(from, edge(SpeechEdge::Started { before }))
            .fact(to, edge(SpeechEdge::Echoed))
    }

    /// This person presses to talk, and lets go.
    pub(crate) fn presses(self, who: &str, from: f64, to: f64) -> Self {
        let press = |is_down| Input::Press {
            participant: ParticipantId::new(who),
            is_down,
        };
        self.fact(from, press(true)).fact(to, press(false))
    }

    /// The model hears speech that no ear has noticed.
    pub(crate) fn model_hears_speech(mut self, from: f64, to: f64) -> Self {
        let item = self.next_user_item();
        self.turns += 1;
        self.cue(to + 0.3, What::TurnDue)
            .model(from, Event::SpeechStarted { item: item.clone() })
            .model(to + 0.3, Event::SpeechStopped { item: item.clone() })
            .model(to + 0.3, Event::Committed { item })
    }

    fn next_user_item(&self) -> ItemId {
        ItemId::new(format!("u{}", self.turns + 1))
    }

    pub(crate) fn types(self, at: f64, name: &str, text: &str) -> Self {
        let participant = ParticipantId::new(name);
        self.fact(
            at,
            Input::Chat {
                participant,
                text: text.to_owned(),
            },
        )
    }

    /// Somebody shows a picture of so many bytes.
    pub(crate) fn shows(self, at: f64, name: &str, bytes: usize) -> Self {
        let participant = ParticipantId::new(name);
        let picture = Picture {
            format: PictureFormat::Jpeg,
            data: vec![0; bytes].into(),
        };
        self.fact(
            at,
            Input::Picture {
                participant,
                picture,
            },
        )
    }

    pub(crate) fn room_ready(self, at: f64) -> Self {
        self.fact(at, Input::RoomReady)
    }

    pub(crate) fn link_up(self, at: f64) -> Self {
        self.link_up_with(at, Capabilities::all())
    }

    pub(crate) fn link_up_with(self, at: f64, capabilities: Capabilities) -> Self {
        self.fact(at, Input::ModelLink(ModelLink::Up(capabilities)))
    }

    /// The worker gives a call up, whatever the provider still does.
    pub(crate) fn tool_ends(self, call: &str, at: f64, output: &str) -> Self {
        let finished = Input::ToolFinished {
            call: CallId::new(call),
            output: output.to_owned(),
            then: AfterTool::Continue,
        };
        self.fact(at, finished)
    }

    pub(crate) fn link_down(self, at: f64) -> Self {
        self.fact(at, Input::ModelLink(ModelLink::Down))
    }

    pub(crate) fn spare(self, at: f64) -> Self {
        self.fact(at, Input::ModelLink(ModelLink::Spare))
    }

    pub(crate) fn link_exhausted(self, at: f64, reason: &str) -> Self {
        self.fact(
            at,
            Input::ModelLink(ModelLink::Exhausted {
                reason: reason.to_owned(),
            }),
        )
    }

    pub(crate) fn asked(self, at: f64, ask: Ask) -> Self {
        self.fact(at, Input::Ask(ask))
    }

    /// An event of the model that the simulation would not send by itself.
    pub(crate) fn model(self, at: f64, event: Event) -> Self {
        self.fact(at, Input::Model(event))
    }

    pub(crate) fn fact(self, at: f64, input: Input) -> Self {
        self.cue(at, What::Fact(input))
    }

    fn cue(mut self, at: f64, what: What) -> Self {
        self.schedule(Duration::from_secs_f64(at), what);
        self
    }
}
