//! Adapter: what the media engine counted, as metric families.
//!
//! The engine counts for the whole process; this reads it whenever somebody looks, so a session
//! costs nothing. Upstream's engine does not tell: with it these families do not exist.

use libwebrtc::ext::{self, Counters, Distribution};
use prometheus::{
    IntCounter, IntCounterVec, IntGauge, Opts,
    core::{Collector, Desc},
    proto::{Bucket, Histogram, Metric, MetricFamily, MetricType},
};

use super::words::Way;

const UNIQUE: &str = "metric names are legal and unique";

/// The families of the engine.
pub(super) struct Engine {
    descriptions: Vec<Desc>,
}

impl Engine {
    pub(super) fn new() -> Self {
        let families = families(&Counters::default());
        let describe = |family: &MetricFamily| {
            let (name, help) = (family.name().to_owned(), family.help().to_owned());
            let labels = family.get_metric().first().map(Metric::get_label);
            let labels = labels.unwrap_or_default().iter();
            let labels = labels.map(|pair| pair.name().to_owned()).collect();
            Desc::new(name, help, labels, Default::default()).expect(UNIQUE)
        };
        Self {
            descriptions: families.iter().map(describe).collect(),
        }
    }
}

impl Collector for Engine {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        families(&ext::counters())
    }
}

fn families(counters: &Counters) -> Vec<MetricFamily> {
    let lost = [
        counters.packets_lost_inbound,
        counters.packets_lost_outbound,
    ];
    let packets = [counters.packets_received, counters.packets_sent];
    let mut families = gauge(
        "rtc_connections",
        "Connections to LiveKit servers that exist now, two per session",
        counters.connections,
    );
    families.extend(both_ways(
        "rtc_packets_total",
        "RTP packets between this worker and the LiveKit servers",
        packets,
    ));
    families.extend(both_ways(
        "rtc_packets_lost_total",
        "RTP packets lost between this worker and the LiveKit servers, as the receiver saw it",
        lost,
    ));
    families.extend(counter(
        "rtc_refused_packets_total",
        "Packets that failed their authentication: forged or damaged",
        counters.refused.packets,
    ));
    families.extend(counter(
        "rtc_refused_peers_total",
        "Connections whose certificate was not the announced one",
        counters.refused.peers,
    ));
    families.extend(counter(
        "rtc_discarded_datagrams_total",
        "RTP datagrams of no use: copies, of nothing we know, or refused",
        counters.discarded_datagrams,
    ));
    families.extend(counter(
        "rtc_unsent_datagrams_total",
        "Datagrams that the system did not take",
        counters.unsent_datagrams,
    ));
    families.extend(counter(
        "rtc_tap_dropped_packets_total",
        "Packets that were dropped because their reader was too slow",
        counters.tap_dropped,
    ));
    families.extend(counter(
        "rtc_late_wakeups_total",
        "Deadlines of connections that an I/O thread served more than 6 ms late",
        counters.late_wakeups,
    ));
    families.push(histogram(
        "rtc_round_trip_seconds",
        "From our sender reports to the LiveKit server and back",
        &counters.round_trip,
    ));
    families.push(histogram(
        "rtc_paced_delay_seconds",
        "How long paced streams held packets back; the agent's own ear does not use them",
        &counters.jitter_buffer_delay,
    ));
    families
}

fn gauge(name: &str, help: &str, value: u64) -> Vec<MetricFamily> {
    let metric = IntGauge::new(name, help).expect(UNIQUE);
    metric.set(i64::try_from(value).unwrap_or(i64::MAX));
    metric.collect()
}

fn counter(name: &str, help: &str, value: u64) -> Vec<MetricFamily> {
    let metric = IntCounter::new(name, help).expect(UNIQUE);
    metric.inc_by(value);
    metric.collect()
}

fn both_ways(name: &str, help: &str, values: [u64; 2]) -> Vec<MetricFamily> {
    let metric = IntCounterVec::new(Opts::new(name, help), &["direction"]).expect(UNIQUE);
    for (way, value) in [Way::In, Way::Out].iter().zip(values) {
        metric.with_label_values(&[way.as_str()]).inc_by(value);
    }
    metric.collect()
}

fn histogram(name: &str, help: &str, spread: &Distribution) -> MetricFamily {
    let mut below = 0;
    let ranges = spread.edges.iter().zip(&spread.counts);
    let bucket = |(edge, count): (&f64, &u64)| {
        below += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*edge);
        bucket.set_cumulative_count(below);
        bucket
    };
    let buckets = ranges.map(bucket).collect();
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(spread.counts.iter().sum());
    histogram.set_sample_sum(spread.sum.as_secs_f64());
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(MetricType::HISTOGRAM);
    family.set_metric(vec![metric]);
    family
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus::{Encoder, TextEncoder};

    use super::*;

    #[test]
    fn a_distribution_is_a_histogram_to_whoever_scrapes() {
        let spread = Distribution {
            edges: &[0.01, 0.1],
            counts: vec![3, 2, 1],
            sum: Duration::from_millis(1_500),
        };
        let mut text = Vec::new();
        let family = histogram("trip_seconds", "There and back", &spread);
        TextEncoder::new().encode(&[family], &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "trip_seconds_bucket{le=\"0.01\"} 3",
            "trip_seconds_bucket{le=\"0.1\"} 5",
            "trip_seconds_bucket{le=\"+Inf\"} 6",
            "trip_seconds_sum 1.5",
            "trip_seconds_count 6",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn every_family_is_described_once() {
        let engine = Engine::new();
        assert_eq!(engine.desc().len(), engine.collect().len());
    }
}
