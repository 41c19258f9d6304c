//! What the simulator is told on its command line.

use std::fmt::Write as _;

use clap::Parser;
use kad_node::limits::SHARDS_MAX;

use crate::trace::Subject;

/// Runs the production node, thousands of times over, in a simulated network.
///
/// Without options: the figures, then every scenario.
/// With --nodes, --drop, --values, --gets or --crash: those figures alone.
#[derive(Clone, Debug, Parser)]
#[command(name = "sim", disable_version_flag = true)]
#[command(group = clap::ArgGroup::new("figures").multiple(true))]
#[command(group = clap::ArgGroup::new("choice").multiple(true))]
#[expect(clippy::struct_excessive_bools, reason = "flags that cargo's tools pass to any test")]
pub(crate) struct Options {
    /// Nodes of the figures' network [default: 1000]
    #[arg(long, group = "figures", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) nodes: Option<u32>,
    /// Datagrams lost on each leg, in percent [default: 10]
    #[arg(long, group = "figures", value_parser = clap::value_parser!(u32).range(0..=50))]
    pub(crate) drop: Option<u32>,
    /// From which everything random follows
    #[arg(long, default_value_t = 1337)]
    pub(crate) seed: u64,
    /// Values put [default: 1000]
    #[arg(long, group = "figures", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) values: Option<u32>,
    /// Gets, of random values at random nodes [default: 10000]
    #[arg(long, group = "figures", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) gets: Option<u32>,
    /// Nodes that crash at once after the puts, in percent [default: 0]
    #[arg(long, group = "figures", value_parser = clap::value_parser!(u32).range(0..=99))]
    pub(crate) crash: Option<u32>,
    /// Shards of every node [default: 1, but for scenarios that draw it]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=SHARDS_MAX as i64))]
    pub(crate) shards: Option<u8>,
    /// Run only the scenario of this name, under --seed
    #[arg(long, value_name = "NAME", conflicts_with_all = ["figures", "fresh", "choice", "list"])]
    pub(crate) scenario: Option<String>,
    /// Log what concerns one node or one key: node:NUMBER or key:HEX
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) trace: Option<Subject>,
    /// Print what each attack comes to, as a table
    #[arg(long, conflicts_with_all = ["figures", "fresh", "list", "scenario", "skip"])]
    pub(crate) attackers: bool,
    /// Print what one put and one get cost in networks of several sizes, as a table
    #[arg(long, conflicts_with_all = ["figures", "fresh", "choice", "list", "scenario"])]
    pub(crate) costs: bool,
    /// Run the swarm under seeds that follow from this text, such as a commit's hash
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["figures", "choice", "list"])]
    pub(crate) fresh: Option<String>,
    /// Seconds after which no further fresh seed is begun
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "fresh")]
    pub(crate) fresh_for: u64,
    /// Scenarios side by side [default: the processors available]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) test_threads: Option<u32>,
    /// Threads of each network, which change nothing but the time that it takes [default: the
    /// processors available, shared among the scenarios that run side by side]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Print the names of the scenarios
    #[arg(long)]
    pub(crate) list: bool,
    /// Print the trace hash and nothing else
    #[arg(long, hide = true)]
    pub(crate) hash_only: bool,
    /// Run only scenarios whose names contain one of these
    #[arg(group = "choice", conflicts_with = "figures")]
    pub(crate) filters: Vec<String>,
    /// Take the filters as whole names
    #[arg(long, hide = true)]
    pub(crate) exact: bool,
    /// Leave out scenarios whose names contain this
    #[arg(long, hide = true, group = "choice", conflicts_with = "figures")]
    pub(crate) skip: Vec<String>,
    /// Run only what is not run by default: nothing is
    #[arg(long, hide = true)]
    pub(crate) ignored: bool,

    // What else cargo's tools pass to a test; none of it changes what is run.
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    no_capture: bool,
    #[arg(long, hide = true)]
    show_output: bool,
    #[arg(long, hide = true)]
    include_ignored: bool,
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    format: Option<String>,
    #[arg(long, hide = true)]
    color: Option<String>,
    #[arg(long, hide = true)]
    logfile: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    report_time: Vec<String>,
    #[arg(short = 'Z', hide = true)]
    unstable: Vec<String>,
}

impl Options {
    /// By what the jobs are chosen, for people to read.
    pub(crate) fn choice(&self) -> String {
        let mut text = String::new();
        if !self.filters.is_empty() {
            let how = if self.exact { "called" } else { "whose names contain" };
            let _ = write!(text, " {how} {:?}", self.filters);
        }
        if !self.skip.is_empty() {
            let _ = write!(text, " but not {:?}", self.skip);
        }
        text
    }

    /// What is asked for beside the jobs, for people to read.
    pub(crate) fn beside(&self) -> String {
        let mut text = String::new();
        if let Some(shards) = self.shards {
            let _ = write!(text, ", nodes of {shards} shards");
        }
        if let Some(subject) = &self.trace {
            let _ = write!(text, ", a log of {subject}");
        }
        text
    }

    /// Whether a network of one's own making is asked for.
    pub(crate) const fn asks_for_figures(&self) -> bool {
        self.nodes.is_some()
            || self.drop.is_some()
            || self.values.is_some()
            || self.gets.is_some()
            || self.crash.is_some()
    }

    /// Whether the scenario `name` is among those to run.
    pub(crate) fn chooses(&self, name: &str) -> bool {
        let matches = |filter: &String| {
            if self.exact { name == filter } else { name.contains(filter.as_str()) }
        };
        (self.filters.is_empty() || self.filters.iter().any(matches))
            && !self.skip.iter().any(matches)
            && !self.ignored
    }
}
