//! Waits for conditions by polling.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt;
use crate::neighbours::Space;

/// Time between two polls. No outcome depends on it.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(250);

static SPACE: OnceLock<Space> = OnceLock::new();

/// Sets the longest wait, before the first wait.
pub(crate) fn allow_for(space: Space) {
    SPACE.set(space).expect("it is set once");
}

/// The longest wait. It only guards against hanging for ever; no outcome depends on it. When
/// the kernel has no room for all neighbours, the last nodes join after two minutes.
pub(crate) fn longest() -> Duration {
    match SPACE.get() {
        Some(Space::Cramped) => Duration::from_mins(6),
        Some(Space::Enough) | None => Duration::from_mins(3),
    }
}

/// Waits until `look` returns something. `what` names it in the failure.
pub(crate) fn wait_for<T>(what: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + longest();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(!interrupt::pending(), "{}", interrupt::REASON);
        assert!(Instant::now() < deadline, "still no {}", what());
        thread::sleep(LOOK_INTERVAL);
    }
}
