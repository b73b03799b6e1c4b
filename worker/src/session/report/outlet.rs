//! Adapter: where reports go besides the log: a directory, a web hook, or both.
//!
//! Both are best effort: a report that cannot be delivered is said so in the log and dropped. It
//! keeps nothing and never delays the room or the job's status: those are over when it runs.

use std::{io, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Report;
use crate::{
    config::Secret,
    webhook::{Webhook, WebhookError},
};

/// The `[report]` table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory that gets one JSON file per session. It must exist. Default: no files.
    pub dir: Option<PathBuf>,
    /// Address that gets each report as the JSON body of a POST. Default: none.
    #[schemars(extend("format" = "http-url"))]
    pub webhook: Option<String>,
    /// Sent along as `Authorization: Bearer …`, so that the receiver knows us. Default: nothing.
    pub webhook_token: Secret,
}

/// Where the reports of this worker go.
#[derive(Clone, Debug)]
pub struct Outlet {
    config: Config,
    webhook: Option<Webhook>,
}

/// Why a report was not delivered. Names neither the address nor the token.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error("the file could not be written: {0}")]
    File(#[from] io::Error),
    #[error(transparent)]
    Webhook(#[from] WebhookError),
}

impl Outlet {
    /// Opens nothing yet. A web hook needs the process' crypto provider to be installed.
    pub fn new(config: Config) -> Self {
        let address = config.webhook.as_deref();
        let webhook = address.map(|address| Webhook::new(address, &config.webhook_token));
        Self { config, webhook }
    }

    /// Delivers one report.
    pub async fn deliver(&self, report: &Report) {
        let json = serde_json::to_vec_pretty(report).expect("a report is plain data");
        if let Some(dir) = &self.config.dir {
            told("file", write(dir.join(file_name(report)), &json).await);
        }
        if let Some(webhook) = &self.webhook {
            told("webhook", webhook.post(json).await.map_err(Into::into));
        }
    }
}

fn told(outlet: &'static str, delivered: Result<(), DeliveryError>) {
    if let Err(error) = delivered {
        tracing::warn!(outlet, %error, "a session report was not delivered");
    }
}

/// Under another name first, so that whoever collects the directory never reads half a file.
async fn write(path: PathBuf, json: &[u8]) -> Result<(), DeliveryError> {
    let unfinished = path.with_extension("part");
    tokio::fs::write(&unfinished, json).await?;
    tokio::fs::rename(&unfinished, &path).await?;
    Ok(())
}

/// Sorts by time; a job id is the server's text, so only harmless characters of it are used.
fn file_name(report: &Report) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let job: String = report.facts.job.chars().filter(legal).take(64).collect();
    format!("{}-{job}.json", report.facts.started_at)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::session::report::{Facts, Tally};

    fn report(job: &str) -> Report {
        Tally::default().finish(Facts {
            job: job.to_owned(),
            agent: "guide".to_owned(),
            started_at: 1_700_000_000,
            lasted_s: 1.0,
            reason: "drained",
            error: None,
        })
    }

    fn directory(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[tokio::test]
    async fn a_report_becomes_one_file_whatever_the_job_is_called() {
        let dir = directory("report-file");
        let outlet = Outlet::new(Config {
            dir: Some(dir.clone()),
            ..Config::default()
        });
        outlet.deliver(&report("../AJ_1/x")).await;
        let text = std::fs::read_to_string(dir.join("1700000000-AJ_1x.json")).unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["reason"],
            "drained"
        );
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn a_report_is_posted_with_the_token() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let outlet = Outlet::new(Config {
            webhook: Some(address),
            webhook_token: Secret::new("t0ken"),
            ..Config::default()
        });
        let receiver = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            while !request.contains("\"usage\"") {
                let mut piece = [0; 4096];
                let read = socket.read(&mut piece).await.unwrap();
                assert!(read > 0, "the whole report comes");
                request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
            }
            socket
                .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                .await
                .unwrap();
            request
        };
        let sent = report("AJ_1");
        let (request, ()) = tokio::join!(receiver, outlet.deliver(&sent));
        assert!(request.starts_with("POST /hook "), "{request}");
        assert!(request.contains("Bearer t0ken"));
        assert!(request.contains("\"job\": \"AJ_1\""));
    }
}
