//! Adapter: a small internet of three network namespaces: a caller's network, a router with rules of
//! its own, and the server's network. No packet of it can leave: nothing joins it to this machine's.
//!
//! Owns the namespaces and their files under `/etc/netns`; dropping it removes both.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The server, as callers see it (RFC 5737: for documentation, so nobody's).
pub const SERVER: &str = "203.0.113.2";
/// The same over IPv6 (RFC 4193: local).
pub const SERVER_V6: &str = "fd77:2::2";
/// The name the server's relay goes by.
pub const RELAY_NAME: &str = "turn.room.test";
/// The caller's interface that leads to the server.
pub const INTERFACE: &str = "wire";
/// The caller's interface that leads nowhere.
pub const DEAD_INTERFACE: &str = "wlan";

/// What these namespaces are called, before the process id.
const PREFIX: &str = "internet-of-room-agent-";

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind the router.
    Caller,
    /// In between.
    Router,
    /// In front of it.
    Server,
}

/// See the module.
#[derive(Debug)]
pub struct Internet {
    id: u32,
}

impl Internet {
    /// Makes the three and joins them; everything passes.
    ///
    /// # Errors
    /// One line that says what is missing: root, iproute2, nftables, or a kernel with namespaces.
    pub fn make() -> Result<Self, String> {
        sweep()?;
        let internet = Self {
            id: std::process::id(),
        };
        for place in [Place::Caller, Place::Router, Place::Server] {
            let name = internet.name(place);
            ip(&["netns", "add", &name])?;
            let hosts = format!("127.0.0.1 localhost\n{SERVER} {RELAY_NAME}\n");
            let folder = files(&name);
            fs::create_dir_all(&folder)
                .and_then(|()| fs::write(folder.join("hosts"), hosts))
                .map_err(|error| format!("cannot write {}: {error}", folder.display()))?;
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
        }
        internet.join()?;
        Ok(internet)
    }

    fn name(&self, place: Place) -> String {
        format!(
            "{PREFIX}{}-{}",
            self.id,
            format!("{place:?}").to_lowercase()
        )
    }

    fn join(&self) -> Result<(), String> {
        let [caller, router, server] =
            [Place::Caller, Place::Router, Place::Server].map(|place| self.name(place));
        let lines = [
            format!("-n {router} link add inside type veth peer name {INTERFACE} netns {caller}"),
            format!("-n {router} link add outside type veth peer name {INTERFACE} netns {server}"),
            // Up, with an address, and with nobody at the other end.
            format!("-n {caller} link add {DEAD_INTERFACE} type veth peer name nobody"),
            format!("-n {router} address add 10.77.0.1/24 dev inside"),
            format!("-n {router} address add fd77:1::1/64 dev inside nodad"),
            format!("-n {router} address add 203.0.113.1/24 dev outside"),
            format!("-n {router} address add fd77:2::1/64 dev outside nodad"),
            format!("-n {caller} address add 10.77.0.2/24 dev {INTERFACE}"),
            format!("-n {caller} address add fd77:1::2/64 dev {INTERFACE} nodad"),
            format!("-n {caller} address add 10.78.0.2/24 dev {DEAD_INTERFACE}"),
            format!("-n {server} address add {SERVER}/24 dev {INTERFACE}"),
            format!("-n {server} address add {SERVER_V6}/64 dev {INTERFACE} nodad"),
            format!("-n {router} link set inside up"),
            format!("-n {router} link set outside up"),
            format!("-n {caller} link set {INTERFACE} up"),
            format!("-n {caller} link set nobody up"),
            format!("-n {caller} link set {DEAD_INTERFACE} up"),
            format!("-n {server} link set {INTERFACE} up"),
            format!("-n {caller} route add default via 10.77.0.1"),
            format!("-n {caller} -6 route add default via fd77:1::1"),
            format!("-n {server} route add default via 203.0.113.1"),
            format!("-n {server} -6 route add default via fd77:2::1"),
        ];
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            ip(&words)?;
        }
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            self.run(Place::Router, &["sysctl", "-qw", &format!("{key}=1")], "")?;
        }
        Ok(())
    }

    /// Replaces the router's rules (nftables). What passes from the caller to the server is counted
    /// first, by protocol and port.
    ///
    /// # Errors
    /// When a rule cannot be read.
    pub fn rule(&self, translated: bool, forward: &[&str]) -> Result<(), String> {
        let counted: String = COUNTED
            .iter()
            .map(|(name, what)| format!("  iifname inside {what} counter comment \"{name}\"\n"))
            .collect();
        let forward: String = forward.iter().map(|rule| format!("  {rule}\n")).collect();
        let translation = match translated {
            true => "  oifname outside masquerade\n",
            false => "",
        };
        let rules = format!(
            "flush ruleset\n\
             table inet gate {{\n chain refuse_some {{\n  type filter hook forward priority 0;\n{forward} }}\n\
             chain note_all {{\n  type filter hook forward priority 10;\n{counted} }}\n}}\n\
             table ip translation {{\n chain leaving {{\n  type nat hook postrouting priority 100;\n{translation} }}\n}}\n"
        );
        self.run(Place::Router, &["nft", "-f", "-"], &rules)?;
        Ok(())
    }

    /// Packets from the caller that passed since the rules were made, by what they are.
    ///
    /// # Errors
    /// When the router does not tell.
    pub fn passed(&self) -> Result<Vec<(&'static str, u64)>, String> {
        let listed = self.run(Place::Router, &["nft", "list", "ruleset"], "")?;
        let count = |name: &str| {
            let line = listed
                .lines()
                .find(|line| line.contains(&format!("\"{name}\"")))?;
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "packets")?;
            words.get(at + 1)?.parse().ok()
        };
        Ok(COUNTED
            .iter()
            .map(|(name, _)| (*name, count(name).unwrap_or_default()))
            .collect())
    }

    /// What runs a program inside.
    pub fn enter(&self, place: Place) -> Vec<String> {
        let name = self.name(place);
        ["ip", "netns", "exec", &name].map(str::to_owned).to_vec()
    }

    fn run(&self, place: Place, words: &[&str], input: &str) -> Result<String, String> {
        let enter = self.enter(place);
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).args(words);
        output(&mut command, input)
    }
}

/// What the router counts: name, and what it matches.
const COUNTED: [(&str, &str); 5] = [
    ("UDP", "meta nfproto ipv4 udp dport 7882"),
    ("UDP over IPv6", "meta nfproto ipv6 udp dport 7882"),
    ("TCP", "tcp dport 7881"),
    ("TURN/UDP", "udp dport 3478"),
    ("TURN/TLS", "tcp dport 443"),
];

impl Drop for Internet {
    fn drop(&mut self) {
        for place in [Place::Caller, Place::Router, Place::Server] {
            remove(&self.name(place));
        }
    }
}

fn remove(name: &str) {
    let _ = ip(&["netns", "delete", name]);
    let _ = fs::remove_dir_all(files(name));
}

fn files(name: &str) -> PathBuf {
    Path::new("/etc/netns").join(name)
}

/// Removes what runs left behind that were killed.
fn sweep() -> Result<(), String> {
    for line in ip(&["netns", "list"])?.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let id = rest.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(id).exists() {
            remove(name);
        }
    }
    Ok(())
}

fn ip(words: &[&str]) -> Result<String, String> {
    output(Command::new("ip").args(words), "")
}

fn output(command: &mut Command, input: &str) -> Result<String, String> {
    use std::io::Write;
    let what = format!("{command:?}").replace('"', "");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run `{what}`: {error}"))?;
    if let Some(mut to) = child.stdin.take() {
        to.write_all(input.as_bytes())
            .map_err(|error| format!("`{what}`: {error}"))?;
    }
    let output = child.wait_with_output();
    let output = output.map_err(|error| format!("`{what}`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`{what}` failed: {} (network namespaces need root)",
        why.trim()
    ))
}
