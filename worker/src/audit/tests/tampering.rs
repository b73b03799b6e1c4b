//! Somebody who may write the files, and knows how they are written, changes what they say.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    super::{chain::Chain, signing::Head},
    *,
};
use crate::audit::reader::PublicKey;

/// What becomes of the heads when the chain is made anew.
#[derive(Clone, Copy, Debug)]
enum Heads {
    /// They stay as they were.
    Kept,
    /// They say what stands before them, and nobody signs that.
    Unsigned,
    /// The same, signed with this key.
    Signed(&'static str),
    /// They are right, and their signatures are not.
    Spoiled,
}

/// What is done to the lines of two segments.
type Deed = (&'static str, fn(&mut [Vec<Vec<u8>>]));

/// Another key than the one that signs.
const STRANGER: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
    -----END PRIVATE KEY-----\n";

const DEEDS: [Deed; 4] = [
    ("a byte is changed", |segments| {
        let at = segments[0][1].windows(2).position(|two| two == b"c1");
        segments[0][1][at.unwrap() + 1] = b'9';
    }),
    ("a record is deleted", |segments| {
        segments[0].remove(2);
    }),
    ("two records are exchanged", |segments| {
        segments[0].swap(1, 2)
    }),
    ("two segments are exchanged", |segments| segments.swap(0, 1)),
];

fn lines(files: &[File]) -> Vec<Vec<Vec<u8>>> {
    let split = |file: &File| {
        let lines = file.bytes.split_inclusive(|byte| *byte == b'\n');
        lines.map(<[u8]>::to_vec).collect()
    };
    files.iter().map(split).collect()
}

/// These lines under the same names.
fn put(files: &[File], lines: &[Vec<Vec<u8>>]) -> Vec<File> {
    let pairs = files.iter().zip(lines);
    let file = |(file, lines): (&File, &Vec<Vec<u8>>)| File {
        name: file.name.clone(),
        bytes: lines.concat(),
    };
    pairs.map(file).collect()
}

/// Makes checksums, numbers and links anew, as the writer would.
fn forge(files: &[File], heads: Heads) -> Vec<File> {
    let key = match heads {
        Heads::Signed(pem) => SigningKey::read(&Secret::new(pem)).unwrap(),
        Heads::Spoiled => signing_key(),
        Heads::Kept | Heads::Unsigned => None,
    };
    let mut chain = Chain::resuming(HashMap::new());
    let mut before: Option<(String, String)> = None;
    let mut forged = Vec::new();
    for (file, lines) in files.iter().zip(lines(files)) {
        let mut bytes = Vec::new();
        for line in lines {
            let entry: Value = serde_json::from_slice(&line).unwrap();
            let at_ms = entry["at_ms"].as_u64().unwrap();
            let kind: Kind = serde_json::from_value(entry["kind"].clone()).unwrap();
            let mut data = entry["data"].clone();
            if kind == Kind::SegmentOpened {
                data = match before.take() {
                    Some((name, hash)) => json!({"version": 1, "after": name, "head": hash}),
                    None => json!({"version": 1}),
                };
            }
            if kind == Kind::SegmentHead && !matches!(heads, Heads::Kept) {
                let (lines, hash) = chain.head();
                let segment = &file.name;
                let head = Head {
                    segment,
                    lines,
                    hash,
                    at_ms,
                };
                data = head.to_json(key.as_ref());
            }
            if kind == Kind::SegmentHead && matches!(heads, Heads::Spoiled) {
                data["signature"] = "00".repeat(64).into();
            }
            let session = entry["session"].as_str().unwrap().to_owned();
            chain.write(
                &Record {
                    session,
                    kind,
                    data,
                },
                at_ms,
                &mut bytes,
            );
        }
        before = Some((file.name.clone(), chain.begin_segment()));
        forged.push(File {
            name: file.name.clone(),
            bytes,
        });
    }
    forged
}

/// Everything that is told to who has the key.
fn told(files: &[File]) -> Vec<String> {
    let mut journal = reader::read(files);
    let key = PublicKey::from_pem(PUBLIC).unwrap();
    journal.faults.extend(journal.distrust(&[key]));
    journal.faults.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_changed_deleted_or_moved_line_is_found_however_well_it_is_done() {
    let files = heads::signed().await;
    assert_eq!(told(&files), [""; 0]);
    for (what, deed) in DEEDS {
        let mut segments = lines(&files);
        deed(&mut segments);
        let changed = put(&files, &segments);
        assert_ne!(told(&changed), [""; 0], "{what}");
        for heads in [
            Heads::Kept,
            Heads::Unsigned,
            Heads::Signed(STRANGER),
            Heads::Spoiled,
        ] {
            let forged = forge(&changed, heads);
            assert_ne!(told(&forged), [""; 0], "{what}, {heads:?}");
        }
    }
}

/// Or the test above would prove nothing: the forger knows the craft.
#[tokio::test]
async fn who_has_the_key_is_not_found() {
    let files = heads::signed().await;
    for (what, deed) in &DEEDS[..3] {
        let mut segments = lines(&files);
        deed(&mut segments);
        let forged = forge(&put(&files, &segments), Heads::Signed(PRIVATE));
        assert_eq!(told(&forged), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn a_head_signed_again_with_another_key_is_named_with_its_segment_and_line() {
    let files = heads::signed().await;
    assert_eq!(
        forge(&files, Heads::Signed(PRIVATE))[0].bytes,
        files[0].bytes
    );
    let again = told(&forge(&files, Heads::Signed(STRANGER)));
    assert_eq!(
        again[0],
        "audit-0000.jsonl:4: the head is signed with another key"
    );
    let spoiled = told(&forge(&files, Heads::Spoiled));
    assert_eq!(
        spoiled[0],
        "audit-0000.jsonl:4: the head's signature is wrong"
    );
    let unsigned = told(&forge(&files, Heads::Unsigned));
    assert_eq!(unsigned, ["no head is signed with the key"]);
}

#[tokio::test]
async fn lines_cut_off_at_the_end_are_found_by_a_head_that_was_kept() {
    let files = heads::signed().await;
    let kept = reader::read(&files).heads;
    let (older, newest) = (&kept[2].says, &kept[3].says);
    let is_found = |files: &[File]| {
        assert_eq!(told(files), [""; 0], "nothing else shows it");
        reader::read(files).lacks(newest).is_some()
    };
    assert!(!is_found(&files));
    let whole = lines(&files);
    for left in 1..whole[1].len() {
        let mut cut = whole.clone();
        cut[1].truncate(left);
        assert!(is_found(&put(&files, &cut)), "{left} lines are left");
    }
    assert!(is_found(&files[..1]), "a whole segment");
    let mut cut = whole;
    cut[1].truncate(kept[2].line);
    let cut = put(&files, &cut);
    assert_eq!(
        reader::read(&cut).lacks(older),
        None,
        "what it spoke of is there"
    );
    let told = reader::read(&cut).lacks(newest).unwrap().to_string();
    let place = format!("audit-0001.jsonl:{}: the head that was kept", kept[3].line);
    assert!(told.starts_with(&place), "{told}");
}

#[tokio::test]
async fn lines_written_anew_behind_the_last_head_that_is_left_are_found_by_one_that_was_kept() {
    let files = heads::signed().await;
    let newest = &reader::read(&files).heads[3].says;
    let mut segments = lines(&files);
    segments[1].pop();
    let forged = forge(&put(&files, &segments), Heads::Signed(PRIVATE));
    assert_eq!(told(&forged), [""; 0]);
    assert!(reader::read(&forged).lacks(newest).is_some());
}

#[tokio::test]
async fn a_segment_that_is_gone_is_missed_by_the_next_also_after_a_restart() {
    let files = heads::signed().await;
    let told = told(&files[1..]);
    assert_eq!(told[0], "audit-0001.jsonl:1: the file before it is missing");
    assert_eq!(told.len(), 2, "{told:?}");
}
