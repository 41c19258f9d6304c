//! Why the program ends in failure, and the exit status that says so.

use std::process::ExitCode;

use kad_node::node::Refusal;

use crate::log;
use crate::reply;
use crate::request::RequestError;

/// A failure, told on one line of standard error.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for what cannot be: exit status 2.
    Usage(String),
    /// What was asked for did not come about: exit status 1.
    Failed(String),
    /// A key or a value is none, in the prompt's words: exit status 2.
    Request(RequestError),
    /// The node did not begin the operation, in the prompt's words: exit status 1.
    Refused(Refusal),
    /// No node took the value: exit status 1.
    NotStored(String),
    /// The value was not found, as standard error says: exit status 1.
    NotFound,
    /// No node answers, or not in time: exit status 4.
    Unreachable(String),
    /// A one-shot command could not do its own part: exit status 3.
    Broken(String),
}

impl Failure {
    /// Writes the failure to standard error and gives its exit status.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Usage(text) => {
                log::say(format_args!("error: {text}"));
                ExitCode::from(2)
            }
            Self::Failed(text) | Self::NotStored(text) => {
                log::say(format_args!("error: {text}"));
                ExitCode::FAILURE
            }
            Self::Request(error) => {
                log::say(error);
                ExitCode::from(2)
            }
            Self::Refused(refusal) => {
                log::say(reply::refusal(*refusal));
                ExitCode::FAILURE
            }
            Self::NotFound => ExitCode::FAILURE,
            Self::Unreachable(text) => {
                log::say(format_args!("error: {text}"));
                ExitCode::from(4)
            }
            Self::Broken(text) => {
                log::say(format_args!("error: {text}"));
                ExitCode::from(3)
            }
        }
    }
}
