//! Adapter: what happens on the links to the model.

use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::{
    model::{Kind, Price},
    telemetry::{
        metrics::{metrics, observe},
        words::{Fault, LinkOutcome, ModelEventKind},
    },
};

/// A configured connection to the model is there.
#[derive(Debug)]
pub struct ModelLinkUp<'a> {
    /// The model's own name for itself.
    pub model: &'a str,
    /// Connect → configured.
    pub took: Duration,
    /// Since the last connection was lost; `None` = it is the first one.
    pub after_loss: Option<Duration>,
}

impl ModelLinkUp<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Up);
        observe(&metrics().model_connect_seconds, self.took);
        if let Some(outage) = self.after_loss {
            observe(&metrics().model_recovery_seconds, outage);
        }
        info!(
            model = self.model,
            took = ?self.took,
            after_loss = ?self.after_loss,
            "model link up"
        );
    }
}

/// A fresh connection took over from an old one.
#[derive(Debug)]
pub struct ModelRotated;

impl ModelRotated {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Rotated);
        info!("model link rotated");
    }
}

/// A connection to the model was lost.
#[derive(Debug)]
pub struct ModelLinkLost<'a> {
    /// A short code.
    pub reason: &'a str,
    /// Who is to blame.
    pub fault: Fault,
}

impl ModelLinkLost<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Lost);
        warn!(
            reason = self.reason,
            fault = self.fault.as_str(),
            "model link lost"
        );
    }
}

/// An attempt to connect to the model failed.
#[derive(Debug)]
pub struct ModelConnectFailed<'a> {
    /// A short code.
    pub reason: &'a str,
    /// Who is to blame.
    pub fault: Fault,
    /// When the next attempt begins; `None` = there will be none.
    pub retry_in: Option<Duration>,
}

impl ModelConnectFailed<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Failed);
        warn!(
            reason = self.reason,
            fault = self.fault.as_str(),
            retry_in = ?self.retry_in,
            "model cannot be reached"
        );
    }
}

/// The link to the model has given up.
#[derive(Debug)]
pub struct ModelLinkExhausted<'a> {
    /// A short code.
    pub reason: &'a str,
    /// Who is to blame.
    pub fault: Fault,
}

impl ModelLinkExhausted<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        link_outcome(LinkOutcome::Exhausted);
        error!(
            reason = self.reason,
            fault = self.fault.as_str(),
            "model link given up"
        );
    }
}

fn link_outcome(outcome: LinkOutcome) {
    metrics()
        .model_link_total
        .with_label_values(&[outcome.as_str()])
        .inc();
}

/// The model refused our key: no new jobs until a probe succeeds.
#[derive(Debug)]
pub struct ModelKeyRefused;

impl ModelKeyRefused {
    /// Logs.
    pub fn emit(self) {
        error!("the model refused our key; no new jobs until a probe succeeds");
    }
}

/// A probe of the model succeeded: jobs are taken again.
#[derive(Debug)]
pub struct ModelKeyAccepted;

impl ModelKeyAccepted {
    /// Logs.
    pub fn emit(self) {
        info!("the model accepts our key again");
    }
}

/// The model told something.
#[derive(Debug)]
pub struct ModelEventReceived {
    /// What.
    pub kind: ModelEventKind,
}

impl ModelEventReceived {
    /// Counts.
    pub fn emit(self) {
        metrics()
            .model_events_total
            .with_label_values(&[self.kind.as_str()])
            .inc();
    }
}

/// Audio for the model was taken over by its connection.
#[derive(Debug)]
pub struct AudioAppended {
    /// How long its oldest frame had waited.
    pub waited: Duration,
}

impl AudioAppended {
    /// Counts.
    pub fn emit(self) {
        observe(&metrics().model_append_seconds, self.waited);
    }
}

/// The model sent an event of a type we do not know; it was kept and ignored.
#[derive(Debug)]
pub struct ModelEventUnknown;

impl ModelEventUnknown {
    /// Counts.
    pub fn emit(self) {
        metrics().model_unknown_events_total.inc();
        debug!("unknown event of the model");
    }
}

/// The model refused an order.
#[derive(Debug)]
pub struct ModelOrderRefused<'a> {
    /// The provider's code.
    pub code: &'a str,
}

impl ModelOrderRefused<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        metrics().model_orders_refused_total.inc();
        info!(code = self.code, "model refused an order");
    }
}

/// Tokens of one response.
#[derive(Debug)]
pub struct TokensUsed<'a> {
    /// As the provider reported them.
    pub usage: dialog::model::Usage,
    /// What they cost; `None` = nobody knows.
    pub price: Option<&'a Price>,
}

impl TokensUsed<'_> {
    /// Counts. `cached` tokens are moved out of the uncached ones, so that the sum is the input.
    pub fn emit(self) {
        let (tokens, cost) = (
            &metrics().model_tokens_total,
            &metrics().model_cost_usd_total,
        );
        for (kind, count) in Kind::billed(&self.usage) {
            tokens.with_label_values(&kind.labels()).inc_by(count);
            if let Some(price) = self.price {
                let paid = price.of(kind, count).dollars();
                cost.with_label_values(&kind.labels()).inc_by(paid);
            }
        }
        if let Some(price) = self.price {
            debug!(
                cost_usd = price.of_all(&self.usage).dollars(),
                "response billed"
            );
        }
    }
}
