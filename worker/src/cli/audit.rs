//! Adapter: `room-agent audit`: reads a journal for people.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::say;
use crate::{
    audit::{
        reader::{self, Entry, Fault, File, Journal, PublicKey},
        recovery::files,
    },
    exit::Exit,
};

/// What is done with a journal.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
pub(super) enum Verb {
    /// Check every link, checksum and signature; the exit code says whether all of it holds.
    Verify {
        /// Its directory.
        dir: PathBuf,
        /// Public key that signs its heads (PEM, as `openssl pkey -pubout` writes it): others do not count,
        /// and there has to be one. More than once after a change of keys.
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
        /// A head that was kept elsewhere and must be there: JSON as `audit head` or the log tells it, or a
        /// file with one on each line.
        #[arg(long, value_name = "JSON|FILE")]
        head: Option<String>,
    },
    /// Print the newest signed head as one line of JSON, to be kept elsewhere.
    Head {
        /// Its directory.
        dir: PathBuf,
    },
    /// Print what happened, line by line.
    Show {
        /// Its directory.
        dir: PathBuf,
        /// Only this session, by the id of its job.
        #[arg(long)]
        session: Option<String>,
    },
    /// Print the records as JSON Lines, without what the journal needs for itself.
    Export {
        /// Its directory.
        dir: PathBuf,
        /// Only this session, by the id of its job.
        #[arg(long)]
        session: Option<String>,
    },
}

pub(super) fn audit(verb: &Verb) -> Result<Exit, Exit> {
    match verb {
        Verb::Verify { dir, key, head } => verify(dir, key, head.as_deref()),
        Verb::Head { dir } => head(dir),
        Verb::Show { dir, session } => print(dir, session.as_deref(), line),
        Verb::Export { dir, session } => {
            print(dir, session.as_deref(), |entry| json(entry).to_string())
        }
    }
}

fn verify(dir: &Path, keys: &[PathBuf], kept: Option<&str>) -> Result<Exit, Exit> {
    let keys = keys.iter().map(|file| public_key(file));
    let keys: Vec<PublicKey> = keys.collect::<Result<_, _>>()?;
    let kept = kept.map_or_else(|| Ok(Vec::new()), kept_heads)?;
    let (files, mut journal) = read(dir)?;
    if !keys.is_empty() {
        journal.faults.extend(journal.distrust(&keys));
    }
    let lacking: Vec<Fault> = kept.iter().filter_map(|kept| journal.lacks(kept)).collect();
    journal.faults.extend(lacking);
    say(&summary(&files, &journal, &keys));
    sound(&journal)
}

fn head(dir: &Path) -> Result<Exit, Exit> {
    let (_, journal) = read(dir)?;
    let Some(head) = journal.signed(&[]).next_back() else {
        return Err(Exit::Data("no head of this journal is signed".to_owned()));
    };
    say(&head.says.to_string());
    sound(&journal)
}

fn print(dir: &Path, session: Option<&str>, form: impl Fn(&Entry) -> String) -> Result<Exit, Exit> {
    let (_, journal) = read(dir)?;
    let wanted = |entry: &&Entry| session.is_none_or(|session| entry.session == session);
    let entries = journal.entries.iter().filter(wanted);
    entries.for_each(|entry| say(&form(entry)));
    sound(&journal)
}

fn read(dir: &Path) -> Result<(Vec<File>, Journal), Exit> {
    let files = files(dir).map_err(|error| unreadable(dir, &error))?;
    let journal = reader::read(&files);
    Ok((files, journal))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Exit {
    Exit::Unavailable(format!("{}: {}", path.display(), error.kind()))
}

fn public_key(file: &Path) -> Result<PublicKey, Exit> {
    let pem = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    PublicKey::from_pem(&pem).ok_or_else(|| {
        let what = "expected an Ed25519 public key in PEM, such as `openssl pkey -pubout` writes";
        Exit::Data(format!("{}: {what}", file.display()))
    })
}

/// The argument itself, or each line of the file that it names.
fn kept_heads(given: &str) -> Result<Vec<Value>, Exit> {
    let text = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        let path = Path::new(given);
        fs::read_to_string(path).map_err(|error| unreadable(path, &error))?
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let heads: Option<Vec<Value>> = lines.map(|line| serde_json::from_str(line).ok()).collect();
    let heads = heads.filter(|heads| !heads.is_empty() && heads.iter().all(Value::is_object));
    heads.ok_or_else(|| Exit::Data("--head: expected a head as JSON, or lines of them".to_owned()))
}

fn sound(journal: &Journal) -> Result<Exit, Exit> {
    if journal.faults.is_empty() {
        return Ok(Exit::Done);
    }
    let faults: Vec<String> = journal.faults.iter().map(Fault::to_string).collect();
    Err(Exit::Data(format!(
        "the journal does not hold:\n{}",
        faults.join("\n")
    )))
}

fn summary(files: &[File], journal: &Journal, keys: &[PublicKey]) -> String {
    let mut lines = vec![
        format!(
            "{} files, {} records, {} faults",
            files.len(),
            journal.entries.len(),
            journal.faults.len()
        ),
        heads(journal, keys),
    ];
    for signer in journal.signers() {
        lines.push(format!("signed with {signer}"));
    }
    for file in &journal.torn {
        lines.push(format!(
            "{file} ends in the middle of a line: what nobody was told is safe is lost"
        ));
    }
    for (session, call) in &journal.unfinished {
        lines.push(format!(
            "{session}: call {call} began and its end is not known"
        ));
    }
    lines.join("\n")
}

/// `12 heads, 12 of them signed; behind the last signed one stand 3 records`.
fn heads(journal: &Journal, keys: &[PublicKey]) -> String {
    let signed = journal.signed(keys).count();
    let behind = match journal.signed(keys).next_back() {
        Some(head) => format!(
            "behind the last signed one stand {} records",
            journal.behind(head)
        ),
        None => "that records were cut off at the end would not show".to_owned(),
    };
    let all = journal.heads.len();
    format!("{all} heads, {signed} of them signed; {behind}")
}

/// `2026-11-22 20:00:00.123  AJ_x  tool.outcome  book_appointment  completed  12.3 ms`.
fn line(entry: &Entry) -> String {
    let data = &entry.data;
    let word = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let took = data["took_us"].as_u64();
    let took = took.map(|us| format!("{}.{} ms", us / 1_000, us % 1_000 / 100));
    let parts = [
        time(entry.at_ms),
        entry.session.clone(),
        entry.kind.clone(),
        word("tool"),
        word("command"),
        word("who"),
        word("agent"),
        word("outcome"),
        word("reason"),
        took.unwrap_or_default(),
    ];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("  ")
}

fn time(at_ms: u64) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at_ms);
    humantime::format_rfc3339_millis(at).to_string()
}

fn json(entry: &Entry) -> Value {
    serde_json::json!({
        "session": entry.session,
        "seq": entry.seq,
        "at": time(entry.at_ms),
        "kind": entry.kind,
        "data": entry.data,
    })
}

#[cfg(test)]
mod tests {
    use ::tests::child::Scratch;

    use super::*;
    use crate::{
        audit::{Audit, Config, Kind, Record},
        config::Secret,
    };

    /// The example of RFC 8410.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";

    fn complaint(done: Result<Exit, Exit>) -> String {
        done.map_or_else(|exit| exit.to_string(), |_| String::new())
    }

    #[tokio::test]
    async fn a_journal_is_verified_by_its_key_and_by_a_head_that_was_kept() {
        let (journal, elsewhere) = (Scratch::new("journal"), Scratch::new("elsewhere"));
        let (journal, elsewhere) = (journal.unwrap(), elsewhere.unwrap());
        let audit = Audit::start(&Config {
            dir: Some(journal.path().to_owned()),
            signing_key: Secret::new(PRIVATE),
        });
        let audit = audit.unwrap();
        let ended = Record {
            session: "job".to_owned(),
            kind: Kind::SessionEnded,
            data: Value::Null,
        };
        audit.commit(ended).await.unwrap();

        let dir = journal.path().to_owned();
        let key = elsewhere.write("key.pem", PUBLIC).unwrap();
        let other = PUBLIC.replace("Gb9E", "Gb9F");
        let other = elsewhere.write("other.pem", &other).unwrap();
        let kept = read(&dir).unwrap().1.heads.remove(0).says.to_string();
        let file = elsewhere.write("heads", &format!("{kept}\n")).unwrap();
        let verify = |key: &PathBuf, head: Option<String>| {
            let (dir, key) = (dir.clone(), vec![key.clone()]);
            complaint(super::audit(&Verb::Verify { dir, key, head }))
        };
        let file = Some(file.display().to_string());
        assert_eq!(verify(&key, None), "");
        assert_eq!(verify(&key, Some(kept)), "");
        assert_eq!(verify(&key, file.clone()), "");
        assert!(verify(&other, None).contains(":3: the head is signed with another key"));
        assert!(verify(&elsewhere.path().join("none"), None).contains("entity not found"));
        assert!(verify(&key, Some("{".to_owned())).contains("expected a head"));
        assert_eq!(
            complaint(super::audit(&Verb::Head { dir: dir.clone() })),
            ""
        );

        // The last two lines are cut off: the head, and the end of the session.
        let path = dir.join(&files(&dir).unwrap()[0].name);
        let text = fs::read_to_string(&path).unwrap();
        let first = text.split_inclusive('\n').next().unwrap();
        fs::write(&path, first).unwrap();
        assert!(verify(&key, file).contains(":3: the head that was kept is not there"));
        let head = complaint(super::audit(&Verb::Head { dir }));
        assert_eq!(head, "no head of this journal is signed");
    }
}
