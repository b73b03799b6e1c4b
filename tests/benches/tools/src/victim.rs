//! A process that does nothing but call a tool, 50 times at once, until it is killed.
//!
//! Says on stdout what it begins and what it was told, a line each, as soon as it knows.

use std::{
    collections::BTreeMap,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use room_agent::{
    audit::{Audit, Config, ToolRecord},
    config::Secret,
    telemetry::Pii,
};
use serde_json::json;
use tokio::task::JoinSet;
use tools::{
    Context, Gateway, Registry, Tool, ToolCall,
    http::{Client, HttpTool, HttpToolForm, Networks},
};

use crate::Result;

const CALLERS: usize = 50;

/// `bench-tools victim SERVICE DIR LIFE NEXT AGAIN,…`: calls what is to be asked again, then goes on.
pub(crate) async fn live() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(2).collect();
    let [service, dir, life, next, again] = &words[..] else {
        return Err("SERVICE DIR LIFE NEXT AGAIN".into());
    };
    let dir = PathBuf::from(dir);
    let audit = Audit::start(&Config {
        dir: Some(dir),
        ..Config::default()
    })?;
    let again: Vec<usize> = again.split(',').filter_map(|n| n.parse().ok()).collect();
    let again = Arc::new(std::sync::Mutex::new(again));
    let next = Arc::new(AtomicUsize::new(next.parse()?));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let record = ToolRecord::new(audit.clone(), &format!("{life}-{caller}"))
            .in_room(Pii::new("room".to_owned()), Secret::new("key"));
        let gateway = gateway(service)?.recorded_by(Arc::new(record));
        let (next, again) = (Arc::clone(&next), Arc::clone(&again));
        callers.spawn(async move {
            loop {
                let left = again.lock().ok().and_then(|mut again| again.pop());
                let number = left.unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
                call(&gateway, number).await;
            }
        });
    }
    callers.join_all().await;
    Ok(())
}

async fn call(gateway: &Gateway, number: usize) {
    line(&format!("begun {number}"));
    let arguments = json!({ "hour": number }).to_string();
    let wanted = ToolCall::new(&format!("c{number}"), "book", &arguments);
    // The same session in every life, as after a call that was taken over.
    let context = Context {
        session: "session".into(),
        ..Context::default()
    };
    let outcome = gateway.invoke(&wanted, &context).await;
    line(&format!("told {number} {}", outcome.word()));
}

fn line(text: &str) {
    // Whoever reads it may be gone; then this process is about to be, too.
    let _ = std::io::stdout()
        .lock()
        .write_all(format!("{text}\n").as_bytes());
}

fn gateway(service: &str) -> Result<Gateway> {
    let form = json!({
        "name": "book",
        "description": "Books.",
        "url": format!("http://{service}/bookings"),
        "effect": "writes",
        "arguments": {"hour": {"type": "integer"}},
    });
    let form: HttpToolForm = serde_json::from_value(form)?;
    let networks = Networks::read(&["127.0.0.0/8".to_owned()]).map_err(|_| "a network")?;
    let client = Client::new(networks)?;
    let tool =
        HttpTool::new(&form, &client, &BTreeMap::new()).map_err(|wrong| format!("{wrong:?}"))?;
    let tools: [Arc<dyn Tool>; 1] = [Arc::new(tool)];
    Ok(Gateway::new(Registry::build(tools)?))
}
