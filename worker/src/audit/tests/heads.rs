//! Heads: when they are written, what they say, and who signed them.

use tokio::{
    sync::mpsc,
    time::{Instant, advance},
};

use super::{
    super::writer::{HEAD_EVERY, Writer},
    *,
};
use crate::audit::reader::PublicKey;

/// Two lives of a worker that signs, each with a segment of its own and two heads in it.
pub(super) async fn signed() -> Vec<File> {
    let platter = Platter::default();
    for session in ["a", "b"] {
        let before = reader::read(&platter.after_power_loss());
        let audit = start_after(&platter, Recovery::from(&before), signing_key());
        for call in ["c1", "c2"] {
            for kind in [Kind::ToolIntent, Kind::ToolOutcome] {
                audit.commit(record(session, kind, call)).await.unwrap();
            }
            audit.seal().await.unwrap();
        }
    }
    platter.after_power_loss()
}

/// Until the writer beside us has nothing left to do.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_minute_after_something_was_written_a_head_follows_and_only_one() {
    let platter = Platter::default();
    let (orders, inbox) = mpsc::channel(ORDERS);
    let writer = Writer::open(platter.clone(), Recovery::default(), signing_key()).unwrap();
    let audit = Audit {
        orders: Some(orders),
        ..Audit::default()
    };
    let heads = || reader::read(&platter.after_power_loss()).heads.len();
    let pass = async |time: Duration| {
        advance(time).await;
        settle().await;
        heads()
    };
    let moment = Duration::from_millis(1);
    let script = async {
        settle().await;
        assert_eq!(pass(HEAD_EVERY - moment).await, 0);
        assert_eq!(pass(moment).await, 1, "of the line that opens the file");
        assert_eq!(pass(10 * HEAD_EVERY).await, 1, "nothing was written");
        let intent = |call: &str| audit.commit(record("a", Kind::ToolIntent, call));
        intent("c1").await.unwrap();
        assert_eq!(pass(HEAD_EVERY - moment).await, 1);
        intent("c2").await.unwrap();
        assert_eq!(
            pass(moment).await,
            2,
            "the first line waits for a minute at most"
        );
        assert_eq!(
            pass(HEAD_EVERY).await,
            2,
            "it speaks of the second line, too"
        );
        intent("c3").await.unwrap();
        let began = Instant::now();
        drop(audit);
        began
    };
    let ((), began) = tokio::join!(writer.run(inbox), script);
    assert_eq!(heads(), 3, "the last one at the end");
    assert_eq!(began.elapsed(), Duration::ZERO);
    let journal = reader::read(&platter.after_power_loss());
    assert_eq!(journal.faults, []);
    assert_eq!(journal.signed(&[]).count(), 3);
}

#[tokio::test]
async fn the_end_of_a_session_and_whoever_asks_get_a_head_at_once() {
    let platter = Platter::default();
    let audit = start(&platter);
    let heads = || -> Vec<usize> {
        let journal = reader::read(&platter.after_power_loss());
        assert_eq!(journal.faults, []);
        journal.heads.iter().map(|head| head.line).collect()
    };
    audit
        .commit(record("a", Kind::SessionStarted, ""))
        .await
        .unwrap();
    assert_eq!(heads(), [0; 0]);
    audit
        .commit(record("a", Kind::SessionEnded, ""))
        .await
        .unwrap();
    assert_eq!(heads(), [4]);
    audit.seal().await.unwrap();
    assert_eq!(heads(), [4], "nothing came behind it");
    audit
        .commit(record("b", Kind::SessionStarted, ""))
        .await
        .unwrap();
    audit.seal().await.unwrap();
    assert_eq!(heads(), [4, 6]);
    *platter.fails.lock().unwrap() = Some(Fails::Sync);
    audit
        .commit(record("b", Kind::ToolIntent, "c1"))
        .await
        .unwrap_err();
    assert_eq!(audit.seal().await, Err(NotWritten));
}

#[tokio::test]
async fn a_head_counts_only_with_the_key_that_was_asked_for() {
    let files = signed().await;
    let journal = reader::read(&files);
    assert_eq!(journal.faults, []);
    assert_eq!(journal.heads.len(), 4);
    let key = PublicKey::from_pem(PUBLIC).unwrap();
    assert_eq!(journal.distrust(std::slice::from_ref(&key)), []);
    let last = journal.signed(&[]).next_back().unwrap();
    assert_eq!(journal.behind(last), 0);
    assert_eq!(journal.behind(&journal.heads[0]), journal.entries.len() - 4);

    let other = PUBLIC.replace("Gb9E", "Gb9F");
    let other = PublicKey::from_pem(&other).unwrap();
    assert_eq!(
        journal.distrust(&[other.clone(), key]),
        [],
        "after a change of keys"
    );
    let told = journal.distrust(&[other]);
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 5);
    assert_eq!(
        told[0],
        "audit-0000.jsonl:4: the head is signed with another key"
    );
    assert_eq!(told[4], "no head is signed with the key");
}

#[tokio::test]
async fn a_journal_without_signatures_says_so_to_whoever_has_a_key() {
    let platter = Platter::default();
    let audit = start(&platter);
    audit.seal().await.unwrap();
    let journal = reader::read(&platter.after_power_loss());
    assert_eq!((journal.heads.len(), journal.faults.len()), (1, 0));
    assert_eq!(journal.signed(&[]).count(), 0);
    let key = PublicKey::from_pem(PUBLIC).unwrap();
    let told = journal.distrust(&[key]);
    assert_eq!(told[0].what, "no head is signed with the key");
}

#[test]
fn only_an_ed25519_key_is_a_public_key() {
    for pem in ["", "Gb9E", PRIVATE, &PUBLIC.replace("K2Vw", "K2Vu")] {
        assert_eq!(PublicKey::from_pem(pem), None, "{pem}");
    }
}
