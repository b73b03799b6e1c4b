//! The agent's voice on its way to the room.
//!
//! Owns, per session, the outgoing queue, its pump and the track's audio source behind one short
//! lock. The model's reader pushes, the driver flushes, the media clock pulls. The lock is held
//! while a frame is encoded (about 0.2 ms) and never across an await: so when [`PlayoutHandle::flush`]
//! returns, no sample queued before it can leave any more. Does not decide what is said or dropped.

mod clip;
mod gain;
mod pump;
mod queue;
pub mod source;

use std::{sync::Arc, time::Instant};

use dialog::{
    input::Playout,
    model::{ItemId, ResponseId},
};
use parking_lot::Mutex;
use tokio::sync::mpsc::{self, error::TrySendError};

use self::{pump::Pump, queue::Pushed, source::AgentSource};
use super::{
    FRAME, Frame, Pcm,
    clock::{Lane, MediaClock, Timed},
    echo::OwnVoice,
};
use crate::telemetry::event::{self, AudioStage};

// Facts for the driver. When full they stay in the queue, where the playhead is coalesced, and are
// told with the next frame.
const FACTS: usize = 64;

/// Opens the way from model audio to `source`. The receiver tells what people hear.
pub fn start(
    source: AgentSource,
    clock: &MediaClock,
    own_voice: OwnVoice,
) -> (PlayoutHandle, mpsc::Receiver<Playout>) {
    let (facts, heard) = mpsc::channel(FACTS);
    let voice = Mutex::new(Voice {
        pump: Pump::default(),
        source,
        own_voice,
        is_scheduled: false,
    });
    let shared = Arc::new(Shared {
        voice,
        facts,
        lane: clock.lane(),
    });
    (PlayoutHandle { shared }, heard)
}

/// Speaks for one agent; cheap to clone.
#[derive(Clone)]
pub struct PlayoutHandle {
    shared: Arc<Shared>,
}

impl PlayoutHandle {
    /// Queues audio of an item; the first packet of a speech is sent within this call. Never waits:
    /// audio of a flushed response is dropped, and so is a response of more than five minutes.
    pub fn push(&self, response: &ResponseId, item: &ItemId, pcm: Pcm) {
        let pushed = self
            .shared
            .act(|pump, now, out| pump.push(now, (response, item), pcm, out));
        let stage = match pushed {
            Pushed::Queued => return,
            Pushed::Late => AudioStage::Late,
            Pushed::TooLong => AudioStage::Playout,
        };
        event::AudioDropped { stage, frames: 1 }.emit();
    }

    /// No more audio of this item will come.
    pub fn finish(&self, _response: &ResponseId, item: &ItemId) {
        self.shared
            .act(|pump, now, out| pump.finish(now, item, out));
    }

    /// Keeps the voice back: what is pushed waits. A speech that sounds already goes on.
    pub fn close_voice(&self) {
        self.shared.act(|pump, _, _| pump.close());
    }

    /// Lets the voice out; what has been waiting begins within this call.
    pub fn open_voice(&self) {
        self.shared.act(|pump, now, out| pump.open(now, out));
    }

    /// Drops everything queued but audio of `keep`, at once. Later audio of `response` will be
    /// dropped too; `None` = only what is queued. What sounds right now fades out over 5 ms in the
    /// packet at hand.
    pub fn flush(&self, response: Option<ResponseId>, keep: Option<&ResponseId>) {
        self.shared
            .act(|pump, _, out| pump.flush(response, keep, out));
    }

    /// Drops audio of this response, none of which was heard, and what comes of it later.
    pub fn drop_response(&self, response: ResponseId) {
        self.shared.act(|pump, _, _| pump.drop_response(response));
    }

    /// Plays a clip as soon as nothing else is to be heard; what is pushed meanwhile waits for its end.
    /// Told when it is over; an empty one is over at once.
    pub fn play_clip(&self, pcm: Pcm) {
        self.shared
            .act(|pump, now, out| pump.play_clip(now, pcm, out));
    }

    /// Ends the clip with a fade of 5 ms.
    pub fn stop_clip(&self) {
        self.shared.act(|pump, now, out| pump.stop_clip(now, out));
    }

    /// Falls silent at once, with a fade of 5 ms, and keeps what is queued.
    pub fn pause(&self) {
        self.shared.act(|pump, _, out| pump.pause(out));
    }

    /// Goes on at a low voice.
    pub fn duck(&self) {
        self.shared.act(|pump, _, _| pump.duck());
    }

    /// Goes on where it stopped, at full voice.
    pub fn resume(&self) {
        self.shared.act(|pump, now, out| pump.resume(now, out));
    }
}

impl std::fmt::Debug for PlayoutHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlayoutHandle")
    }
}

struct Shared {
    voice: Mutex<Voice>,
    facts: mpsc::Sender<Playout>,
    lane: Lane,
}

struct Voice {
    pump: Pump,
    source: AgentSource,
    /// Is told what is sent.
    own_voice: OwnVoice,
    /// The clock has a deadline of ours.
    is_scheduled: bool,
}

impl Shared {
    /// Does one thing to the pump, tells what came of it and sees to it that the clock knows.
    fn act<T>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Pump, Instant, &mut dyn FnMut(&Frame)) -> T,
    ) -> T {
        let mut voice = self.voice.lock();
        let Voice {
            pump,
            source,
            own_voice,
            is_scheduled,
        } = &mut *voice;
        let now = Instant::now();
        let result = act(pump, now, &mut |frame| {
            source.capture(frame);
            own_voice.send(now, frame);
        });
        let deadline = self.tell(pump);
        let wake = deadline.filter(|_| !std::mem::replace(is_scheduled, deadline.is_some()));
        drop(voice);
        if let Some(deadline) = wake {
            self.lane.schedule(deadline, self.clone());
        }
        result
    }

    /// Sends the facts; returns when the clock is needed next.
    fn tell(&self, pump: &mut Pump) -> Option<Instant> {
        for _ in 0..pump.take_underruns() {
            event::PlayoutUnderrun.emit();
        }
        while let Some(fact) = pump.queue().poll_fact() {
            if let Err(TrySendError::Full(fact)) = self.facts.try_send(fact) {
                pump.queue().keep_fact(fact);
                return pump.deadline().or_else(|| Some(Instant::now() + FRAME));
            }
        }
        pump.deadline()
    }
}

impl Timed for Shared {
    fn on_deadline(&self, now: Instant) -> Option<Instant> {
        let mut voice = self.voice.lock();
        let Voice {
            pump,
            source,
            own_voice,
            is_scheduled,
        } = &mut *voice;
        pump.on_deadline(now, &mut |frame| {
            source.capture(frame);
            own_voice.send(now, frame);
        });
        let next = self.tell(pump);
        *is_scheduled = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn ids() -> (ResponseId, ItemId) {
        (ResponseId::new("r"), ItemId::new("a"))
    }

    #[tokio::test]
    async fn speech_is_played_to_its_end_and_told() {
        let clock = MediaClock::start().unwrap();
        let (heard, frames) = std::sync::mpsc::sync_channel(64);
        let source = AgentSource::from_fn(move |frame| heard.try_send(frame[0]).unwrap());
        let (playout, mut facts) = start(source, &clock, OwnVoice::new(Instant::now()));
        let (response, item) = ids();
        playout.push(&response, &item, Pcm::from(vec![8; 1_200]));
        assert_eq!(
            (frames.try_recv(), frames.try_recv()),
            (Ok(8), Ok(8)),
            "sent within the push"
        );
        playout.finish(&response, &item);
        let told = async {
            let mut told = Vec::new();
            while told.last() != Some(&Playout::Drained) {
                told.push(facts.recv().await.unwrap());
            }
            told
        };
        let told = tokio::time::timeout(PATIENCE, told).await.unwrap();
        assert_eq!(told[0], Playout::Started { response, item });
        assert_eq!(frames.try_iter().filter(|value| *value == 8).count(), 3);
    }

    /// Who does not read is told later, and alone: the voices that share its thread go on.
    #[tokio::test]
    async fn a_session_that_stands_still_slows_no_other() {
        let clock = MediaClock::start().unwrap();
        let speak = |name: i16| {
            let (heard, frames) = std::sync::mpsc::sync_channel(1_000);
            let source = AgentSource::from_fn(move |frame| heard.try_send(frame[0]).unwrap());
            let (playout, facts) = start(source, &clock, OwnVoice::new(Instant::now()));
            playout.close_voice();
            for item in 0..40 {
                let item = ItemId::new(format!("{item}"));
                playout.push(&ResponseId::new("r"), &item, Pcm::from(vec![name; 480]));
                playout.finish(&ResponseId::new("r"), &item);
            }
            playout.open_voice();
            (playout, facts, frames)
        };
        let (_stalled, unread, sent) = speak(1);
        let (_reads, mut facts, frames) = speak(2);
        let told = async { while facts.recv().await.unwrap() != Playout::Drained {} };
        tokio::time::timeout(PATIENCE, told).await.unwrap();
        assert_eq!(frames.try_iter().filter(|value| *value == 2).count(), 80);
        assert_eq!(unread.len(), FACTS, "full");
        // Nor is its own voice held back.
        let all = std::iter::from_fn(|| sent.recv_timeout(PATIENCE).ok());
        assert_eq!(all.take_while(|value| *value == 1).count(), 80);
    }

    #[tokio::test]
    async fn a_closed_voice_waits_and_begins_when_it_is_opened() {
        let clock = MediaClock::start().unwrap();
        let (heard, frames) = std::sync::mpsc::sync_channel(256);
        let source = AgentSource::from_fn(move |frame| heard.try_send(frame[0]).unwrap());
        let (playout, mut facts) = start(source, &clock, OwnVoice::new(Instant::now()));
        let (response, item) = ids();
        playout.close_voice();
        playout.push(&response, &item, Pcm::from(vec![8; 24_000]));
        assert!(frames.try_recv().is_err(), "nothing leaves");
        assert!(facts.try_recv().is_err(), "nothing was heard");
        playout.open_voice();
        assert_eq!((frames.try_recv(), frames.try_recv()), (Ok(8), Ok(8)));
    }

    #[tokio::test]
    async fn flush_silences_the_voice_before_it_returns() {
        let clock = MediaClock::start().unwrap();
        let (heard, frames) = std::sync::mpsc::sync_channel(256);
        let source = AgentSource::from_fn(move |frame| heard.try_send(frame[0]).unwrap());
        let (playout, mut facts) = start(source, &clock, OwnVoice::new(Instant::now()));
        let (response, item) = ids();
        playout.push(&response, &item, Pcm::from(vec![8; 24_000]));
        playout.flush(Some(response.clone()), None);
        frames.try_iter().for_each(drop);
        playout.push(&response, &item, Pcm::from(vec![8; 24_000]));
        assert!(matches!(facts.recv().await, Some(Playout::Started { .. })));
        let Some(Playout::Flushed { cut }) = facts.recv().await else {
            panic!("not told")
        };
        assert!(
            cut[0].heard >= Duration::from_millis(20),
            "the first packet was sent"
        );
        // The silence that follows is the proof that the clock went on and found nothing.
        let after: Vec<_> = (0..18)
            .map(|_| frames.recv_timeout(PATIENCE).unwrap())
            .collect();
        assert!(after.iter().all(|sample| *sample == 0), "{after:?}");
    }
}
