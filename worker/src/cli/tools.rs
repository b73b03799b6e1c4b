//! Adapter: `room-agent tools`: pins what MCP servers say about their tools.

use std::path::Path;

use super::say;
use crate::{
    config::{Config, Problem, Problems, ProcessSource},
    exit::Exit,
    tooling::files::{self, Declaration, mcp_servers},
};
use ::tools::mcp::Catalog;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Verb {
    /// Ask every server about the tools that are declared, print what differs from its catalogue, and write that anew.
    Pin,
    /// The same without writing; the exit code says whether anything differs.
    Diff,
}

pub(super) fn tools(verb: Verb, config: &Config) -> Result<Exit, Exit> {
    let not_usable = |problems| Exit::Config(format!("tools are not usable:\n{problems}"));
    let Some(directory) = config.tools.dir.as_deref().map(Path::new) else {
        return Err(Exit::Config(
            "tools.dir: missing; there are no tool files".to_owned(),
        ));
    };
    let servers = mcp_servers(&ProcessSource, &config.tools).map_err(not_usable)?;
    if servers.is_empty() {
        say("no tool file declares an MCP server");
        return Ok(Exit::Done);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::Unavailable(format!("no threads: {}", error.kind())))?;
    let (mut problems, mut is_other) = (Vec::new(), false);
    for declaration in servers {
        match runtime.block_on(look(verb, directory, &declaration)) {
            Ok(differs) => is_other |= differs,
            Err(wrong) => problems.extend(wrong.0),
        }
    }
    Problems::none_or(problems)
        .map_err(|problems| Exit::Unavailable(format!("not every tool was seen:\n{problems}")))?;
    if is_other && verb == Verb::Diff {
        return Err(Exit::Data(
            "the servers describe other tools than were pinned".to_owned(),
        ));
    }
    Ok(Exit::Done)
}

/// Whether what the server says differs from what is pinned.
async fn look(
    verb: Verb,
    directory: &Path,
    Declaration { place, server }: &Declaration,
) -> Result<bool, Problems> {
    let told = |path: &str, what: String| Problems(vec![Problem::new(path, what)]);
    let file = server.file();
    let path = directory.join(&file);
    // One that cannot be read is written anew.
    let before = std::fs::read_to_string(&path).ok();
    let before = before.and_then(|text| Catalog::read(&text).ok());
    let now = server.pin().await;
    let now = now.map_err(|wrong| Problems(files::told(place, wrong)))?;
    let lines = differences(&before.unwrap_or_default(), &now);
    for line in &lines {
        say(&format!("{file}: {line}"));
    }
    if lines.is_empty() {
        say(&format!("{file}: as it was pinned"));
    } else if verb == Verb::Pin {
        std::fs::write(&path, now.to_json())
            .map_err(|error| told(&file, error.kind().to_string()))?;
    }
    Ok(!lines.is_empty())
}

/// What a person has to look at: every new and every changed description, whole.
fn differences(before: &Catalog, now: &Catalog) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, digest) in now.digests() {
        let old = before.digests().find(|(one, _)| *one == name);
        let word = match old {
            Some((_, old)) if old == digest => continue,
            Some(_) => "changed",
            None => "new",
        };
        lines.push(format!("{word} `{name}` {digest}"));
        lines.extend(now.shown(name).map(|line| format!("  {line}")));
    }
    for (name, _) in before.digests() {
        if !now.digests().any(|(one, _)| one == name) {
            lines.push(format!("gone `{name}`"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use ::tools::mcp::Listed;

    fn catalog(tools: &[(&str, &str)]) -> Catalog {
        let listing: Vec<Listed> = tools
            .iter()
            .map(|(name, description)| Listed {
                name: (*name).to_owned(),
                description: (*description).to_owned(),
                input_schema: json!({"type": "object"}),
            })
            .collect();
        let names: Vec<String> = listing.iter().map(|one| one.name.clone()).collect();
        Catalog::pin(names.iter(), &listing).unwrap()
    }

    #[test]
    fn what_is_new_changed_and_gone_is_shown_whole() {
        let before = catalog(&[("find", "Finds."), ("old", "Was there.")]);
        let now = catalog(&[
            ("find", "Finds.\u{1b}[2J And\u{200b} refunds."),
            ("new", "Is new."),
        ]);
        let shown = differences(&before, &now).join("\n");
        for part in [
            "changed `find` sha256:",
            "Finds.\\u{1b}[2J And\\u{200b} refunds.",
            "new `new`",
            "gone `old`",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(
            !shown.contains('\u{1b}'),
            "nothing that a terminal would obey"
        );
        assert!(differences(&now, &now).is_empty());
    }
}
