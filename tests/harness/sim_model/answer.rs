//! Core: what the simulated model answers.
//!
//! It reads the conversation since its own last word and finds a few phrases; everything else is
//! repeated. It calls a tool when the session offers one that fits.

use serde_json::{Value, json};

use crate::clips;

use super::{
    items::{Item, Items},
    receptionist,
    voice::{self, Speech},
};

/// One part of a response, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// A spoken (or written) message.
    Say(Speech),
    /// A tool call.
    Call {
        /// Name of the tool.
        name: String,
        /// JSON text.
        arguments: String,
    },
    /// A request to call a tool of an MCP server.
    Request {
        /// Label of the server.
        server: String,
        /// The server's name for the tool.
        tool: String,
        /// JSON text.
        arguments: String,
    },
}

/// What an answer depends on.
pub(super) struct Question<'a> {
    /// Instructions of this response alone.
    pub(super) instructions: Option<&'a str>,
    /// The conversation so far.
    pub(super) items: &'a Items,
    /// Tools of this response.
    pub(super) tools: &'a Value,
    /// Their choice, as on the wire.
    pub(super) tool_choice: &'a Value,
}

/// The answer.
pub(super) fn answer(question: &Question<'_>) -> Vec<Part> {
    // A response's instructions replace the session's, so clients repeat those; what is wanted now
    // stands in the last paragraph.
    let wanted = question
        .instructions
        .and_then(|text| text.trim_end().rsplit("\n\n").next());
    if let Some(wanted) = wanted
        && mentions(wanted, &["goodbye", "good-bye", "farewell"])
    {
        return say("agent-goodbye");
    }
    if let Some(sentence) = wanted.filter(|wanted| mentions(wanted, &["say exactly"]))
        && let Some(clip) = clips::of_agent()
            .filter(|clip| sentence.contains(clip.words))
            // A sentence has ten in it.
            .max_by_key(|clip| clip.words.len())
    {
        return say(clip.name);
    }
    if wanted.is_some_and(|wanted| mentions(wanted, &["yes or no"])) {
        return vec![Part::Say(yes_or_no(question.items))];
    }
    let newest = newest_unanswered(question.items);
    if let Some(parts) = receptionist::answer(question, newest) {
        return parts;
    }
    match newest {
        Some(item) if is_outcome(item) => on_outcome(item),
        Some(item) => on_turn(question, item),
        None if question.items.iter().any(|item| item.role() == "user") => say("agent-all-right"),
        None => say("agent-greeting"),
    }
}

/// Whether the last thing somebody said is meant for it: a question is.
fn yes_or_no(items: &Items) -> Speech {
    let last = items.iter().rev().find(|item| item.role() == "user");
    let words = last.map(words_of).unwrap_or_default();
    Speech::default().then_words(if words.contains('?') { "Yes." } else { "No." })
}

pub(super) fn words_of(item: &Item) -> String {
    if item.pcm.is_empty() {
        item.text()
    } else {
        item.words.clone()
    }
}

fn newest_unanswered(items: &Items) -> Option<&Item> {
    items
        .iter()
        .rev()
        .take_while(|item| item.role() != "assistant" && item.kind() != "function_call")
        .find(|item| item.role() == "user" || is_outcome(item))
}

/// What came of a call, or why nothing did.
fn is_outcome(item: &Item) -> bool {
    match item.kind() {
        "function_call_output" | "mcp_call" => true,
        "mcp_approval_response" => item.json["approve"] == false,
        _ => false,
    }
}

fn on_turn(question: &Question<'_>, item: &Item) -> Vec<Part> {
    let words = words_of(item);
    if let Some(call) = typed_call(question, &words) {
        return vec![call];
    }
    if mentions(&words, &["goodbye"]) {
        let mut parts = say("agent-goodbye");
        parts.extend(call(question, &["end_call", "hang_up"]));
        return parts;
    }
    if mentions(&words, &["what time"])
        && let Some(call) = call(question, &["current_time", "time"])
    {
        return vec![call];
    }
    if mentions(&words, &["count to twenty"]) {
        return vec![Part::Say(voice::count_to_twenty())];
    }
    if mentions(&words, &["your name"]) {
        return say("agent-name");
    }
    let answer = if item.pcm.is_empty() {
        repeat_written(&words)
    } else {
        repeat(item)
    };
    let mut parts = vec![Part::Say(answer)];
    parts.extend(untried(question));
    parts
}

/// Tools that are called when somebody asks for what they do.
const ASKED_FOR: &[&str] = &["current_time", "time", "end_call", "hang_up"];

/// A tool without a script is called once, with what its schema gives as examples.
fn untried(question: &Question<'_>) -> Option<Part> {
    if question.tool_choice == "none" {
        return None;
    }
    let was_called = |name: &str| {
        let mut calls = question.items.iter();
        calls.any(|item| item.kind() == "function_call" && item.json["name"] == name)
    };
    question.tools.as_array()?.iter().find_map(|tool| {
        let name = tool["name"].as_str()?;
        if ASKED_FOR.contains(&name) || was_called(name) {
            return None;
        }
        Some(Part::Call {
            name: name.to_owned(),
            arguments: examples(&tool["parameters"])?.to_string(),
        })
    })
}

/// `None` = an argument that must be there has no example.
fn examples(parameters: &Value) -> Option<Value> {
    let required = parameters["required"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let example = |name: &Value| {
        let name = name.as_str()?;
        let example = parameters["properties"][name]["examples"].get(0)?;
        Some((name.to_owned(), example.clone()))
    };
    let arguments: Option<serde_json::Map<_, _>> = required.iter().map(example).collect();
    Some(Value::Object(arguments?))
}

fn repeat(item: &Item) -> Speech {
    Speech::of("agent-you-said")
        .then_words(&item.words)
        .then_sound(&voice::own_words(&item.pcm))
}

/// Text cannot be spoken, but the numbers in it can.
fn repeat_written(text: &str) -> Speech {
    let shown: String = text.chars().take(200).collect();
    numbers_in(text).into_iter().take(6).fold(
        Speech::of("agent-you-wrote").then_words(&shown),
        Speech::then_number,
    )
}

fn on_outcome(item: &Item) -> Vec<Part> {
    let told = ["output", "reason"].map(|key| item.json[key].as_str());
    let output = told.into_iter().flatten().next().unwrap_or_default();
    let lower = output.to_lowercase();
    if lower.contains("error") || lower.contains("failed") {
        return say("agent-failed");
    }
    let is_a_time = serde_json::from_str(output).is_ok_and(|told: Value| told["time"].is_string());
    if let Some((hour, minute)) = time_in(output).filter(|_| is_a_time) {
        let speech = Speech::of("agent-it-is").then_words(&format!("{hour}:{minute:02}."));
        return vec![Part::Say(speech.then_number(hour).then_number(minute))];
    }
    let shown: String = output.chars().take(200).collect();
    vec![Part::Say(Speech::of("agent-answered").then_words(&shown))]
}

/// Who types `call NAME {…}` has the tool of that name called with these arguments.
pub(super) fn typed_call(question: &Question<'_>, words: &str) -> Option<Part> {
    let (name, arguments) = words.strip_prefix("call ")?.split_once(' ')?;
    if let Some(request) = request(question, name, arguments) {
        return Some(request);
    }
    let Part::Call { name, .. } = call(question, &[name])? else {
        return None;
    };
    Some(Part::Call {
        name,
        arguments: arguments.to_owned(),
    })
}

/// `SERVER-TOOL` of a server that the provider calls.
fn request(question: &Question<'_>, name: &str, arguments: &str) -> Option<Part> {
    let (server, tool) = name.split_once('-')?;
    let mut tools = question.tools.as_array()?.iter();
    let is_it = |one: &&Value| one["type"] == "mcp" && one["server_label"] == server;
    tools.find(is_it).map(|_| Part::Request {
        server: server.to_owned(),
        tool: tool.to_owned(),
        arguments: arguments.to_owned(),
    })
}

/// Whether a tool of that name may be called now.
pub(super) fn offers(question: &Question<'_>, name: &str) -> bool {
    let mut tools = question.tools.as_array().into_iter().flatten();
    question.tool_choice != "none" && tools.any(|tool| tool["name"] == name)
}

fn call(question: &Question<'_>, names: &[&str]) -> Option<Part> {
    let name = names.iter().find(|name| offers(question, name))?;
    Some(Part::Call {
        name: (*name).to_owned(),
        arguments: json!({}).to_string(),
    })
}

pub(super) fn say(clip: &str) -> Vec<Part> {
    vec![Part::Say(Speech::of(clip))]
}

pub(super) fn mentions(text: &str, phrases: &[&str]) -> bool {
    let lower = text.to_lowercase();
    phrases.iter().any(|phrase| lower.contains(phrase))
}

fn numbers_in(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

/// The first `hh:mm` of a text.
pub(super) fn time_in(text: &str) -> Option<(u32, u32)> {
    let number = |digits: &[u8]| {
        let fits = digits.len() == 2 && digits.iter().all(u8::is_ascii_digit);
        fits.then(|| u32::from(digits[0] - b'0') * 10 + u32::from(digits[1] - b'0'))
    };
    text.as_bytes()
        .windows(5)
        .filter(|window| window[2] == b':')
        .find_map(|window| {
            let (hour, minute) = (number(&window[..2])?, number(&window[3..])?);
            (hour < 24 && minute < 60).then_some((hour, minute))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clips::clip;

    fn user_text(text: &str) -> Item {
        Item::new(json!({"id": "u", "type": "message", "role": "user",
            "content": [{"type": "input_text", "text": text}]}))
    }

    fn user_speech(name: &str) -> Item {
        let mut item = Item::new(json!({"id": "s", "type": "message", "role": "user",
            "content": [{"type": "input_audio"}]}));
        item.pcm.clone_from(&clip(name).pcm);
        item.words = clip(name).words.to_owned();
        item
    }

    fn answer_to(items: Vec<Item>, instructions: Option<&str>) -> Vec<Part> {
        let mut conversation = Items::default();
        for item in items {
            conversation.push(item);
        }
        answer(&Question {
            instructions,
            items: &conversation,
            tools: &json!([{"name": "current_time"}, {"name": "end_call"}]),
            tool_choice: &json!("auto"),
        })
    }

    fn transcript(parts: &[Part]) -> &str {
        match parts {
            [Part::Say(speech), ..] => &speech.transcript,
            other => panic!("spoken: {other:?}"),
        }
    }

    #[test]
    fn an_empty_conversation_is_greeted() {
        assert_eq!(
            answer_to(vec![], Some("Greet the caller.")),
            say("agent-greeting")
        );
        let prompt = "When the person says goodbye, end the call.\n\nGreet the caller.";
        assert_eq!(answer_to(vec![], Some(prompt)), say("agent-greeting"));
    }

    #[test]
    fn what_was_said_is_repeated_in_the_callers_own_voice() {
        let parts = answer_to(vec![user_speech("caller-apples")], None);
        assert_eq!(
            transcript(&parts),
            "You said I would like seven green apples."
        );
        let [Part::Say(speech)] = &parts[..] else {
            panic!("one message")
        };
        let heard = crate::ears::transcribe(&speech.pcm, clips::of_callers());
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].name, "caller-apples");
    }

    #[test]
    fn what_is_wanted_word_for_word_is_said() {
        for clip in ["agent-disclosure", "agent-name"] {
            let words = clips::clip(clip).words;
            let wanted = format!("Say exactly this sentence, word for word: {words:?}");
            assert_eq!(answer_to(vec![], Some(&wanted)), say(clip));
        }
    }

    #[test]
    fn a_question_is_taken_for_meant() {
        for (text, verdict) in [("Is it late?", "Yes."), ("It is late.", "No.")] {
            let asked = Some("Is that for you?\n\nAnswer with yes or no.");
            let parts = answer_to(vec![user_text(text)], asked);
            assert_eq!(transcript(&parts), verdict, "{text}");
        }
    }

    #[test]
    fn what_was_written_is_answered() {
        assert_eq!(
            transcript(&answer_to(vec![user_text("hello 7")], None)),
            "You wrote hello 7"
        );
    }

    #[test]
    fn a_call_that_was_typed_is_made_of_tools_that_are_there() {
        let typed = answer_to(vec![user_text(r#"call current_time {"a": 1}"#)], None);
        assert_eq!(
            typed,
            [Part::Call {
                name: "current_time".to_owned(),
                arguments: r#"{"a": 1}"#.to_owned()
            }]
        );
        assert!(matches!(
            answer_to(vec![user_text("call fly {}")], None)[..],
            [Part::Say(_)]
        ));
    }

    #[test]
    fn a_tool_nobody_asked_for_is_tried_once_with_its_examples() {
        let day = json!({"name": "hours", "parameters": {"required": ["day"],
            "properties": {"day": {"type": "string", "examples": ["monday"]}}}});
        let secretive = json!({"name": "other", "parameters": {"required": ["what"],
            "properties": {"what": {"type": "string"}}}});
        let mut items = Items::default();
        items.push(user_text("hello"));
        let calls = |items: &Items| -> Vec<Part> {
            let mut parts = answer(&Question {
                instructions: None,
                items,
                tools: &json!([{"name": "current_time"}, secretive, day]),
                tool_choice: &json!("auto"),
            });
            parts.retain(|part| matches!(part, Part::Call { .. }));
            parts
        };
        let wanted = Part::Call {
            name: "hours".to_owned(),
            arguments: r#"{"day":"monday"}"#.to_owned(),
        };
        assert_eq!(calls(&items), [wanted]);
        items.push(Item::new(
            json!({"id": "f", "type": "function_call", "name": "hours", "call_id": "c"}),
        ));
        items.push(user_text("and now"));
        assert_eq!(calls(&items), []);
    }

    #[test]
    fn the_time_is_asked_of_the_tool_and_then_told() {
        let question = answer_to(vec![user_speech("caller-time")], None);
        assert!(matches!(&question[..], [Part::Call { name, .. }] if name == "current_time"));
        let output = Item::new(
            json!({"id": "o", "type": "function_call_output", "call_id": "c",
            "output": "{\"time\":\"2026-11-21T14:05:09Z\"}"}),
        );
        assert_eq!(transcript(&answer_to(vec![output], None)), "It is 14:05.");
    }

    #[test]
    fn a_goodbye_is_returned_before_the_call_is_ended() {
        let parts = answer_to(vec![user_text("Goodbye!")], None);
        assert!(
            matches!(&parts[..], [Part::Say(_), Part::Call { name, .. }] if name == "end_call")
        );
    }

    #[test]
    fn a_failed_tool_is_admitted() {
        let output = Item::new(
            json!({"id": "o", "type": "function_call_output", "call_id": "c",
            "output": "{\"error\":\"no such city\"}"}),
        );
        assert_eq!(answer_to(vec![output], None), say("agent-failed"));
    }
}
