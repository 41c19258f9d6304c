//! A kernel that does not take the steering program.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::thread;

use kad_node::driver::Running;

use crate::option;

/// What `start` gives on a thread on which the program is refused, as kernels
/// before 4.5 do, and what is logged meanwhile.
pub(crate) fn without_steering(start: impl FnOnce() -> Running + Send) -> (Running, String) {
    let (mut log, writer) = io::pipe().expect("a pipe");
    let subscriber =
        tracing_subscriber::fmt().with_writer(Arc::new(writer)).with_ansi(false).finish();
    let running = thread::scope(|scope| {
        let confined = scope.spawn(|| {
            option::refuse(libc::SO_ATTACH_REUSEPORT_CBPF);
            tracing::subscriber::with_default(subscriber, start)
        });
        confined.join().expect("it starts")
    });
    // The writer has gone with the thread: the log has an end.
    let mut text = String::new();
    log.read_to_string(&mut text).expect("the log is text");
    (running, text)
}
