//! The servers that are measured.

use std::fmt;

use clap::ValueEnum;

/// Whether replies are grouped by destination, to leave as one `UDP_SEGMENT` send,
/// and requests taken in by `UDP_GRO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Grouping {
    On,
    Off,
}

/// The echo's system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EchoIo {
    Uring,
    Mmsg,
}

/// The node's drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeIo {
    Auto,
    Uring,
    Mmsg,
    TokioUring,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shards {
    One,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Echo {
        io: EchoIo,
        grouping: Grouping,
    },
    Node {
        io: NodeIo,
        grouping: Grouping,
        shards: Shards,
    },
    /// A node of one shard under the default driver that keeps its values in a folder.
    Durable,
    /// A node of one shard under the default driver, of a network that has a key.
    Private,
}

/// The node's drivers that can be compared with each other.
pub(crate) const NODE_IOS: [NodeIo; 3] = [NodeIo::Uring, NodeIo::Mmsg, NodeIo::TokioUring];
pub(crate) const GROUPINGS: [Grouping; 2] = [Grouping::On, Grouping::Off];

impl Subject {
    /// What a durable node and a private one are compared with.
    pub(crate) const MEMORY: Self = Self::node(NodeIo::Auto, Grouping::On);

    pub(crate) const fn node(io: NodeIo, grouping: Grouping) -> Self {
        Self::Node { io, grouping, shards: Shards::One }
    }

    /// All of them. What is compared stands side by side, so that it is measured
    /// one right after the other.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for grouping in GROUPINGS {
            for io in NODE_IOS {
                all.extend(io.echo().map(|io| Self::Echo { io, grouping }));
                for shards in [Shards::One, Shards::Two] {
                    all.push(Self::Node { io, grouping, shards });
                }
            }
        }
        all.extend([Self::Durable, Self::MEMORY, Self::Private]);
        all
    }

    /// Whether it has two threads that serve.
    pub(crate) const fn shards(self) -> Shards {
        match self {
            Self::Echo { .. } | Self::Durable | Self::Private => Shards::One,
            Self::Node { shards, .. } => shards,
        }
    }
}

impl NodeIo {
    /// The echo with the same system calls, where there is one.
    pub(crate) const fn echo(self) -> Option<EchoIo> {
        match self {
            Self::Uring => Some(EchoIo::Uring),
            Self::Mmsg => Some(EchoIo::Mmsg),
            Self::Auto | Self::TokioUring => None,
        }
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

impl fmt::Display for EchoIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uring => "uring",
            Self::Mmsg => "mmsg",
        })
    }
}

impl fmt::Display for NodeIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Uring => "uring",
            Self::Mmsg => "mmsg",
            Self::TokioUring => "tokio-uring",
        })
    }
}

impl Shards {
    pub(crate) const fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Echo { io, grouping } => format!("echo-{io}-{grouping}"),
            Self::Node { io, grouping, shards } => {
                format!("node-{io}-{grouping}-{}", shards.count())
            }
            Self::Durable => "node-durable".to_owned(),
            Self::Private => "node-private".to_owned(),
        };
        f.pad(&name)
    }
}
