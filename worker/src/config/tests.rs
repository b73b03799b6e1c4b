//! Hermetic: matrices of sources, and what the operator is told.

use std::path::Path;

use super::{source::MapSource, *};

fn keys() -> MapSource {
    MapSource::default()
        .var("LIVEKIT_URL", "ws://localhost:7880")
        .var("LIVEKIT_API_KEY", "devkey")
        .var("LIVEKIT_API_SECRET", "hush-hush")
        .var("OPENAI_API_KEY", "sk-hush")
}

fn load(source: &MapSource) -> Result<Config, Problems> {
    let file = source
        .files
        .contains_key("/c.toml")
        .then(|| Path::new("/c.toml"));
    Config::load(source, file, &[], Purpose::Work)
}

fn told(source: &MapSource) -> String {
    load(source).unwrap_err().to_string()
}

#[test]
fn the_four_conventional_variables_are_enough() {
    let config = load(&keys()).unwrap();
    assert_eq!(config.livekit.url, "ws://localhost:7880");
    assert_eq!(config.livekit.api_secret.expose(), "hush-hush");
    assert_eq!(config.worker.agent_names, [""]);
    assert_eq!(config.worker.drain_grace, Duration::from_secs(600));
    assert!(config.worker.slots() >= 25);
    assert_eq!(config.console.listen, None);
}

#[test]
fn flag_beats_mirrored_beats_conventional_beats_file() {
    let file = "[livekit]\nurl = \"ws://file\"\n[worker]\nslots = 3\nagent_names = [\"file\"]\n";
    let source = MapSource::default().file("/c.toml", file);
    let source = source
        .var("OPENAI_API_KEY", "o")
        .var("LIVEKIT_API_KEY", "k")
        .var("LIVEKIT_API_SECRET", "s");
    let config = load(&source).unwrap();
    assert_eq!(
        (config.livekit.url.as_str(), config.worker.slots()),
        ("ws://file", 3)
    );
    assert_eq!(config.worker.agent_names, ["file"]);

    let source = source
        .var("LIVEKIT_URL", "ws://conventional")
        .var("LIVEKIT_AGENT_NAME", "env");
    let config = load(&source).unwrap();
    assert_eq!(config.livekit.url, "ws://conventional");
    assert_eq!(config.worker.agent_names, ["env"]);

    let source = source.var("ROOM_AGENT__LIVEKIT__URL", "ws://mirrored");
    let source = source.var("ROOM_AGENT__WORKER__SLOTS", "7");
    let source = source.var("ROOM_AGENT__WORKER__AGENT_NAMES", r#"["a", "b"]"#);
    let config = load(&source).unwrap();
    assert_eq!(
        (config.livekit.url.as_str(), config.worker.slots()),
        ("ws://mirrored", 7)
    );
    assert_eq!(config.worker.agent_names, ["a", "b"]);

    let flags = [("worker.slots".to_owned(), "9".to_owned())];
    let config =
        Config::load(&source, Some(Path::new("/c.toml")), &flags, Purpose::Server).unwrap();
    assert_eq!(config.worker.slots(), 9);
}

#[test]
fn all_problems_are_told_at_once_with_their_paths() {
    let file = r#"
        [livekit]
        url = "localhost:7880"
        [worker]
        slots = 0
        drain_grace = "soon"
        agent_names = "desk"
        speed = "fast"
        [log]
        format = "xml"
        level = "loud"
        [model]
        url = "https://api"
        give_up_after = "25h"
        [model.turn_detection]
        mode = "server_vad"
        silence = "1ms"
        volume = 3
        [engine]
        loopback = 1
        udp_ports = "9-1"
        [extras]
        a = 1
    "#;
    let source = MapSource::default()
        .file("/c.toml", file)
        .var("ROOM_AGENT__ADMIN__LISTEN", "everywhere")
        .var("ROOM_AGENT__ADMIN__PORT", "1");
    assert_eq!(
        told(&source),
        "admin.listen: expected an address and port, such as 127.0.0.1:8080\n\
         admin.port: unknown key\n\
         engine.loopback: expected boolean\n\
         engine.udp_ports: expected a range of ports, such as 40000-40999\n\
         extras: unknown key\n\
         livekit.api_key: missing; or set LIVEKIT_API_KEY\n\
         livekit.api_secret: missing; or set LIVEKIT_API_SECRET\n\
         livekit.url: expected a URL that begins with ws://, wss://, http:// or https://\n\
         log.format: expected one of `json`, `text`\n\
         log.level: expected a level (error, warn, info, debug, trace) or a filter\n\
         model.api_key: missing; or set OPENAI_API_KEY\n\
         model.turn_detection.volume: unknown key\n\
         model.url: expected a URL that begins with ws:// or wss://\n\
         worker.agent_names: expected array\n\
         worker.drain_grace: expected a duration with a unit, such as 500ms or 10m\n\
         worker.slots: must be 1 or more\n\
         worker.speed: unknown key"
    );
}

#[test]
fn nothing_at_all_names_everything_that_is_missing() {
    assert_eq!(
        told(&MapSource::default()),
        "livekit.api_key: missing; or set LIVEKIT_API_KEY\n\
         livekit.api_secret: missing; or set LIVEKIT_API_SECRET\n\
         livekit.url: missing; or set LIVEKIT_URL\n\
         model.api_key: missing; or set OPENAI_API_KEY"
    );
}

#[test]
fn a_wrong_value_is_never_repeated() {
    let source = keys().var("ROOM_AGENT__LIVEKIT__URL", "hunter2").file(
        "/c.toml",
        "[livekit]\napi_secret = [\"hunter2\"]\napi_key = hunter2\n",
    );
    assert!(!told(&source).contains("hunter2"), "{}", told(&source));
    let source = keys().var("ROOM_AGENT__WORKER__SLOTS", "hunter2");
    assert_eq!(told(&source), "worker.slots: expected integer");
}

#[test]
fn a_file_that_cannot_be_read_is_told_beside_the_rest() {
    let source = MapSource::default();
    let problems =
        Config::load(&source, Some(Path::new("/none.toml")), &[], Purpose::Work).unwrap_err();
    assert!(
        problems
            .to_string()
            .starts_with("/none.toml: entity not found\nlivekit.api_key")
    );
    let source = source.file("/c.toml", "[livekit]\nurl = \n");
    assert!(
        told(&source).starts_with("/c.toml: line 2: "),
        "{}",
        told(&source)
    );
}

#[test]
fn secrets_can_come_from_files_and_the_later_layer_wins() {
    let source = keys()
        .file("/run/secret", "  from-file \n")
        .var("ROOM_AGENT__LIVEKIT__API_SECRET_FILE", "/run/secret");
    assert_eq!(
        load(&source).unwrap().livekit.api_secret.expose(),
        "from-file"
    );

    let source = keys()
        .file("/c.toml", "[livekit]\napi_secret_file = \"/run/secret\"\n")
        .file("/run/secret", "from-file");
    assert_eq!(
        load(&source).unwrap().livekit.api_secret.expose(),
        "hush-hush"
    );

    let source = keys().var("ROOM_AGENT__LIVEKIT__API_KEY_FILE", "/nowhere");
    assert_eq!(told(&source), "livekit.api_key_file: entity not found");
}

#[test]
fn the_printed_tree_holds_no_secret() {
    let text = load(&keys()).unwrap().to_toml();
    assert!(text.contains("api_secret = \"(secret)\""), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn the_example_file_is_the_default_tree() {
    let text = include_str!("../../config.example.toml");
    let source = keys().file("/c.toml", text);
    let example = load(&source).unwrap().to_toml();
    assert_eq!(
        example,
        load(&keys()).unwrap().to_toml(),
        "the example does not show the defaults"
    );

    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("#: ") {
            Some(setting) => format!("{setting}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    let secrets = [
        "audit-signing-key",
        "escalation-token",
        "livekit-api-key",
        "livekit-api-secret",
        "livekit-e2ee-key",
        "openai-api-key",
        "proxy",
        "report-token",
    ];
    let source = secrets.iter().fold(keys(), |source, name| {
        source.file(&format!("/run/secrets/{name}"), "from a file")
    });
    let every = load(&source.file("/c.toml", &uncommented)).unwrap();
    let shown: toml::Table = toml::from_str(&uncommented).unwrap();
    for path in leaves(&Config::schema(), "") {
        let mut value = Some(&toml::Value::Table(shown.clone())).cloned();
        for key in path.split('.') {
            value = value.and_then(|v| v.get(key).cloned());
        }
        assert!(value.is_some(), "config.example.toml does not show {path}");
    }
    assert_eq!(every.worker.slots, Some(50));
}

/// The example of RFC 8410.
const SIGNING_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";

#[test]
fn a_signing_key_that_cannot_sign_is_told_by_the_path_of_its_file() {
    let with = |pem: &str| {
        keys()
            .file("/run/key", pem)
            .var("ROOM_AGENT__AUDIT__SIGNING_KEY_FILE", "/run/key")
    };
    let good = load(&with(SIGNING_KEY)).unwrap();
    assert!(good.to_toml().contains("signing_key = \"(secret)\""));
    let x25519 = SIGNING_KEY.replace("K2Vw", "K2Vu");
    for (pem, what) in [
        (
            "not a key at all",
            "expected a private key as PKCS#8 in PEM",
        ),
        (
            &SIGNING_KEY.replace("PRIVATE", "PUBLIC"),
            "expected a private key as PKCS#8 in PEM",
        ),
        (&x25519, "expected an Ed25519 key"),
    ] {
        let told = told(&with(pem));
        let wanted = format!("audit.signing_key_file: {what}");
        assert!(told.starts_with(&wanted), "{told}");
        assert!(
            !told.contains("MC4") && !told.contains("not a key"),
            "{told}"
        );
    }
    let nowhere = keys().var("ROOM_AGENT__AUDIT__SIGNING_KEY_FILE", "/nowhere");
    assert_eq!(told(&nowhere), "audit.signing_key_file: entity not found");
    let inline = keys().var("ROOM_AGENT__AUDIT__SIGNING_KEY", "hunter2");
    let told = told(&inline);
    assert!(told.starts_with("audit.signing_key: "), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

/// Every setting of the schema that is not a table.
fn leaves(schema: &Value, path: &str) -> Vec<String> {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return vec![path.to_owned()];
    };
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    properties
        .iter()
        .flat_map(|(name, inner)| leaves(inner, &join(name)))
        .collect()
}

#[test]
fn a_choice_is_explained_by_the_branch_that_was_meant() {
    let told = |text: &str| told(&keys().file("/c.toml", text));
    assert_eq!(
        told("[model.turn_detection]\nmode = \"nobody_vad\"\n"),
        "model.turn_detection.mode: expected one of `manual`, `semantic_vad`, `server_vad`"
    );
    assert_eq!(
        told("[model.turn_detection]\nmode = \"manual\"\nsilence = \"1s\"\n"),
        "model.turn_detection.silence: unknown key"
    );
    assert_eq!(
        told("[model.turn_detection]\nmode = \"semantic_vad\"\nsilence = \"1s\"\n"),
        "model.turn_detection.silence: unknown key"
    );
    assert_eq!(
        told("[model]\ngive_up_after = \"25h\"\n[worker]\nslots = 0\n"),
        "model.give_up_after: expected 1s to 24h\nworker.slots: must be 1 or more"
    );
}

#[test]
fn each_purpose_asks_only_for_what_it_needs() {
    let server = MapSource::default()
        .var("LIVEKIT_URL", "ws://localhost:7880")
        .var("LIVEKIT_API_KEY", "devkey")
        .var("LIVEKIT_API_SECRET", "secret");
    assert_eq!(
        told(&server),
        "model.api_key: missing; or set OPENAI_API_KEY"
    );
    assert!(Config::load(&server, None, &[], Purpose::Server).is_ok());
    assert!(Config::load(&MapSource::default(), None, &[], Purpose::Local).is_ok());
}

#[test]
fn the_committed_schemas_are_current() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let schemas = [
        ("config.schema.json", Config::schema()),
        (
            "agent.schema.json",
            parse::schema::<crate::agents::Definition>(),
        ),
        (
            "tools.schema.json",
            parse::schema::<tooling::files::ToolFile>(),
        ),
    ];
    for (name, schema) in schemas {
        let current = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        let committed = std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        let command = "run `room-agent schema --write worker/schemas`";
        assert!(committed == current, "{name} is out of date: {command}");
    }
}
