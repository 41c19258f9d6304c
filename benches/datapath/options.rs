//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::load::Load;
use crate::subject::{EchoIo, Grouping, Subject};

const ROUNDS_QUICK: usize = 1;
const SECONDS_QUICK: f64 = 0.1;

/// Drives servers in interleaved pairs: a bare echo and kad-node, with each driver,
/// with and without grouping.
#[derive(Debug, Parser)]
#[command(name = "datapath")]
pub(crate) struct Options {
    /// Rounds; each measures every server under every load, beginning with another.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = rounds)]
    rounds: usize,
    /// Seconds of each measurement.
    #[arg(long, value_name = "S", default_value_t = 0.5, value_parser = seconds)]
    seconds: f64,
    /// Only what contains one of these in SERVER/LOAD, such as `uring-on`, `echo` or
    /// `mmsg-off-1/singles`.
    #[arg(long, value_name = "FILTER", value_delimiter = ',')]
    only: Vec<String>,
    /// One short round, to see that everything works.
    #[arg(long)]
    quick: bool,
    /// Exit status 3 when a bar is not met or not measured.
    #[arg(long)]
    pub(crate) assert_bars: bool,
    /// The program to measure [default: the one built with this bench].
    #[arg(
        long,
        value_name = "PATH",
        default_value = env!("CARGO_BIN_EXE_kad-node"),
        hide_default_value = true,
    )]
    pub(crate) node: PathBuf,
    /// Be a server, until standard input ends.
    #[arg(long, hide = true)]
    pub(crate) serve: Option<Serve>,
    #[arg(long, hide = true, default_value = "off")]
    pub(crate) grouping: Grouping,
    /// Cargo gives this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Serve {
    EchoUring,
    EchoMmsg,
}

impl Serve {
    pub(crate) const fn io(self) -> EchoIo {
        match self {
            Self::EchoUring => EchoIo::Uring,
            Self::EchoMmsg => EchoIo::Mmsg,
        }
    }
}

impl Options {
    pub(crate) const fn rounds(&self) -> usize {
        if self.quick { ROUNDS_QUICK } else { self.rounds }
    }

    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs_f64(if self.quick { SECONDS_QUICK } else { self.seconds })
    }

    pub(crate) fn includes(&self, subject: Subject, load: Load) -> bool {
        let name = format!("{subject}/{load}");
        let is_wanted =
            self.only.is_empty() || self.only.iter().any(|filter| name.contains(filter));
        is_wanted && load.suits(subject)
    }
}

fn rounds(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(|| "expected 1 or more".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=600.0).contains(seconds));
    seconds.ok_or_else(|| "expected 0.01 to 600".into())
}
