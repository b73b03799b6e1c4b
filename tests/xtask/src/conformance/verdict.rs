//! Core: what upstream's tests printed, against what we said we would skip.
//!
//! A test passes, or it stands in `skips.toml` with a reason. One that failed, or that upstream
//! itself ignores, and is not listed is a failure; so is an entry for a test that is gone.

use std::{collections::BTreeSet, fmt, path::Path};

use crate::{children::Ended, run::Failure};

/// One test of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TestId {
    pub(super) file: String,
    pub(super) name: String,
}

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.file, self.name)
    }
}

impl TestId {
    pub(super) fn new(file: &str, name: &str) -> Self {
        Self {
            file: file.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// What we do not run, each with the reason.
#[derive(Default)]
pub(super) struct Skips {
    tests: Vec<(TestId, String)>,
    /// Whole files; they are not even built.
    files: Vec<(String, String)>,
}

impl Skips {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&std::fs::read_to_string(path)?)
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let table: toml::Table = text
            .parse()
            .map_err(|error| Failure::new(format!("skips.toml: {error}")))?;
        let mut skips = Self::default();
        let groups = table.get("skip").and_then(toml::Value::as_array);
        for group in groups.into_iter().flatten() {
            skips.take(group)?;
        }
        Ok(skips)
    }

    fn take(&mut self, group: &toml::Value) -> Result<(), Failure> {
        let word = |key| group.get(key).and_then(toml::Value::as_str);
        let (Some(file), Some(reason)) = (word("file"), word("reason")) else {
            let why = "skips.toml: an entry without `file` or `reason`";
            return Err(Failure::new(why));
        };
        let Some(tests) = group.get("tests").and_then(toml::Value::as_array) else {
            self.files.push((file.to_owned(), reason.to_owned()));
            return Ok(());
        };
        let names = tests.iter().filter_map(toml::Value::as_str);
        let entries = names.map(|name| (TestId::new(file, name), reason.to_owned()));
        self.tests.extend(entries);
        Ok(())
    }

    pub(super) fn reason(&self, test: &TestId) -> Option<&str> {
        let entry = self.tests.iter().find(|(skipped, _)| skipped == test)?;
        Some(&entry.1)
    }

    /// Why a whole file is left out.
    pub(super) fn whole(&self, file: &str) -> Option<&str> {
        let entry = self.files.iter().find(|(skipped, _)| skipped == file)?;
        Some(&entry.1)
    }

    /// Entries of this file whose test does not exist.
    pub(super) fn unknown(&self, file: &str, existing: &[TestId]) -> Vec<TestId> {
        let entries = self.tests.iter().map(|(test, _)| test);
        entries
            .filter(|test| test.file == file && !existing.contains(test))
            .cloned()
            .collect()
    }
}

/// The names that `--list --format terse` printed.
pub(super) fn listed(file: &str, text: &str) -> Vec<TestId> {
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    let names = names.into_iter();
    names.map(|name| TestId::new(file, name)).collect()
}

/// What the output of one test's own process says.
pub(super) fn outcome(text: &str, ended: Ended) -> Outcome {
    let summary = text.lines().rfind(|line| line.starts_with("test result: "));
    let counted = |what: &str| summary.is_some_and(|line| line.contains(what));
    if ended == Ended::TooLate {
        return Outcome::Failed("it did not come to an end".to_owned());
    }
    if counted(" 1 ignored") {
        return Outcome::Failed("ignored by upstream and not in skips.toml".to_owned());
    }
    if ended == Ended::Success && counted(" 1 passed") {
        return Outcome::Passed;
    }
    Outcome::Failed(why(text))
}

/// The first line that sounds like a reason.
fn why(text: &str) -> String {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    let panic = lines.next().and_then(|_| lines.next());
    let error = text.lines().find(|line| line.starts_with("Error: "));
    panic
        .or(error)
        .unwrap_or("its process ended without a verdict")
        .to_owned()
}

/// The sum of a run.
#[derive(Default)]
pub(super) struct Report {
    pub(super) passed: usize,
    pub(super) skipped: usize,
    failures: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, test: &TestId, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Skipped(_) => self.skipped += 1,
            Outcome::Failed(why) => self.failures.push(format!("{test}: {why}")),
        }
    }

    pub(super) fn stale(&mut self, entries: Vec<TestId>) {
        let told = entries
            .into_iter()
            .map(|test| format!("{test}: in skips.toml, but gone"));
        self.failures.extend(told);
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = &str> {
        self.failures.iter().map(String::as_str)
    }

    /// Nothing failed, and something ran.
    pub(super) fn is_good(&self) -> bool {
        self.failures.is_empty() && self.passed > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            skipped,
            failures,
        } = self;
        let failed = failures.len();
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Report, Skips, TestId, listed, outcome};
    use crate::children::Ended;

    fn id(file: &str, name: &str) -> TestId {
        TestId::new(file, name)
    }

    #[test]
    fn a_list_has_tests_and_no_benchmarks() {
        let tests = listed("room_test", "b: test\na::x: test\nc: benchmark\n\n");
        assert_eq!(tests, [id("room_test", "a::x"), id("room_test", "b")]);
    }

    #[test]
    fn only_a_test_that_says_so_has_passed() {
        let passed =
            "test a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 71 filtered out\n";
        assert_eq!(outcome(passed, Ended::Success), Outcome::Passed);
        for (text, ended) in [
            (passed, Ended::TooLate),
            (passed, Ended::Failure),
            ("", Ended::Success),
            (
                "test result: ok. 0 passed; 0 failed; 0 ignored;",
                Ended::Success,
            ),
            (
                "test result: ok. 0 passed; 0 failed; 1 ignored;",
                Ended::Success,
            ),
        ] {
            assert!(matches!(outcome(text, ended), Outcome::Failed(_)), "{text}");
        }
    }

    #[test]
    fn a_failure_quotes_the_panic_or_the_error() {
        let panic = "thread 'x' panicked at src/a.rs:1:2:\nnot equal\nnote: run with\n";
        assert_eq!(
            outcome(panic, Ended::Failure),
            Outcome::Failed("not equal".into())
        );
        let error = "Error: deadline has elapsed\n";
        assert_eq!(
            outcome(error, Ended::Failure),
            Outcome::Failed(error.trim().into())
        );
    }

    #[test]
    fn a_skip_has_a_reason_and_its_test_exists() {
        let text = "[[skip]]\nfile = \"a\"\nreason = \"no video\"\ntests = [\"x\", \"gone\"]\n";
        let skips = Skips::parse(text).expect("it is well formed");
        assert_eq!(skips.reason(&id("a", "x")), Some("no video"));
        assert_eq!(skips.reason(&id("b", "x")), None);
        assert_eq!(skips.unknown("a", &[id("a", "x")]), [id("a", "gone")]);
        assert_eq!(skips.unknown("b", &[]), []);
        assert!(Skips::parse("[[skip]]\nfile = \"a\"\ntests = [\"x\"]\n").is_err());
        assert_eq!(skips.whole("a"), None);
        let whole = Skips::parse("[[skip]]\nfile = \"v\"\nreason = \"no video\"\n");
        let whole = whole.expect("it is well formed");
        assert_eq!(whole.whole("v"), Some("no video"));
    }

    #[test]
    fn a_run_of_nothing_is_not_good() {
        let mut report = Report::default();
        assert!(!report.is_good());
        report.add(&id("a", "x"), Outcome::Passed);
        report.add(&id("a", "y"), Outcome::Skipped("no video".into()));
        assert!(report.is_good());
        report.stale(vec![id("a", "z")]);
        assert!(!report.is_good());
        assert_eq!(report.to_string(), "1 passed, 1 failed, 1 skipped");
    }
}
