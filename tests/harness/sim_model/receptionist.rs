//! Core: the simulated model as the receptionist of a practice: a booking, step by step.
//!
//! It is the script of every session that offers the tools of a practice. Because it does not understand
//! what it hears, whatever is said or typed takes it one step further: look what is free, book what was
//! offered, say goodbye. Where it stands is read from the conversation: it is the newest outcome of those
//! tools, so that a booking that failed begins again with a look.

use serde_json::{Value, json};

use super::{
    answer::{Part, Question, mentions, offers, say, time_in, typed_call, words_of},
    items::{Item, Items},
    voice::Speech,
};
use crate::clips;

const FIND: &str = "find_appointment_slots";
const BOOK: &str = "book_appointment";
const ESCALATE: &str = "escalate_to_human";

/// What a receptionist answers to `newest`, the last thing that was said or came out. `None` = what
/// anybody would.
pub(super) fn answer(question: &Question<'_>, newest: Option<&Item>) -> Option<Vec<Part>> {
    if !offers(question, FIND) || !offers(question, BOOK) {
        return None;
    }
    match newest {
        Some(item) if item.kind() == "function_call_output" => on_outcome(question.items, item),
        Some(item) => on_turn(question, &words_of(item)),
        None if question.items.iter().any(|item| item.role() == "user") => None,
        None => Some(say("agent-practice")),
    }
}

fn on_turn(question: &Question<'_>, words: &str) -> Option<Vec<Part>> {
    let is_for_anybody = mentions(words, &["goodbye", "what time"]);
    if is_for_anybody || typed_call(question, words).is_some() {
        return None;
    }
    if mentions(words, &["person", "human", "colleague"]) && offers(question, ESCALATE) {
        let reason = json!({"reason": "The caller asks for a person."});
        return Some(vec![call(ESCALATE, &reason)]);
    }
    Some(match stage(question.items) {
        Stage::Start => vec![call(FIND, &json!({"day": "next"}))],
        Stage::Offered(slot) => {
            let booking = json!({"slot": slot, "name": name(question)});
            vec![call(BOOK, &booking)]
        }
        Stage::Booked => {
            let mut parts = say("agent-goodbye");
            if offers(question, "end_call") {
                parts.push(call("end_call", &json!({})));
            }
            parts
        }
    })
}

fn on_outcome(items: &Items, item: &Item) -> Option<Vec<Part>> {
    let told = told(item);
    let speech = match tool_of(items, item)? {
        FIND => first_free(&told).and_then(offer),
        BOOK => booked(&told),
        ESCALATE => Some(Speech::of("agent-colleague")),
        _ => return None,
    };
    Some(speech.map_or_else(|| say("agent-failed"), |speech| vec![Part::Say(speech)]))
}

/// How far the booking is.
enum Stage {
    /// Nothing is offered, or what was offered could not be booked.
    Start,
    /// This slot was offered.
    Offered(Value),
    Booked,
}

fn stage(items: &Items) -> Stage {
    let outcomes = items.iter().rev();
    let mut outcomes = outcomes.filter(|item| item.kind() == "function_call_output");
    let stage = outcomes.find_map(|item| match tool_of(items, item)? {
        FIND => Some(first_free(&told(item)).map(|free| Stage::Offered(free["slot"].clone()))),
        BOOK => Some(number(&told(item)).map(|_| Stage::Booked)),
        _ => None,
    });
    stage.flatten().unwrap_or(Stage::Start)
}

/// The tool whose outcome this is.
fn tool_of<'a>(items: &'a Items, outcome: &Item) -> Option<&'a str> {
    let mut calls = items.iter().filter(|item| item.kind() == "function_call");
    let call = calls.find(|call| call.json["call_id"] == outcome.json["call_id"])?;
    call.json["name"].as_str()
}

/// The object in what came out; nothing where there is none.
fn told(outcome: &Item) -> Value {
    let output = outcome.json["output"].as_str().unwrap_or_default();
    let object = output.find('{').map(|at| &output[at..]);
    object
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// On the day that was asked for, or else after it.
fn first_free(told: &Value) -> Option<&Value> {
    let slots = ["free", "after"].map(|key| &told[key][0]);
    slots.into_iter().find(|slot| slot["slot"].is_string())
}

fn number(told: &Value) -> Option<u32> {
    told["number"].as_u64()?.try_into().ok()
}

/// The day is said by its name, the time by its numbers; the date only stands in the transcript.
fn offer(slot: &Value) -> Option<Speech> {
    let said = slot["say"].as_str()?;
    let (hour, minute) = time_in(slot["slot"].as_str()?)?;
    let mut speech = Speech::of("agent-first-free").then_words(&format!("{said}."));
    let day = said.split(' ').next().unwrap_or_default().to_lowercase();
    if let Some(clip) = clips::find(&format!("agent-{day}")) {
        speech = speech.then_sound(&clip.pcm);
    }
    speech = speech.then_number(hour);
    if minute > 0 {
        speech = speech.then_number(minute);
    }
    Some(speech.then("agent-shall-i"))
}

fn booked(told: &Value) -> Option<Speech> {
    let number = number(told)?;
    let speech = Speech::of("agent-booked").then_words(&format!("{number}."));
    Some(speech.then_number(number))
}

/// Names are not understood; the tool has one as an example.
fn name(question: &Question<'_>) -> Value {
    let tools = question.tools.as_array().into_iter().flatten();
    let mut booking = tools.filter(|tool| tool["name"] == BOOK);
    let parameters = booking.next().map(|tool| &tool["parameters"]);
    let example = parameters.map(|all| all["properties"]["name"]["examples"][0].clone());
    let example = example.filter(Value::is_string);
    example.unwrap_or_else(|| json!("Somebody"))
}

fn call(name: &str, arguments: &Value) -> Part {
    Part::Call {
        name: name.to_owned(),
        arguments: arguments.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ears;

    /// A conversation with a practice, turn by turn.
    struct Talk {
        items: Items,
        calls: usize,
    }

    impl Talk {
        fn begun() -> Self {
            let (items, calls) = (Items::default(), 0);
            Self { items, calls }
        }

        fn push(&mut self, json: Value) {
            self.items.push(Item::new(json));
        }

        /// What is answered now; its parts become part of the conversation.
        fn answer(&mut self) -> Vec<Part> {
            let book = json!({"name": BOOK, "parameters": {"properties":
                {"name": {"examples": ["Alex Example"]}}}});
            let tools = json!([{"name": FIND}, book, {"name": ESCALATE}, {"name": "end_call"},
                {"name": "current_time"}]);
            let parts = super::super::answer::answer(&Question {
                instructions: None,
                items: &self.items,
                tools: &tools,
                tool_choice: &json!("auto"),
            });
            for part in &parts {
                match part {
                    Part::Say(speech) => self.push(json!({"id": "a", "type": "message",
                        "role": "assistant", "content": [{"type": "output_text",
                        "text": speech.transcript}]})),
                    Part::Call { name, .. } => {
                        self.calls += 1;
                        self.push(json!({"id": "f", "type": "function_call", "name": name,
                            "call_id": self.calls.to_string()}));
                    }
                    Part::Request { tool, .. } => panic!("there is no server with a {tool}"),
                }
            }
            parts
        }

        fn hears(&mut self, words: &str) -> Vec<Part> {
            self.push(json!({"id": "u", "type": "message", "role": "user",
                "content": [{"type": "input_text", "text": words}]}));
            self.answer()
        }

        /// The outcome of the last call.
        fn comes(&mut self, output: &str) -> Vec<Part> {
            self.push(json!({"id": "o", "type": "function_call_output",
                "call_id": self.calls.to_string(), "output": output}));
            self.answer()
        }
    }

    const FREE: &str = r#"{"day":"next","free":[
        {"slot":"2026-11-24T09:30:00Z","say":"Tuesday 24 November at 9:30"},
        {"slot":"2026-11-24T10:00:00Z","say":"Tuesday 24 November at 10:00"}]}"#;
    const BOOKED: &str = r#"{"number":12,"slot":"2026-11-24T09:30:00Z"}"#;
    const TAKEN: &str = r#"Failed: the service answered 409: {"error":"that slot was just taken"}"#;

    fn said(parts: &[Part]) -> (&str, Vec<&'static str>) {
        let [Part::Say(speech)] = parts else {
            panic!("one message: {parts:?}")
        };
        let heard = ears::transcribe(&speech.pcm, clips::of_agent());
        let heard = heard.into_iter().map(|heard| heard.name).collect();
        (&speech.transcript, heard)
    }

    fn called(parts: &[Part]) -> (&str, &str) {
        let [Part::Call { name, arguments }] = parts else {
            panic!("one call: {parts:?}")
        };
        (name, arguments)
    }

    #[test]
    fn whatever_is_said_a_slot_is_offered_booked_and_told() {
        let mut talk = Talk::begun();
        assert_eq!(talk.answer(), say("agent-practice"));
        assert_eq!(called(&talk.hears("blue")), (FIND, r#"{"day":"next"}"#));
        let offered = talk.comes(FREE);
        let (words, heard) = said(&offered);
        assert_eq!(
            words,
            "The first free time is Tuesday 24 November at 9:30. Shall I book it?"
        );
        let spoken = ["first-free", "tuesday", "nine", "thirty", "shall-i"];
        assert_eq!(heard, spoken.map(|name| format!("agent-{name}")));
        assert_eq!(
            called(&talk.hears("green")),
            (
                BOOK,
                r#"{"name":"Alex Example","slot":"2026-11-24T09:30:00Z"}"#
            )
        );
        let booked = talk.comes(BOOKED);
        let (words, heard) = said(&booked);
        assert_eq!(words, "It is booked. Your number is 12.");
        assert_eq!(heard, ["agent-booked", "agent-twelve"]);
        let parts = talk.hears("red");
        assert!(
            matches!(&parts[..], [Part::Say(_), Part::Call { name, .. }] if name == "end_call"),
            "{parts:?}"
        );
    }

    #[test]
    fn a_slot_that_was_taken_is_admitted_and_the_next_words_look_again() {
        let mut talk = Talk::begun();
        talk.hears("one");
        talk.comes(FREE);
        talk.hears("two");
        assert_eq!(talk.comes(TAKEN), say("agent-failed"));
        assert_eq!(called(&talk.hears("three")).0, FIND);
        let nothing = r#"{"day":"next","free":[]}"#;
        assert_eq!(talk.comes(nothing), say("agent-failed"));
        assert_eq!(called(&talk.hears("four")).0, FIND);
        let later = r#"{"free":[],"after":[{"slot":"2026-11-25T16:00:00Z",
            "say":"Wednesday 25 November at 16:00"}]}"#;
        let offered = talk.comes(later);
        let (words, _) = said(&offered);
        assert!(words.contains("Wednesday 25 November at 16:00"), "{words}");
    }

    #[test]
    fn who_asks_for_a_person_gets_one_and_the_booking_goes_on() {
        let mut talk = Talk::begun();
        talk.hears("one");
        talk.comes(FREE);
        assert_eq!(called(&talk.hears("A person, please.")).0, ESCALATE);
        let outcome = "A colleague was asked to join. Tell the caller so.";
        assert_eq!(talk.comes(outcome), say("agent-colleague"));
        assert_eq!(called(&talk.hears("two")).0, BOOK);
    }

    #[test]
    fn the_time_a_typed_call_and_a_goodbye_are_answered_as_ever() {
        let mut talk = Talk::begun();
        assert_eq!(called(&talk.hears("What time is it?")).0, "current_time");
        let typed = talk.hears(r#"call book_appointment {"slot": 7}"#);
        assert_eq!(called(&typed), (BOOK, r#"{"slot": 7}"#));
        let parts = talk.hears("Goodbye!");
        assert!(matches!(&parts[..], [Part::Say(_), Part::Call { .. }]));
    }
}
