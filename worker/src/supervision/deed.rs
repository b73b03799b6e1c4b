//! Core: what somebody did with a grant, as it stands on record.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::command::{Command, Verb};
use crate::{
    audit::{Kind, Record},
    redaction,
};

/// Longest identity that is written, in characters; the server allows longer ones.
const LONGEST_NAME: usize = 64;

/// One use of a grant.
#[derive(Debug)]
pub struct Deed<'a> {
    /// Id of the job whose agent was asked.
    pub session: &'a str,
    /// Identity of who asked; `None` = it came over HTTP, where nobody has one.
    pub who: Option<&'a str>,
    /// What was asked.
    pub verb: Verb,
    /// The grant as it came, valid or not. What is written of it is a digest.
    pub grant: &'a str,
    /// What was answered, in a word.
    pub answer: &'static str,
    /// Why it was not done.
    pub reason: Option<String>,
    /// What exactly was asked; see [`particulars`].
    pub particulars: Value,
}

impl Deed<'_> {
    /// For the journal. Nothing personal stands in it, and no grant can be read from it.
    pub fn record(self) -> Record {
        let who = self.who.map(|who| -> String {
            let who = redaction::text(who);
            who.chars().take(LONGEST_NAME).collect()
        });
        let mut particulars = self.particulars;
        redaction::json(&mut particulars);
        Record {
            session: self.session.to_owned(),
            kind: Kind::GrantUsed,
            data: json!({
                "command": self.verb.as_str(),
                "who": who,
                "grant": fingerprint(self.grant),
                "outcome": self.answer,
                "reason": self.reason,
                "asked": particulars,
            }),
        }
    }
}

/// What a command asks beside its verb.
pub fn particulars(command: &Command) -> Value {
    match command {
        Command::Approve { id, is_approved } => json!({"id": id, "approve": is_approved}),
        Command::End(Some(words)) | Command::Say(words) => json!({"text": words}),
        Command::Hear(hears) => json!({"hears": hears}),
        Command::Ptt { is_down, .. } => json!({"pressed": is_down}),
        Command::Update {
            instructions,
            tools,
        } => json!({"instructions": instructions, "tools": tools}),
        Command::End(None) | Command::Resume | Command::Rotate | Command::Silence => Value::Null,
    }
}

/// By which two uses of one grant are known for the same: 64 bits of its SHA-256.
fn fingerprint(grant: &str) -> String {
    let digest = Sha256::digest(grant.as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_says_who_did_what_and_nothing_personal() {
        let command = Command::Say("Mail jane@example.com.".to_owned());
        let deed = Deed {
            session: "job",
            who: Some("sam@example.com"),
            verb: Verb::Say,
            grant: "eyJhbGciOi.secret.grant",
            answer: "taken",
            reason: None,
            particulars: particulars(&command),
        };
        let record = deed.record();
        assert_eq!(record.kind, Kind::GrantUsed);
        let grant = record.data["grant"].as_str().unwrap().to_owned();
        assert_eq!(
            record.data,
            json!({
                "command": "say",
                "who": "[e-mail]",
                "grant": grant,
                "outcome": "taken",
                "reason": null,
                "asked": {"text": "Mail [e-mail]."},
            })
        );
        assert_eq!(grant.len(), 16);
        assert!(!record.data.to_string().contains("eyJ"));
    }
}
