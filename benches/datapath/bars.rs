//! The ratios that measure the data path, and their bars.

use crate::load::Load;
use crate::results::{Case, Ratio, Results};
use crate::sample::Figure;
use crate::subject::{EchoIo, GROUPINGS, Grouping, NODE_IOS, NodeIo, Shards, Subject};

/// What a ratio must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    /// None: the ratio explains another one that has a bar.
    Shown,
}

/// A figure of one case as a ratio to another's.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) figure: Figure,
    pub(crate) part: Case,
    pub(crate) whole: Case,
    pub(crate) bar: Bar,
}

/// A row that was measured.
pub(crate) struct Verdict {
    pub(crate) row: Row,
    pub(crate) ratio: Ratio,
}

impl Verdict {
    /// None where there is no bar.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let median = self.ratio.rounds.median();
        match self.row.bar {
            Bar::AtMost(most) => Some(median <= most),
            Bar::AtLeast(least) => Some(median >= least),
            Bar::Shown => None,
        }
    }
}

/// All rows of which both cases were measured, and how many were not.
pub(crate) fn judge(results: &Results) -> (Vec<Verdict>, usize) {
    let mut verdicts = Vec::new();
    let mut unmeasured = 0;
    for row in rows(results) {
        match results.ratio(row.figure, row.part, row.whole) {
            Some(ratio) => verdicts.push(Verdict { row, ratio }),
            None => unmeasured += 1,
        }
    }
    (verdicts, unmeasured)
}

fn rows(results: &Results) -> Vec<Row> {
    let mut rows = Vec::new();
    for io in [NodeIo::Uring, NodeIo::Mmsg] {
        for grouping in GROUPINGS {
            for load in Load::FULL {
                rows.push(against_echo(io, grouping, load, Figure::CpuUs));
            }
        }
    }
    for io in NODE_IOS {
        rows.extend(Load::ALTERNATING.iter().flat_map(|load| grouped_against_not(io, *load)));
        rows.extend(bursts_against_singles(io));
    }
    for io in NODE_IOS {
        for grouping in GROUPINGS {
            rows.extend(Load::FULL.map(|load| two_shards_against_one(io, grouping, load)));
        }
    }
    for io in [NodeIo::Uring, NodeIo::Mmsg] {
        for grouping in GROUPINGS {
            rows.push(against_echo(io, grouping, Load::Paced, Figure::LatencyUs));
        }
    }
    rows.extend(Load::FULL.iter().flat_map(|load| auto_against_tokio(*load)));
    rows.extend(Load::FULL.map(durable_against_memory));
    rows.extend(writing_against_memory());
    rows.extend(Load::FULL.map(private_against_memory));
    rows.extend(flooded_against_alone());
    for load in Load::FULL {
        rows.extend(against_best(results, load));
    }
    rows
}

fn against_echo(io: NodeIo, grouping: Grouping, load: Load, figure: Figure) -> Row {
    let title = match figure {
        Figure::LatencyUs => "median latency at 100k/s, node / echo",
        _ => "CPU a request, node / echo",
    };
    let echo = Subject::Echo { io: io.echo().unwrap_or(EchoIo::Mmsg), grouping };
    let (part, whole) = ((Subject::node(io, grouping), load), (echo, load));
    Row { title, figure, part, whole, bar: Bar::AtMost(1.15) }
}

/// CPU is shown beside throughput: when the client is slower than the server, throughput
/// shows the client.
fn grouped_against_not(io: NodeIo, load: Load) -> [Row; 2] {
    let case = |grouping| (Subject::node(io, grouping), load);
    with_cpu(
        ["interleaved peers, grouping on / off", "CPU a request of the same"],
        (case(Grouping::On), case(Grouping::Off)),
        Bar::AtLeast(1.3),
    )
}

fn bursts_against_singles(io: NodeIo) -> [Row; 2] {
    let case = |load| (Subject::node(io, Grouping::On), load);
    with_cpu(
        ["throughput, bursts of 16 / singles", "CPU a request of the same"],
        (case(Load::Bursts), case(Load::Singles)),
        Bar::AtLeast(2.5),
    )
}

fn two_shards_against_one(io: NodeIo, grouping: Grouping, load: Load) -> Row {
    let case = |shards| (Subject::Node { io, grouping, shards }, load);
    Row {
        title: "CPU a request, two shards / one",
        figure: Figure::CpuUs,
        part: case(Shards::Two),
        whole: case(Shards::One),
        bar: Bar::AtMost(1.10),
    }
}

fn auto_against_tokio(load: Load) -> [Row; 2] {
    let case = |io| (Subject::node(io, Grouping::On), load);
    with_cpu(
        ["throughput, auto / tokio-uring", "CPU a request of the same"],
        (case(NodeIo::Auto), case(NodeIo::TokioUring)),
        Bar::AtLeast(1.0),
    )
}

/// A hit needs no disk. Grouping and turns are the same, so CPU time tells all.
fn durable_against_memory(load: Load) -> Row {
    Row {
        title: "CPU a request, --data / memory",
        figure: Figure::CpuUs,
        part: (Subject::Durable, load),
        whole: (Subject::MEMORY, load),
        bar: Bar::AtMost(1.01),
    }
}

/// How late GETs are answered while values are written, and what that costs.
fn writing_against_memory() -> [Row; 2] {
    let row = |title, figure, bar| Row {
        title,
        figure,
        part: (Subject::Durable, Load::Writes),
        whole: (Subject::MEMORY, Load::Writes),
        bar,
    };
    [
        row("p99 of GETs while writing, --data / memory", Figure::TailUs, Bar::AtMost(1.5)),
        row("CPU of the same", Figure::CpuUs, Bar::Shown),
    ]
}

/// What sealing and opening cost a hit.
fn private_against_memory(load: Load) -> Row {
    Row {
        title: "CPU a request, --network-key / none",
        figure: Figure::CpuUs,
        part: (Subject::Private, load),
        whole: (Subject::MEMORY, load),
        bar: Bar::AtMost(1.35),
    }
}

/// How late requests are answered by a node that stores all that it can.
fn flooded_against_alone() -> [Row; 2] {
    let row = |title, flooded, alone| Row {
        title,
        figure: Figure::TailUs,
        part: (Subject::MEMORY, flooded),
        whole: (Subject::MEMORY, alone),
        bar: Bar::AtMost(3.0),
    };
    [
        row("p99 of PINGs, flooded with STOREs / alone", Load::PingsFlooded, Load::Pings),
        row("p99 of GETs, flooded with STOREs / alone", Load::ReadsFlooded, Load::Reads),
    ]
}

fn with_cpu(titles: [&'static str; 2], (part, whole): (Case, Case), bar: Bar) -> [Row; 2] {
    let [title, title_cpu] = titles;
    [
        Row { title, figure: Figure::Throughput, part, whole, bar },
        Row { title: title_cpu, figure: Figure::CpuUs, part, whole, bar: Bar::Shown },
    ]
}

/// Each driver against the one that needs the least CPU under this load.
fn against_best(results: &Results, load: Load) -> Vec<Row> {
    let case = |io| (Subject::node(io, Grouping::On), load);
    // Any driver will do to compare all of them with.
    let to_first = |io: NodeIo| results.ratio(Figure::CpuUs, case(io), case(NODE_IOS[0]));
    let measured = NODE_IOS.into_iter().filter_map(|io| Some((io, to_first(io)?.rounds.median())));
    let best = measured.min_by(|(_, one), (_, other)| one.total_cmp(other));
    let Some((best, _)) = best else {
        return Vec::new();
    };
    let others = NODE_IOS.into_iter().filter(|io| *io != best);
    others
        .map(|io| Row {
            title: "CPU a request, driver / best driver",
            figure: Figure::CpuUs,
            part: case(io),
            whole: case(best),
            bar: Bar::AtMost(1.10),
        })
        .collect()
}
