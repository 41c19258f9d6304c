//! kad-node beside the programs that people know, each over its own wire, by the same loops.
//! `benches/peers/run` installs them and starts this.

mod aquatic;
mod kad_network;
mod kad_node;
mod krpc;
mod load;
mod mainline;
mod memcached;
mod network;
mod peer;
mod process;
mod report;
mod single;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::peer::Peer;

/// What to measure.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    options: Options,
}

/// Parts of this program that run as processes of their own.
#[derive(Debug, Subcommand)]
enum Part {
    /// One node of the mainline crate.
    MainlineNode { port: u16 },
    /// A network of them.
    MainlineNetwork { nodes: usize },
    /// A network of kad-node.
    KadNetwork { program: PathBuf, nodes: usize },
}

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// The program kad-node.
    #[arg(long, default_value = "target/release/kad-node")]
    kad_node: PathBuf,
    /// The folder with the scripts of Python.
    #[arg(long, default_value = "benches/peers")]
    scripts: PathBuf,
    /// The program `aquatic_udp`.
    #[arg(long, default_value = "aquatic_udp")]
    aquatic_udp: PathBuf,
    /// What is measured.
    #[arg(long, value_delimiter = ',', default_value = "kad-node")]
    peers: Vec<Peer>,
    /// Rounds of single requests: in each, every peer has its turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of each turn, once for the closed and once for the open loop.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Requests in flight of the closed loop.
    #[arg(long, default_value_t = 64)]
    window: usize,
    /// Requests a second of the open loop.
    #[arg(long, default_value_t = 5000)]
    rate: u32,
    /// Rounds of whole operations: in each, every peer has a network of its own.
    #[arg(long, default_value_t = 3)]
    network_rounds: usize,
    /// Nodes of that network, beside the one that puts and the one that gets.
    #[arg(long, default_value_t = 50)]
    nodes: usize,
    /// Puts of each round, and as many gets.
    #[arg(long, default_value_t = 20)]
    operations: usize,
}

impl Options {
    fn turn(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.part {
        Some(Part::MainlineNode { port }) => mainline::serve_node(port),
        Some(Part::MainlineNetwork { nodes }) => mainline::serve_network(nodes),
        Some(Part::KadNetwork { program, nodes }) => kad_network::serve(&program, nodes),
        None => measure(&cli.options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    let singles = single::measure(options)?;
    println!("{}", report::singles(&singles, options));
    let mut networks = Vec::new();
    for round in 0..options.network_rounds {
        for &peer in options.peers.iter().filter(|peer| peer.has_network()) {
            let at = networks.iter().position(|(other, _)| *other == peer);
            let at = at.unwrap_or_else(|| {
                networks.push((peer, network::Times::default()));
                networks.len() - 1
            });
            let (program, arguments) = peer.network(options)?;
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let times = &mut networks[at].1;
            if let Err(error) =
                network::measure(&program, &arguments, round, options.operations, times)
            {
                eprintln!("{}: no network in round {round}: {error}", peer.name());
            }
        }
    }
    println!("{}", report::networks(&networks, options));
    let wrong: u64 = singles.peers.iter().map(|one| one.wrong).sum();
    if wrong > 0 { Err(format!("{wrong} answers were wrong")) } else { Ok(()) }
}
