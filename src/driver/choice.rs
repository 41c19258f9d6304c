//! Which driver is asked for, and which one runs.

use std::fmt;
use std::str::FromStr;

/// The driver that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IoChoice {
    /// `uring`, and `mmsg` where the kernel or what guards it forbids `io_uring`.
    #[default]
    Auto,
    /// `io_uring`, or an error.
    Uring,
    /// The library `tokio-uring`, or an error.
    TokioUring,
    /// `recvmmsg` and `sendmmsg`.
    Mmsg,
}

/// The driver that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// `io_uring`: multishot receive, a ring of buffers.
    Uring,
    /// The library `tokio-uring`: a receive at a time for each of a few tasks.
    TokioUring,
    /// `recvmmsg` and `sendmmsg`.
    Mmsg,
}

impl fmt::Display for IoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Uring => "uring",
            Self::TokioUring => "tokio-uring",
            Self::Mmsg => "mmsg",
        })
    }
}

impl fmt::Display for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Uring => "uring",
            Self::TokioUring => "tokio-uring",
            Self::Mmsg => "mmsg",
        })
    }
}

/// The text names no driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIoError;

impl fmt::Display for ParseIoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a driver is auto, uring, tokio-uring or mmsg")
    }
}

impl std::error::Error for ParseIoError {}

impl FromStr for IoChoice {
    type Err = ParseIoError;

    fn from_str(text: &str) -> Result<Self, ParseIoError> {
        [Self::Auto, Self::Uring, Self::TokioUring, Self::Mmsg]
            .into_iter()
            .find(|choice| choice.to_string() == text)
            .ok_or(ParseIoError)
    }
}
