//! A call that is none: each side encrypts with a key of its own.

use std::time::Duration;

use serde_json::json;
use tests::{clips, ears};

use super::{Call, PAUSE, hears_for, packet, soon};

impl Call {
    /// Each has another key: both are told, and nobody hears or reads anything.
    pub(crate) async fn talk_past_each_other(&mut self) -> Result<(), String> {
        for (name, one) in [("us", &mut self.us), ("them", &mut self.them)] {
            soon(&format!("a track comes to {name}"), async || {
                let tracks = one.facts().await?.tracks;
                (tracks == 1)
                    .then_some(())
                    .ok_or_else(|| format!("{tracks}"))
            })
            .await?;
        }
        let (ours, theirs) = (clips::clip("caller-goodbye"), clips::clip("agent-answered"));
        let told = soon("both are told", async || {
            let (said, answered) = tokio::join!(self.us.say(&ours.pcm), self.them.say(&theirs.pcm));
            said.and(answered)?;
            let (us, them) = (self.us.facts().await?, self.them.facts().await?);
            let counts = (us.unopened, them.unopened);
            let both = us.unopened > 0 && them.unopened > 0;
            both.then_some(counts)
                .ok_or_else(|| format!("{counts:?} times"))
        });
        let told = told.await?;
        self.sheet
            .set("told", json!({ "us": told.0, "them": told.1 }));
        for (from, to) in [(&mut self.us, "us"), (&mut self.them, "them")] {
            let sent = from.send(&packet(32, 0, true)).await;
            sent.map_err(|why| format!("{to} could not send: {why}"))?;
        }
        let from = self.us.position().await?;
        hears_for(&mut self.us, from, PAUSE, "us").await?;
        for (name, one) in [("us", &mut self.us), ("them", &mut self.them)] {
            if let Some(at) = ears::first_sound(&one.listen(0).await?, Duration::ZERO) {
                return Err(format!("{name} heard something after {at:?}"));
            }
            let (packets, texts) = one.inbox().await?;
            if packets.len() + texts.len() > 0 {
                return Err(format!("{name} got a message that does not open"));
            }
        }
        let arrived = self.arrived().packets;
        self.sheet.set("packets_heard_by_us", arrived.into());
        match arrived {
            0 => Ok(()),
            _ => Err(format!("{arrived} packets came through")),
        }
    }
}
