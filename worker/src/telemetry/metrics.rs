//! Adapter: every metric of the worker, in one place.
//!
//! Names are `room_agent_<noun>_<unit>[_total]` in base units; labels are closed lists (see
//! `words`). Nothing else registers a metric, and only [`super::event`] moves one.

mod family;

use std::{sync::LazyLock, time::Duration};

use prometheus::{
    CounterVec, Encoder, Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Registry, TextEncoder,
};

use self::family::{amounts, counter, counters, gauge, gauges, histogram, histograms, ratio};
use super::process;

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::build);

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

/// The families. Fields carry the name without the prefix.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,

    pub(super) build_info: IntGaugeVec,
    pub(super) process_resident_bytes: IntGauge,
    pub(super) process_threads: IntGauge,
    pub(super) process_open_files: IntGauge,

    pub(super) sessions_active: IntGauge,
    pub(super) sessions_capacity: IntGauge,
    pub(super) sessions_total: IntCounterVec,
    pub(super) session_panics_total: IntCounter,
    pub(super) session_seconds: Histogram,
    pub(super) job_offers_total: IntCounterVec,
    pub(super) job_offer_answer_seconds: Histogram,
    pub(super) job_start_seconds: Histogram,
    pub(super) load_ratio: Gauge,
    pub(super) draining: IntGauge,
    pub(super) registered: IntGauge,
    pub(super) control_links_lost_total: IntCounterVec,
    pub(super) protocol_errors_total: IntCounterVec,

    pub(super) turns_total: IntCounterVec,
    pub(super) turn_stage_seconds: HistogramVec,
    pub(super) time_to_first_audio_seconds: Histogram,
    pub(super) interruption_stop_seconds: Histogram,
    pub(super) echoes_heard_total: IntCounter,
    pub(super) gaps_covered_total: IntCounter,
    pub(super) name_wait_seconds: Histogram,
    pub(super) verdict_wait_seconds: Histogram,
    pub(super) false_interruptions_total: IntCounterVec,
    pub(super) dialog_unexpected_total: IntCounter,

    pub(super) room_link_total: IntCounterVec,
    pub(super) seal_faults_total: IntCounterVec,
    pub(super) room_away_seconds: Histogram,
    pub(super) session_stuck_total: IntCounterVec,
    pub(super) engine_states_total: IntCounterVec,

    pub(super) model_link_total: IntCounterVec,
    pub(super) model_connect_seconds: Histogram,
    pub(super) model_recovery_seconds: Histogram,
    pub(super) model_events_total: IntCounterVec,
    pub(super) model_append_seconds: Histogram,
    pub(super) model_unknown_events_total: IntCounter,
    pub(super) model_orders_refused_total: IntCounter,
    pub(super) model_tokens_total: IntCounterVec,
    pub(super) model_cost_usd_total: CounterVec,
    pub(super) tool_calls_total: IntCounterVec,
    pub(super) tool_call_seconds: HistogramVec,
    pub(super) tool_server_up: IntGaugeVec,
    pub(super) tool_server_tools_off: IntGaugeVec,

    pub(super) audio_dropped_frames_total: IntCounterVec,
    pub(super) audio_gap_wait_seconds: Histogram,
    pub(super) audio_concealed_frames_total: IntCounter,
    pub(super) rtc_jitter_buffer_delay_seconds: Histogram,
    pub(super) playout_underruns_total: IntCounter,
    pub(super) media_late_ticks_total: IntCounter,

    pub(super) console_joins_total: IntCounterVec,
    pub(super) commands_total: IntCounterVec,
}

impl Metrics {
    /// The whole registry in Prometheus' text format, with fresh process figures.
    pub fn render(&self) -> String {
        let usage = process::usage();
        self.process_resident_bytes.set(usage.resident as i64);
        self.process_threads.set(usage.threads as i64);
        self.process_open_files.set(usage.files as i64);
        self.count_engine_states();
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// The engine counts by itself; the counters follow it.
    #[cfg(feature = "our-engine")]
    fn count_engine_states(&self) {
        for (state, reason, count) in libwebrtc::ext::connection_states() {
            let state = format!("{state:?}").to_lowercase();
            let labels = [state.as_str(), reason.as_str()];
            let counter = self.engine_states_total.with_label_values(&labels);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    #[cfg(not(feature = "our-engine"))]
    fn count_engine_states(&self) {}

    fn build() -> Self {
        let r = &Registry::new_custom(Some("room_agent".to_owned()), None)
            .expect("the prefix is a legal metric name");
        let built = Self {
            registry: r.clone(),

            build_info: gauges(
                r,
                "build_info",
                "Version of this worker, always 1",
                &["version"],
            ),
            process_resident_bytes: gauge(r, "process_resident_bytes", "Resident memory"),
            process_threads: gauge(r, "process_threads", "Threads"),
            process_open_files: gauge(r, "process_open_files", "Open file descriptors"),

            sessions_active: gauge(r, "sessions_active", "Sessions running now"),
            sessions_capacity: gauge(r, "sessions_capacity", "Sessions this worker takes at once"),
            sessions_total: counters(r, "sessions_total", "Sessions ended", &["close_reason"]),
            session_panics_total: counter(r, "session_panics_total", "Sessions ended by a panic"),
            session_seconds: histogram(r, "session_seconds", "Length of sessions", CALLS),
            job_offers_total: counters(r, "job_offers_total", "Offers answered", &["answer"]),
            job_offer_answer_seconds: histogram(
                r,
                "job_offer_answer_seconds",
                "Offer read to answer handed to the socket",
                FAST,
            ),
            job_start_seconds: histogram(
                r,
                "job_start_seconds",
                "Assignment to the agent's track being published",
                LATENCY,
            ),
            load_ratio: ratio(r, "load_ratio", "Used slots over all slots"),
            draining: gauge(
                r,
                "draining",
                "1 while no new job is taken because of a drain",
            ),
            registered: gauge(r, "registered", "Agent names registered at the server now"),
            control_links_lost_total: counters(
                r,
                "control_links_lost_total",
                "Connections to the job dispatcher that failed or ended",
                &["fault"],
            ),
            protocol_errors_total: counters(
                r,
                "protocol_errors_total",
                "Messages that could not be understood",
                &["link"],
            ),

            turns_total: counters(r, "turns_total", "Turns of the agent", &["ended_by"]),
            turn_stage_seconds: histograms(
                r,
                "turn_stage_seconds",
                "Where the time of an answer goes",
                &["stage"],
                LATENCY,
            ),
            time_to_first_audio_seconds: histogram(
                r,
                "time_to_first_audio_seconds",
                "End of the user's turn to the first sound of the answer",
                LATENCY,
            ),
            interruption_stop_seconds: histogram(
                r,
                "interruption_stop_seconds",
                "Interruption known to the last sound of the agent",
                FAST,
            ),
            echoes_heard_total: counter(
                r,
                "echoes_heard_total",
                "Times that the agent was recognised in a caller's microphone",
            ),
            gaps_covered_total: counter(
                r,
                "gaps_covered_total",
                "Times that somebody waited in silence for a model that was away, and was told so",
            ),
            name_wait_seconds: histogram(
                r,
                "name_wait_seconds",
                "End of a turn to whether it names the agent, where it answers only then",
                FAST,
            ),
            verdict_wait_seconds: histogram(
                r,
                "verdict_wait_seconds",
                "End of a turn to the model's opinion on whether it is meant for the agent",
                FAST,
            ),
            false_interruptions_total: counters(
                r,
                "false_interruptions_total",
                "Pauses for somebody who did not want the floor",
                &["source"],
            ),
            dialog_unexpected_total: counter(
                r,
                "dialog_unexpected_total",
                "Facts without a meaning in the state they met",
            ),

            room_link_total: counters(
                r,
                "room_link_total",
                "What became of links to rooms",
                &["outcome"],
            ),
            seal_faults_total: counters(
                r,
                "seal_faults_total",
                "People in encrypted rooms who are not understood",
                &["fault"],
            ),
            room_away_seconds: histogram(
                r,
                "room_away_seconds",
                "Room lost for good to joined again",
                CALLS,
            ),
            session_stuck_total: counters(
                r,
                "session_stuck_total",
                "Sessions found standing still, and what was done",
                &["place", "remedy"],
            ),
            engine_states_total: counters(
                r,
                "engine_states_total",
                "States that connections of the media engine entered, and why",
                &["state", "reason"],
            ),

            model_link_total: counters(
                r,
                "model_link_total",
                "What became of connections to the model",
                &["outcome"],
            ),
            model_connect_seconds: histogram(
                r,
                "model_connect_seconds",
                "Connect to a configured connection",
                LATENCY,
            ),
            model_recovery_seconds: histogram(
                r,
                "model_recovery_seconds",
                "Connection lost to the next one configured",
                CALLS,
            ),
            model_events_total: counters(
                r,
                "model_events_total",
                "What the models told; unknown types are `other`",
                &["type"],
            ),
            model_append_seconds: histogram(
                r,
                "model_append_seconds",
                "How long audio waited for the model's connection to take it",
                FAST,
            ),
            model_unknown_events_total: counter(
                r,
                "model_unknown_events_total",
                "Events of a type this version does not know",
            ),
            model_orders_refused_total: counter(
                r,
                "model_orders_refused_total",
                "Orders the model answered with an error",
            ),
            model_tokens_total: counters(
                r,
                "model_tokens_total",
                "Tokens as reported by the provider; cached ones are part of the input",
                &["modality", "direction", "cached"],
            ),
            model_cost_usd_total: amounts(
                r,
                "model_cost_usd_total",
                "What these tokens cost by the price list; models without a price are not in it",
                &["modality", "direction", "cached"],
            ),
            tool_calls_total: counters(
                r,
                "tool_calls_total",
                "Tool calls; only registered tools are named",
                &["tool", "outcome"],
            ),
            tool_call_seconds: histograms(
                r,
                "tool_call_seconds",
                "Length of tool calls",
                &["tool"],
                LATENCY,
            ),
            tool_server_up: gauges(
                r,
                "tool_server_up",
                "Whether an MCP server answers; servers are named as in tool files",
                &["server"],
            ),
            tool_server_tools_off: gauges(
                r,
                "tool_server_tools_off",
                "Tools that their MCP server describes otherwise than they were pinned",
                &["server"],
            ),

            audio_dropped_frames_total: counters(
                r,
                "audio_dropped_frames_total",
                "Audio that had to be dropped, in frames or packets of its stage",
                &["stage"],
            ),
            audio_gap_wait_seconds: histogram(
                r,
                "audio_gap_wait_seconds",
                "How long a gap in a caller's audio held the rest back",
                FAST,
            ),
            rtc_jitter_buffer_delay_seconds: histogram(
                r,
                "rtc_jitter_buffer_delay_seconds",
                "How long a caller's packet took from the socket to the model's queue",
                FAST,
            ),
            audio_concealed_frames_total: counter(
                r,
                "audio_concealed_frames_total",
                "20 ms frames that were made up because a packet never came",
            ),
            playout_underruns_total: counter(
                r,
                "playout_underruns_total",
                "Times the queue ran dry in the middle of an item",
            ),
            media_late_ticks_total: counter(
                r,
                "media_late_ticks_total",
                "Wake-ups of the media clock that came too late",
            ),

            console_joins_total: counters(
                r,
                "console_joins_total",
                "Requests of the page for a room token",
                &["answer"],
            ),
            commands_total: counters(
                r,
                "commands_total",
                "Commands that came in a room, and what became of them",
                &["command", "answer"],
            ),
        };
        #[cfg(feature = "our-engine")]
        r.register(Box::new(super::engine::Engine::new()))
            .expect(UNIQUE);
        built
            .build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        built
    }
}

/// Histograms count seconds; a `Duration` becomes one here and nowhere else.
pub(super) fn observe(histogram: &Histogram, duration: Duration) {
    histogram.observe(duration.as_secs_f64());
}

/// Sub-frame work: 1 ms to 1 s. The promises are 5, 10 and 20 ms, so the edges stand there.
const FAST: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0];
/// What a caller waits for: 10 ms to 10 s.
const LATENCY: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0,
];
/// Whole conversations and outages: 1 s to 2 h.
const CALLS: &[f64] = &[1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 7200.0];

const UNIQUE: &str = "metric names are legal and unique";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_carries_the_prefix_and_the_build_is_named() {
        let text = metrics().render();
        assert!(text.contains("room_agent_build_info{version="));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(
                line.starts_with("room_agent_"),
                "a metric without our prefix: {line}"
            );
        }
    }

    #[test]
    fn no_label_holds_what_somebody_else_chose() {
        // Each label's values are a list of ours; `tool`, `server` and `close_reason` are closed elsewhere.
        const LABELS: &[&str] = &[
            "answer",
            "cached",
            "close_reason",
            "command",
            "direction",
            "ended_by",
            "fault",
            "le",
            "link",
            "modality",
            "outcome",
            "place",
            "reason",
            "remedy",
            "server",
            "stage",
            "state",
            "tool",
            "type",
            "version",
        ];
        for family in metrics().registry.gather() {
            for metric in family.get_metric() {
                for label in metric.get_label() {
                    let known = LABELS.contains(&label.name());
                    assert!(known, "{} of {}", label.name(), family.name());
                }
            }
        }
    }

    #[cfg(feature = "our-engine")]
    #[test]
    fn the_engine_is_read_when_somebody_looks() {
        let text = metrics().render();
        for family in [
            "rtc_connections ",
            "rtc_packets_total{direction=\"in\"} ",
            "rtc_packets_lost_total{direction=\"out\"} ",
            "rtc_discarded_datagrams_total ",
            "rtc_unsent_datagrams_total ",
            "rtc_tap_dropped_packets_total ",
            "rtc_late_wakeups_total ",
            "rtc_round_trip_seconds_count ",
            "rtc_paced_delay_seconds_bucket{le=\"0.12\"} ",
        ] {
            let name = format!("room_agent_{family}");
            assert!(text.contains(&name), "{name} in\n{text}");
        }
    }

    #[test]
    fn resident_memory_is_read_when_somebody_looks() {
        let text = metrics().render();
        let line = text
            .lines()
            .find(|line| line.starts_with("room_agent_process_resident_bytes "))
            .expect("the family is there");
        let bytes: u64 = line
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert!(
            bytes > 1_000_000,
            "a running process has more than {bytes} bytes"
        );
    }
}
