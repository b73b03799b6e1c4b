//! Adapter: JSON that is posted to an address of the operator's, once, and not for long.

use std::time::Duration;

use crate::config::Secret;

/// How long the receiver may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// An address that wants to know.
#[derive(Clone, Debug)]
pub struct Webhook {
    address: String,
    /// Sent along, so that the receiver knows us; empty = nothing is.
    token: Secret,
    http: reqwest::Client,
}

/// Why the receiver does not have it. Names neither the address nor the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No answer in time, or no connection.
    #[error("the receiver cannot be reached")]
    Unreachable,
    /// An answer that is no success.
    #[error("the receiver answered {0}")]
    Refused(u16),
}

impl Webhook {
    /// Opens nothing yet. Needs the process' crypto provider to be installed.
    pub fn new(address: &str, token: &Secret) -> Self {
        Self {
            address: address.to_owned(),
            token: token.clone(),
            http: reqwest::Client::new(),
        }
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// When the receiver does not take it within five seconds.
    pub async fn post(&self, json: Vec<u8>) -> Result<(), WebhookError> {
        let mut request = self
            .http
            .post(&self.address)
            .timeout(DEADLINE)
            .header("content-type", "application/json")
            .body(json);
        if !self.token.is_empty() {
            request = request.bearer_auth(self.token.expose());
        }
        let response = request.send().await;
        let response = response.map_err(|_| WebhookError::Unreachable)?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(WebhookError::Refused(response.status().as_u16()))
    }
}
