//! Adapter: a network namespace with one address, joined to this one by a pair of virtual links.
//!
//! Google's engine ignores loopback adapters, and addresses of loopback never change: so a program
//! gets an ordinary address where nothing else is and nothing else can be reached. Owns the namespace
//! and the links; dropping it removes both. What a killed run left behind is removed by the next one.

use std::{net::Ipv4Addr, path::Path, process::Command};

use crate::livekit_server::Interface;

/// Two ends: ours, where the server listens, and the far one inside the namespace.
#[derive(Debug)]
pub struct Network {
    namespace: String,
    link: String,
    near: Ipv4Addr,
    /// The one it has now comes first.
    far: [Ipv4Addr; 2],
}

/// What namespaces of this harness are called, before the process id.
const PREFIX: &str = "room-agent-";
/// What its links are called; the kernel allows 15 characters.
const LINK_PREFIX: &str = "rag";
/// Six addresses for hosts.
const SUBNET_BITS: u8 = 29;

impl Network {
    /// Makes both ends.
    ///
    /// # Errors
    /// One line that says what is missing: root, iproute2, or a kernel with namespaces.
    pub fn make() -> Result<Self, String> {
        sweep()?;
        let id = std::process::id();
        let (near, far) = free_subnet()?;
        let network = Self {
            namespace: format!("{PREFIX}{id}"),
            link: format!("{LINK_PREFIX}{id}"),
            near,
            far,
        };
        ip(&["netns", "add", &network.namespace])?;
        // From here on dropping removes what was made.
        network.join()?;
        Ok(network)
    }

    fn join(&self) -> Result<(), String> {
        let Self {
            namespace, link, ..
        } = self;
        let far_link = self.far_link();
        let near = format!("{}/{SUBNET_BITS}", self.near);
        let far = format!("{}/{SUBNET_BITS}", self.far[0]);
        for command in [
            &[
                "link", "add", link, "type", "veth", "peer", "name", &far_link, "netns", namespace,
            ][..],
            &["address", "add", &near, "dev", link],
            &["link", "set", link, "up"],
            &["-n", namespace, "address", "add", &far, "dev", &far_link],
            &["-n", namespace, "link", "set", &far_link, "up"],
            &["-n", namespace, "link", "set", "lo", "up"],
        ] {
            ip(command)?;
        }
        Ok(())
    }

    fn far_link(&self) -> String {
        format!("{}p", self.link)
    }

    /// Takes the address inside away and gives another one. Whoever uses the old one is not told.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn change_address(&mut self) -> Result<(), String> {
        let link = self.far_link();
        let [old, new] = self.far.map(|address| format!("{address}/{SUBNET_BITS}"));
        let inside = ["-n", &self.namespace, "address"];
        ip(&[&inside[..], &["delete", &old, "dev", &link]].concat())?;
        ip(&[&inside[..], &["add", &new, "dev", &link]].concat())?;
        self.far.reverse();
        Ok(())
    }

    /// Where a server listens for those inside.
    pub fn near_end(&self) -> Interface {
        Interface {
            name: self.link.clone(),
            address: self.near,
        }
    }

    /// What runs a program inside.
    pub fn enter(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace]
            .map(str::to_owned)
            .to_vec()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove(&self.namespace, &self.link);
    }
}

/// Removes what runs left behind that were killed.
fn sweep() -> Result<(), String> {
    let listed = ip(&["netns", "list"])?;
    let names = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    for name in names {
        let Some(id) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if !Path::new("/proc").join(id).exists() {
            remove(name, &format!("{LINK_PREFIX}{id}"));
        }
    }
    Ok(())
}

/// The link goes with the namespace, but not at once.
fn remove(namespace: &str, link: &str) {
    let _ = ip(&["link", "delete", link]);
    let _ = ip(&["netns", "delete", namespace]);
}

/// Neighbouring private addresses that nothing near this machine uses: ours, and two inside.
fn free_subnet() -> Result<(Ipv4Addr, [Ipv4Addr; 2]), String> {
    const ATTEMPTS: usize = 20;
    (0..ATTEMPTS)
        .map(|_| {
            let (b, c, d): (u8, u8, u8) = rand::random();
            let subnet = Ipv4Addr::new(10, b, c, d & !7).to_bits();
            let [near, far, other] = [1, 2, 3].map(|host| Ipv4Addr::from(subnet + host));
            (near, [far, other])
        })
        .find(|(near, _)| is_free(*near))
        .ok_or_else(|| "no private subnet is free".to_owned())
}

/// Nobody has it who can be reached without a gateway.
fn is_free(address: Ipv4Addr) -> bool {
    let route = ip(&["-4", "route", "get", &address.to_string()]);
    route.is_err() || route.is_ok_and(|route| route.contains(" via "))
}

fn ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).output();
    let output = output.map_err(|error| format!("cannot run `ip` (package iproute2): {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`ip {}` failed: {} (a network namespace needs root)",
        arguments.join(" "),
        why.trim()
    ))
}
