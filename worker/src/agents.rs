//! Agents: the definitions this worker can run, and the one a job asks for.
//!
//! Owns the definitions from start to end; they never change while the worker runs. It does not
//! know rooms or models: what leaves here is a [`Rendered`] agent, ready for a session.

mod addressing;
mod caller;
mod clips;
pub mod definition;
mod interruption;
mod prefetch;
pub mod render;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::Value;

pub use addressing::Answers;
pub use caller::{Caller, Personal};
pub use clips::{ClipFiles, Clips};
pub use definition::{Definition, Hears, Variable};
pub use interruption::{FirstSign, Interruption};
pub use prefetch::{Cue, Prefetch, PrefetchForm};
pub use render::{Colleague, Rendered};

use crate::config::{
    parse::{self, Problem, Problems},
    source::{self, Source, TomlFile},
};

const BUILT_IN: &str = include_str!("../agents/receptionist.toml");

/// All definitions by name. The built-in `receptionist` is always there, unless the directory has
/// one of that name.
#[derive(Clone, Debug)]
pub struct Agents {
    by_name: Arc<BTreeMap<String, Definition>>,
    fallback: String,
}

impl Agents {
    /// Reads every `*.toml` of the directory. `fallback` is the definition for jobs that name none.
    ///
    /// # Errors
    /// All problems of all files, each with its file and path.
    pub fn load(
        source: &dyn Source,
        directory: Option<&Path>,
        fallback: &str,
    ) -> Result<Self, Problems> {
        let schema = parse::schema::<Definition>();
        let mut problems = Vec::new();
        let mut by_name = BTreeMap::new();
        let files = source::toml_files(source, directory, "agents.dir", &mut problems);
        for TomlFile { name: file, text } in files {
            let read = definition(&schema, &text).and_then(|mut definition| {
                let clips = Clips::load(&definition.clips, source, directory);
                definition.sounds = Arc::new(clips?);
                Ok(definition)
            });
            match read {
                Err(wrong) => problems.extend(wrong.within(&file).0),
                Ok(definition) => {
                    let name = definition.name.clone();
                    if by_name.insert(name.clone(), definition).is_some() {
                        problems.push(Problem::new(
                            file,
                            format!("a second agent called `{name}`"),
                        ));
                    }
                }
            }
        }
        let mut built_in =
            definition(&schema, BUILT_IN).map_err(|p| p.within("receptionist.toml"))?;
        built_in.sounds = Arc::new(Clips::shipped());
        by_name.entry(built_in.name.clone()).or_insert(built_in);
        problems.extend(by_name.values().flat_map(|one| nobody(one, &by_name)));
        if !by_name.contains_key(fallback) {
            problems.push(Problem::new(
                "agents.default",
                format!("no agent is called `{fallback}`"),
            ));
        }
        Problems::none_or(problems)?;
        Ok(Self {
            by_name: Arc::new(by_name),
            fallback: fallback.to_owned(),
        })
    }

    /// Every definition, by name.
    pub fn all(&self) -> impl Iterator<Item = &Definition> {
        self.by_name.values()
    }

    /// The agent a job asks for. Metadata is empty, or JSON: `{"agent": "…", "variables": {…}}`.
    /// Without `agent` it is the definition called like the registered agent name, or the default.
    ///
    /// # Errors
    /// All problems of the metadata, each with its path. They are safe to report: they repeat no
    /// value of a variable.
    pub fn for_job(&self, agent_name: &str, metadata: &str) -> Result<Rendered, Problems> {
        let metadata = render::Metadata::read(metadata)?;
        let definition = match &metadata.agent {
            Some(name) => self
                .by_name
                .get(name)
                .ok_or_else(|| Problems(vec![Problem::new("agent", "no such agent here")]))?,
            None => {
                let same_name = self.by_name.get(agent_name);
                same_name.unwrap_or_else(|| &self.by_name[&self.fallback])
            }
        };
        let mut rendered = render::render(definition, &metadata.variables)?;
        let with = |variables: &BTreeMap<String, String>, names: &[String]| {
            let names = names.iter().cloned();
            let all: Vec<_> = names.map(|name| (name, variables.clone())).collect();
            all
        };
        let mut next = with(&rendered.variables, &rendered.hands_to);
        while let Some((name, before)) = next.pop() {
            let known = self.by_name.get(&name);
            let Some(known) = known.filter(|_| !rendered.colleagues.contains_key(&name)) else {
                continue;
            };
            let colleague = render::colleague(known, &metadata.variables, &before)?;
            next.extend(with(&colleague.variables, &colleague.hands_to));
            rendered.colleagues.insert(name, colleague);
        }
        Ok(rendered)
    }
}

/// Agents that one hands over to and nobody is; a tool for it and nobody to hand over to.
fn nobody(definition: &Definition, by_name: &BTreeMap<String, Definition>) -> Vec<Problem> {
    let Definition {
        name,
        hands_to,
        tools,
        ..
    } = definition;
    let unknown = |(nth, other): (usize, &String)| {
        let path = format!("{name}.hands_to[{nth}]");
        (!by_name.contains_key(other))
            .then(|| Problem::new(path, format!("no agent is called `{other}`")))
    };
    let mut problems: Vec<Problem> = hands_to.iter().enumerate().filter_map(unknown).collect();
    for (nth, other) in hands_to.iter().enumerate() {
        let needs = by_name.get(other).map(|other| other.variables.iter());
        for (variable, form) in needs.into_iter().flatten() {
            if form.default.is_none() && !definition.variables.contains_key(variable) {
                let what = format!(
                    "`{other}` needs the variable `{variable}`, which is not among the variables here"
                );
                problems.push(Problem::new(format!("{name}.hands_to[{nth}]"), what));
            }
        }
    }
    if hands_to.is_empty() && tools.iter().any(|tool| tool == "switch_agent") {
        let what = "names nobody, and the agent has the tool `switch_agent`";
        problems.push(Problem::new(format!("{name}.hands_to"), what));
    }
    problems
}

fn definition(schema: &Value, text: &str) -> Result<Definition, Problems> {
    let mut definition: Definition = parse::toml(schema, text)?;
    definition.hash = definition::content_hash(text);
    let mut problems = render::undeclared(&definition);
    if let Some(turns) = &definition.turn_detection {
        problems.extend(turns.problems("turn_detection"));
    }
    let transcription = definition.transcription.as_ref();
    problems.extend(addressing::problems(
        definition.answers,
        &definition.names,
        transcription.is_none_or(|wanted| wanted.enabled),
    ));
    problems.extend(definition.interruption.problems());
    if let Some(silence) = &definition.silence {
        problems.extend(silence.problems());
    }
    Problems::none_or(problems)?;
    Ok(definition)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::source::MapSource;

    fn built_in() -> Agents {
        Agents::load(&MapSource::default(), None, "receptionist").unwrap()
    }

    #[test]
    fn without_a_directory_there_is_a_receptionist() {
        let agent = built_in().for_job("", "").unwrap();
        assert_eq!(agent.name, "receptionist");
        assert!(agent.instructions.contains("receptionist of this house"));
        assert!(!agent.instructions.contains("{{"));
        assert_eq!(agent.hash.len(), 12);
    }

    #[test]
    fn a_job_names_its_agent_and_fills_in_variables() {
        let metadata = r#"{"agent": "receptionist", "variables": {"company": "Acme"}}"#;
        let agent = built_in().for_job("front-desk", metadata).unwrap();
        assert!(agent.greeting.unwrap().contains("receptionist of Acme"));
    }

    #[test]
    fn who_takes_over_has_the_variables_of_who_hands_over() {
        let front = "name = \"front\"\ninstructions = \"Help.\"\nhands_to = [\"billing\"]\n\
                     [variables.company]\ndescription = \"Whose.\"\ndefault = \"Acme\"";
        let billing = "name = \"billing\"\ninstructions = \"Bills of {{company}}.\"\n\
                       [variables.company]\ndescription = \"Whose.\"";
        let source = MapSource::default()
            .file("/agents/front.toml", front)
            .file("/agents/billing.toml", billing);
        let agents = Agents::load(&source, Some(Path::new("/agents")), "front").unwrap();
        let company = |metadata: &str| {
            let rendered = agents.for_job("front", metadata).unwrap();
            rendered.colleagues["billing"].variables["company"].clone()
        };
        assert_eq!(company(""), "Acme");
        assert_eq!(company(r#"{"variables": {"company": "North"}}"#), "North");
    }

    #[test]
    fn the_registered_name_chooses_the_definition_of_that_name() {
        let source = MapSource::default().file(
            "/agents/echo.toml",
            "name = \"echo\"\ninstructions = \"Say it again.\"",
        );
        let agents = Agents::load(&source, Some(Path::new("/agents")), "receptionist").unwrap();
        assert_eq!(
            agents.for_job("echo", "").unwrap().instructions,
            "Say it again."
        );
        assert_eq!(agents.for_job("other", "").unwrap().name, "receptionist");
    }

    #[test]
    fn bad_metadata_is_told_with_its_paths_and_without_its_values() {
        let told = |metadata: &str| built_in().for_job("", metadata).unwrap_err().to_string();
        assert_eq!(told("hello"), "metadata: not a JSON object");
        assert_eq!(told("[]"), "metadata: not a JSON object");
        assert_eq!(told(r#"{"agent": 7}"#), "agent: expected string");
        assert_eq!(told(r#"{"agent": "nobody"}"#), "agent: no such agent here");
        assert_eq!(told(r#"{"agnt": "x"}"#), "agnt: unknown key");
        assert_eq!(
            told(r#"{"variables": {"company": ["secret"], "shoe": "secret"}}"#),
            "variables.company: expected text, a number, true or false\n\
             variables.shoe: unknown variable"
        );
    }

    #[test]
    fn an_agent_hands_over_to_those_it_names_and_to_whom_they_do() {
        let load =
            |front: &str| {
                let source = MapSource::default()
                .file("/a/front.toml", front)
                .file(
                    "/a/billing.toml",
                    "name = \"billing\"\ninstructions = \"Bill {{who}}.\"\ntools = [\"end_call\"]\n\
                     hands_to = [\"front\", \"boss\"]\n[variables.who]\ndefault = \"them\"",
                )
                .file("/a/boss.toml", "name = \"boss\"\ninstructions = \"Decide.\"");
                Agents::load(&source, Some(Path::new("/a")), "front")
            };
        let front = "name = \"front\"\ninstructions = \"Ask.\"\ntools = [\"switch_agent\"]\n";
        let agents = load(&format!("{front}hands_to = [\"billing\"]")).unwrap();
        let agent = agents.for_job("", "").unwrap();
        assert_eq!(agent.hands_to, ["billing"]);
        let names: Vec<&String> = agent.colleagues.keys().collect();
        assert_eq!(names, ["billing", "boss", "front"]);
        let billing = &agent.colleagues["billing"];
        assert_eq!(
            billing.instructions.about(&Caller::default()).0,
            "Bill them."
        );
        assert_eq!(billing.variables["who"], "them");
        let problem = |front: &str| load(front).unwrap_err().to_string();
        assert_eq!(
            problem(&format!("{front}hands_to = [\"nobody\"]")),
            "front.hands_to[0]: no agent is called `nobody`"
        );
        let needs = "name = \"needs\"\ninstructions = \"{{who}}\"\n[variables.who]";
        let source = MapSource::default()
            .file("/a/front.toml", &format!("{front}hands_to = [\"needs\"]"))
            .file("/a/needs.toml", needs);
        let told = Agents::load(&source, Some(Path::new("/a")), "front").unwrap_err();
        assert_eq!(
            told.to_string(),
            "front.hands_to[0]: `needs` needs the variable `who`, which is not among the variables here"
        );
        assert_eq!(
            problem(front),
            "front.hands_to: names nobody, and the agent has the tool `switch_agent`"
        );
    }

    #[test]
    fn a_template_speaks_of_the_caller_when_they_are_known() {
        let load = |lines: &str| {
            let text = format!(
                "name = \"a\"\n{lines}\n[variables.who]\ndefault = \"{{{{caller.name}}}}\""
            );
            let source = MapSource::default().file("/a/a.toml", &text);
            Agents::load(&source, Some(Path::new("/a")), "a")
        };
        let lines = "instructions = \"You talk with {{caller.name}}, {{caller.attributes.tier}}. {{who}}\"\n\
                     greeting = \"Greet {{caller.name}}.\"";
        let agent = load(lines).unwrap().for_job("", "").unwrap();
        assert_eq!(
            agent.instructions,
            "You talk with unknown, unknown. {{caller.name}}"
        );
        let ann = Caller {
            name: "Ann".to_owned(),
            attributes: [("tier".to_owned(), "gold".to_owned())].into(),
            ..Caller::default()
        };
        let (instructions, greeting) = agent.personal.unwrap().about(&ann);
        assert_eq!(
            instructions, "You talk with \"Ann\", \"gold\". {{caller.name}}",
            "what a variable holds is never looked at again"
        );
        assert_eq!(greeting.unwrap(), "Greet \"Ann\".");

        let plain = load("instructions = \"Be brief.\"").unwrap();
        assert_eq!(plain.for_job("", "").unwrap().personal, None);
        let wrong = "instructions = \"{{caller.shoe}}\"\nanswers = \"named\"\nnames = [\"{{caller.name}}\"]";
        let told = load(wrong).unwrap_err().to_string();
        for line in [
            "a.toml.instructions: `{{caller.shoe}}` is not known of a caller",
            "a.toml.names: `{{caller.name}}` is for instructions, greeting and prefetch only",
        ] {
            assert!(told.contains(line), "{told}");
        }
    }

    #[test]
    fn every_problem_of_every_file_is_told_at_once() {
        let source = MapSource::default()
            .file(
                "/a/one.toml",
                "name = \"one\"\nvoise = \"marin\"\ninstructions = \"Hi {{who}}\"",
            )
            .file("/a/two.toml", "name = \"two\"")
            .file(
                "/a/three.toml",
                "name = \"receptionist\"\ninstructions = \"Hi {{who}}\"",
            )
            .file("/a/notes.txt", "no agent");
        let told = Agents::load(&source, Some(Path::new("/a")), "nobody")
            .unwrap_err()
            .to_string();
        assert_eq!(
            told,
            "agents.default: no agent is called `nobody`\n\
             one.toml.voise: unknown key\n\
             three.toml.instructions: `{{who}}` is not among the variables\n\
             two.toml.instructions: missing"
        );
    }

    #[test]
    fn names_are_for_an_agent_that_answers_to_them() {
        let load = |lines: &str| {
            let text = format!("name = \"robin\"\ninstructions = \"Be brief.\"\n{lines}\n");
            definition(&parse::schema::<Definition>(), &text)
                .map_err(|problems| problems.to_string())
        };
        let named = load("answers = \"named\"\nnames = [\"Robin\", \"you there\"]").unwrap();
        assert_eq!(named.answers, Answers::Named);
        for (lines, wrong) in [
            ("names = [\"Robin\"]", "names: only with"),
            ("answers = \"named\"\nnames = [\"?\"]", "names[0]"),
            (
                "answers = \"named\"\n[transcription]\nenabled = false",
                "answers: `named` needs a transcription",
            ),
        ] {
            let problems = load(lines).unwrap_err();
            assert!(problems.contains(wrong), "{problems}");
        }
    }

    #[test]
    fn an_interruption_has_its_ranges() {
        let load = |interruption: &str| {
            let text = format!(
                "name = \"a\"\ninstructions = \"Be brief.\"\n[interruption]\n{interruption}\n"
            );
            definition(&parse::schema::<Definition>(), &text)
        };
        let usual = load("first_sign = \"duck\"").unwrap().interruption;
        assert_eq!(usual.first_sign, FirstSign::Duck);
        assert_eq!(usual.min_speech, Duration::from_secs(1));
        assert!(usual.backchannels.contains(&"mm-hm".to_owned()));
        let wrong = "min_speech = \"1ms\"\nbackchannels = [\"ja\", \"...\"]";
        let problems = load(wrong).unwrap_err().to_string();
        assert!(
            problems.contains("interruption.min_speech: expected 200ms to 10s")
                && problems.contains("interruption.backchannels[1]"),
            "{problems}"
        );
    }

    #[test]
    fn what_is_done_about_silence_has_its_range_and_its_variables() {
        let load = |silence: &str| {
            let text = format!(
                "name = \"a\"\ninstructions = \"Be brief.\"\n[silence]\n{silence}\n\
                 [variables.who]\ndefault = \"Ann\"\n"
            );
            let source = MapSource::default().file("/agents/a.toml", &text);
            Agents::load(&source, Some(Path::new("/agents")), "a")
        };
        let agent = load("prompt = \"Are you there, {{who}}?\"").unwrap();
        let silence = agent.for_job("", "").unwrap().silence.unwrap();
        assert_eq!(silence.prompt, "Are you there, Ann?");
        assert_eq!(silence.prompt_after, Duration::from_secs(30));
        let wrong = "prompt = \"{{whom}}?\"\nprompt_after = \"1s\"\nhang_up_after = \"2h\"";
        let told = load(wrong).unwrap_err().to_string();
        for line in [
            "a.toml.silence.prompt: `{{whom}}` is not among the variables",
            "a.toml.silence.prompt_after: expected 5s to 1h",
            "a.toml.silence.hang_up_after: expected 5s to 1h",
        ] {
            assert!(told.contains(line), "{told}");
        }
    }

    #[test]
    fn the_example_definitions_are_whole() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("agents");
        let source = source::ProcessSource;
        let agents = Agents::load(&source, Some(&directory), "receptionist").unwrap();
        let names: Vec<&str> = agents.all().map(|agent| agent.name.as_str()).collect();
        assert_eq!(names, ["interpreter", "meeting-guest", "receptionist"]);
        let told = agents
            .for_job("", r#"{"agent": "interpreter"}"#)
            .unwrap_err()
            .to_string();
        assert_eq!(
            told,
            "variables.first_language: missing\nvariables.second_language: missing"
        );
    }
}
