//! Makes a system call fail with a chosen error, as a container's seccomp profile does.
//! The filters are real. They apply to one thread and to the threads that it starts.
#![allow(unsafe_code)] // prctl.

use std::io;
use std::thread;

use libc::{c_long, c_ulong, sock_filter, sock_fprog};

/// The system call that is denied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Denied {
    Setup,
    Enter,
    Register,
}

/// Runs `work` on a thread where the system call fails with `errno`.
pub(crate) fn under<T: Send>(denied: Denied, errno: i32, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let confined = scope.spawn(|| {
            confine(denied, errno).expect("a process may always restrict itself");
            work()
        });
        confined.join().expect("the work is done")
    })
}

fn confine(denied: Denied, errno: i32) -> io::Result<()> {
    let number = match denied {
        Denied::Setup => libc::SYS_io_uring_setup,
        Denied::Enter => libc::SYS_io_uring_enter,
        Denied::Register => libc::SYS_io_uring_register,
    };
    let number = u32::try_from(number).expect("system calls count from 0");
    // The number is the first field of the filter's input.
    let mut program = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, number, 1),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | errno.cast_unsigned(),
            0,
        ),
        instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let program = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let (yes, unused): (c_ulong, c_ulong) = (1, 0);
    // SAFETY: numbers only.
    let alone = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, unused, unused, unused) };
    check(alone.into())?;
    let filter = c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: the program lives until the call returns; the kernel copies it.
    let confined = unsafe { libc::prctl(libc::PR_SET_SECCOMP, filter, &raw const program) };
    check(confined.into())
}

/// An instruction. If it is a comparison and finds a difference, it skips `otherwise`
/// instructions.
fn instruction(code: u32, operand: u32, otherwise: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: otherwise, k: operand }
}

fn check(result: c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
