//! Makes system calls fail with a chosen error, as an older kernel or a container's seccomp
//! profile does. The filters are real.
#![allow(dead_code)] // each of the tests that share it uses a part

use std::thread;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Runs `work` on a thread where `call` fails with `errno`. The filter of a thread applies
/// to the threads and processes that it starts, too.
pub(crate) fn without<T: Send>(call: i64, errno: i32, work: impl FnOnce() -> T + Send) -> T {
    confined(&[call], &[], errno, work)
}

/// Runs `work` without IPv6 sockets, as on a host without IPv6.
pub(crate) fn without_ipv6<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let rule = with_argument(0, libc::AF_INET6);
    confined(&[libc::SYS_socket], &[rule], libc::EAFNOSUPPORT, work)
}

/// Runs `work` without a socket option, as on kernels that are older than the option.
pub(crate) fn without_option<T: Send>(option: i32, work: impl FnOnce() -> T + Send) -> T {
    let calls = [libc::SYS_getsockopt, libc::SYS_setsockopt];
    confined(&calls, &[with_argument(2, option)], libc::ENOPROTOOPT, work)
}

/// The calls whose argument number `index` is `value`.
fn with_argument(index: u8, value: i32) -> SeccompRule {
    let value = value.unsigned_abs().into();
    let is_it = SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    SeccompRule::new(vec![is_it.expect("a condition")]).expect("a rule")
}

fn confined<T: Send>(
    calls: &[i64],
    rules: &[SeccompRule],
    errno: i32,
    work: impl FnOnce() -> T + Send,
) -> T {
    let filter = SeccompFilter::new(
        calls.iter().map(|call| (*call, rules.to_vec())).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into().expect("an architecture with seccomp"),
    );
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a valid filter");
    thread::scope(|scope| {
        let confined = scope.spawn(|| {
            seccompiler::apply_filter(&program).expect("seccomp is there");
            work()
        });
        confined.join().expect("the work is done")
    })
}
