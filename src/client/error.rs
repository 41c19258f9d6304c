//! Why a client cannot do what it is asked.

use std::fmt;
use std::time::Duration;

use crate::driver::StartError;
use crate::node::Refusal;

/// Why a client was not started, or an operation failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The system gives no socket, thread, memory or randomness.
    Start(StartError),
    /// What a builder was given can never work; says which setting, why, and the remedy.
    Setting(String),
    /// The folder of a node cannot be used.
    Data(String),
    /// No bootstrap node answers.
    NotJoined {
        /// How long it was tried.
        after: Duration,
    },
    /// The node does not take the operation now, or not at all.
    Refused(Refusal),
    /// Too many operations wait for the node: try again.
    Busy,
    /// None of the nodes that were asked has answered: the value may exist.
    NoAnswer {
        /// How many were asked.
        asked: usize,
    },
    /// The answer has not come in time.
    Late {
        /// How long it was waited for.
        after: Duration,
    },
    /// The node has stopped.
    Stopped,
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Setting(why) | Self::Data(why) => f.write_str(why),
            Self::NotJoined { after } => write!(
                f,
                "no bootstrap node answers within {after:?}: check the addresses, and the \
                 network's name and key"
            ),
            Self::Refused(Refusal::Empty) => {
                f.write_str("the value is empty: it needs one byte or more")
            }
            Self::Refused(Refusal::TooLarge { bytes, bytes_max }) => {
                write!(
                    f,
                    "the value is too large: {bytes} bytes, at most {bytes_max} \
                     (Builder::value_bytes_max)"
                )
            }
            Self::Refused(Refusal::Unfinished { bytes }) => {
                write!(
                    f,
                    "nodes have the value, of {bytes} bytes, and none sent it whole: try again"
                )
            }
            Self::Refused(Refusal::Full) => {
                f.write_str("too many values were put here: forget some")
            }
            Self::Refused(Refusal::Busy | Refusal::DiskBusy) | Self::Busy => {
                f.write_str("the node is busy: try again")
            }
            Self::Refused(Refusal::Abandoned) => f.write_str("the operation was abandoned"),
            Self::NoAnswer { asked } => {
                write!(f, "none of the {asked} nodes that were asked has answered: try again")
            }
            Self::Late { after } => write!(f, "no answer within {after:?}"),
            Self::Stopped => f.write_str("the node has stopped"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start(error) => Some(error),
            _ => None,
        }
    }
}
