//! Why a measurement cannot be made.

use std::fmt;
use std::io;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The server does not start here, for this reason.
    Refused(String),
    Io(&'static str, io::Error),
    /// A server misbehaved.
    Wrong(String),
}

impl Failure {
    /// For `map_err`: what was being done.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io(doing, error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "it does not start: {reason}"),
            Self::Io(doing, error) => write!(f, "{doing}: {error}"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}
