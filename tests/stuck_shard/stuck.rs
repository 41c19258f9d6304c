//! Keeps a thread stuck until it is released: a signal handler holds it, as a page fault or
//! the scheduler could.
#![allow(unsafe_code)] // sigaction, tgkill, and what a handler may do.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Instant;

use libc::{c_int, c_long, c_void, pid_t};

use crate::harness::{PATIENCE, threads};

/// The pipe by which the handler reports that it holds its thread, and the one on which it
/// waits.
static NOTICE: AtomicI32 = AtomicI32::new(-1);
static GATE: AtomicI32 = AtomicI32::new(-1);

/// The system calls in which the drivers wait.
const WAITS: &[c_long] = &[
    libc::SYS_io_uring_enter,
    libc::SYS_ppoll,
    libc::SYS_epoll_pwait,
    // Newer architectures have only `epoll_pwait`.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
];

/// The other ends of the pipes. They stay open while the process lives, because a handler
/// may wait.
struct Ends {
    notice: PipeReader,
    gate: PipeWriter,
    _handlers: (PipeWriter, PipeReader),
}

/// A stuck thread. It goes on when this is dropped.
pub(crate) struct Stuck(&'static Ends);

impl Drop for Stuck {
    fn drop(&mut self) {
        (&self.0.gate).write_all(&[0]).expect("the gate is open");
    }
}

/// Makes shard number `shard` of the process's only node stuck while it waits in its
/// driver: elsewhere it could hold the allocator's lock and block other threads.
pub(crate) fn stick(shard: usize) -> Stuck {
    static ENDS: OnceLock<Ends> = OnceLock::new();
    let ends = ENDS.get_or_init(prepare);
    let begun = Instant::now();
    let thread = loop {
        // At first this may be a thread of the previous node that is about to end.
        if let Some(thread) = thread_of(shard).filter(|thread| is_idle(*thread)) {
            break thread;
        }
        assert!(begun.elapsed() < PATIENCE, "the shard's thread is not there, or never idle");
        thread::yield_now();
    };
    let process = std::process::id().cast_signed();
    // SAFETY: numbers only.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
    assert_eq!(sent, 0, "the thread is ours");
    (&ends.notice).read_exact(&mut [0]).expect("the handler tells");
    Stuck(ends)
}

/// The thread of shard number `shard` of the process's only node, until it ends.
pub(crate) fn thread_of(shard: usize) -> Option<pid_t> {
    let task = threads("self", &format!("shard-{shard}\n")).pop()?;
    let number = task.file_name().and_then(|name| name.to_str()).expect("a number");
    Some(number.parse().expect("a number"))
}

/// Whether a shard's thread waits in its driver. A thread that waits for a lock sleeps too,
/// but may hold the lock by the time that the signal arrives.
fn is_idle(thread: pid_t) -> bool {
    // The system call's number, or "running"; empty once the thread has ended.
    let call = fs::read_to_string(format!("/proc/self/task/{thread}/syscall"));
    let call = call.unwrap_or_default();
    let number = call.split(' ').next().and_then(|number| number.parse().ok());
    number.is_some_and(|number: c_long| WAITS.contains(&number))
}

fn prepare() -> Ends {
    let (notice, tell) = pipe().expect("a pipe");
    let (wait, gate) = pipe().expect("a pipe");
    NOTICE.store(tell.as_raw_fd(), Ordering::Relaxed);
    GATE.store(wait.as_raw_fd(), Ordering::Relaxed);
    let handler: extern "C" fn(c_int) = keep;
    // SAFETY: the handler uses only async-signal-safe calls: read, write, atomics.
    let before = unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    assert_ne!(before, libc::SIG_ERR);
    Ends { notice, gate, _handlers: (tell, wait) }
}

/// Holds the thread until a byte arrives through the gate.
extern "C" fn keep(_signal: c_int) {
    let mut byte = [0_u8];
    let at = byte.as_mut_ptr().cast::<c_void>();
    // SAFETY: the byte lives on the stack.
    unsafe { libc::write(NOTICE.load(Ordering::Relaxed), at, 1) };
    // SAFETY: the byte lives on the stack.
    unsafe { libc::read(GATE.load(Ordering::Relaxed), at, 1) };
}
