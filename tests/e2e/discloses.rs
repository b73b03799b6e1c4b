//! People are told that they talk to a machine before they talk to it, and there is evidence of it.

use std::time::Instant;

use tests::{child::Scratch, clips, eventually::eventually, stack::Stack, worker};

use crate::story::{SOON, job_over};

#[tokio::test(flavor = "multi_thread")]
async fn the_disclosure_comes_first_is_not_interrupted_and_stands_in_the_report() {
    let sentence = clips::clip("agent-name").words;
    let lawful = format!(
        "name = \"lawful\"\ninstructions = \"Be brief.\"\ngreeting = \"Greet.\"\n\
         disclosure = \"{sentence}\"\n"
    );
    let reports = Scratch::new("reports").expect("a scratch directory");
    let journal = Scratch::new("journal").expect("a scratch directory");
    let stack = Stack::with(Default::default(), |mut settings| {
        settings.agents = vec![("lawful.toml".to_owned(), lawful)];
        let dir = reports.path().display().to_string();
        let audit = journal.path().display().to_string();
        settings
            .with("ROOM_AGENT__AGENTS__DEFAULT", "lawful")
            .with("ROOM_AGENT__REPORT__DIR", &dir)
            .with("ROOM_AGENT__AUDIT__DIR", &audit)
    })
    .await;
    let joining = Instant::now();
    let ann = stack.caller("ann", "kitchen").await;
    let speaking = ann.say("caller-apples");
    let (said, disclosed) = tokio::join!(speaking, ann.hears("agent-name", joining, SOON));
    let answer = ann.hears("agent-you-said", disclosed.ended, SOON).await;
    assert!(answer.started > said.ended);
    ann.leave().await;
    job_over(&stack.livekit, "kitchen").await;

    let report = eventually("a report is written", SOON, || {
        let mut files = std::fs::read_dir(reports.path()).map_err(|e| e.to_string())?;
        let file = files.next().ok_or("none yet")?.map_err(|e| e.to_string())?;
        let text = std::fs::read_to_string(file.path()).map_err(|e| e.to_string())?;
        serde_json::from_str::<serde_json::Value>(&text).map_err(|e| e.to_string())
    })
    .await;
    assert_eq!(report["disclosure"]["said"], sentence);
    assert_eq!(report["disclosure"]["whole"], true);
    assert!(report["disclosure"]["at"].as_u64() >= report["started_at"].as_u64());
    let dir = journal.path().display().to_string();
    let written = worker::print(&stack.livekit.url(), &["audit", "export", &dir]).await;
    let disclosed = written
        .lines()
        .find(|line| line.contains("session.disclosed"));
    assert!(
        disclosed.is_some_and(|line| line.contains(r#""whole":true"#)),
        "{written}"
    );
    let log = stack.worker.log();
    assert_eq!(log.find(&[sentence]), None, "no words in the log");
}
