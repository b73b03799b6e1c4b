//! Success of calls to a service that is slow, breaks and errs, by a model that errs and repeats itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tests::tool_service::ToolService;
use tokio::task::JoinSet;
use tools::{
    Context, Gateway, Outcome, Registry, Tool, ToolCall,
    http::{Client, HttpTool, HttpToolForm, Networks},
};

use crate::{Result, say};

/// Callers at once.
const CALLERS: usize = 20;

pub(crate) async fn measure(calls: usize) -> Result<Value> {
    say("success among faults");
    let service = ToolService::faulty(rand::random()).await;
    let form = json!({
        "name": "book",
        "description": "Books.",
        "url": format!("http://{}/bookings", service.address()),
        "effect": "writes",
        "idempotent": true,
        "arguments": {"hour": {"type": "integer"}},
    });
    let form: HttpToolForm = serde_json::from_value(form)?;
    let networks = Networks::read(&["127.0.0.0/8".to_owned()]).map_err(|_| "a network")?;
    let client = Client::new(networks)?;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let tool = HttpTool::new(&form, &client, &BTreeMap::new())
            .map_err(|wrong| format!("{wrong:?}"))?;
        let tools: [Arc<dyn Tool>; 1] = [Arc::new(tool)];
        let gateway = Gateway::new(Registry::build(tools)?);
        callers.spawn(call(gateway, caller, calls / CALLERS));
    }
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for (word, count) in callers.join_all().await.into_iter().flatten() {
        *ends.entry(word).or_default() += count;
    }
    let all: usize = ends.values().sum();
    let good: usize = ends
        .iter()
        .filter(|(word, _)| matches!(word.as_str(), "completed" | "duplicate"))
        .map(|(_, count)| count)
        .sum();
    let success = good as f64 / all.max(1) as f64;
    Ok(json!({
        "name": "tool success: 2 % slow (3 s), 2 % reset, 1 % 5xx, 1 % malformed arguments, 2 % duplicates",
        "n": all,
        "success": (success * 10_000.0).round() / 10_000.0,
        "outcomes": ends,
        "side_effects_doubled": service.doubled(),
        "wanted": 0.96,
        "reached": success > 0.96 && service.doubled() == 0,
    }))
}

async fn call(gateway: Gateway, caller: usize, calls: usize) -> BTreeMap<String, usize> {
    let mut rng = StdRng::seed_from_u64(caller as u64);
    let context = Context {
        session: format!("s{caller}").into(),
        ..Context::default()
    };
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |outcome: &Outcome| {
        let word = match outcome {
            Outcome::Duplicate(first) if matches!(**first, Outcome::Completed(_)) => "duplicate",
            // A repeated call is as good as the one that it repeats.
            Outcome::Duplicate(first) => first.word(),
            other => other.word(),
        };
        *ends.entry(word.to_owned()).or_default() += 1;
    };
    for number in 0..calls {
        let arguments = if rng.random_bool(0.01) {
            r#"{"hour": "#.to_owned()
        } else {
            json!({"hour": caller * calls + number}).to_string()
        };
        let call = ToolCall::new(&format!("c{number}"), "book", &arguments);
        count(&gateway.invoke(&call, &context).await);
        if rng.random_bool(0.02) {
            count(&gateway.invoke(&call, &context).await);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    ends
}
