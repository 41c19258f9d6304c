//! Why the program ends in failure, and the exit status that says so.

use std::process::ExitCode;

/// A failure, told on one line of standard error.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for what cannot be: exit status 2.
    Usage(String),
    /// What was asked for did not come about: exit status 1.
    Failed(String),
    /// The same, where standard output said so in its own words.
    Told,
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
            Self::Told => ExitCode::FAILURE,
        }
    }
}
