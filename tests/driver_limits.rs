//! The limit of open descriptors. This process's own limit is changed, so these tests share
//! it with no others, and come one after another.
#![cfg(feature = "std")]

mod harness;

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kad_node::driver::{IoChoice, Steering, TooFewDescriptors, raise_descriptor_limit, start};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use harness::sharded;

/// Limits that are tried, from none on: more than the descriptors of a few shards.
const TRIED_MAX: usize = 64;

/// Held by the test that changes the limit.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the next descriptor, and so the limit under which there is none.
fn next_descriptor() -> u64 {
    let next = File::open("/dev/null").expect("Linux has it");
    next.as_raw_fd().unsigned_abs().into()
}

/// Whatever the start lacks a descriptor for: sockets, eventfds, rings, an epoll.
#[test]
fn a_start_without_descriptors_is_refused_with_the_limit_and_the_remedy() {
    let _alone = alone();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("Linux has it");
    // The last one leaves descriptors open.
    for io in [IoChoice::Uring, IoChoice::Mmsg, IoChoice::TokioUring] {
        for shards in [1, 3] {
            let refused = (next_descriptor()..).take(TRIED_MAX).take_while(|&limit| {
                let settings = sharded(io, "127.0.0.1:0", shards, Steering::Kernel);
                setrlimit(Resource::RLIMIT_NOFILE, limit, hard).expect("within the hard one");
                let started = start(settings).map_err(|error| error.to_string());
                setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("as it was");
                let Err(text) = started else {
                    return false;
                };
                let names = |part: &str| assert!(text.contains(part), "{io}, {limit}: {text}");
                names(&format!("limit of {limit} open descriptors"));
                names("ulimit -n");
                assert_eq!(text.lines().count(), 1);
                true
            });
            // A socket and an eventfd each, at least.
            let refused = refused.count();
            assert!(refused >= 2 * shards, "{refused} limits were too low for {io}");
            // The library under tokio-uring leaves three descriptors open when it is given no
            // ring: its runtime is never dropped.
            let leaves_none = io != IoChoice::TokioUring;
            assert!(!leaves_none || refused < TRIED_MAX, "{io} leaves descriptors open");
        }
    }
}

#[test]
fn the_limit_of_descriptors_is_raised_to_the_hard_one() {
    let _alone = alone();
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
