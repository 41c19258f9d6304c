//! A system without some system call, as a filter makes one.

use std::collections::BTreeMap;
use std::thread;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Runs `start` on a thread where `io_uring_setup` fails with EPERM, as in a container.
pub(crate) fn without_io_uring<T: Send + 'static>(start: impl FnOnce() -> T + Send + 'static) -> T {
    without(libc::SYS_io_uring_setup, Vec::new(), libc::EPERM, start)
}

/// Runs `start` on a thread without IPv6 sockets, as on a host without IPv6.
pub(crate) fn without_ipv6<T: Send + 'static>(start: impl FnOnce() -> T + Send + 'static) -> T {
    let family = libc::AF_INET6.unsigned_abs().into();
    let is_v6 = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family);
    let rule = SeccompRule::new(vec![is_v6.expect("a condition")]).expect("a rule");
    without(libc::SYS_socket, vec![rule], libc::EAFNOSUPPORT, start)
}

/// Runs `start` on a thread on which a system call fails with `errno`. Children inherit
/// the filter of the thread that starts them.
fn without<T: Send + 'static>(
    call: i64,
    rules: Vec<SeccompRule>,
    errno: i32,
    start: impl FnOnce() -> T + Send + 'static,
) -> T {
    let filter = SeccompFilter::new(
        BTreeMap::from([(call, rules)]),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into().expect("an architecture with seccomp"),
    );
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a valid filter");
    let filtered = thread::spawn(move || {
        seccompiler::apply_filter(&program).expect("seccomp is there");
        start()
    });
    filtered.join().expect("the child did as it should")
}
