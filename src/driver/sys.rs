//! Memory that is mapped by itself and how what is freed is joined, the core that a thread
//! stays on, and how it is scheduled.
#![allow(unsafe_code)] // Mapped memory is unmapped by its address.

use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::unistd::Pid;

/// New memory of so many bytes, full of zeros, from where a page begins. Pages that are
/// never touched take no room; a general allocator would touch them all to hand out zeros so
/// aligned.
///
/// # Errors
/// When the process may not have as much, or `bytes` is 0.
pub(super) fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    let bytes = NonZeroUsize::new(bytes).ok_or(Errno::EINVAL)?;
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
    // SAFETY: at no particular address, so that nothing that is mapped is replaced.
    let memory = unsafe { mmap_anonymous(None, bytes, protection, flags) }?;
    Ok(memory.cast())
}

/// Whether so many bytes of memory are to be had within the process's limits.
///
/// # Errors
/// When they are not.
pub(super) fn check_memory(bytes: usize) -> io::Result<()> {
    let memory = map(bytes)?;
    // SAFETY: just mapped with this length, and used by nothing.
    unsafe { unmap(memory, bytes) };
    Ok(())
}

/// Gives back what [`map`] gave.
///
/// # Safety
/// It is `bytes` long, and nothing uses it any more.
pub(super) unsafe fn unmap(memory: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller says so.
    let unmapped = unsafe { munmap(memory.cast(), bytes) };
    debug_assert!(unmapped.is_ok(), "it fails only for what was never mapped");
}

/// Has glibc join a small piece of freed memory with its neighbours as it is freed, in the
/// whole process. By itself it keeps pieces of up to 128 bytes apart, and joins all of them at
/// some later request for more: after a million values of 100 bytes have expired that takes
/// 30 ms, in which a shard is deaf (`benches/store`).
pub fn join_freed_memory() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it takes numbers alone, and the allocator's own lock.
        let done = unsafe { libc::mallopt(libc::M_MXFAST, 0) };
        debug_assert_eq!(done, 1, "glibc takes every number from 0 to 160");
    }
}

/// How much later than others of its kind a thread that gives way is run: of a core that it
/// shares with one other thread it has a tenth (`sched(7)`).
const GIVES_WAY: libc::c_int = 10;

/// Lets the threads of shards run before the calling one, where they want the same core. Where
/// the system refuses, it runs as they do.
pub fn give_way() {
    // SAFETY: it takes and returns numbers alone. To Linux, 0 is the calling thread.
    let refused = unsafe { libc::setpriority(libc::PRIO_PROCESS as _, 0, GIVES_WAY) };
    if refused != 0 {
        tracing::debug!(error = %io::Error::last_os_error(), "a thread does not give way");
    }
}

/// Makes the calling thread wait for its turn when it is woken, with the same share of a core
/// as any other: it does not take the core from a shard that serves.
///
/// # Errors
/// When the system does not allow it.
pub(super) fn wait_for_turn() -> io::Result<()> {
    let (this_thread, parameters) = (0, libc::sched_param { sched_priority: 0 });
    // By number, since musl's function refuses a single thread.
    // SAFETY: the parameters live longer than the call, which changes nothing in memory.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            this_thread,
            libc::SCHED_BATCH,
            &raw const parameters,
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// Keeps the calling thread on core number `index` of those that the process may use,
/// counted around.
///
/// # Errors
/// When the system does not allow it.
pub(super) fn pin(index: usize) -> io::Result<()> {
    let own_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(own_thread)?;
    let cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core) == Ok(true));
    let count = cores.clone().count().max(1);
    let core = cores.clone().nth(index % count).ok_or(Errno::EINVAL)?;
    let mut only = CpuSet::new();
    only.set(core)?;
    Ok(sched_setaffinity(own_thread, &only)?)
}
