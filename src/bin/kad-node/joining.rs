//! Lets threads wait until the node has joined its network.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::ongoing::Ongoing;
use crate::progress::Progress;

/// How long a prompt on a terminal waits: then the log says why the node may not have joined.
const PROMPT_WAIT_MAX: Duration = Duration::from_secs(3);

/// Set once, when the node has joined.
#[derive(Clone, Default)]
pub(crate) struct Joining(Arc<(Mutex<bool>, Condvar)>);

impl Joining {
    /// Records that the node has joined, and wakes all waiting threads.
    pub(crate) fn complete(&self) {
        let (joined, changed) = &*self.0;
        *joined.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Waits until the node has joined, at most `timeout`. Returns whether it has.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let (joined, changed) = &*self.0;
        let guard = joined.lock().unwrap_or_else(PoisonError::into_inner);
        *changed
            .wait_timeout_while(guard, timeout, |joined| !*joined)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// The same, while `goes_on`, and shows on a terminal what is waited for.
    pub(crate) fn wait_shown(&self, most: Duration, goes_on: impl Fn() -> bool) -> bool {
        let mut progress = Progress::begin();
        loop {
            let left = most.saturating_sub(progress.elapsed());
            if self.wait(left.min(Progress::PERIOD)) {
                return true;
            }
            if left.is_zero() || !goes_on() {
                return false;
            }
            progress.show("joining: no answer yet");
        }
    }

    /// The same before the first prompt on a terminal, which Ctrl-C brings at once.
    pub(crate) fn wait_at_prompt(&self, most: Duration, ongoing: &Ongoing) {
        ongoing.begin();
        self.wait_shown(most.min(PROMPT_WAIT_MAX), || !ongoing.is_interrupted());
        ongoing.end();
    }
}
