//! Adapter: the conversation's notes as log lines and metrics.
//!
//! Each note becomes the telemetry event that stands for it. It keeps nothing: sums for the report
//! are in `report.rs`.

use dialog::{model::ResponseStatus, note::Note};

use crate::{
    model::Price,
    telemetry::event::{
        DialogUnexpected, EchoHeard, FalseInterruption, GapCovered, Interrupted,
        InterruptionStopped, ModelOrderRefused, NameAwaited, SpeechSource, TokensUsed,
        TurnAnswered, TurnEnd, TurnEnded, VerdictAwaited,
    },
};

/// Logs and counts one note.
pub(super) fn emit(note: Note, price: Option<&Price>) {
    match note {
        Note::CallDropped { why } => tracing::info!(why, "a tool call was not run"),
        Note::Consulted { usage } => {
            if let Some(usage) = usage {
                TokensUsed { usage, price }.emit();
            }
        }
        // What was said is for the report alone: logs hold no words.
        Note::Disclosed { is_whole: true, .. } => tracing::info!("disclosed"),
        Note::Disclosed { .. } => tracing::warn!("the disclosure was not heard word for word"),
        Note::Echoed => EchoHeard.emit(),
        Note::FalseInterruption {
            paused,
            is_heard: true,
        } => FalseInterruption {
            paused,
            source: SpeechSource::Ear,
        }
        .emit(),
        Note::FalseInterruption { paused, .. } => FalseInterruption {
            paused,
            source: SpeechSource::Model,
        }
        .emit(),
        Note::GapCovered => GapCovered.emit(),
        Note::Greeted { latency } => tracing::info!(?latency, "greeted"),
        Note::HeardAgain { turns } => {
            tracing::info!(
                turns,
                "turns that the lost connection left open are heard again"
            );
        }
        Note::Interrupted {
            heard,
            stopped_after,
        } => {
            Interrupted { heard }.emit();
            InterruptionStopped {
                took: stopped_after,
            }
            .emit();
        }
        Note::NameAwaited { waited, is_named } => NameAwaited { waited, is_named }.emit(),
        Note::OrderRefused { code } => ModelOrderRefused { code: &code }.emit(),
        Note::Replayed { items, away } => {
            tracing::info!(
                items,
                ?away,
                "a new connection was told the conversation so far"
            );
        }
        Note::ResponseEnded { status, usage, .. } => {
            if let Some(usage) = usage {
                TokensUsed { usage, price }.emit();
            }
            TurnEnded {
                ended_by: ended_by(&status),
            }
            .emit();
        }
        Note::ResponseLost { waited } => tracing::warn!(?waited, "a response did not come"),
        Note::ResponseRetried { code } => {
            tracing::warn!(code, "a response failed and is asked for again");
        }
        Note::Rotated { items } => {
            tracing::info!(items, "the conversation moves to a fresh connection");
        }
        Note::Shrunk { items } => tracing::info!(items, "the model's context was made smaller"),
        Note::SilencePrompted { after } => tracing::info!(?after, "the caller says nothing"),
        Note::WorkTold { after } => tracing::info!(?after, "a tool takes its time"),
        Note::ToolAnswered { took } => tracing::debug!(?took, "a tool answered"),
        Note::TurnAnswered { latency } => TurnAnswered { latency }.emit(),
        Note::TurnAsked { waited } => {
            tracing::info!(?waited, "the model was asked to answer a turn");
        }
        Note::TurnCommitted { speech } => tracing::debug!(?speech, "turn committed"),
        Note::TurnContinued => tracing::debug!("the turn goes on"),
        Note::TurnUnanswered => tracing::info!("a turn stays without an answer"),
        Note::Unexpected { what } => DialogUnexpected { what }.emit(),
        Note::VerdictAwaited { waited, is_meant } => VerdictAwaited { waited, is_meant }.emit(),
        other => tracing::debug!(?other, "note"),
    }
}

fn ended_by(status: &ResponseStatus) -> TurnEnd {
    match status {
        ResponseStatus::Cancelled => TurnEnd::Caller,
        ResponseStatus::Completed => TurnEnd::Completed,
        _ => TurnEnd::Model,
    }
}
