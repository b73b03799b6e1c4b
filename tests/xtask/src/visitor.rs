//! A browser on another machine talks with the agent of the demo, with UDP and without. The other machine is a
//! network namespace; what carried the sound is what its own filter counted. Prints one JSON object.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    browser, demo,
    run::{Failure, note, output, run, say},
    setup,
};

/// Fewer packets than this carried no conversation: six seconds of speech, and reports on what was heard.
const CONVERSATION: u64 = 300;

/// `cargo xtask visitor`.
pub(crate) fn visitor() -> Result<(), Failure> {
    if !setup::is_root() {
        return Err(Failure::new("a network namespace needs root"));
    }
    setup::ensure(setup::NETWORKS)?;
    browser::prepare()?;
    let machine = Machine::new()?;
    let mut calls = Vec::new();
    for passes_udp in [true, false] {
        note(format_args!(
            "  a visitor on another machine, UDP {}",
            if passes_udp { "passes" } else { "is dropped" }
        ));
        // A stack each: a room whose last visitor has just left is no fresh one.
        let stack = demo::Stack::start(demo::Options::for_visitors(IpAddr::V4(machine.host)))?;
        calls.push(machine.visits(stack.link(), passes_udp)?);
    }
    let failed = calls.iter().filter(|call| call["ok"] != true).count();
    let passed = calls.len() - failed;
    say(
        json!({"part": "visitor", "passed": passed, "failed": failed, "skipped": 0, "calls": calls}),
    );
    match failed {
        0 => Ok(()),
        _ => Err(Failure::new(
            "a visitor on another machine did not get through",
        )),
    }
}

/// Another machine, one hop away; gone when dropped.
struct Machine {
    name: String,
    /// This machine, as the other sees it.
    host: Ipv4Addr,
}

impl Machine {
    fn new() -> Result<Self, Failure> {
        let process = std::process::id();
        // The range for measurements between networks, RFC 2544: nobody else's addresses.
        let [high, low] = [(process >> 6) as u8, (process << 2) as u8];
        let address = |last: u8| Ipv4Addr::new(198, 18, high, low | last);
        let (host, guest) = (address(1), address(2));
        let name = format!("visitor-{process}");
        let machine = Self { name, host };
        let near = format!("visit{}", process % 100_000);
        ip(&format!("netns add {}", machine.name))?;
        let name = &machine.name;
        ip(&format!(
            "link add {near} type veth peer name eth0 netns {name}"
        ))?;
        ip(&format!("addr add {host}/30 dev {near}"))?;
        ip(&format!("link set {near} up"))?;
        ip(&format!("-n {name} addr add {guest}/30 dev eth0"))?;
        ip(&format!("-n {name} link set lo up"))?;
        ip(&format!("-n {name} link set eth0 up"))?;
        Ok(machine)
    }

    /// One conversation, and what carried it.
    fn visits(&self, link: &str, passes_udp: bool) -> Result<Value, Failure> {
        let verdict = if passes_udp { "accept" } else { "drop" };
        let filter = format!(
            "add table inet visitor
            delete table inet visitor
            table inet visitor {{
                chain out {{
                    type filter hook output priority 0
                    meta l4proto udp counter {verdict}
                    meta l4proto tcp counter accept
                }}
                chain in {{
                    type filter hook input priority 0
                    meta l4proto udp {verdict}
                }}
            }}"
        );
        run(self.command("nft").arg(filter))?;
        let call = browser::call(self.command("node"), link)?;
        let [udp, tcp] = self.counted()?;
        let carried = if passes_udp { udp } else { tcp };
        Ok(json!({
            "udp": if passes_udp { "passes" } else { "dropped" },
            "udp_packets": udp, "tcp_packets": tcp,
            "ok": call["ok"] == true && carried >= CONVERSATION,
            "heard": call["heard"], "interrupted": call["interrupted"], "silent": call["silent"],
            "latencies": call["latencies"], "error": call["error"],
        }))
    }

    /// Packets that left for UDP and TCP.
    fn counted(&self) -> Result<[u64; 2], Failure> {
        let list = "-j list chain inet visitor out";
        let listed = output(self.command("nft").args(list.split(' ')))?;
        let listed: Value = serde_json::from_str(&listed)
            .map_err(|error| Failure::new(format!("nft told no JSON: {error}")))?;
        let entries = listed["nftables"].as_array().into_iter().flatten();
        let counts: Vec<u64> = entries
            .filter_map(|entry| entry["rule"]["expr"].as_array())
            .flatten()
            .filter_map(|part| part["counter"]["packets"].as_u64())
            .collect();
        <[u64; 2]>::try_from(counts)
            .map_err(|counts| Failure::new(format!("two counters were expected, not {counts:?}")))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The wire goes with it.
        let _ = ip(&format!("netns del {}", self.name));
    }
}

fn ip(words: &str) -> Result<(), Failure> {
    run(Command::new("ip").args(words.split(' ')))
}
