//! Core: closed lists of words that may become metric labels.
//!
//! A label value that is not one of these does not exist, so no user text, name or provider
//! string can ever multiply time series.

/// Declares an enum whose variants are label values.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it stands in logs and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    )+};
}

words! {
    /// How an offer of a job was answered.
    Answer {
        /// A slot was reserved.
        Accepted = "accepted",
        /// The worker is draining.
        Draining = "draining",
        /// This room already has an agent of this name, here.
        Duplicate = "duplicate",
        /// No slot is free.
        Full = "full",
        /// It had waited too long to be worth a yes.
        Late = "late",
        /// The model refused our key; waiting for a probe to succeed.
        ModelRefused = "model_refused",
        /// The offer names no room or no id.
        Unusable = "unusable",
    }

    /// Where audio was dropped.
    AudioStage {
        /// Between the network and the ear.
        Ear = "ear",
        /// Late audio of a response that was cancelled.
        Late = "late",
        /// The outgoing queue refused a response that is too long.
        Playout = "playout",
        /// Packets between the engine and the ear.
        Tap = "tap",
        /// On the way to the model.
        Uplink = "uplink",
    }

    /// What somebody who asked something of the agent was told.
    CommandAnswer {
        /// The conversation is over or too busy.
        Dropped = "dropped",
        /// The request was malformed.
        Malformed = "malformed",
        /// No grant, or not for this.
        Refused = "refused",
        /// It is carried out.
        Taken = "taken",
    }

    /// Who is to blame for a failure; the word every adapter error answers with.
    Fault {
        /// Settings of this worker.
        Config = "config",
        /// The way between us and them.
        Network = "network",
        /// The other side.
        Peer = "peer",
        /// Our own bug.
        Us = "us",
    }

    /// What somebody who asked the console to join was told.
    JoinAnswer {
        /// The room or the dispatch could not be prepared.
        Failed = "failed",
        /// A token was handed out.
        Granted = "granted",
        /// The request was malformed.
        Malformed = "malformed",
        /// Too many requests.
        Limited = "limited",
        /// Key missing, wrong or expired.
        Refused = "refused",
    }

    /// What became of an attempt to have a connection to the model.
    LinkOutcome {
        /// The link has given up for good.
        Exhausted = "exhausted",
        /// An attempt failed; there will be another one.
        Failed = "failed",
        /// A connection was lost.
        Lost = "lost",
        /// A fresh connection took over in a silence.
        Rotated = "rotated",
        /// A configured connection is there.
        Up = "up",
    }

    /// What the model told, whatever its provider calls it.
    ModelEventKind {
        /// A piece of the agent's voice.
        AudioDelta = "audio_delta",
        /// The agent's voice is complete.
        AudioDone = "audio_done",
        /// Something went wrong.
        Error = "error",
        /// Known, and of no use to us.
        Ignored = "ignored",
        /// An item of an answer is complete.
        ItemDone = "item_done",
        /// A type this version does not know.
        Other = "other",
        /// An answer began.
        ResponseCreated = "response_created",
        /// An answer ended.
        ResponseDone = "response_done",
        /// The connection's session is there.
        SessionCreated = "session_created",
        /// Its settings are in force.
        SessionUpdated = "session_updated",
        /// Somebody began to speak.
        SpeechStarted = "speech_started",
        /// They stopped.
        SpeechStopped = "speech_stopped",
        /// A piece of what the agent says, in text.
        TranscriptDelta = "transcript_delta",
        /// A turn of the user is complete.
        TurnCommitted = "turn_committed",
        /// What the user said, in text: a piece, all of it, or that it could not be understood.
        UserTranscript = "user_transcript",
    }

    /// Why somebody in an encrypted room is not understood.
    SealFault {
        /// The cipher failed, or is not there.
        Broken = "broken",
        /// Sealed with a key at an index where we have none.
        NoKey = "no_key",
        /// Sealed with another key than ours.
        WrongKey = "wrong_key",
    }

    /// Who noticed that somebody speaks.
    SpeechSource {
        /// An ear of ours.
        Ear = "ear",
        /// The model alone.
        Model = "model",
    }

    /// Parts of the time between the last sound of people and the first sound of the answer.
    Stage {
        /// Last sound of people → their turn is committed.
        Endpointing = "endpointing",
        /// Response created → its first sound read, without the tools.
        Model = "model",
        /// Turn committed → response created.
        Request = "request",
        /// Tools ran.
        Tools = "tools",
        /// Last sound of people → first sound of the agent sent.
        Total = "total",
        /// First sound read → sent.
        Voice = "voice",
    }

    /// How a tool call ended.
    ToolEnd {
        /// Called off.
        Cancelled = "cancelled",
        /// It answered.
        Completed = "completed",
        /// It had been run before.
        Duplicate = "duplicate",
        /// It failed.
        Failed = "failed",
        /// It was not allowed to run, or its arguments were wrong.
        Refused = "refused",
        /// It took too long.
        TimedOut = "timed_out",
        /// Nobody knows.
        Unknown = "unknown",
    }

    /// What ended a turn of the agent.
    TurnEnd {
        /// A caller interrupted.
        Caller = "caller",
        /// The agent had said everything.
        Completed = "completed",
        /// The model failed.
        Model = "model",
        /// The session ended.
        Session = "session",
    }

    /// Between this worker and the LiveKit server.
    Way {
        /// To this worker.
        In = "in",
        /// To the server.
        Out = "out",
    }
}
