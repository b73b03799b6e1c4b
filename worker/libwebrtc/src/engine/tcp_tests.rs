//! Two connections of which one accepts TCP: when it is called, and that the call carries all.

use std::{net::SocketAddr, time::Duration};

use str0m::{Candidate, net::TcpType};

use super::pair::{Pair, SECOND};
use crate::{
    data_channel::DataChannelInit,
    ice_candidate::IceCandidate,
    stats::{IceCandidateType, RtcStats},
};

const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 7_881);
const CALLER: ([u8; 4], u16) = ([10, 0, 0, 1], 50_000);
const LIMIT: Duration = Duration::from_secs(10);

/// The call that stands ends.
fn hang_up(pair: &mut Pair) {
    let (now, caller) = (pair.now, &mut pair.caller.connection);
    caller.out.calls.clear();
    caller.lose_tcp(now, Some(CALLER.into()), SERVER.into());
    pair.caller.flush(now);
}

/// A negotiated pair whose callee accepts TCP, and told so.
fn pair(cut: bool) -> Pair {
    let mut pair = Pair::new();
    pair.cut = cut;
    pair.caller.add_channel("chat", DataChannelInit::default());
    pair.negotiate(false);
    accept(&mut pair);
    pair
}

/// The callee accepts TCP from now on, and says so.
fn accept(pair: &mut Pair) {
    let candidate = passive();
    let line = candidate.to_sdp_string();
    pair.callee.connection.rtc.add_local_candidate(candidate);
    pair.callee.flush(pair.now);
    let trickled = IceCandidate::new("0".to_owned(), 0, line);
    let caller = &mut pair.caller.connection;
    caller.add_remote_candidate(&trickled).unwrap();
    pair.caller.flush(pair.now);
}

fn passive() -> Candidate {
    let candidate = Candidate::builder().tcp().host(SERVER.into());
    candidate.tcptype(TcpType::Passive).build().unwrap()
}

#[test]
fn a_peer_that_no_datagram_reaches_is_called_over_tcp() {
    let mut pair = pair(true);
    pair.run_until(LIMIT, |pair| !pair.caller.connection.out.calls.is_empty());
    assert_eq!(pair.caller.connection.out.calls, [SocketAddr::from(SERVER)]);
    pair.caller.connection.add_tcp(CALLER.into());
    pair.caller.flush(pair.now);
    pair.run_until(LIMIT, Pair::connected);
    pair.run_until(LIMIT, |pair| !pair.callee.channels.is_empty());
}

#[test]
fn nobody_is_called_while_datagrams_arrive() {
    let mut pair = pair(false);
    pair.run_until(LIMIT, Pair::connected);
    pair.run(LIMIT);
    assert_eq!(pair.caller.connection.out.calls, []);
}

#[test]
fn a_lost_call_is_the_end_of_its_path() {
    let mut pair = pair(true);
    pair.run_until(LIMIT, |pair| !pair.caller.connection.out.calls.is_empty());
    pair.caller.connection.add_tcp(CALLER.into());
    pair.caller.flush(pair.now);
    pair.run_until(LIMIT, Pair::connected);
    hang_up(&mut pair);
    pair.run_until(LIMIT * 2, |pair| !pair.connected());
}

#[test]
fn a_lost_call_is_made_again_while_no_path_works() {
    let mut pair = pair(true);
    pair.run_until(LIMIT, |pair| !pair.caller.connection.out.calls.is_empty());
    pair.caller.connection.add_tcp(CALLER.into());
    pair.caller.flush(pair.now);
    pair.run_until(LIMIT, Pair::connected);
    pair.run(LIMIT);
    hang_up(&mut pair);
    pair.run_until(2 * SECOND, |pair| {
        !pair.caller.connection.out.calls.is_empty()
    });
    assert_eq!(pair.caller.connection.out.calls, [SocketAddr::from(SERVER)]);
    let again = ([10, 0, 0, 1], 50_001);
    pair.caller.connection.add_tcp(again.into());
    pair.caller.flush(pair.now);
    pair.run_until(LIMIT, Pair::connected);
}

#[test]
fn a_call_that_a_restart_ends_is_made_again_after_a_second() {
    let mut pair = pair(true);
    pair.run_until(LIMIT, |pair| !pair.caller.connection.out.calls.is_empty());
    pair.caller.connection.add_tcp(CALLER.into());
    pair.caller.flush(pair.now);
    pair.run_until(LIMIT, Pair::connected);
    pair.run(LIMIT);
    pair.negotiate(true);
    assert!(pair.connected(), "a restart alone is no loss");
    // The peer ends the call, and is to be called again.
    let mut callee = pair.callee.connection.rtc.direct_api();
    callee.invalidate_candidate(&passive());
    hang_up(&mut pair);
    assert!(!pair.connected());
    accept(&mut pair);
    pair.run_until(SECOND * 3 / 2, |pair| {
        !pair.caller.connection.out.calls.is_empty()
    });
    let again = ([10, 0, 0, 1], 50_001);
    pair.caller.connection.add_tcp(again.into());
    pair.caller.flush(pair.now);
    pair.run_until(LIMIT, Pair::connected);
}

#[test]
fn statistics_say_that_the_path_is_a_call_over_tcp() {
    let mut pair = pair(true);
    pair.run_until(LIMIT, |pair| !pair.caller.connection.out.calls.is_empty());
    pair.caller.connection.add_tcp(CALLER.into());
    pair.caller.flush(pair.now);
    pair.run_until(LIMIT, Pair::connected);
    pair.run(LIMIT);
    let report = pair.caller.connection.all_stats();
    let candidates = report.iter().filter_map(|entry| match entry {
        RtcStats::LocalCandidate(stats) => Some(&stats.local_candidate),
        RtcStats::RemoteCandidate(stats) => Some(&stats.remote_candidate),
        _ => None,
    });
    let told: Vec<_> = candidates
        .map(|told| (told.protocol.as_str(), told.port, told.candidate_type))
        .collect();
    let host = Some(IceCandidateType::Host);
    let ports = [CALLER.1, SERVER.1].map(i32::from);
    assert_eq!(told, ports.map(|port| ("tcp", port, host)));
}
