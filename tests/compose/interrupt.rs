//! Signals that end the test early. It notices them wherever it waits, fails there, and so
//! removes what it has made.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// What a test that was interrupted fails with.
pub(crate) const REASON: &str = "interrupted by a signal";

static PENDING: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Catches the signals from here on.
pub(crate) fn catch() {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&PENDING)).expect("a signal to catch");
    }
}

/// Whether one has come.
pub(crate) fn pending() -> bool {
    PENDING.load(Ordering::Relaxed)
}
