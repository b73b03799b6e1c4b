//! Ring: chart. Helm renders the chart as a customer would; the result is compared with snapshots,
//! bad values must be refused, and every value must be used and described.
//!
//! Needs helm: the program named by `HELM_BIN`, the one on the `PATH`, or the one that
//! `cargo xtask chart` builds. No cluster is asked.

mod helm;
mod values;

use std::{collections::BTreeSet, path::Path};

use helm::{Rendered, chart, render, render_with};
use values::Value;

/// Kinds of the cluster that the full example needs.
const OPERATOR: &str = "--api-versions=monitoring.coreos.com/v1/PodMonitor";

#[test]
fn the_least_that_works_renders_as_the_snapshot() {
    let Rendered::Manifests(text) = render("ci/minimal.yaml", &[]) else {
        panic!("it does not render");
    };
    insta::assert_snapshot!("minimal", text);
}

#[test]
fn everything_switched_on_renders_as_the_snapshot() {
    let Rendered::Manifests(text) = render("ci/full.yaml", &[OPERATOR]) else {
        panic!("it does not render");
    };
    insta::assert_snapshot!("full", text);
}

#[test]
fn helm_has_nothing_to_say_against_the_chart() {
    for example in ["ci/minimal.yaml", "ci/full.yaml"] {
        let (good, text) = helm::helm(&["lint", "--strict", ".", "--values", example]);
        // The full example needs a kind that lint cannot be told about.
        let excused = text.contains("the cluster has no monitoring.coreos.com/v1 PodMonitor");
        assert!(good || excused, "{example}: {text}");
    }
}

#[test]
fn bad_values_are_refused_by_their_name() {
    // What is set, and a word of the complaint.
    let cases = [
        ("livekit.url=livekit.example.com", "livekit/url"),
        ("worker.slots=0", "worker/slots"),
        ("worker.slots=many", "worker/slots"),
        ("worker.slot=5", "slot"),
        ("worker.drainGraceSeconds=10m", "worker/drainGraceSeconds"),
        ("worker.agentNames=", "worker/agentNames"),
        ("image.tag=latest", "image/tag"),
        ("image.repository=", "image/repository"),
        ("log.format=xml", "log/format"),
        ("engine.udpPorts=40000", "engine/udpPorts"),
        ("service.adminPort=70000", "service/adminPort"),
        (
            "networkPolicy.livekitCidrs={everywhere}",
            "networkPolicy/livekitCidrs",
        ),
        (
            "autoscaling.scaleDownAfterSeconds=18000",
            "scaleDownAfterSeconds",
        ),
        ("pdb.maxUnavailable=0", "pdb/maxUnavailable"),
        ("podMonitor.interval=often", "podMonitor/interval"),
        ("agents.definitions.front=x", "toml"),
        ("tools.files.practice=x", "toml"),
        ("tools.networks={here}", "tools/networks"),
        ("audit.volume=here", "audit/volume"),
        ("resources.limits.gpu=1", "resources/limits"),
        ("nonsense=1", "nonsense"),
    ];
    for (set, word) in cases {
        refused(&[set], word);
    }
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    refused(&["secret.existing="], "secret.existing");
    refused(
        &["secret.existing=", "secret.livekitApiKey=k"],
        "secret.livekitApiSecret",
    );
    refused(&["config.worker.slots=5"], "config.worker.slots");
    refused(
        &["audit.enabled=true", "config.audit.dir=/data"],
        "config.audit.dir",
    );
    refused(&["audit.signingKeySecret=key"], "audit.enabled");
    refused(
        &["networkPolicy.enabled=true"],
        "networkPolicy.livekitCidrs",
    );
    refused(&["podMonitor.enabled=true"], "Prometheus operator");
    refused(
        &["autoscaling.enabled=true", "worker.slots=10"],
        "autoscaling.targetSessions",
    );
    refused(
        &["autoscaling.enabled=true", "autoscaling.minReplicas=20"],
        "autoscaling.minReplicas",
    );
}

fn refused(set: &[&str], word: &str) {
    match render_with("ci/minimal.yaml", set) {
        Rendered::Manifests(_) => panic!("{set:?} is accepted"),
        Rendered::Refused(why) => assert!(why.contains(word), "{set:?} is refused with: {why}"),
    }
}

#[test]
fn calls_get_their_grace_and_thirty_seconds_more() {
    let text = manifests(&["worker.drainGraceSeconds=7200"]);
    assert!(text.contains("drain_grace = \"7200s\""), "{text}");
    assert!(
        text.contains("terminationGracePeriodSeconds: 7230"),
        "{text}"
    );
}

#[test]
fn a_changed_setting_restarts_the_workers() {
    let checksums = |set: &[&str]| -> Vec<String> {
        let text = manifests(set);
        let lines = text.lines().filter(|line| line.contains("checksum/"));
        lines.map(str::to_owned).collect()
    };
    let before = checksums(&[]);
    assert_eq!(before, checksums(&["replicas=5"]));
    assert_ne!(before, checksums(&["worker.slots=26"]));
}

#[test]
fn the_scaler_alone_decides_how_many_workers_run() {
    assert!(manifests(&[]).contains("\n  replicas: 2\n"));
    assert!(!manifests(&["autoscaling.enabled=true"]).contains("\n  replicas:"));
}

#[test]
fn every_pod_writes_its_own_journal_and_none_unless_it_is_asked_for() {
    assert!(!manifests(&[]).contains("audit"));
    let claim = "audit.volume.persistentVolumeClaim.claimName=journals";
    assert!(manifests(&["audit.enabled=true"]).contains("- name: audit\n          emptyDir: {}"));
    let text = manifests(&["audit.enabled=true", claim]);
    for line in [
        "dir = \"/var/lib/room-agent/audit\"",
        "mountPath: /var/lib/room-agent/audit",
        "subPathExpr: $(POD_NAME)",
        "claimName: journals",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("signing_key"), "{text}");
}

#[test]
fn secrets_of_tools_cannot_take_the_place_of_settings() {
    let text = manifests(&["tools.secret=tool-keys"]);
    let with_prefix =
        "- prefix: ROOM_AGENT_SECRET_\n              secretRef:\n                name: tool-keys";
    assert!(text.contains(with_prefix), "{text}");
}

#[test]
fn a_secret_of_your_own_is_not_copied() {
    assert!(!manifests(&[]).contains("kind: Secret"));
}

#[test]
fn the_configuration_is_what_the_worker_reads() {
    for (example, more) in [
        ("ci/minimal.yaml", vec![]),
        ("ci/full.yaml", vec![OPERATOR]),
    ] {
        let Rendered::Manifests(text) = render(example, &more) else {
            panic!("{example} does not render");
        };
        let config: toml::Table = toml::from_str(&block(&text, "config.toml")).unwrap();
        check(&config.into(), "config.schema.json", example);
        if text.contains("front-desk.toml: |") {
            let agent: toml::Table = toml::from_str(&block(&text, "front-desk.toml")).unwrap();
            check(&agent.into(), "agent.schema.json", example);
        }
        if text.contains("practice.toml: |") {
            let tools: toml::Table = toml::from_str(&block(&text, "practice.toml")).unwrap();
            check(&tools.into(), "tools.schema.json", example);
        }
    }
}

/// Checks a table against a schema that the worker's own tests keep current.
fn check(table: &toml::Value, schema: &str, example: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../worker/schemas")
        .join(schema);
    let schema = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("a schema is JSON");
    let table = serde_json::to_value(table).expect("TOML fits into JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is valid");
    let problems: Vec<String> = validator
        .iter_errors(&table)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{example}: {problems:#?}");
}

/// The text under `name: |`, without its indentation.
fn block(manifests: &str, name: &str) -> String {
    let head = format!("  {name}: |");
    let lines = manifests.lines().skip_while(|line| *line != head).skip(1);
    let inside = lines.take_while(|line| line.starts_with("    ") || line.is_empty());
    inside
        .map(|line| line.get(4..).unwrap_or_default().to_owned() + "\n")
        .collect()
}

fn manifests(set: &[&str]) -> String {
    match render_with("ci/minimal.yaml", set) {
        Rendered::Manifests(text) => text,
        Rendered::Refused(why) => panic!("{set:?}: {why}"),
    }
}

#[test]
fn every_value_is_used_and_every_used_value_exists() {
    let values = values::read(&chart().join("values.yaml"));
    let used = values::used_in(&chart().join("templates"));
    let ancestors = |path: &str| -> Vec<String> {
        let parts: Vec<&str> = path.split('.').collect();
        (1..=parts.len()).map(|n| parts[..n].join(".")).collect()
    };
    let unused: Vec<&str> = values
        .iter()
        .map(|value| value.path.as_str())
        .filter(|path| !ancestors(path).iter().any(|path| used.contains(path)))
        .collect();
    assert!(
        unused.is_empty(),
        "in values.yaml, but in no template: {unused:?}"
    );
    let known: BTreeSet<String> = values.iter().flat_map(|v| ancestors(&v.path)).collect();
    let unknown: Vec<_> = used.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "in a template, but not in values.yaml: {unknown:?}"
    );
}

#[test]
fn every_value_is_described() {
    for Value { path, comment, .. } in values::read(&chart().join("values.yaml")) {
        assert!(
            comment.ends_with('.'),
            "{path} needs a comment that is a sentence: {comment:?}"
        );
    }
}

/// To bring the table up to date, run with `UPDATE_README=1`.
#[test]
fn the_readme_lists_the_values_as_they_are() {
    const BEGIN: &str = "<!-- values: begin -->\n";
    const END: &str = "<!-- values: end -->";
    let path = chart().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = readme.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let table = values::table(&values::read(&chart().join("values.yaml")));
    let wanted = format!("{head}{BEGIN}{table}{END}{tail}");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(
        readme == wanted,
        "charts/room-agent/README.md is not up to date"
    );
}
