//! Failures of the program and their exit statuses.

use std::process::ExitCode;

use kad_node::node::Refusal;

use crate::log;
use crate::reply;
use crate::request::RequestError;

/// A failure, reported on one line of standard error.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong: exit status 2.
    Usage(String),
    /// The operation failed: exit status 1.
    Failed(String),
    /// The key or the value is invalid: exit status 2.
    Request(RequestError),
    /// The node refused the operation: exit status 1.
    Refused(Refusal),
    /// No node stored a value; standard error says so already: exit status 1.
    NotStored,
    /// A value was not found; standard error says so already: exit status 1.
    NotFound,
    /// No node answers in time: exit status 4.
    Unreachable(String),
    /// A one-shot command itself failed: exit status 3.
    Broken(String),
    /// A signal of this number ended a one-shot command; standard error says so already: the
    /// exit status of a shell, 128 and the number.
    Interrupted(u8),
}

impl Failure {
    /// Writes the failure to standard error and returns its exit status.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Usage(text) => {
                log::fail(text);
                ExitCode::from(2)
            }
            Self::Failed(text) => {
                log::fail(text);
                ExitCode::FAILURE
            }
            Self::Request(error) => {
                log::fail(error);
                ExitCode::from(2)
            }
            Self::Refused(refusal) => {
                log::fail(reply::refusal(*refusal));
                ExitCode::FAILURE
            }
            Self::NotStored | Self::NotFound => ExitCode::FAILURE,
            Self::Interrupted(signal) => ExitCode::from(128 + signal),
            Self::Unreachable(text) => {
                log::fail(text);
                ExitCode::from(4)
            }
            Self::Broken(text) => {
                log::fail(text);
                ExitCode::from(3)
            }
        }
    }
}
