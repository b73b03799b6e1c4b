use tools::{Effect, Registry, Tool, ToolError, approval::NoApprover, function};

use super::*;
use crate::{
    agents::Rendered,
    audit::{self, reader, recovery},
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

#[tokio::test(start_paused = true)]
async fn a_session_ends_on_record_after_what_it_had_begun_to_change() {
    let begins = Arc::new(tokio::sync::Notify::new());
    let begun = Arc::clone(&begins);
    let book = function::tool("book", "Books.", move |_: Nothing| {
        begun.notify_one();
        async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok::<_, ToolError>("booked")
        }
    })
    .effect(Effect::Writes);
    let plane = tooling::Plane::new(Registry::build([Arc::new(book) as Arc<dyn Tool>]).unwrap());
    let dir = std::env::temp_dir().join(format!("room-agent-end-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let audit = Audit::start(&audit::Config {
        dir: Some(dir.clone()),
        ..audit::Config::default()
    })
    .unwrap();
    let agent = Rendered {
        tools: vec!["book".to_owned()],
        ..Rendered::default()
    };
    let record = ToolRecord::new(audit.clone(), "job");
    let (tooling, mut ends, calls) = tooling::start(&plane, &agent, record, NoApprover);
    let call = dialog::output::ToolCall {
        call: dialog::model::CallId::new("c1"),
        name: "book".to_owned(),
        arguments: "{}".to_owned(),
        response: dialog::model::ResponseId::new("r1"),
        run_by: dialog::output::RunBy::Worker,
    };
    tooling.run(call, serde_json::Value::Null);
    begins.notified().await;
    drop(tooling);
    let end = Record {
        session: "job".to_owned(),
        kind: Kind::SessionEnded,
        data: json!({"reason": "caller_left"}),
    };
    put_end_on_record(&audit, &plane, Some(calls), end).await;
    plane.finished().await;
    let tooling::ToolEvent::Ended(end) = ends.recv().await.unwrap() else {
        panic!("it was run here")
    };
    assert_eq!(end.output, "booked");
    let journal = reader::read(&recovery::files(&dir).unwrap());
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(journal.faults.is_empty(), "{:?}", journal.faults);
    let kinds = journal
        .entries
        .iter()
        .filter(|entry| entry.session == "job");
    let kinds: Vec<&str> = kinds.map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["tool.intent", "tool.outcome", "session.ended"]);
}
