//! Core: addresses of STUN and TURN servers as descriptions of a room carry them (RFC 7064, RFC 7065).

/// Port of STUN and of TURN without TLS.
const PORT: u16 = 3_478;
/// Port of TURN over TLS.
const TLS_PORT: u16 = 5_349;

/// What a server does for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Tells the address that others see.
    Stun,
    /// Relays. Over what we reach it:
    Turn(Over),
}

/// How a relay is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Udp,
    Tcp,
    Tls,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IceUrl {
    pub(super) service: Service,
    /// A name or an address.
    pub(super) host: String,
    pub(super) port: u16,
}

impl IceUrl {
    /// Reads `stun:`, `turn:` and `turns:`.
    ///
    /// # Errors
    /// What is wrong with it, without the text itself.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.trim().split_once(':').ok_or("no scheme")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = split_port(place)?;
        let (service, usual) = match scheme.to_ascii_lowercase().as_str() {
            "stun" if query.is_empty() => (Service::Stun, PORT),
            "stun" => return Err("STUN takes no parameters"),
            "stuns" => return Err("STUN over TLS is of no use here"),
            "turn" => match transport(query)? {
                Some(Over::Tcp) => (Service::Turn(Over::Tcp), PORT),
                _ => (Service::Turn(Over::Udp), PORT),
            },
            "turns" => match transport(query)? {
                Some(Over::Udp) => return Err("TURN over DTLS is not supported"),
                _ => (Service::Turn(Over::Tls), TLS_PORT),
            },
            _ => return Err("neither stun, turn nor turns"),
        };
        Ok(Self {
            service,
            host: host.to_owned(),
            port: port.unwrap_or(usual),
        })
    }
}

fn transport(query: &str) -> Result<Option<Over>, &'static str> {
    match query.strip_prefix("transport=") {
        None if query.is_empty() => Ok(None),
        Some("udp") => Ok(Some(Over::Udp)),
        Some("tcp") => Ok(Some(Over::Tcp)),
        _ => Err("a parameter other than transport=udp or transport=tcp"),
    }
}

/// Host and port; an IPv6 address stands in brackets.
fn split_port(place: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("a bracket without an end")?;
            (host, after)
        }
        None => {
            let colon = place.find(':').unwrap_or(place.len());
            place.split_at(colon)
        }
    };
    if host.is_empty() {
        return Err("no host");
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
    port.filter(|port| *port != 0)
        .map(|port| (host, Some(port)))
        .ok_or("not a port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_with_their_usual_ports() {
        let read = |text| {
            let url = IceUrl::parse(text).unwrap();
            (url.service, url.host, url.port)
        };
        let named = "relay.example.com".to_owned();
        assert_eq!(
            read("stun:192.0.2.1"),
            (Service::Stun, "192.0.2.1".to_owned(), 3_478)
        );
        assert_eq!(
            read("turn:relay.example.com:3479?transport=udp"),
            (Service::Turn(Over::Udp), named.clone(), 3_479)
        );
        assert_eq!(
            read("turn:relay.example.com?transport=tcp"),
            (Service::Turn(Over::Tcp), named.clone(), 3_478)
        );
        assert_eq!(
            read("turns:relay.example.com:443?transport=tcp"),
            (Service::Turn(Over::Tls), named.clone(), 443)
        );
        assert_eq!(
            read("turns:relay.example.com"),
            (Service::Turn(Over::Tls), named, 5_349)
        );
        assert_eq!(
            read("TURN:[2001:db8::1]:3478"),
            (Service::Turn(Over::Udp), "2001:db8::1".to_owned(), 3_478)
        );
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for (text, why) in [
            ("relay.example.com", "no scheme"),
            ("http:relay", "neither stun, turn nor turns"),
            ("turn:", "no host"),
            ("turn:[::1", "a bracket without an end"),
            ("turn:relay:0", "not a port"),
            ("turn:relay:70000", "not a port"),
            (
                "turn:relay?x=1",
                "a parameter other than transport=udp or transport=tcp",
            ),
            (
                "turns:relay?transport=udp",
                "TURN over DTLS is not supported",
            ),
            ("stun:relay?transport=udp", "STUN takes no parameters"),
        ] {
            assert_eq!(IceUrl::parse(text), Err(why), "{text}");
        }
    }
}
