//! A kernel that refuses the steering program.

use std::io::{self, Read as _};
use std::sync::Arc;

use kad_node::driver::Running;

use crate::seccomp::without_option;

/// Runs `start` on a thread where the kernel refuses the program, as kernels before 4.5 do.
/// Returns the node and what it logged.
pub(crate) fn without_steering(start: impl FnOnce() -> Running + Send) -> (Running, String) {
    let (mut log, writer) = io::pipe().expect("a pipe");
    let subscriber =
        tracing_subscriber::fmt().with_writer(Arc::new(writer)).with_ansi(false).finish();
    let running = without_option(libc::SO_ATTACH_REUSEPORT_CBPF, || {
        tracing::subscriber::with_default(subscriber, start)
    });
    // The thread has ended and dropped the writer, so the log ends.
    let mut text = String::new();
    log.read_to_string(&mut text).expect("the log is text");
    (running, text)
}
