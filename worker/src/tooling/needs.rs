//! Core: what an agent's definition wants of the tools, and whether they can give it.

use super::Plane;
use crate::{
    agents::{Definition, PrefetchForm},
    config::Problem,
};

/// Tools that an agent names and nobody has, and look-ups that could not be started beforehand.
pub fn unfit(plane: &Plane, agent: &Definition) -> Vec<Problem> {
    let names = agent.tools.iter().enumerate();
    let unknown = names.filter_map(|(nth, name)| {
        let errors = plane.check(std::slice::from_ref(name)).err()?;
        let path = format!("{}.tools[{nth}]", agent.name);
        Some(Problem::new(path, errors.to_string()))
    });
    let look_ups = agent.prefetch.iter().enumerate();
    let look_ups = look_ups.filter_map(|(nth, form)| {
        let (key, what) = look_up(plane, agent, form).err()?;
        let path = format!("{}.prefetch[{nth}].{key}", agent.name);
        Some(Problem::new(path, what))
    });
    unknown.chain(look_ups).collect()
}

/// The key that is wrong, and what is wrong with it.
fn look_up(
    plane: &Plane,
    agent: &Definition,
    form: &PrefetchForm,
) -> Result<(), (&'static str, String)> {
    let wrong = |key, what: &str| Err((key, what.to_owned()));
    let is_own = |tool: &String| agent.tools.contains(tool);
    if !is_own(&form.tool) || plane.writes(&form.tool) != Some(false) {
        let what = "expected one of the agent's tools, and one that changes nothing";
        return wrong("tool", what);
    }
    if plane.is_remote(&form.tool) {
        let what = "the model's provider runs it, and only when the model asks for it";
        return wrong("tool", what);
    }
    let (arguments, open) = form.written();
    if let Err(what) = plane.fits(&form.tool, &arguments, &open) {
        return Err(("arguments", what.join("; ")));
    }
    if form.phrase.is_some() && form.after.is_some() {
        return wrong("after", "expected `phrase` or `after`, not both");
    }
    if !form.after.as_ref().is_none_or(is_own) {
        return wrong("after", "expected one of the agent's tools");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use tools::{Effect, Registry, Tool, ToolError, function};

    use super::*;
    use crate::{agents::Agents, config::source::MapSource};

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Day {
        #[expect(dead_code, reason = "only its schema is looked at")]
        day: String,
        #[expect(dead_code, reason = "only its schema is looked at")]
        most: Option<u8>,
    }

    fn told(look_up: &str) -> Vec<String> {
        let find = function::tool("find", "Finds.", async |_: Day| Ok::<_, ToolError>("found"));
        let book = function::tool("book", "Books.", async |_: Day| {
            Ok::<_, ToolError>("booked")
        });
        let all: [Arc<dyn Tool>; 2] = [Arc::new(find), Arc::new(book.effect(Effect::Writes))];
        let plane = Plane::new(Registry::build(all).unwrap());
        let text = format!(
            "name = \"a\"\ninstructions = \"Help.\"\ntools = [\"find\", \"book\", \"fly\"]\n\
             [[prefetch]]\n{look_up}"
        );
        let source = MapSource::default().file("/a/a.toml", &text);
        let agents = Agents::load(&source, Some(Path::new("/a")), "a").unwrap();
        let own = agents.all().filter(|agent| agent.name == "a");
        let problems = own.flat_map(|agent| unfit(&plane, agent));
        let told = problems.map(|problem| format!("{}: {}", problem.path, problem.what));
        told.collect()
    }

    #[test]
    fn every_mistake_is_told_with_its_path() {
        let unknown = "a.tools[2]: there is no tool `fly`";
        for (look_up, what) in [
            (
                "tool = \"find\"\narguments = { day = \"{{caller.name}}\" }",
                None,
            ),
            (
                "tool = \"find\"\narguments = { day = \"today\", most = 3 }",
                None,
            ),
            (
                "tool = \"book\"",
                Some("tool: expected one of the agent's tools, and one that"),
            ),
            (
                "tool = \"find\"",
                Some("arguments: At the top: \"day\" is a required property"),
            ),
            (
                "tool = \"find\"\narguments = { day = \"{{caller.name}}\", most = \"some\" }",
                Some("arguments: At `/most`: "),
            ),
            (
                "tool = \"find\"\narguments = { day = \"today\", when = 1 }",
                Some("arguments: At the top: Additional properties"),
            ),
            (
                "tool = \"find\"\narguments = { day = \"today\" }\nafter = \"find\"\nphrase = \"hours\"",
                Some("after: expected `phrase` or `after`"),
            ),
            (
                "tool = \"find\"\narguments = { day = \"today\" }\nafter = \"fly_away\"",
                Some("after: expected one of the agent's tools"),
            ),
        ] {
            let told = told(look_up);
            assert_eq!(told[0], unknown);
            let found = told.get(1).map(String::as_str);
            let what = what.map(|what| format!("a.prefetch[0].{what}"));
            let fits = match (found, &what) {
                (Some(found), Some(what)) => found.starts_with(what),
                (found, what) => found.is_none() && what.is_none(),
            };
            assert!(fits, "{look_up}: {found:?}");
        }
    }
}
