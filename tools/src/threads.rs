//! Task: threads on which tools run, so that one that blocks its thread holds up nobody but itself.
//!
//! A tool is code that others write, and an asynchronous function that forgets to await is an easy mistake.
//! Each call has a thread of its own while it runs; the caller waits for it as for anything else, so that
//! deadlines hold and a call can be called off, whatever the tool does.

use std::{fmt, io, panic::resume_unwind, sync::Arc};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    call::ValidCall,
    tool::{Answer, Context, Tool, ToolError},
};

/// Calls that run at once in the process. One more waits, and its deadline runs.
const MOST_AT_ONCE: usize = 512;

/// The threads of a process; cheap to clone. They end with the last handle, or with what they run.
#[derive(Clone)]
pub struct Threads(Arc<Owned>);

/// A runtime waits for its threads when it is dropped; this one does not.
struct Owned {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Threads {
    /// Starts the one thread that waits for sockets and timers of all tools; the others come and go.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(MOST_AT_ONCE)
            .thread_name("tools")
            .enable_all()
            .build()?;
        Ok(Self(Arc::new(Owned {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })))
    }

    /// Runs one call. Dropped, it leaves the tool at its next await; until then the thread is the tool's.
    pub(crate) async fn run(
        &self,
        tool: &Arc<dyn Tool>,
        call: &ValidCall,
        context: &Context,
    ) -> Result<Answer, ToolError> {
        let (tool, call, context) = (Arc::clone(tool), call.clone(), context.clone());
        let left = CancellationToken::new();
        let is_left = left.clone();
        let _whoever_waits = left.drop_guard();
        let handle = self.0.handle.clone();
        let run = move || {
            handle.block_on(async {
                tokio::select! {
                    biased;
                    () = is_left.cancelled() => None,
                    ended = tool.run(&call, &context) => Some(ended),
                }
            })
        };
        let mut thread = JoinSet::new();
        thread.spawn_blocking_on(run, &self.0.handle);
        match thread.join_next().await {
            Some(Ok(Some(ended))) => ended,
            Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            _ => Err(ToolError::new("the worker is ending").unsure()),
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Threads")
    }
}
