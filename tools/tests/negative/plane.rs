//! One HTTP tool named `ask`, and a call of it.

use std::{collections::BTreeMap, sync::Arc};

use secrecy::SecretString;
use serde_json::{Value, json};
use tools::{
    Context, Facts, Gateway, Outcome, Registry, Tool, ToolCall,
    form::FormProblem,
    http::{Client, HttpTool, HttpToolForm, Networks, Secrets, Surroundings},
};

/// What stands for the networks of the operator's own.
pub(crate) const LOOPBACK: &[&str] = &["127.0.0.0/8"];
/// The worker's secret `KEY`.
pub(crate) const SECRET: &str = "s3cr3t";

/// Makes the tool, or tells what is wrong with it.
pub(crate) fn tool(
    form: &Value,
    networks: &[&str],
    surroundings: Surroundings,
) -> Result<HttpTool, Vec<FormProblem>> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut whole = json!({"name": "ask", "description": "Asks."});
    let members = whole.as_object_mut().expect("an object");
    members.append(&mut form.as_object().expect("an object").clone());
    let form: HttpToolForm = serde_json::from_value(whole).expect("a form");
    let networks = Networks::read(networks).expect("networks");
    let client = Client::within(networks, surroundings).expect("a client");
    let secrets = Secrets::from([("KEY".to_owned(), SecretString::from(SECRET))]);
    HttpTool::new(&form, &client, &secrets)
}

/// A session that has this tool.
pub(crate) fn gateway(form: &Value, networks: &[&str], surroundings: Surroundings) -> Gateway {
    let tool = tool(form, networks, surroundings).expect("a good form");
    let registry = Registry::build([Arc::new(tool) as Arc<dyn Tool>]);
    Gateway::new(registry.expect("one tool"))
}

/// One call of it.
pub(crate) async fn ask(gateway: &Gateway, id: &str, arguments: &Value) -> Outcome {
    ask_as(gateway, id, arguments, BTreeMap::new()).await
}

/// The same in a job with these variables.
pub(crate) async fn ask_as(
    gateway: &Gateway,
    id: &str,
    arguments: &Value,
    variables: BTreeMap<String, String>,
) -> Outcome {
    let context = Context {
        facts: Facts {
            variables,
            ..Facts::default()
        },
        session: "job".into(),
        ..Context::default()
    };
    let call = ToolCall::new(id, "ask", &arguments.to_string());
    gateway.invoke(&call, &context).await
}

/// How one call of such a tool ends, without arguments.
pub(crate) async fn outcome(form: Value, networks: &[&str]) -> Outcome {
    let gateway = gateway(&form, networks, Surroundings::default());
    ask(&gateway, "c1", &json!({})).await
}
