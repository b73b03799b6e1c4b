//! Adapter: HTTP services as tools, declared in TOML: a request from a template, a response to an answer.
//!
//! What a service says is data: it is told to the model as the answer of this tool and never as anything
//! else. Errors are words that the model can act on, without addresses, headers or secrets.

mod breaker;
mod client;
mod form;
mod guard;
mod template;

use std::{
    collections::BTreeMap,
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use reqwest::{Method, StatusCode, header::HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

pub use client::{Client, LONGEST_ANSWER, Names, Surroundings};
pub use form::{HttpEffect, HttpMethod, HttpToolForm};
pub use guard::Networks;

pub(crate) use client::Trouble;
pub(crate) use template::with_secrets;

use self::{
    breaker::Shared,
    client::{Request, Response},
    template::{Body, From, Template, Values},
};
use crate::{
    call::{ToolName, ValidCall},
    form::{FormProblem, Problems},
    schema::Schema,
    tool::{Answer, Context, Effect, Tool, ToolError, ToolSpec},
};

/// Before a request that broke is sent once more.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// The gateway's deadline began a moment before a request did, and timers are rounded.
const ROUNDING: Duration = Duration::from_millis(50);
/// Longest part of an error's text that the model is told, in characters.
const LONGEST_REASON: usize = 300;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers that say where a request goes and where it ends.
pub(crate) const OURS: [&str; 7] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "te",
    "transfer-encoding",
];

/// The secrets that headers may hold, by name.
pub type Secrets = BTreeMap<String, SecretString>;

/// One HTTP tool.
pub struct HttpTool {
    spec: ToolSpec,
    client: Client,
    method: Method,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Option<Body>,
    take: Option<String>,
    is_idempotent: bool,
    secrets: Secrets,
    breaker: Shared,
}

/// A service that is being asked. Given up at the deadline without an answer, it counts as failed.
struct Asked<'a> {
    breaker: &'a Shared,
    until: Instant,
    is_judged: bool,
}

impl Asked<'_> {
    /// What says something about the service, and not about the request, moves the breaker.
    fn judge(mut self, sent: &Result<Response, Trouble>) {
        let mut breaker = self.breaker.lock();
        match sent {
            Ok(response) if response.status.is_server_error() => breaker.failed(now()),
            Ok(_) | Err(Trouble::TooLong | Trouble::Packed) => breaker.worked(),
            Err(Trouble::Unreachable | Trouble::Broken) => breaker.failed(now()),
            Err(_) => breaker.learned_nothing(),
        }
        drop(breaker);
        self.is_judged = true;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.is_judged {
            return;
        }
        if now() >= self.until {
            self.breaker.lock().failed(now());
        } else {
            self.breaker.lock().learned_nothing();
        }
    }
}

impl HttpTool {
    /// Makes a tool of its form.
    ///
    /// # Errors
    /// Every problem with its path in the form.
    pub fn new(
        form: &HttpToolForm,
        client: &Client,
        secrets: &Secrets,
    ) -> Result<Self, Vec<FormProblem>> {
        let mut problems = Problems::default();
        let name = problems.take("name", ToolName::parse(&form.name).ok_or("not a tool name"));
        for (index, optional) in form.optional.iter().enumerate() {
            if !form.arguments.contains_key(optional) {
                let problem = format!("there is no argument `{optional}`");
                problems.add(format!("optional[{index}]"), problem);
            }
        }
        let parameters = form.parameters();
        problems.take("arguments", Schema::compile(&parameters));
        let url = problems.take("url", url(form));
        let headers = headers(form, secrets, &mut problems);
        let body = form.body.as_ref().map(|body| body_of(form, body));
        let body = body.and_then(|body| problems.take("body", body));
        let rules = problems.rules("rules", &form.rules);
        let (Some(name), Some(url), true) = (name, url, problems.0.is_empty()) else {
            return Err(problems.0);
        };
        Ok(Self {
            spec: ToolSpec {
                name,
                description: form.description.clone(),
                parameters,
                effect: form.effect.into(),
                deadline: form.deadline(),
                most_runs: form.most_runs,
                marks: form.touches,
                rules,
            },
            client: client.clone(),
            method: method(form.method()),
            url,
            headers,
            body,
            take: form.take.clone(),
            is_idempotent: form.idempotent,
            secrets: secrets.clone(),
            breaker: client.breaker(&form.url),
        })
    }

    fn request(&self, call: &ValidCall, context: &Context) -> Result<Request, ToolError> {
        let nothing = Map::new();
        let arguments = call.arguments().as_object().unwrap_or(&nothing);
        let secret = |name: &str| {
            let secret = self.secrets.get(name);
            secret.map(|secret| secret.expose_secret().to_owned())
        };
        let values = Values {
            arguments,
            variables: &context.facts.variables,
            secrets: &secret,
        };
        let missing = || ToolError::new("an argument or a variable for the request is missing");
        let url = self.url.encoded(&values).ok_or_else(missing)?;
        let url = Url::parse(&url).map_err(|_| ToolError::new("the arguments make no address"))?;
        let mut headers = Vec::new();
        for (name, template) in &self.headers {
            headers.push((name.clone(), template.plain(&values).ok_or_else(missing)?));
        }
        if self.spec.effect == Effect::Writes {
            headers.push((IDEMPOTENCY_KEY, context.idempotency_key(call.id())));
        }
        let has_body = !matches!(self.method, Method::GET | Method::DELETE);
        let body = match &self.body {
            Some(body) => body.fill(&values),
            None => has_body.then(|| call.arguments().clone()),
        };
        Ok(Request {
            method: self.method.clone(),
            url,
            headers,
            body,
        })
    }

    /// What broke on the way may be sent again where that cannot do harm.
    async fn send(
        &self,
        asked: Asked<'_>,
        call: &ValidCall,
        context: &Context,
    ) -> Result<Response, ToolError> {
        let is_safe = self.spec.effect != Effect::Writes || self.is_idempotent;
        let mut is_second = false;
        loop {
            let sent = self.client.send(self.request(call, context)?).await;
            let is_worth_it = match &sent {
                Err(Trouble::Unreachable) => true,
                Err(Trouble::Broken) => is_safe,
                Err(_) => false,
                Ok(response) => is_safe && is_passing(response.status),
            };
            if is_second || !is_worth_it {
                asked.judge(&sent);
                return sent.map_err(|trouble| self.told(trouble));
            }
            is_second = true;
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    fn told(&self, trouble: Trouble) -> ToolError {
        match trouble {
            Trouble::Forbidden | Trouble::Unreachable | Trouble::BadHeader => {
                ToolError::new(trouble.to_string())
            }
            Trouble::Broken | Trouble::TooLong | Trouble::Packed => self.asked(trouble.to_string()),
        }
    }

    /// The service had the request and its answer is of no use: a write may have been done.
    fn asked(&self, what: impl Into<String>) -> ToolError {
        let error = ToolError::new(what);
        if self.spec.effect == Effect::Writes {
            error.unsure()
        } else {
            error
        }
    }

    fn answer(&self, response: &Response) -> Result<Answer, ToolError> {
        let text = String::from_utf8_lossy(&response.body);
        if !response.status.is_success() {
            return Err(self.refused(response, &text));
        }
        if !response.is_json {
            return Ok(Answer::new(text.into_owned()));
        }
        let unreadable = || self.asked("the service answered something that cannot be read");
        let value: Value = serde_json::from_str(&text).map_err(|_| unreadable())?;
        match &self.take {
            None => Ok(Answer::new(value)),
            Some(pointer) => value
                .pointer(pointer)
                .map(|part| Answer::new(part.clone()))
                .ok_or_else(unreadable),
        }
    }

    fn refused(&self, response: &Response, text: &str) -> ToolError {
        let status = response.status;
        if status.is_redirection() {
            return self.asked("the service points somewhere else, and tools do not follow");
        }
        let wait = response
            .retry_after
            .map(|seconds| format!("; try again in {seconds} seconds"));
        let reason: String = text
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_REASON)
            .collect();
        let told = format!(
            "the service answered {}{}: {reason}",
            status.as_u16(),
            wait.unwrap_or_default()
        );
        // A client error is a refusal; whether a service that breaks had done its work nobody knows.
        if status.is_client_error() {
            ToolError::new(told)
        } else {
            self.asked(told)
        }
    }
}

#[async_trait]
impl Tool for HttpTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, call: &ValidCall, context: &Context) -> Result<Answer, ToolError> {
        if !self.breaker.lock().admits(now()) {
            return Err(ToolError::new(
                "the service is down at the moment and was not asked",
            ));
        }
        let asked = Asked {
            breaker: &self.breaker,
            until: now() + self.spec.deadline.saturating_sub(ROUNDING),
            is_judged: false,
        };
        let response = self.send(asked, call, context).await?;
        self.answer(&response)
    }
}

impl fmt::Debug for HttpTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpTool({})", self.spec.name)
    }
}

/// Tokio's clock, so that tests own it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A service that is busy or restarts.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502..=504)
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
    }
}

fn url(form: &HttpToolForm) -> Result<Template, String> {
    let template = Template::read(&form.url)?;
    let host_ends = form.url.splitn(4, '/').take(3).map(str::len).sum::<usize>() + 2;
    let host = form.url.get(..host_ends).unwrap_or(&form.url);
    let parsed = Url::parse(host).map_err(|_| "not an address")?;
    // What another reader of addresses could take for the end of the host.
    if host.contains(['{', '@', '\\']) || parsed.host().is_none() {
        return Err("the host stands here as it is, without places and names".to_owned());
    }
    check(form, template.places(), false)?;
    Ok(template)
}

fn headers(
    form: &HttpToolForm,
    secrets: &Secrets,
    problems: &mut Problems,
) -> Vec<(HeaderName, Template)> {
    let mut headers = Vec::new();
    for (name, value) in &form.headers {
        let read = || {
            let parsed = HeaderName::from_str(name).map_err(|_| "not a header name")?;
            if OURS.contains(&parsed.as_str()) {
                return Err("this header is set by the worker".to_owned());
            }
            let template = Template::read(value)?;
            check(form, template.places(), true)?;
            template::have_secrets(&template, secrets)?;
            Ok((parsed, template))
        };
        headers.extend(problems.take(&format!("headers.{name}"), read()));
    }
    headers
}

fn body_of(form: &HttpToolForm, body: &Value) -> Result<Body, String> {
    let body = Body::read(body)?;
    let places = body.places();
    let is_optional = |name: &String| form.optional.contains(name);
    let required = places.iter().filter(|place| !is_optional(&place.name));
    check(form, required.copied(), false)?;
    Ok(body)
}

/// Places that stand for something, secrets in headers alone, and nothing that may be left out.
fn check<'a>(
    form: &HttpToolForm,
    places: impl Iterator<Item = &'a template::Place>,
    is_header: bool,
) -> Result<(), String> {
    for place in places {
        let name = &place.name;
        match place.from {
            From::Args if !form.arguments.contains_key(name) => {
                return Err(format!("there is no argument `{name}`"));
            }
            From::Args if form.optional.contains(name) => {
                return Err(format!(
                    "the argument `{name}` may be left out, so it cannot stand here"
                ));
            }
            From::Secrets if !is_header => {
                return Err("secrets stand in headers only".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
