//! The programs that are compared, and how each is started.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use clap::ValueEnum;

use crate::Options;
use crate::aquatic::{self, Aquatic};
use crate::kad_node::KadNode;
use crate::krpc::Krpc;
use crate::memcached::Memcached;
use crate::process::{Core, Process, free_address};
use crate::wire::Wire;

/// Debian's, which is the one that Debian's packages are for.
const PYTHON: &str = "/usr/bin/python3";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    KadNode,
    Memcached,
    Aquatic,
    Libtorrent,
    Mainline,
    Opendht,
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn own_program() -> Result<String, String> {
    std::env::current_exe().map(|path| text(&path)).map_err(|error| error.to_string())
}

impl Peer {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::KadNode => "kad-node",
            Self::Memcached => "memcached",
            Self::Aquatic => "aquatic_udp",
            Self::Libtorrent => "libtorrent",
            Self::Mainline => "mainline (crate)",
            Self::Opendht => "OpenDHT",
        }
    }

    /// What a single request of it is.
    pub(crate) const fn request(self) -> &'static str {
        match self {
            Self::KadNode => "FIND_VALUE",
            Self::Memcached => "get",
            Self::Aquatic => "announce",
            Self::Libtorrent | Self::Mainline => "get (BEP 44)",
            Self::Opendht => "",
        }
    }

    /// Its wire, where single requests are measured. OpenDHT's values are looked up by a node
    /// alone.
    pub(crate) fn wire(self) -> Option<Box<dyn Wire>> {
        Some(match self {
            Self::KadNode => Box::new(KadNode::new()),
            Self::Memcached => Box::new(Memcached::new()),
            Self::Aquatic => Box::new(Aquatic::new()),
            Self::Libtorrent | Self::Mainline => Box::new(Krpc::new()),
            Self::Opendht => return None,
        })
    }

    /// Starts one server, on the peers' core.
    pub(crate) fn serve(self, options: &Options) -> Result<(Process, SocketAddr), String> {
        let address = free_address()?;
        let port = address.port().to_string();
        let (program, arguments): (String, Vec<String>) = match self {
            Self::KadNode => {
                let listen = address.to_string();
                (text(&options.kad_node), strings(&["--listen", &listen, "--cores", "1"]))
            }
            Self::Memcached => {
                let arguments = ["-l", "127.0.0.1", "-p", "0", "-U", &port, "-t", "1"];
                ("memcached".into(), [strings(&arguments), strings(&["-u", "root"])].concat())
            }
            Self::Aquatic => {
                let path = std::env::temp_dir().join(format!("peers-aquatic-{port}.toml"));
                fs::write(&path, aquatic::settings(address)).map_err(|error| error.to_string())?;
                (text(&options.aquatic_udp), vec!["-c".into(), text(&path)])
            }
            Self::Libtorrent => {
                let script = text(&options.scripts.join("libtorrent_node.py"));
                (PYTHON.into(), vec![script, port])
            }
            Self::Mainline => (own_program()?, strings(&["mainline-node", &port])),
            Self::Opendht => return Err("it has no single requests".into()),
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Ok((Process::start(&program, &arguments, Core::Peer)?, address))
    }

    pub(crate) const fn has_network(self) -> bool {
        matches!(self, Self::KadNode | Self::Libtorrent | Self::Mainline | Self::Opendht)
    }

    /// The program that is a network of it.
    pub(crate) fn network(self, options: &Options) -> Result<(String, Vec<String>), String> {
        let nodes = options.nodes.to_string();
        let script = |name: &str| -> Result<(String, Vec<String>), String> {
            let script = text(&options.scripts.join(name));
            let port = free_address()?.port().min(u16::MAX - 1000).to_string();
            Ok((PYTHON.into(), vec![script, nodes.clone(), port]))
        };
        match self {
            Self::KadNode => {
                let program = text(&options.kad_node);
                Ok((own_program()?, strings(&["kad-network", &program, &nodes])))
            }
            Self::Mainline => Ok((own_program()?, strings(&["mainline-network", &nodes]))),
            Self::Libtorrent => script("libtorrent_network.py"),
            Self::Opendht => script("opendht_network.py"),
            Self::Memcached | Self::Aquatic => Err("it has no network".into()),
        }
    }
}

fn strings(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}
