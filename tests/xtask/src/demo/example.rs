//! An example beside the demo: its service, its agent and tools, and its journal.
//!
//! Owns where all of that lies. What the example promises is looked at from outside: in the service, and
//! in the journal by the worker's own command.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::{Environment, READY};
use crate::{
    browser,
    cargo::{self, Profile},
    children::{Children, http_get},
    paths, ports,
    run::{Failure, note, output, say},
};

/// One of `tests/examples` that the demo can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    pub(super) name: &'static str,
    /// The agent that callers get.
    agent: &'static str,
    /// The program of the service that its tools ask.
    service: &'static str,
    /// The port that stands in its tool files.
    port: u16,
}

const EXAMPLES: &[Example] = &[Example {
    name: "receptionist",
    agent: "dental-practice",
    service: "booking-service",
    port: 8091,
}];

impl Example {
    /// The example of that name.
    pub(crate) fn find(name: &str) -> Result<Self, Failure> {
        let found = EXAMPLES.iter().find(|example| example.name == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = EXAMPLES.iter().map(|example| example.name).collect();
            let names = names.join(", ");
            Failure::new(format!("there is no example `{name}`; there are: {names}"))
        })
    }

    /// Starts its service. What it keeps is found again by the next demo, but not by a check: that begins
    /// with nothing.
    pub(super) fn start(
        self,
        children: &mut Children,
        profile: Profile,
        is_check: bool,
    ) -> Result<Running, Failure> {
        let suffix = if is_check { "-check" } else { "" };
        let folder = paths::scratch("demo").join(format!("{}{suffix}", self.name));
        if is_check && folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let port = ports::free(self.port)?;
        let running = Running {
            example: self,
            folder,
            port,
        };
        std::fs::create_dir_all(running.journal())?;
        running.copy("agents")?;
        running.copy("tools")?;
        children.start(
            self.service,
            Command::new(cargo::program(profile, self.service))
                .arg(running.database())
                .args(["--port", &port.to_string()]),
        )?;
        children.wait_for(self.service, READY, |children| {
            children
                .log(self.service)
                .contains("listening on ")
                .then_some(())
        })?;
        note(format_args!("  ✓ {} on port {port}", self.service));
        Ok(running)
    }
}

/// An example that runs.
pub(super) struct Running {
    example: Example,
    /// What it keeps.
    folder: PathBuf,
    /// Where its service listens.
    port: u16,
}

impl Running {
    fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    fn database(&self) -> PathBuf {
        self.folder.join("book.sqlite")
    }

    /// Its files as they are in the repository, with the port of this run.
    fn copy(&self, part: &str) -> Result<(), Failure> {
        let from = paths::root()
            .join("tests/examples")
            .join(self.example.name)
            .join(part);
        let to = self.folder.join(part);
        std::fs::create_dir_all(&to)?;
        for file in std::fs::read_dir(from)? {
            let file = file?;
            let text = std::fs::read_to_string(file.path())?;
            let address = |port| format!("127.0.0.1:{port}/");
            let text = text.replace(&address(self.example.port), &address(self.port));
            std::fs::write(to.join(file.file_name()), text)?;
        }
        Ok(())
    }

    /// What the worker is told.
    pub(super) fn environment(&self) -> Environment {
        let path = |part: &str| self.folder.join(part).display().to_string();
        vec![
            ("ROOM_AGENT__TOOLS__DIR", path("tools")),
            ("ROOM_AGENT__TOOLS__NETWORKS", "127.0.0.0/8".to_owned()),
            ("ROOM_AGENT__AGENTS__DIR", path("agents")),
            ("ROOM_AGENT__AGENTS__DEFAULT", self.example.agent.to_owned()),
            ("ROOM_AGENT__AUDIT__DIR", path("journal")),
        ]
    }

    /// Where to look, for the person at the terminal.
    pub(super) fn tell(&self) {
        let port = self.port;
        let (database, journal) = (self.database(), self.journal());
        say(format_args!(
            "  booked  curl http://127.0.0.1:{port}/appointments   ({})",
            database.display()
        ));
        say(format_args!(
            "  journal room-agent audit show {}",
            journal.display()
        ));
    }

    /// Lets a scripted caller book, and looks for what they were told: one JSON object on stdout.
    pub(super) fn check(&self, link: &str, room_agent: &Path) -> Result<(), Failure> {
        let mut told = browser::receptionist(link)?;
        let booked = self.booked()?;
        let shown = output(
            Command::new(room_agent)
                .args(["audit", "show"])
                .arg(self.journal()),
        )?;
        let on_record = |what: &str| shown.lines().filter(|line| line.contains(what)).count();
        let intents = on_record("tool.intent  book_appointment");
        let completed = on_record("tool.outcome  book_appointment  completed");
        let numbers: Vec<&Value> = booked.iter().map(|one| &one["number"]).collect();
        let is_good =
            told["ok"] == true && numbers == [&told["number"]] && (intents, completed) == (1, 1);
        told["ok"] = json!(is_good);
        told["booked"] = json!(booked);
        told["on_record"] = json!({"intents": intents, "completed": completed});
        say(told);
        if is_good {
            return Ok(());
        }
        Err(Failure::new(format!(
            "the caller, the book and the journal do not agree on one appointment; the journal says:\n{shown}"
        )))
    }

    fn booked(&self) -> Result<Vec<Value>, Failure> {
        let answer = http_get(self.port, "/appointments").unwrap_or_default();
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        let mut body: Value = serde_json::from_str(body)
            .map_err(|error| Failure::new(format!("{}: {error}", self.example.service)))?;
        match body["appointments"].take() {
            Value::Array(booked) => Ok(booked),
            other => Err(Failure::new(format!("no list of appointments: {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_that_is_not_there_is_refused_with_those_that_are() {
        assert_eq!(Example::find("receptionist").unwrap(), EXAMPLES[0]);
        let refused = Example::find("dentist").unwrap_err().to_string();
        assert_eq!(
            refused,
            "there is no example `dentist`; there are: receptionist"
        );
    }

    #[test]
    fn the_tools_of_each_example_ask_its_port() {
        for example in EXAMPLES {
            let tools = paths::root().join("tests/examples").join(example.name);
            let mut asked = 0;
            for file in std::fs::read_dir(tools.join("tools")).unwrap() {
                let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
                asked += text
                    .matches(&format!("127.0.0.1:{}/", example.port))
                    .count();
            }
            assert!(asked > 0, "{}", example.name);
        }
    }
}
