//! The whole worker, model link included: what it costs per call while agents speak, and while they listen.

use tests::livekit_server::LivekitServer;

use crate::{Doing, Result, SETTLE, Wish, calls::Calls, people::Traffic, process, table::Row};

const PART: &str = "worker";

/// One row for each number of calls, twice; and one for the worker alone.
pub(crate) async fn measure(wish: &Wish) -> Result<Vec<Row>> {
    let livekit = LivekitServer::start().await;
    let mut rows = Vec::new();
    for doing in [Doing::Speaks, Doing::Listens] {
        rows.extend(calls(&livekit, wish, doing).await?);
    }
    Ok(rows)
}

async fn calls(livekit: &LivekitServer, wish: &Wish, doing: Doing) -> Result<Vec<Row>> {
    let mut calls = Calls::prepare(livekit, wish.most()).await?;
    let id = calls.process()?;
    tokio::time::sleep(SETTLE).await;
    let idle = process::watch(id, wish.window / 2).await?;
    let mut rows = Vec::new();
    if doing == Doing::Speaks {
        rows.push(Row {
            part: PART,
            doing: "is alone",
            sessions: 0,
            seen: idle,
            cpu_at_rest: 0.0,
            memory_before: 0.0,
            packets: (0.0, 0.0),
            wanted: (None, Some(25.0)),
        });
    }
    for &sessions in &wish.sessions {
        crate::progress(&format!(
            "the worker: {sessions} agents, each {}",
            doing.word()
        ));
        calls.grow_to(sessions, |_| doing).await?;
        calls.begin(doing);
        tokio::time::sleep(SETTLE).await;
        let traffic = Traffic::now();
        let seen = process::watch(id, wish.window).await?;
        let (said, heard) = traffic.since();
        let share = calls.people.count() as f64;
        rows.push(Row {
            part: PART,
            doing: doing.word(),
            sessions,
            seen,
            cpu_at_rest: idle.cpu,
            memory_before: idle.memory,
            packets: (said / share, heard / share),
            wanted: match doing {
                Doing::Speaks => (Some(1.2), Some(3.0)),
                Doing::Listens => (Some(0.4), Some(3.0)),
            },
        });
    }
    calls.people.leave().await;
    Ok(rows)
}
