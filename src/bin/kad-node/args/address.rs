//! Addresses on the command line.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use kad_node::driver::canonical;
use kad_node::printable::beginning;
use kad_node::wire;

/// A node's name or IP address, and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// A name or an IP address, without brackets. An IPv4-mapped address is stored as IPv4.
    pub(crate) host: String,
    /// Never 0.
    pub(crate) port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or("expected HOST:PORT, such as 127.0.0.1:9001 or seed:9001")?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
            format!("a port is a number from 1 to 65535, not '{}'", beginning(port))
        })?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bracketed {
            Some(host) => host,
            None if host.is_empty() => return Err("the host is missing: HOST:PORT".into()),
            None if host.contains(':') => {
                return Err("write an IPv6 address in brackets, such as [::1]:9001".into());
            }
            None => host,
        };
        let host = match host.parse::<IpAddr>() {
            Ok(ip) => ip.to_canonical().to_string(),
            Err(_) => host.into(),
        };
        Ok(Self { host, port })
    }
}

impl HostPort {
    /// The address, unless the host is a name, which may resolve differently later.
    pub(crate) fn literal(&self) -> Option<SocketAddr> {
        self.host.parse().ok().map(|ip| SocketAddr::new(ip, self.port))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// An address to announce. Without a port, the bound port is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announce {
    /// The IP address where peers reach the node.
    pub(crate) ip: IpAddr,
    /// The port where peers reach the node, when it differs from the bound one.
    pub(crate) port: Option<u16>,
}

impl FromStr for Announce {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let announce = match (text.parse::<SocketAddr>(), text.parse::<IpAddr>()) {
            (Ok(addr), _) => Self { ip: addr.ip().to_canonical(), port: Some(addr.port()) },
            (_, Ok(ip)) => Self { ip: ip.to_canonical(), port: None },
            _ => {
                return Err("expected ADDR or ADDR:PORT, such as 10.0.0.7 or 10.0.0.7:9001".into());
            }
        };
        let port = announce.port.unwrap_or(1);
        if wire::is_reachable(SocketAddr::new(announce.ip, port)) {
            Ok(announce)
        } else {
            Err("peers cannot reach this address: announce the address of one interface".into())
        }
    }
}

/// Parses the address to bind; an IPv4-mapped one becomes IPv4.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().map(canonical);
    let address =
        address.map_err(|_| "expected ADDR:PORT, such as 127.0.0.1:9001 or [::1]:9001")?;
    // The kernel binds these, and nothing that is sent from there arrives.
    if wire::is_of_many(address.ip()) {
        return Err("no single host has this address: listen on one of this host".into());
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_port_print_as_they_are_written() {
        for text in ["seed:9001", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(text.parse::<HostPort>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn an_ipv4_mapped_address_is_an_ipv4_address() {
        let mapped = "[::ffff:127.0.0.1]:9001";
        assert_eq!(mapped.parse::<HostPort>().expect(mapped).to_string(), "127.0.0.1:9001");
        assert_eq!(listen(mapped), Ok("127.0.0.1:9001".parse().expect("an address")));
        let announce: Announce = "[::ffff:10.0.0.7]:9001".parse().expect("an address");
        assert_eq!(announce, "10.0.0.7:9001".parse().expect("an address"));
        assert_eq!(listen("[fe80::1%3]:9001"), Ok("[fe80::1%3]:9001".parse().expect("a scope")));
    }

    #[test]
    fn an_address_of_many_hosts_is_not_bound() {
        for text in ["224.0.0.1:9001", "255.255.255.255:0", "[ff02::1]:9001"] {
            assert!(listen(text).expect_err(text).contains("no single host"));
        }
        assert!(listen("0.0.0.0:9001").is_ok());
    }

    #[test]
    fn a_name_has_no_literal_address() {
        let literal = |text: &str| text.parse::<HostPort>().expect(text).literal();
        assert_eq!(literal("[::1]:9001"), "[::1]:9001".parse().ok());
        assert_eq!(literal("localhost:9001"), None);
        assert_eq!(literal("[fe80::1%eth0]:9001"), None, "the interface may come later");
    }

    #[test]
    fn an_unreachable_address_is_not_announced() {
        for text in ["0.0.0.0", "224.0.0.1:9001", "10.0.0.7:0", "::"] {
            assert!(text.parse::<Announce>().is_err(), "{text}");
        }
        let announce: Announce = "10.0.0.7".parse().expect("an address");
        assert_eq!(announce.port, None);
    }
}
