//! Keys that are each participant's own change in mid-call: they move down their chain, and give way to others.

use serde_json::json;

use super::{Call, IN_FLIGHT, Side, hears_for, soon};
use crate::{THEM, US};

/// Where the keys of the beginning lie.
const FIRST: u8 = 0;
/// Where those lie that take their place.
const NEXT: u8 = 3;

impl Call {
    /// Each moves its key on and tells nobody: the other one follows. Then both take new ones.
    pub(crate) async fn change_keys(&mut self) -> Result<(), String> {
        self.follow(Side::We, "after_our_step").await?;
        self.follow(Side::They, "after_their_step").await?;
        self.replace().await?;
        self.exchange("with_new_keys", "caller-name", "agent-you-wrote")
            .await?;
        self.data().await?;
        self.sheet.set("keys", json!("own, ratcheted, replaced"));
        Ok(())
    }

    async fn follow(&mut self, side: Side, step: &str) -> Result<(), String> {
        let (one, other) = match side {
            Side::We => (&mut self.us, &mut self.them),
            Side::They => (&mut self.them, &mut self.us),
        };
        let before = other.facts().await?.followed;
        one.ratchet(FIRST).await?;
        // Deriving what follows takes a while; what comes meanwhile is not heard.
        soon(&format!("{step}: the other one follows"), async || {
            let now = other.facts().await?.followed;
            (now > before)
                .then_some(())
                .ok_or_else(|| format!("{now} times"))
        })
        .await?;
        self.exchange(step, "caller-goodbye", "agent-answered")
            .await?;
        self.data().await
    }

    /// Who opens with a key has it before it is used; nothing opens with those of before any more.
    async fn replace(&mut self) -> Result<(), String> {
        let (ours, theirs) = ("what we seal with now", "what they seal with now");
        self.us.set_key(THEM, theirs, NEXT).await?;
        self.them.set_key(US, ours, NEXT).await?;
        self.us.set_key(US, ours, NEXT).await?;
        self.them.set_key(THEM, theirs, NEXT).await?;
        for (name, one) in [("us", &mut self.us), ("them", &mut self.them)] {
            let now = one.position().await?;
            hears_for(one, now, IN_FLIGHT, name).await?;
        }
        self.us.set_key(THEM, "nobody's", FIRST).await?;
        self.them.set_key(US, "nobody's", FIRST).await?;
        // Messages are sealed where a key was set last, whoever's it was.
        self.us.set_key(US, ours, NEXT).await?;
        self.them.set_key(THEM, theirs, NEXT).await
    }
}
