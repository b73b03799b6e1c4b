//! What somebody with a grant asks of the agent, and what it is told about who it talks to.

use dialog::{Input, input::Ask, output::CloseReason, speaker::ParticipantId};

use super::Driver;
use crate::{
    agents::Caller,
    room::audience::Person,
    session::settings,
    supervision::{command::Command, escalation::Escalation},
};

impl Driver<'_> {
    pub(super) fn on_command(&mut self, caller: ParticipantId, command: Command) {
        let reason = CloseReason::Commanded;
        let ask = match command {
            Command::Approve { id, is_approved } => return self.approve(&id, is_approved),
            Command::End(None) => Ask::End(reason),
            Command::End(Some(words)) => Ask::EndSaying { reason, words },
            Command::Hear(wanted) => Ask::Hear(settings::hears(wanted)),
            Command::Ptt { who, is_down } => {
                let participant = who.map_or(caller, ParticipantId::new);
                return self.tell(Input::Press {
                    participant,
                    is_down,
                });
            }
            Command::Resume => Ask::GoOn,
            Command::Rotate => return self.rotation.on_command(),
            Command::Say(words) => Ask::Interject(words),
            Command::Silence => Ask::Silence,
            Command::Update {
                instructions,
                tools,
            } => return self.update(instructions, tools),
        };
        self.tell(Input::Ask(ask));
    }

    /// Who answers too late finds it gone, and the journal says how it ended.
    fn approve(&self, id: &str, is_approved: bool) {
        let judged = self.approvals.judge(self.room.expose(), id, is_approved);
        if let Err(error) = judged {
            tracing::info!(%error, "an approval came to nothing");
        }
    }

    /// The agent asks for a person: the room shows it, and whoever is configured is told.
    pub(super) fn escalate(&mut self, reason: &str) {
        // Asked for twice, nobody comes twice.
        if self.escalated.as_deref() == Some(reason) {
            return;
        }
        self.escalated = Some(reason.to_owned());
        let escalation = Escalation::now(reason);
        self.hands.room.escalation(escalation.attribute());
        self.escalations
            .tell(self.room.expose(), &self.job, &escalation);
    }

    /// Another agent carries on: it knows what was said, and what it is told about it comes after this.
    pub(super) fn succeed(&mut self, name: &str) {
        let Some(colleague) = self.colleagues.get(name).cloned() else {
            return tracing::error!("the agent that takes over is not there");
        };
        let caller = self.caller.clone().unwrap_or_default();
        let (instructions, _) = colleague.instructions.about(&caller);
        self.tell(Input::Ask(Ask::Equip(colleague.tools.clone())));
        self.hands.tools.succeed(colleague);
        self.is_instructed = true;
        self.tell(Input::Ask(Ask::Instruct(instructions)));
        tracing::info!(agent = name, "another agent carries on");
    }

    fn update(&mut self, instructions: Option<String>, tools: Option<Vec<String>>) {
        if let Some(tools) = tools {
            self.hands.tools.equip(tools.clone());
            self.tell(Input::Ask(Ask::Equip(tools)));
        }
        if let Some(instructions) = instructions {
            self.is_instructed = true;
            self.tell(Input::Ask(Ask::Instruct(instructions)));
        }
    }

    /// Before the conversation hears of the first person, it knows what to say to them.
    pub(super) fn introduce(&mut self, person: &Person) {
        if !person.is_heard() {
            return;
        }
        let caller = Caller {
            name: person.name.clone(),
            metadata: person.metadata.clone(),
            attributes: person.attributes.clone(),
        };
        self.talk.meet(&person.id);
        self.hands.tools.serve(&caller);
        self.caller.get_or_insert_with(|| caller.clone());
        let Some(personal) = self.personal.take() else {
            return;
        };
        let (instructions, greeting) = personal.about(&caller);
        if !self.is_instructed {
            self.tell(Input::Ask(Ask::Instruct(instructions)));
        }
        if let Some(greeting) = greeting {
            self.tell(Input::Ask(Ask::Greet(greeting)));
        }
    }
}
