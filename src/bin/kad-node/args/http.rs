//! Flags of the HTTP API.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

/// The HTTP API, and who may use it.
#[derive(Args, Debug)]
pub(crate) struct HttpArgs {
    /// TCP address of the HTTP API, the metrics and the status page. Any other than
    /// loopback needs --http-token-file or --http-allow [default: off].
    #[arg(long, value_name = "ADDR:PORT", value_parser = super::address::listen)]
    pub(crate) http: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) access: HttpAccessArgs,
}

/// The HTTP API of a demo.
#[derive(Args, Debug)]
pub(crate) struct DemoHttpArgs {
    /// TCP address of the HTTP API of the first node; when its port is taken, the next free
    /// one.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:9080",
        value_parser = super::address::listen,
    )]
    pub(crate) http: SocketAddr,
    #[command(flatten)]
    pub(crate) access: HttpAccessArgs,
}

/// Who may use the HTTP API.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct HttpAccessArgs {
    /// File with the bearer token that writes must show, and reads from other hosts
    /// [default: no token; only this host writes].
    #[arg(long = "http-token-file", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A network that may read without a token; repeatable, or several with commas.
    #[arg(long = "http-allow", value_name = "CIDR", value_parser = network, value_delimiter = ',')]
    pub(crate) readers: Vec<IpNet>,
    /// A network that may read and write without a token; repeatable, or several with commas.
    #[arg(
        long = "http-allow-write",
        value_name = "CIDR",
        value_parser = network,
        value_delimiter = ',',
    )]
    pub(crate) writers: Vec<IpNet>,
    /// A name by which clients reach the HTTP API, beside localhost and IP addresses;
    /// repeatable, or several with commas. Requests to other names are refused, since a
    /// hostile page could send them (DNS rebinding).
    #[arg(long = "http-host", value_name = "NAME", value_parser = host_name, value_delimiter = ',')]
    pub(crate) hosts: Vec<String>,
}

/// Parses a network; an address alone is a network of one.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "expected a network such as 172.16.0.0/12 or fd00::/8".into())
}

/// Parses a host's name, without a port.
fn host_name(text: &str) -> Result<String, String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || !text.chars().all(is_part) {
        return Err("expected a host's name without a port, such as node.example.org".into());
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::args::Cli;

    #[test]
    fn one_variable_of_the_environment_can_hold_several() {
        let flags = ["--http-allow", "10.0.0.0/8,fd00::/8", "--http-host", "a.example,b"];
        let cli = Cli::try_parse_from([&["kad-node"], &flags[..]].concat()).expect("good flags");
        let access = cli.node.http.access;
        assert_eq!((access.readers.len(), access.hosts.len()), (2, 2));
    }
}
