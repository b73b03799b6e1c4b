//! Intent before effect, outcome before the model is told.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tools::{
    Context, Effect, Outcome, Refusal,
    hooks::{Ended, Hooks, Intent, Objection},
};

use crate::probe::{Log, Probe, numbered};

const CALL: &str = r#"{"n": 1}"#;

/// Writes down what it is told and how often the tool had started by then.
struct Scribe {
    log: Arc<Log>,
    is_disk_full: bool,
    lines: Mutex<Vec<String>>,
}

impl Scribe {
    fn write(&self, what: &str) {
        let line = format!("{what}, {} started", self.log.started());
        self.lines.lock().expect("unbroken").push(line);
    }
}

#[async_trait]
impl Hooks for Scribe {
    async fn intent(&self, intent: Intent<'_>) -> Result<(), Objection> {
        tokio::task::yield_now().await;
        self.write(&format!("intent {} {}", intent.tool, intent.arguments));
        if self.is_disk_full {
            Err(Objection::NotDurable)
        } else {
            Ok(())
        }
    }

    async fn ended(&self, ended: Ended<'_>) {
        let tool = ended.tool.map_or("nobody", |name| name.as_str());
        self.write(&format!("{tool} ended"));
    }
}

async fn recorded(effect: Effect, is_disk_full: bool, name: &str) -> (Outcome, Vec<String>) {
    let (gateway, log) = Probe::new().with_effect(effect).gateway();
    let scribe = Arc::new(Scribe {
        log,
        is_disk_full,
        lines: Mutex::default(),
    });
    let gateway = gateway.recorded_by(scribe.clone());
    let call = tools::ToolCall {
        name: name.to_owned(),
        ..numbered("c", CALL)
    };
    let outcome = gateway.invoke(&call, &Context::default()).await;
    let lines = scribe.lines.lock().expect("unbroken").clone();
    (outcome, lines)
}

#[tokio::test(start_paused = true)]
async fn the_intent_comes_before_the_effect_and_the_outcome_after_it() {
    let (_, lines) = recorded(Effect::Writes, false, "probe").await;
    assert_eq!(
        lines,
        [
            r#"intent probe {"n":1}, 0 started"#,
            "probe ended, 1 started"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_put_on_record_does_not_write() {
    let (outcome, lines) = recorded(Effect::Writes, true, "probe").await;
    assert_eq!(outcome, Outcome::Refused(Refusal::NotRecorded));
    assert_eq!(lines.last().unwrap(), "probe ended, 0 started");
    let (outcome, _) = recorded(Effect::Reads, true, "probe").await;
    assert_eq!(outcome.text_for_model(), "ok", "who only asks harms nobody");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_on_record_too() {
    let (_, lines) = recorded(Effect::Writes, false, "a_tool_of_its_own").await;
    assert_eq!(lines, ["nobody ended, 0 started"]);
}
