//! The limit of open descriptors (`RLIMIT_NOFILE`).
//!
//! Each shard of a node takes a few, so that many nodes or peers in one process meet
//! the usual soft limit of 1024. The hard one, up to which a process may raise the soft
//! one by itself, is usually far greater.

use std::fmt;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// How many descriptors the process may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorLimit(u64);

/// Raises the process's soft limit of open descriptors to the hard one. Returns the
/// limit that holds from then on.
///
/// It never fails: where the system refuses, the soft limit stays as it is.
pub fn raise_descriptor_limit() -> DescriptorLimit {
    // It fails for a resource that the system does not know: then nothing limits it.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return DescriptorLimit(u64::MAX);
    };
    let is_raised = soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    DescriptorLimit(if is_raised { hard } else { soft })
}

impl DescriptorLimit {
    /// Descriptors that may be open at once.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether `needed` descriptors may be open at once.
    ///
    /// # Errors
    /// When the limit is lower: with a text that names it and the remedy.
    pub const fn allows(self, needed: u64) -> Result<(), TooFewDescriptors> {
        if needed <= self.0 { Ok(()) } else { Err(TooFewDescriptors { needed, limit: self.0 }) }
    }
}

/// More descriptors are needed than may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFewDescriptors {
    /// Descriptors that are needed.
    pub needed: u64,
    /// Descriptors that may be open.
    pub limit: u64,
}

impl fmt::Display for TooFewDescriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, limit } = self;
        write!(
            f,
            "{needed} open descriptors are needed and the limit is {limit}; raise the hard limit \
             (ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of Docker)"
        )
    }
}

impl std::error::Error for TooFewDescriptors {}

/// What is wrong and what to do where `error` tells that no descriptor is left; none for
/// every other error.
pub(super) fn remedy(error: &io::Error) -> Option<String> {
    match error.raw_os_error()? {
        libc::EMFILE => {
            let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
            Some(format!(
                "the limit of {limit} open descriptors is reached; raise it (ulimit -n, \
                 LimitNOFILE= of systemd, --ulimit nofile= of Docker)"
            ))
        }
        libc::ENFILE => Some(
            "the system's limit of open descriptors is reached; raise the sysctl fs.file-max"
                .into(),
        ),
        _ => None,
    }
}
