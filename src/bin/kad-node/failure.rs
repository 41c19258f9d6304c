//! Why the program ends in failure, and the exit status that says so.

use std::process::ExitCode;

use kad_node::node::Refusal;

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
    /// The value was not found, as standard output says: exit status 1.
    NotFound,
}

impl Failure {
    /// Writes the failure to standard error and gives its exit status.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Usage(text) => {
                eprintln!("error: {text}");
                ExitCode::from(2)
            }
            Self::Failed(text) => {
                eprintln!("error: {text}");
                ExitCode::FAILURE
            }
            Self::Request(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
            Self::Refused(refusal) => {
                eprintln!("{}", reply::refusal(*refusal));
                ExitCode::FAILURE
            }
            Self::NotFound => ExitCode::FAILURE,
        }
    }
}
