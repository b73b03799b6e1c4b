//! Somebody has to agree first: the caller in their own words, or a supervisor.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use tools::{
    Context, Effect, Gateway, Outcome, Refusal, Rules,
    approval::{Approver, Request, Verdict},
    policy::{RuleForm, Who},
};

use crate::probe::{Log, Probe, numbered};

fn gateway(rule: serde_json::Value) -> (Gateway, Arc<Log>) {
    let rule: RuleForm = serde_json::from_value(rule).expect("a rule");
    let rules = Rules::read(&[rule]).expect("it can be read");
    let probe = Probe::new().with_effect(Effect::Writes).with_rules(rules);
    probe.gateway()
}

fn confirmed() -> (Gateway, Arc<Log>) {
    gateway(json!({"when": "true", "ask": "caller", "question": "Shall I book it?"}))
}

async fn call(gateway: &Gateway, id: &str, n: u32) -> Outcome {
    let arguments = format!(r#"{{"n": {n}}}"#);
    let context = Context::default();
    gateway.invoke(&numbered(id, &arguments), &context).await
}

fn is_asking(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(Refusal::AskCaller(_)))
}

#[tokio::test(start_paused = true)]
async fn a_call_runs_when_the_caller_has_said_yes_to_exactly_that() {
    let (gateway, log) = confirmed();
    let asked = call(&gateway, "c1", 1).await;
    assert!(
        asked.text_for_model().contains("Shall I book it?"),
        "{asked:?}"
    );
    gateway.agent_began();
    gateway.agent_spoke();
    gateway.caller_spoke("Yes, please.");
    assert!(is_asking(&call(&gateway, "c2", 2).await), "another one");
    assert!(matches!(
        call(&gateway, "c3", 1).await,
        Outcome::Completed(_)
    ));
    assert_eq!(log.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_claims_a_consent_is_not_believed() {
    let (gateway, log) = confirmed();
    gateway.caller_spoke("yes, book something");
    for id in ["c1", "c2", "c3"] {
        assert!(is_asking(&call(&gateway, id, 1).await), "{id}");
    }
    gateway.agent_began();
    gateway.agent_spoke();
    gateway.caller_spoke("no, wait");
    let declined = call(&gateway, "c4", 1).await;
    assert_eq!(
        declined,
        Outcome::Refused(Refusal::Declined(Who::Caller)),
        "a no is a no"
    );
    assert_eq!(log.started(), 0);
}

#[tokio::test(start_paused = true)]
async fn words_that_are_understood_late_are_waited_for() {
    let (gateway, log) = confirmed();
    call(&gateway, "c1", 1).await;
    gateway.agent_began();
    gateway.agent_spoke();
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        gateway.caller_spoke("yes");
    };
    let (outcome, ()) = tokio::join!(call(&gateway, "c2", 1), late);
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(log.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_consent_is_used_up() {
    let (gateway, log) = confirmed();
    call(&gateway, "c1", 1).await;
    gateway.agent_began();
    gateway.agent_spoke();
    gateway.caller_spoke("yes");
    call(&gateway, "c2", 1).await;
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(is_asking(&call(&gateway, "c3", 1).await));
    assert_eq!(log.started(), 1);
}

/// Answers like this after ten seconds, or never.
struct Supervisor {
    verdict: Option<Verdict>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Approver for Supervisor {
    async fn approve(&self, request: Request<'_>) -> Verdict {
        let asked = format!("{} {}", request.tool, request.arguments);
        self.asked.lock().expect("nobody panicked").push(asked);
        match self.verdict {
            Some(verdict) => {
                tokio::time::sleep(Duration::from_secs(10)).await;
                verdict
            }
            None => {
                tokio::time::sleep(request.within).await;
                Verdict::Silence
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisors_word_decides_and_silence_as_the_rule_says() {
    let refuse = json!({"when": "true", "ask": "supervisor"});
    let allow = json!({"when": "true", "ask": "supervisor", "otherwise": "allow"});
    for (rule, verdict, reason) in [
        (&refuse, Some(Verdict::Approved), None),
        (
            &refuse,
            Some(Verdict::Declined),
            Some("declined_by_supervisor"),
        ),
        (&refuse, None, Some("no_answer")),
        (&allow, None, None),
        (
            &allow,
            Some(Verdict::Declined),
            Some("declined_by_supervisor"),
        ),
        (&allow, Some(Verdict::Nobody), Some("nobody_to_ask")),
    ] {
        let (gateway, log) = gateway(rule.clone());
        let supervisor = Arc::new(Supervisor {
            verdict,
            asked: Mutex::default(),
        });
        let gateway = gateway.approved_by(supervisor.clone());
        // The time a person takes is not the tool's: its deadline is ten seconds.
        let outcome = call(&gateway, "c1", 7).await;
        assert_eq!(outcome.reason(), reason, "{rule} {verdict:?}");
        assert_eq!(
            log.started(),
            usize::from(reason.is_none()),
            "{rule} {verdict:?}"
        );
        let asked = supervisor.asked.lock().expect("nobody panicked").clone();
        assert_eq!(asked, [r#"probe {"n":7}"#]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_called_off_leaves_nothing_behind() {
    let (gateway, log) = gateway(json!({"when": "true", "ask": "supervisor"}));
    let gateway = gateway.approved_by(Arc::new(Supervisor {
        verdict: Some(Verdict::Approved),
        asked: Mutex::default(),
    }));
    let context = Context::default();
    let wanted = numbered("c1", r#"{"n": 1}"#);
    let calling_off = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        context.cancelled.cancel();
    };
    let (outcome, ()) = tokio::join!(gateway.invoke(&wanted, &context), calling_off);
    assert_eq!(outcome.reason(), Some("no_answer"));
    assert_eq!(log.started(), 0);
    assert!(matches!(
        call(&gateway, "c2", 1).await,
        Outcome::Completed(_)
    ));
}
