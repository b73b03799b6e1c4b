//! Adapter: one struct per thing that happens; `emit()` writes the log line and moves the metric.
//!
//! The list of what can be seen of this worker from outside. Messages are static, values are
//! fields. No field may carry a name, an identity, a transcript, a key or a URL with a token.

mod control;
mod media;
mod model;
mod session;
mod tool;

pub use super::words::{
    Answer, AudioStage, CommandAnswer, Fault, JoinAnswer, LinkOutcome, ModelEventKind, SealFault,
    SpeechSource, Stage, ToolEnd, TurnEnd, Way,
};
pub use control::*;
pub use media::*;
pub use model::*;
pub use session::*;
pub use tool::*;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::metrics::metrics;

    // The registry is the process's: other tests move it too, so these look at what they alone do.

    #[test]
    fn an_event_moves_its_metric() {
        let took = Duration::from_millis(1);
        OfferAnswered {
            job: "AJ_1",
            answer: Answer::Late,
            took,
        }
        .emit();
        let text = metrics().render();
        assert!(text.contains("room_agent_job_offers_total{answer=\"late\"} 1"));
    }

    #[test]
    fn cached_tokens_are_counted_once() {
        const MANY: u64 = 1_000_000_000;
        let usage = dialog::model::Usage {
            input_text: 10 * MANY,
            cached_text: 3 * MANY,
            ..Default::default()
        };
        let count = |cached| {
            let family = &metrics().model_tokens_total;
            family.with_label_values(&["text", "input", cached]).get() / MANY
        };
        let (uncached, cached) = (count("false"), count("true"));
        TokensUsed { usage, price: None }.emit();
        assert_eq!((count("false") - uncached, count("true") - cached), (7, 3));
    }
}
