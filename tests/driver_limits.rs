//! What the system limits: descriptors, memory. This process's own limits are changed, so
//! these tests share it with no others.
#![cfg(feature = "std")]

use kad_node::driver::{TooFewDescriptors, raise_descriptor_limit};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn the_limit_of_descriptors_is_raised_to_the_hard_one() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("Linux has it");
    let low = hard.min(256);
    setrlimit(Resource::RLIMIT_NOFILE, low, hard).expect("lower is always allowed");
    let limit = raise_descriptor_limit();
    assert_eq!(limit.get(), hard);
    assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).expect("Linux has it"), (hard, hard));
    assert_eq!(limit.allows(hard), Ok(()));
    assert_eq!(raise_descriptor_limit(), limit, "once is enough");
}

#[test]
fn too_few_descriptors_are_refused_with_the_numbers_and_the_remedy() {
    let error = TooFewDescriptors { needed: 5000, limit: 1024 };
    let text = error.to_string();
    assert!(
        text.contains("5000") && text.contains("1024") && text.contains("ulimit -Hn"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}
