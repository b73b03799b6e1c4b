//! Adapter: commands that arrive in the room as RPC, each carrying a signed grant.
//!
//! Registers one method per verb; answers as soon as the command is on its way to the conversation. It
//! decides nothing: [`Grants`] knows who may, and the conversation what comes of it. Error codes follow
//! HTTP's: 4000 malformed, 4010 no valid grant, 4030 a grant for something else, 5030 busy or over.

use std::sync::Arc;

use dialog::speaker::ParticipantId;
use livekit::prelude::{LocalParticipant, RpcError};
use tokio::sync::mpsc;

use super::events::RoomInput;
use crate::{
    supervision::{
        command::{Command, Petition, Verb},
        grant::{Grants, Refusal},
    },
    telemetry::{
        Pii,
        event::{self, CommandAnswer},
    },
    tooling::Plane,
};

/// What a command that was taken is answered.
const TAKEN: &str = r#"{"taken":true}"#;

/// What every method needs.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) grants: Arc<Grants>,
    pub(super) room: Pii<String>,
    /// What an update may name.
    pub(super) tools: Plane,
    /// Weak, so that methods that outlive the reader keep nobody waiting.
    pub(super) facts: mpsc::WeakSender<RoomInput>,
}

/// Takes commands from now on, in this room.
pub(super) fn open(me: &LocalParticipant, desk: &Desk) {
    for verb in Verb::ALL {
        let desk = desk.clone();
        me.register_rpc_method(verb.method(), move |call| {
            let caller = ParticipantId::new(call.caller_identity.as_str());
            let answer = desk.take(verb, caller, &call.payload);
            Box::pin(async move { answer })
        });
    }
}

impl Desk {
    fn take(&self, verb: Verb, caller: ParticipantId, payload: &str) -> Result<String, RpcError> {
        let (answer, result) = match self.hand_on(verb, caller, payload) {
            Ok(()) => (CommandAnswer::Taken, Ok(TAKEN.to_owned())),
            Err((answer, code, words)) => (answer, Err(RpcError::new(code, words, None))),
        };
        event::CommandAnswered { verb, answer }.emit();
        result
    }

    fn hand_on(
        &self,
        verb: Verb,
        caller: ParticipantId,
        payload: &str,
    ) -> Result<(), (CommandAnswer, u32, String)> {
        let petition = Petition::read(verb, payload)
            .map_err(|wrong| (CommandAnswer::Malformed, 4000, wrong.to_string()))?;
        if !petition.is_about(caller.as_str()) {
            let grant = petition.grant.as_deref().unwrap_or_default();
            self.grants
                .allow(grant, self.room.expose(), verb)
                .map_err(|refusal| (CommandAnswer::Refused, code(refusal), refusal.to_string()))?;
        }
        if let Command::Update {
            tools: Some(names), ..
        } = &petition.command
            && let Some(nth) = self.tools.unknown(names)
        {
            let wrong = format!("tools[{nth}]: no such tool");
            return Err((CommandAnswer::Malformed, 4000, wrong));
        }
        self.send(caller, petition.command)
            .map_err(|why| (CommandAnswer::Dropped, 5030, why.to_owned()))
    }

    fn send(&self, caller: ParticipantId, command: Command) -> Result<(), &'static str> {
        let facts = self.facts.upgrade().ok_or("the conversation is over")?;
        facts
            .try_send(RoomInput::Command { caller, command })
            .map_err(|_| "too busy; ask again")
    }
}

fn code(refusal: Refusal) -> u32 {
    match refusal {
        Refusal::Expired | Refusal::Invalid => 4010,
        Refusal::OtherCommands | Refusal::OtherRoom => 4030,
    }
}
