//! A kernel that does not know a socket option.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// The argument of `getsockopt` and `setsockopt` that names the option.
const OPTION: u8 = 2;

/// Makes `option` fail, as on older kernels, for the calling thread and those that it
/// starts from now on.
pub(crate) fn refuse(option: i32) {
    seccompiler::apply_filter(&program(option)).expect("seccomp is there");
}

fn program(option: i32) -> BpfProgram {
    let refused = option.unsigned_abs().into();
    let is_it = SeccompCondition::new(OPTION, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, refused);
    let rule = SeccompRule::new(vec![is_it.expect("a valid condition")]).expect("a valid rule");
    let filter = SeccompFilter::new(
        [libc::SYS_getsockopt, libc::SYS_setsockopt].map(|call| (call, vec![rule.clone()])).into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOPROTOOPT.unsigned_abs()),
        std::env::consts::ARCH.try_into().expect("an architecture with seccomp"),
    );
    filter.and_then(TryInto::try_into).expect("a valid filter")
}
