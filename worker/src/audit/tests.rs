//! The journal from the writer's order to the reader's verdict, on a disk that fails on request.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{
    Audit, Config, Kind, NotWritten, ORDERS, Record, ToolRecord,
    reader::{self, File, Journal},
    recovery::{self, Recovery},
    segment::{Disk, Segment},
    signing::SigningKey,
    writer,
};
use crate::{config::Secret, telemetry::Pii};

mod heads;
mod tampering;

/// The example of RFC 8410, section 10.3.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
/// Its public half.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";

fn signing_key() -> Option<SigningKey> {
    SigningKey::read(&Secret::new(PRIVATE)).unwrap()
}

/// Name and bytes of a file, and how many of them would survive a loss of power.
type Kept = (String, Vec<u8>, usize);

#[derive(Clone, Default)]
struct Platter {
    files: Arc<Mutex<Vec<Kept>>>,
    fails: Arc<Mutex<Option<Fails>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fails {
    /// The disk is full.
    Append,
    /// The disk lost what it had taken.
    Sync,
}

struct Open(Platter, usize);

impl Platter {
    fn fails(&self, what: Fails) -> io::Result<()> {
        match *self.fails.lock().unwrap() {
            Some(fails) if fails == what => Err(io::Error::from(io::ErrorKind::StorageFull)),
            _ => Ok(()),
        }
    }

    /// What is read after power was lost.
    fn after_power_loss(&self) -> Vec<File> {
        let files = self.files.lock().unwrap().clone();
        let survives = |(name, bytes, synced): Kept| File {
            name,
            bytes: bytes[..synced].to_vec(),
        };
        files.into_iter().map(survives).collect()
    }
}

impl Platter {
    /// The same, when some of what was never flushed had reached the disk: up to any byte of it.
    fn after_torn_power_loss(&self, rng: &mut StdRng) -> Vec<File> {
        let files = self.files.lock().unwrap().clone();
        let mut survives = |(name, bytes, synced): Kept| {
            let length = rng.random_range(synced..=bytes.len());
            let bytes = bytes[..length].to_vec();
            File { name, bytes }
        };
        files.into_iter().map(&mut survives).collect()
    }
}

impl Disk for Platter {
    fn create(&mut self) -> io::Result<(String, Box<dyn Segment>)> {
        let mut files = self.files.lock().unwrap();
        let name = format!("audit-{:04}.jsonl", files.len());
        files.push((name.clone(), Vec::new(), 0));
        Ok((name, Box::new(Open(self.clone(), files.len() - 1))))
    }
}

impl Segment for Open {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.fails(Fails::Append)?;
        self.0.files.lock().unwrap()[self.1]
            .1
            .extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.fails(Fails::Sync)?;
        let file = &mut self.0.files.lock().unwrap()[self.1];
        file.2 = file.1.len();
        Ok(())
    }
}

fn start(platter: &Platter) -> Audit {
    start_after(platter, Recovery::default(), None)
}

fn start_after(platter: &Platter, recovery: Recovery, key: Option<SigningKey>) -> Audit {
    let (orders, inbox) = tokio::sync::mpsc::channel(ORDERS);
    writer::start(platter.clone(), recovery, key, inbox).unwrap();
    Audit {
        orders: Some(orders),
        ..Audit::default()
    }
}

fn record(session: &str, kind: Kind, call: &str) -> Record {
    Record {
        session: session.to_owned(),
        kind,
        data: json!({ "call": call }),
    }
}

async fn written(platter: &Platter) -> Journal {
    let audit = start(platter);
    for call in ["c1", "c2", "c3"] {
        for session in ["a", "b"] {
            audit
                .commit(record(session, Kind::ToolIntent, call))
                .await
                .unwrap();
            audit
                .commit(record(session, Kind::ToolOutcome, call))
                .await
                .unwrap();
        }
    }
    audit
        .commit(record("a", Kind::ToolIntent, "c4"))
        .await
        .unwrap();
    reader::read(&platter.after_power_loss())
}

#[tokio::test]
async fn what_was_acknowledged_is_there_in_order_after_a_loss_of_power() {
    let journal = written(&Platter::default()).await;
    assert_eq!(journal.faults, []);
    assert_eq!(journal.torn, [""; 0]);
    assert_eq!(journal.entries.len(), 14, "one line opens the file");
    assert_eq!(journal.unfinished, [("a".to_owned(), "c4".to_owned())]);
}

#[tokio::test]
async fn many_at_once_share_flushes_and_none_is_lost() {
    let platter = Platter::default();
    let audit = start(&platter);
    let commit = |n: usize| {
        let audit = audit.clone();
        async move {
            audit
                .commit(record(&format!("s{}", n % 7), Kind::ToolIntent, "c"))
                .await
        }
    };
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..500 {
        tasks.spawn(commit(n));
    }
    assert!(
        tasks
            .join_all()
            .await
            .into_iter()
            .all(|written| written.is_ok())
    );
    let journal = reader::read(&platter.after_power_loss());
    assert_eq!((journal.entries.len(), journal.faults.len()), (501, 0));
}

#[tokio::test]
async fn after_an_error_of_the_disk_nothing_is_acknowledged_any_more() {
    for fails in [Fails::Append, Fails::Sync] {
        let platter = Platter::default();
        let audit = start(&platter);
        audit
            .commit(record("a", Kind::ToolIntent, "c1"))
            .await
            .unwrap();
        *platter.fails.lock().unwrap() = Some(fails);
        let refused = audit.commit(record("a", Kind::ToolOutcome, "c1")).await;
        assert_eq!(refused, Err(NotWritten));
        // What it now has on disk nobody knows, also when it works again.
        *platter.fails.lock().unwrap() = None;
        let refused = audit.commit(record("a", Kind::ToolIntent, "c2")).await;
        assert_eq!(refused, Err(NotWritten));
        let journal = reader::read(&platter.after_power_loss());
        assert_eq!((journal.entries.len(), journal.faults.len()), (2, 0));
    }
}

#[tokio::test]
async fn any_flipped_bit_missing_line_or_cut_is_found() {
    let platter = Platter::default();
    let audit = start(&platter);
    for kind in [Kind::ToolIntent, Kind::ToolOutcome, Kind::ToolApproval] {
        audit.commit(record("a", kind, "c1")).await.unwrap();
    }
    let whole = platter.after_power_loss().remove(0);
    let is_sound = |bytes: Vec<u8>| {
        let journal = reader::read(&[File {
            name: whole.name.clone(),
            bytes,
        }]);
        journal.faults.is_empty() && journal.torn.is_empty()
    };
    assert!(is_sound(whole.bytes.clone()));
    for at in 0..whole.bytes.len() {
        for bit in 0..8 {
            let mut flipped = whole.bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(!is_sound(flipped), "byte {at}, bit {bit}");
        }
    }
    let lines: Vec<&[u8]> = whole.bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for missing in 0..lines.len() - 1 {
        let mut without = lines.clone();
        without.remove(missing);
        assert!(!is_sound(without.concat()), "line {missing}");
    }
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    assert!(!is_sound(swapped.concat()));
    let line_ends = |at: &usize| whole.bytes[at - 1] == b'\n';
    for at in (1..whole.bytes.len()).filter(|at| !line_ends(at)) {
        assert!(!is_sound(whole.bytes[..at].to_vec()), "cut at {at}");
    }
}

#[tokio::test]
async fn a_write_that_a_lost_worker_began_is_answered_for_and_not_done_again() {
    use tools::{CallId, Effect, Hooks, ToolName, hooks::Intent, hooks::Objection};

    let dir = tests::child::Scratch::new("recovery").unwrap();
    let config = Config {
        dir: Some(dir.path().to_owned()),
        ..Config::default()
    };
    // The writer of an earlier life lets go of the directory when its thread has ended.
    let start = || async {
        let started = || Audit::start(&config).map_err(|error| error.to_string());
        tests::eventually::eventually("the journal is free", Duration::from_secs(5), started).await
    };
    let in_kitchen = |audit: &Audit, job: &str| {
        ToolRecord::new(audit.clone(), job)
            .in_room(Pii::new("kitchen".to_owned()), Secret::new("key"))
    };
    let book = ToolName::parse("book").unwrap();
    let intend = async |record: &ToolRecord, arguments: &serde_json::Value| {
        let intent = Intent {
            call: &CallId::new("c1"),
            tool: &book,
            arguments,
            effect: Effect::Writes,
            rule: None,
            background: &serde_json::Value::Null,
        };
        record.intent(intent).await
    };
    let (ten, eleven) = (json!({"hour": 10}), json!({"hour": 11}));

    let audit = start().await;
    assert!(Audit::start(&config).is_err(), "one writer at a time");
    let first = in_kitchen(&audit, "first");
    assert_eq!(intend(&first, &ten).await, Ok(()));
    drop((first, audit));

    let audit = start().await;
    let journal = reader::read(&recovery::files(dir.path()).unwrap());
    assert_eq!(journal.faults, []);
    assert_eq!(journal.unfinished, []);
    let second = in_kitchen(&audit, "second");
    assert_eq!(intend(&second, &ten).await, Err(Objection::Unsettled));
    assert_eq!(intend(&second, &eleven).await, Ok(()));
    let elsewhere = ToolRecord::new(audit.clone(), "third")
        .in_room(Pii::new("garden".to_owned()), Secret::new("key"));
    assert_eq!(intend(&elsewhere, &ten).await, Ok(()));
}

/// Power fails while twenty callers write: what was acknowledged is there, chained, and no effect lacks its
/// intent.
#[tokio::test]
async fn a_thousand_losses_of_power_lose_nothing_that_was_acknowledged() {
    use std::collections::BTreeSet;

    for seed in 0..1_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let platter = Platter::default();
        let audit = start(&platter);
        // Calls whose intent was acknowledged, as (session, call); each then has its effect.
        let effects = Arc::new(Mutex::new(BTreeSet::new()));
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..20 {
            let (audit, effects) = (audit.clone(), Arc::clone(&effects));
            callers.spawn(async move {
                let session = format!("s{caller}");
                for call in 0..5 {
                    let call = format!("c{call}");
                    let intent = record(&session, Kind::ToolIntent, &call);
                    if audit.commit(intent).await.is_err() {
                        return;
                    }
                    effects
                        .lock()
                        .unwrap()
                        .insert((session.clone(), call.clone()));
                    let outcome = record(&session, Kind::ToolOutcome, &call);
                    let _ = audit.commit(outcome).await;
                }
            });
        }
        let moment = rng.random_range(0..100);
        while effects.lock().unwrap().len() < moment {
            tokio::task::yield_now().await;
        }
        let acknowledged = effects.lock().unwrap().clone();
        let journal = reader::read(&platter.after_torn_power_loss(&mut rng));
        assert_eq!(journal.faults, [], "seed {seed}");
        assert!(journal.torn.len() <= 1, "seed {seed}");
        let intents: BTreeSet<(String, String)> = journal
            .entries
            .iter()
            .filter(|entry| entry.kind == "tool.intent")
            .map(|entry| {
                let call = entry.data["call"].as_str().unwrap_or_default();
                (entry.session.clone(), call.to_owned())
            })
            .collect();
        assert!(acknowledged.is_subset(&intents), "seed {seed}");
    }
}

/// What the input says is put over a journal, or is one.
#[test]
fn any_bytes_are_read_and_damage_is_told() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let whole = runtime.block_on(heads::signed()).remove(0);
    bolero::check!().for_each(|input: &[u8]| {
        let mut damaged = whole.bytes.clone();
        for change in input.chunks_exact(3) {
            let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % damaged.len();
            damaged[at] = change[2];
        }
        let read = |bytes: &[u8]| {
            reader::read(&[File {
                name: whole.name.clone(),
                bytes: bytes.to_vec(),
            }])
        };
        let journal = read(&damaged);
        let is_told = !journal.faults.is_empty() || !journal.torn.is_empty();
        assert_eq!(is_told, damaged != whole.bytes);
        read(input);
    });
}
