//! How others talk with the dispatcher: orders go in, a view comes out.

use tokio::sync::{mpsc, oneshot, watch};

use super::{admission::Load, agent_protocol::JobStatus};

/// What can be seen of the dispatcher.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Agent names and whether each is registered now.
    pub registrations: Vec<(String, bool)>,
    /// The slots.
    pub load: Load,
    /// No job is taken because the worker drains.
    pub is_draining: bool,
    /// The server refused our key: the worker cannot do anything.
    pub is_refused: bool,
}

impl View {
    /// Every agent name is registered.
    pub fn is_registered(&self) -> bool {
        !self.registrations.is_empty() && self.registrations.iter().all(|(_, up)| *up)
    }
}

/// What is asked of the dispatcher.
#[derive(Debug)]
pub(super) enum Order {
    Drain,
    Ended {
        job: String,
    },
    Finish {
        done: oneshot::Sender<()>,
    },
    ModelRefused(bool),
    Status {
        job: String,
        agent_name: String,
        status: JobStatus,
        written: oneshot::Sender<()>,
    },
}

/// Talks to the dispatcher.
#[derive(Clone, Debug)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    view: watch::Receiver<View>,
}

impl Handle {
    pub(super) fn new(orders: mpsc::Sender<Order>, view: watch::Receiver<View>) -> Self {
        Self { orders, view }
    }

    /// Tells the server how a job goes; returns when the message was written, or cannot be.
    pub async fn job_status(&self, job: &str, agent_name: &str, status: JobStatus) {
        let (written, is_written) = oneshot::channel();
        let (job, agent_name) = (job.to_owned(), agent_name.to_owned());
        self.order(Order::Status {
            job,
            agent_name,
            status,
            written,
        })
        .await;
        let _ = is_written.await;
    }

    /// The same without waiting for the socket, which may be away for long.
    pub async fn job_status_soon(&self, job: &str, agent_name: &str, status: JobStatus) {
        let (job, agent_name) = (job.to_owned(), agent_name.to_owned());
        let (written, _) = oneshot::channel();
        self.order(Order::Status {
            job,
            agent_name,
            status,
            written,
        })
        .await;
    }

    /// The session is over: its slot is free.
    pub async fn ended(&self, job: &str) {
        self.order(Order::Ended {
            job: job.to_owned(),
        })
        .await;
    }

    /// No further job is taken; running ones stay connected to the server.
    pub async fn drain(&self) {
        self.order(Order::Drain).await;
    }

    /// While the model refuses us no job is taken.
    pub async fn model_refused(&self, refused: bool) {
        self.order(Order::ModelRefused(refused)).await;
    }

    /// Closes the connections; to be called when the last job was reported.
    pub async fn finish(&self) {
        let (done, is_done) = oneshot::channel();
        self.order(Order::Finish { done }).await;
        let _ = is_done.await;
    }

    /// The dispatcher as it is now, and later.
    pub fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    async fn order(&self, order: Order) {
        // Fails only when the dispatcher has finished; then there is nobody left to tell.
        let _ = self.orders.send(order).await;
    }
}
