//! Why a node does not start, or stops by itself.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::bind::ADDRESS_WAIT_MAX;
use super::choice::Io;
use super::descriptors;
use super::settings::ShardCount;

/// Why a node could not be started: its `Display` is one line that shows the
/// value and the remedy.
#[derive(Debug)]
pub enum StartError {
    /// The socket could not be bound to this address.
    Bind {
        /// The address to listen on.
        listen: SocketAddr,
        /// What the kernel said.
        error: io::Error,
    },
    /// A driver that needs `io_uring` was asked for, and there is none.
    Uring {
        /// The driver.
        io: Io,
        /// Why.
        reason: String,
    },
    /// The shards' memory is not to be had.
    Memory {
        /// The shards.
        shards: ShardCount,
        /// Bytes of address space that they need.
        bytes: usize,
        /// What the kernel said.
        error: io::Error,
    },
    /// The system is short of something that every node needs, such as threads
    /// or descriptors.
    System(io::Error),
    /// The shard's thread panicked before it was ready.
    Panicked,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { listen, error } => {
                write!(f, "cannot listen on {listen}: {}", bind_remedy(error))
            }
            Self::Uring { io, reason } => {
                write!(f, "cannot use --io {io}: {reason}; use --io mmsg")
            }
            Self::Memory { shards, bytes, error } => write!(
                f,
                "cannot start {} shards: {} MiB of memory are needed ({error}); raise the limit \
                 (ulimit -v, LimitAS= of systemd), or ask for fewer --cores",
                shards.get(),
                bytes >> 20
            ),
            Self::System(error) => {
                write!(f, "cannot start a shard: {}", system_remedy(error))
            }
            Self::Panicked => f.write_str("cannot start a shard: it panicked; see above"),
        }
    }
}

impl std::error::Error for StartError {}

/// What is wrong with an address, and what to do about it.
fn bind_remedy(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            format!(
                "the address is still in use after {} s; stop the program that uses it, or choose \
                 another port (0 lets the system choose)",
                ADDRESS_WAIT_MAX.as_secs()
            )
        }
        Some(libc::EADDRNOTAVAIL) => {
            "this machine has no such address; listen on one that it has, or on 0.0.0.0 or [::]"
                .into()
        }
        Some(libc::EACCES) => {
            "no permission; choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE".into()
        }
        Some(libc::EAFNOSUPPORT) => {
            "this machine does not have that version of IP; listen on an address of the other"
                .into()
        }
        _ => {
            descriptors::remedy(error).unwrap_or_else(|| format!("{error}; choose another address"))
        }
    }
}

/// What every node needs and the system does not give, and what to do about it.
fn system_remedy(error: &io::Error) -> String {
    match error.raw_os_error() {
        // Of a thread (pthread_create(3)).
        Some(libc::EAGAIN) => {
            "the limit of threads is reached; raise it (ulimit -u, TasksMax= of systemd, \
             --pids-limit= of Docker), or ask for fewer --cores"
                .into()
        }
        _ => descriptors::remedy(error).unwrap_or_else(|| format!("{error}; see `ulimit -a`")),
    }
}

/// Why there is no `io_uring`, in words that say what to change.
pub(super) fn uring_reason(error: &io::Error) -> String {
    if let Some(remedy) = descriptors::remedy(error) {
        return format!("no io_uring: {remedy}");
    }
    let cause = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "a seccomp profile, as Docker's default, or the sysctl kernel.io_uring_disabled \
             forbids it"
        }
        Some(libc::ENOSYS) => "the kernel or its sandbox does not have it",
        Some(libc::EINVAL) => "the kernel is older than Linux 6.0",
        Some(libc::ENOMEM) => "the limit of locked memory (ulimit -l) or of memory is too low",
        _ => "the kernel does not give one",
    };
    format!("no io_uring: {cause} ({error})")
}

/// Why a shard stopped without being told to.
#[derive(Debug)]
pub enum ShardError {
    /// Its socket or its ring failed.
    Io(io::Error),
    /// It panicked.
    Panicked,
}

impl fmt::Display for ShardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the shard's I/O failed: {error}"),
            Self::Panicked => f.write_str("the shard panicked"),
        }
    }
}

impl std::error::Error for ShardError {}
