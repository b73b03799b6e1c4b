//! Adapter: commands that arrive in the room as RPC, each carrying a signed grant.
//!
//! Registers one method per verb; answers when the command is on its way to the conversation, and on disk that
//! a grant was used for it. It decides nothing: [`Grants`] knows who may, and the conversation what comes of it.
//! Error codes follow HTTP's: 4000 malformed, 4010 no valid grant, 4030 a grant for something else, 5000 carried
//! out and not on record, 5030 busy or over.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use dialog::speaker::ParticipantId;
use livekit::prelude::{LocalParticipant, RpcError};
use tokio::sync::mpsc;

use super::events::RoomInput;
use crate::{
    audit::{Audit, Receipt},
    supervision::{
        command::{Command, Petition, Verb},
        deed::{Deed, particulars},
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

/// Refusals that one session puts on record. More are only counted: a stranger in the room can cause as many
/// as they like, and a disk is not.
const MOST_REFUSALS: u32 = 100;

/// What every method needs.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) grants: Arc<Grants>,
    pub(super) room: Pii<String>,
    /// Id of the job.
    pub(super) session: String,
    pub(super) audit: Audit,
    /// How many refusals are on record.
    pub(super) refusals: Arc<AtomicU32>,
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
            // Not in the future: commands keep their order, and so do their records.
            let (answer, receipt) = desk.take(verb, caller, &call.payload);
            Box::pin(answered(answer, receipt))
        });
    }
}

/// Nobody hears that it was done before that is on disk.
async fn answered(answer: Result<String, RpcError>, receipt: Receipt) -> Result<String, RpcError> {
    let is_written = receipt.written().await.is_ok();
    match answer {
        Ok(_) if !is_written => {
            let what = "carried out, and not on record: the audit journal takes no records";
            Err(RpcError::new(5000, what.to_owned(), None))
        }
        answer => answer,
    }
}

/// Why a command was not handed on: a word for the record, an error code, and words for who asked.
type Objection = (CommandAnswer, u32, String);

impl Desk {
    fn take(
        &self,
        verb: Verb,
        caller: ParticipantId,
        payload: &str,
    ) -> (Result<String, RpcError>, Receipt) {
        let (handed_on, receipt) = match Petition::read(verb, payload) {
            Ok(petition) => self.judge(verb, caller, petition),
            Err(wrong) => {
                let objection = (CommandAnswer::Malformed, 4000, wrong.to_string());
                (Err(objection), Receipt::none())
            }
        };
        let (answer, result) = match handed_on {
            Ok(()) => (CommandAnswer::Taken, Ok(TAKEN.to_owned())),
            Err((answer, code, words)) => (answer, Err(RpcError::new(code, words, None))),
        };
        event::CommandAnswered { verb, answer }.emit();
        (result, receipt)
    }

    fn judge(
        &self,
        verb: Verb,
        caller: ParticipantId,
        petition: Petition,
    ) -> (Result<(), Objection>, Receipt) {
        let who = caller.as_str().to_owned();
        let particulars = particulars(&petition.command);
        let needs_grant = !petition.is_about(&who);
        let grant = petition.grant.clone().filter(|_| needs_grant);
        let handed_on = self.hand_on(verb, caller, petition);
        let receipt = grant.map_or_else(Receipt::none, |grant| {
            let objection = handed_on.as_ref().err();
            self.record(Deed {
                session: &self.session,
                who: Some(&who),
                verb,
                grant: &grant,
                answer: objection
                    .map_or(CommandAnswer::Taken, |(answer, ..)| *answer)
                    .as_str(),
                reason: objection.map(|(_, _, words)| words.clone()),
                particulars,
            })
        });
        (handed_on, receipt)
    }

    fn record(&self, deed: Deed<'_>) -> Receipt {
        // Nothing stands behind the end of a session, and nothing was done.
        if self.facts.strong_count() == 0 {
            return Receipt::none();
        }
        let is_refused = deed.answer == CommandAnswer::Refused.as_str();
        if is_refused && self.refusals.fetch_add(1, Ordering::Relaxed) >= MOST_REFUSALS {
            return Receipt::none();
        }
        self.audit.enqueue(deed.record())
    }

    fn hand_on(
        &self,
        verb: Verb,
        caller: ParticipantId,
        petition: Petition,
    ) -> Result<(), Objection> {
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        audit::{self, reader, recovery},
        config::{LiveKit, Secret},
    };

    fn grants() -> Grants {
        Grants::new(&LiveKit {
            api_key: Secret::new("devkey"),
            api_secret: Secret::new("secret"),
            ..LiveKit::default()
        })
    }

    fn desk(audit: Audit) -> (Desk, mpsc::Sender<RoomInput>, mpsc::Receiver<RoomInput>) {
        let (facts, inputs) = mpsc::channel(8);
        let desk = Desk {
            grants: Arc::new(grants()),
            room: Pii::new("kitchen".to_owned()),
            session: "job".to_owned(),
            audit,
            refusals: Arc::default(),
            tools: Plane::builtin(),
            facts: facts.downgrade(),
        };
        (desk, facts, inputs)
    }

    fn payload(verbs: &[Verb], more: Value) -> String {
        let grant = grants().mint("kitchen", verbs, SystemTime::now(), Duration::from_secs(60));
        let mut payload = more;
        payload["grant"] = grant.unwrap().expose().into();
        payload.to_string()
    }

    async fn ask(desk: &Desk, verb: Verb, payload: &str) -> Result<String, u32> {
        let (answer, receipt) = desk.take(verb, ParticipantId::new("sam"), payload);
        answered(answer, receipt).await.map_err(|error| error.code)
    }

    #[tokio::test]
    async fn every_use_of_a_grant_is_on_disk_when_it_is_answered() {
        let dir = ::tests::child::Scratch::new("grants").unwrap();
        let audit = Audit::start(&audit::Config {
            dir: Some(dir.path().to_owned()),
            ..Default::default()
        });
        let (desk, _facts, mut inputs) = desk(audit.unwrap());
        let say = payload(&[Verb::Say], json!({"text": "Hello."}));
        let unknown = payload(&[Verb::Update], json!({"tools": ["magic"]}));
        let hears = |inputs: &mut mpsc::Receiver<RoomInput>| inputs.try_recv().is_ok();
        let on_disk = || -> Vec<Value> {
            let journal = reader::read(&recovery::files(dir.path()).unwrap());
            assert_eq!(journal.faults, []);
            let used = journal.entries.into_iter();
            used.filter(|entry| entry.kind == "grant.used")
                .map(|entry| {
                    json!([
                        entry.session,
                        entry.data["command"],
                        entry.data["who"],
                        entry.data["outcome"],
                        entry.data["reason"]
                    ])
                })
                .collect()
        };
        assert_eq!(ask(&desk, Verb::Say, &say).await, Ok(TAKEN.to_owned()));
        assert!(hears(&mut inputs));
        assert_eq!(on_disk(), [json!(["job", "say", "sam", "taken", null])]);
        assert_eq!(
            ask(&desk, Verb::Silence, &payload(&[Verb::Say], json!({}))).await,
            Err(4030)
        );
        assert_eq!(ask(&desk, Verb::Update, &unknown).await, Err(4000));
        assert!(!hears(&mut inputs));
        // Neither of these uses a grant.
        assert_eq!(ask(&desk, Verb::Say, "{}").await, Err(4000));
        assert!(ask(&desk, Verb::Ptt, r#"{"pressed": true}"#).await.is_ok());
        assert_eq!(
            on_disk(),
            [
                json!(["job", "say", "sam", "taken", null]),
                json!([
                    "job",
                    "silence",
                    "sam",
                    "refused",
                    "the grant does not hold this command"
                ]),
                json!([
                    "job",
                    "update",
                    "sam",
                    "malformed",
                    "tools[0]: no such tool"
                ]),
            ]
        );
        for _ in 0..2 * MOST_REFUSALS {
            let refused = ask(&desk, Verb::Silence, r#"{"grant": "mine"}"#).await;
            assert_eq!(refused, Err(4010));
        }
        assert_eq!(
            on_disk().len(),
            2 + MOST_REFUSALS as usize,
            "a stranger fills no disk"
        );
    }

    #[tokio::test]
    async fn an_agent_is_silenced_without_a_journal_that_works_and_nobody_is_told_it_is_on_record()
    {
        let (desk, _facts, mut inputs) = desk(Audit::broken());
        let silence = payload(&[Verb::Silence], json!({}));
        assert_eq!(ask(&desk, Verb::Silence, &silence).await, Err(5000));
        assert!(matches!(inputs.try_recv(), Ok(RoomInput::Command { .. })));
    }
}
