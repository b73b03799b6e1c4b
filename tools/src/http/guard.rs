//! Core: which addresses a tool may connect to.
//!
//! A name that the worker's own network answers for (its metadata service, its neighbours) is how a tool is
//! turned against its owner, so only public addresses are connected to, and those the operator names. It is
//! the connected address that is judged, not the name: a name can change between two looks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks a tool may reach although they are not public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<(IpAddr, u8)>);

impl Networks {
    /// Reads networks like `10.1.0.0/16` or `fd00::/8`; an address alone is a network of one.
    ///
    /// # Errors
    /// The index of the first that is none.
    pub fn read<S: AsRef<str>>(networks: &[S]) -> Result<Self, usize> {
        let read = |(index, text): (usize, &S)| network(text.as_ref()).ok_or(index);
        networks
            .iter()
            .enumerate()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a tool may connect there.
    pub fn admit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.0.iter().any(|network| holds(*network, address))
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(longest);
    (length <= longest).then_some((address, length))
}

fn holds((network, length): (IpAddr, u8), address: IpAddr) -> bool {
    let same = |a: u128, b: u128, bits: u8| {
        (a ^ b).checked_shr(u32::from(bits - length)).unwrap_or(0) == 0
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            same(u32::from(network).into(), u32::from(address).into(), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => same(network.into(), address.into(), 128),
        _ => false,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA's special-purpose registry (RFC 6890), and multicast.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

/// Global unicast alone (RFC 4291, section 2.4), without the forms that carry an IPv4 address inside.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let is_global = parts[0] & 0xe000 == 0x2000;
    // Teredo and benchmarks, documentation, 6to4, SRv6 SIDs.
    let special = matches!(
        (parts[0], parts[1]),
        (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff)
    );
    is_global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allowed: &[&str], address: &str) -> bool {
        Networks::read(allowed)
            .unwrap()
            .admit(address.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_connected_to() {
        let inside = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in inside {
            assert!(!admits(&[], address), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.63.0.1",
            "2606:4700::1111",
        ] {
            assert!(admits(&[], address), "{address}");
        }
    }

    #[test]
    fn an_operator_may_name_networks_of_their_own() {
        assert!(admits(&["10.1.0.0/16"], "10.1.255.1"));
        assert!(!admits(&["10.1.0.0/16"], "10.2.0.1"));
        assert!(admits(&["127.0.0.1"], "127.0.0.1"));
        assert!(
            admits(&["127.0.0.1"], "::ffff:127.0.0.1"),
            "the same address"
        );
        assert!(!admits(&["127.0.0.1"], "127.0.0.2"));
        assert!(admits(&["fd00::/8"], "fdff::1"));
        assert!(admits(&["0.0.0.0/0"], "127.0.0.1"));
        for nonsense in ["10.0.0.0/33", "ten", "10.0.0.0/", "::/129"] {
            assert_eq!(
                Networks::read(&["10.0.0.0/8", nonsense]),
                Err(1),
                "{nonsense}"
            );
        }
    }
}
