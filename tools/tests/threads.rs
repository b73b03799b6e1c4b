//! Tools that block the thread they run on. Real threads, so real time; nothing is waited for but events.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use tools::{
    Answer, Context, Effect, Gateway, Marks, Outcome, Registry, Rules, Threads, Tool, ToolCall,
    ToolError, ToolName, ToolSpec, ValidCall, function,
};

/// How long a broken test takes to say so.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps its thread until it is told to let go.
struct Blocks {
    spec: ToolSpec,
    begun: tokio::sync::mpsc::Sender<()>,
    release: Mutex<mpsc::Receiver<()>>,
}

impl Blocks {
    fn tool(
        effect: Effect,
        deadline: Duration,
    ) -> (
        Arc<dyn Tool>,
        tokio::sync::mpsc::Receiver<()>,
        mpsc::Sender<()>,
    ) {
        let (begun, begins) = tokio::sync::mpsc::channel(8);
        let (release, released) = mpsc::channel();
        let tool = Self {
            spec: ToolSpec {
                name: ToolName::parse("blocks").expect("a name"),
                description: "Blocks.".to_owned(),
                parameters: json!({"type": "object", "properties": {}}),
                effect,
                deadline,
                most_runs: None,
                marks: Marks::default(),
                rules: Rules::default(),
            },
            begun,
            release: Mutex::new(released),
        };
        (Arc::new(tool), begins, release)
    }
}

#[async_trait]
impl Tool for Blocks {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, _call: &ValidCall, _context: &Context) -> Result<Answer, ToolError> {
        self.begun.try_send(()).expect("somebody waits");
        let release = self.release.lock().expect("unbroken");
        let let_go = release.recv_timeout(PATIENCE);
        let_go.map_err(|_| ToolError::new("nobody let me go"))?;
        Ok(Answer::new("done"))
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

fn gateway(blocks: Arc<dyn Tool>) -> Gateway {
    let quick = function::tool("quick", "Is quick.", async |_: Nothing| {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok::<_, ToolError>("quick")
    });
    let bug = function::tool(
        "bug",
        "Panics.",
        async |_: Nothing| -> Result<(), ToolError> { panic!("a bug in a tool") },
    );
    let tools: [Arc<dyn Tool>; 3] = [blocks, Arc::new(quick), Arc::new(bug)];
    let registry = Registry::build(tools).expect("they fit together");
    Gateway::new(registry).running_on(Some(Threads::start().expect("threads")))
}

async fn call(gateway: &Gateway, id: &str, name: &str) -> Outcome {
    gateway
        .invoke(&ToolCall::new(id, name, "{}"), &Context::default())
        .await
}

#[tokio::test]
async fn a_tool_that_blocks_its_thread_holds_up_nobody_else() {
    let (blocks, mut begins, release) = Blocks::tool(Effect::Writes, PATIENCE);
    let gateway = gateway(blocks);
    let meanwhile = async {
        begins.recv().await.expect("it begins");
        // This thread is free, and so are the other tools'.
        let quick = call(&gateway, "c2", "quick").await;
        release.send(()).expect("it is waited for");
        quick
    };
    let (blocked, quick) = tokio::join!(call(&gateway, "c1", "blocks"), meanwhile);
    assert_eq!(quick.text_for_model(), "quick");
    assert_eq!(blocked.text_for_model(), "done");
}

#[tokio::test]
async fn a_tool_that_blocks_its_thread_is_left_at_its_deadline() {
    let limit = Duration::from_secs(2);
    let (blocks, mut begins, release) = Blocks::tool(Effect::Writes, limit);
    let gateway = gateway(blocks);
    let (ended, begun) = tokio::join!(call(&gateway, "c1", "blocks"), begins.recv());
    begun.expect("it did begin");
    assert_eq!(ended, Outcome::TimedOut { limit });
    release.send(()).expect("it still runs");
}

#[tokio::test]
async fn a_tool_that_blocks_its_thread_is_left_when_it_is_called_off() {
    let (blocks, mut begins, release) = Blocks::tool(Effect::Reads, PATIENCE);
    let gateway = gateway(blocks);
    let context = Context::default();
    let call = ToolCall::new("c1", "blocks", "{}");
    let (ended, ()) = tokio::join!(gateway.invoke(&call, &context), async {
        begins.recv().await.expect("it begins");
        context.cancelled.cancel();
    });
    assert_eq!(ended, Outcome::Cancelled);
    release.send(()).expect("it still runs");
}

#[tokio::test]
async fn a_panic_on_another_thread_ends_its_own_call_alone() {
    let (blocks, _begins, _release) = Blocks::tool(Effect::Writes, PATIENCE);
    let gateway = gateway(blocks);
    assert_eq!(
        call(&gateway, "c1", "bug").await,
        Outcome::Failed("an internal error".to_owned())
    );
    assert_eq!(
        call(&gateway, "c2", "quick").await.text_for_model(),
        "quick"
    );
}
