//! Core: what was said last, redacted: for the record, beside a call that the model made.

use std::collections::{BTreeMap, VecDeque};

use dialog::{output::Publish, speaker::ParticipantId};
use serde_json::{Value, json};

use crate::redaction::{Stream, written};

/// Lines that are kept. A decision to call stands on what was said right before it.
const LINES: usize = 8;
/// Longest line, in characters; its end is kept.
const LONGEST_LINE: usize = 400;
/// People whose words are followed apart. More share one stream, which masks no less.
const MOST_SPEAKERS: usize = 16;

/// The last lines of a conversation.
#[derive(Debug, Default)]
pub(super) struct Talk {
    lines: VecDeque<(&'static str, String)>,
    agent: Voice,
    people: BTreeMap<ParticipantId, Voice>,
    others: Voice,
    /// Turns of people so far.
    turns: u32,
    /// The first person heard.
    caller: Option<ParticipantId>,
    /// What the agent said last.
    segment: String,
}

/// What may belong to a question about a call: that it is put, or its answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sign<'a> {
    /// The agent begins to say something.
    AgentBegins,
    /// The agent has said something to its end.
    AgentSpoke,
    /// The caller's own words.
    CallerSpoke(&'a str),
}

/// One person's words on their way through the redactor.
#[derive(Debug, Default)]
struct Voice {
    stream: Stream,
    /// Redacted, and not yet at the end of its line.
    line: String,
}

impl Talk {
    /// Takes what people in the room are shown.
    pub(super) fn hear(&mut self, publish: &Publish) {
        match publish {
            Publish::AgentText { text, .. } => {
                self.agent.say(text);
                for voice in self.people.values_mut().chain([&mut self.others]) {
                    voice.stream.hear(text);
                }
            }
            Publish::AgentTextEnd { .. } => {
                let lines = self.agent.end();
                self.keep("agent", lines);
            }
            Publish::UserText {
                participant,
                text,
                is_final: true,
                ..
            } => {
                self.hear_person(participant, text);
            }
            _ => {}
        }
    }

    /// Somebody said or typed this to its end.
    pub(super) fn hear_person(&mut self, participant: &ParticipantId, text: &str) {
        self.turns += 1;
        let who = self.who(participant);
        let voice = self.voice_of(participant);
        voice.say(text);
        let lines = voice.end();
        self.keep(who, lines);
    }

    /// Somebody came; the first one is the caller.
    pub(super) fn meet(&mut self, person: &ParticipantId) {
        self.caller.get_or_insert_with(|| person.clone());
    }

    pub(super) fn is_caller(&self, person: &ParticipantId) -> bool {
        self.caller.as_ref() == Some(person)
    }

    /// What people in the room are shown, as far as it may be a question about a call, or its answer.
    pub(super) fn sign<'a>(&mut self, publish: &'a Publish) -> Option<Sign<'a>> {
        match publish {
            Publish::AgentText { segment, .. } if self.segment != *segment => {
                self.segment.clone_from(segment);
                Some(Sign::AgentBegins)
            }
            // A question that was cut off was not put.
            Publish::AgentTextEnd {
                interrupted: false, ..
            } => Some(Sign::AgentSpoke),
            Publish::UserText {
                participant,
                text,
                is_final: true,
                ..
            } if self.is_caller(participant) => Some(Sign::CallerSpoke(text)),
            _ => None,
        }
    }

    /// What was going on when the model decided in this response.
    pub(super) fn background(&self, response: &str) -> Value {
        let line = |who: &str, text: &str| json!({"who": who, "said": text});
        let whole = self.lines.iter().map(|(who, text)| line(who, text));
        let people = self.people.iter().map(|(id, voice)| (self.who(id), voice));
        let open = [("agent", &self.agent), ("guest", &self.others)];
        let open = people.chain(open).filter_map(|(who, voice)| {
            let text = ending(voice.so_far().trim());
            (!text.is_empty()).then(|| line(who, &text))
        });
        json!({
            "turn": self.turns,
            "response": response,
            "tail": whole.chain(open).collect::<Vec<_>>(),
        })
    }

    fn who(&self, person: &ParticipantId) -> &'static str {
        if self.is_caller(person) {
            "caller"
        } else {
            "guest"
        }
    }

    fn voice_of(&mut self, participant: &ParticipantId) -> &mut Voice {
        let is_known = self.people.contains_key(participant);
        if !is_known && self.people.len() >= MOST_SPEAKERS {
            return &mut self.others;
        }
        self.people.entry(participant.clone()).or_default()
    }

    fn keep(&mut self, who: &'static str, lines: Vec<String>) {
        for line in lines {
            if self.lines.len() == LINES {
                self.lines.pop_front();
            }
            self.lines.push_back((who, ending(&line)));
        }
    }
}

impl Voice {
    fn say(&mut self, text: &str) {
        let pieces = self.stream.push(&text.replace('\n', " "));
        self.line.push_str(&written(&pieces));
    }

    /// A line that may still go on; half a number in it is masked.
    fn so_far(&self) -> String {
        self.line.clone() + &self.stream.preview()
    }

    /// A line is over. What may go on in the next one, such as half a number, comes with that one.
    fn end(&mut self) -> Vec<String> {
        let pieces = self.stream.push("\n");
        self.line.push_str(&written(&pieces));
        let Some((whole, rest)) = self.line.rsplit_once('\n') else {
            return Vec::new();
        };
        let lines = whole.split('\n').map(str::trim).map(ToOwned::to_owned);
        let lines = lines.filter(|line| !line.is_empty()).collect();
        self.line = rest.to_owned();
        lines
    }
}

fn ending(line: &str) -> String {
    let skipped = line.chars().count().saturating_sub(LONGEST_LINE);
    line.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(participant: &str, text: &str) -> Publish {
        Publish::UserText {
            segment: "s".to_owned(),
            participant: ParticipantId::new(participant),
            text: text.to_owned(),
            is_final: true,
        }
    }

    fn agent(talk: &mut Talk, words: &[&str]) {
        for text in words {
            talk.hear(&Publish::AgentText {
                segment: "a".to_owned(),
                text: (*text).to_owned(),
            });
        }
        talk.hear(&Publish::AgentTextEnd {
            segment: "a".to_owned(),
            interrupted: false,
        });
    }

    fn tail(talk: &Talk) -> String {
        let background = talk.background("resp_1");
        let lines = background["tail"].as_array().unwrap().iter();
        let line = |line: &Value| format!("{}: {}", line["who"], line["said"]).replace('"', "");
        lines.map(line).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn the_last_lines_stand_there_without_what_is_personal() {
        let mut talk = Talk::default();
        talk.meet(&ParticipantId::new("ann"));
        agent(&mut talk, &["What is ", "your ", "phone number?"]);
        talk.hear(&says("ann", "It is 415 555 2671."));
        agent(&mut talk, &["Thank you."]);
        assert_eq!(
            tail(&talk),
            "agent: What is your phone number? | agent: Thank you. | caller: It is [phone]."
        );
        assert_eq!(talk.background("resp_1")["turn"], 1);
    }

    #[test]
    fn a_number_said_in_two_lines_is_never_half_on_record() {
        let mut talk = Talk::default();
        talk.meet(&ParticipantId::new("ann"));
        talk.hear(&says("ann", "4111 1111"));
        assert_eq!(tail(&talk), "caller: [number]");
        talk.hear(&says("bob", "Hello there."));
        talk.hear(&says("ann", "1111 1111 is it"));
        assert_eq!(tail(&talk), "guest: Hello there. | caller: [card] is it");
    }

    #[test]
    fn a_question_is_put_when_it_was_said_to_its_end_and_answered_by_the_caller() {
        let mut talk = Talk::default();
        talk.meet(&ParticipantId::new("ann"));
        let text = |segment: &str| Publish::AgentText {
            segment: segment.to_owned(),
            text: "Shall I book it?".to_owned(),
        };
        let end = |interrupted| Publish::AgentTextEnd {
            segment: "a".to_owned(),
            interrupted,
        };
        assert_eq!(talk.sign(&text("a")), Some(Sign::AgentBegins));
        assert_eq!(talk.sign(&text("a")), None);
        assert_eq!(talk.sign(&end(true)), None, "who was cut off has not asked");
        assert_eq!(talk.sign(&end(false)), Some(Sign::AgentSpoke));
        assert_eq!(talk.sign(&text("b")), Some(Sign::AgentBegins));
        assert_eq!(talk.sign(&says("bob", "Yes.")), None, "a guest");
        let yes = says("ann", "Yes.");
        assert_eq!(talk.sign(&yes), Some(Sign::CallerSpoke("Yes.")));
    }

    #[test]
    fn it_stays_small_however_long_they_talk() {
        let mut talk = Talk::default();
        for person in 0..100 {
            talk.hear(&says(&person.to_string(), &"word ".repeat(1_000)));
        }
        assert!(tail(&talk).len() < LINES * (LONGEST_LINE + 20));
        assert_eq!(talk.people.len(), MOST_SPEAKERS);
    }
}
