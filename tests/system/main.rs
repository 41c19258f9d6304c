//! Tests of the whole program: real processes, real UDP on loopback, the prompt on a pipe
//! and on a terminal.
//!
//! No test sleeps. It waits for a line of the child's log or output, with a deadline that
//! only guards against hanging for ever.

mod bootstrap;
mod child;
#[path = "../harness/datagram.rs"]
mod datagram;
mod durable;
mod empty;
mod errors;
mod files;
mod frozen;
mod full_store;
mod history;
mod hostile;
mod http;
mod identity;
mod import;
mod lifecycle;
mod log;
mod networks;
mod one_shot;
mod ping;
mod private;
mod prompt;
mod readme;
mod remote;
mod scripts;
#[path = "../harness/seccomp.rs"]
mod seccomp;
mod service;
mod shown;
mod signals;
mod sources;
mod standard_error;
mod stuck;
mod terminal;
#[path = "../harness/threads.rs"]
mod threads;

/// A driver under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Io {
    Uring,
    TokioUring,
    Mmsg,
}

impl Io {
    /// The value of `--io`.
    pub(crate) const fn flag(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::TokioUring => "tokio-uring",
            Self::Mmsg => "mmsg",
        }
    }
}

/// Turns each function into one test per driver.
macro_rules! under_each_driver {
    ($(fn $name:ident($io:ident: Io) $body:block)*) => {
        $(fn $name($io: $crate::Io) $body

        mod $name {
            #[test]
            fn uring() {
                super::$name($crate::Io::Uring);
            }

            #[test]
            fn tokio_uring() {
                super::$name($crate::Io::TokioUring);
            }

            #[test]
            fn mmsg() {
                super::$name($crate::Io::Mmsg);
            }
        })*
    };
}
pub(crate) use under_each_driver;
