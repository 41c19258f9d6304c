//! Which shard must be woken, and by which peer, with one atomic word a shard.
//!
//! A shard that has nothing to do waits in the kernel, and a peer that hands it
//! a message must wake it by a system call. A shard that runs finds the message
//! by itself, and a system call would be waste. The [`Waiter`] is the shard's own
//! end of the word, a [`Waker`] the end of each peer. The wake itself is the
//! caller's: an eventfd from ordinary threads, `MSG_RING` from ring threads.
//!
//! ```text
//!          wake: NotNeeded                       wake: NotNeeded
//!              +---+                                 +---+
//!              v   |   begin_wait       wake: Needed v   |
//!            running ----------> waiting ----------> signalled
//!             ^   ^                 |                   |
//!             |   |    end_wait     |                   |
//!             |   +-----------------+      end_wait     |
//!             +-----------------------------------------+
//! ```
//!
//! The word: bit 0 is *waiting*; the bits above are a *sequence*, the wakes since
//! the shard last changed the word. Signalled means waiting with a sequence that
//! is not zero: a peer owes the wake already. A wake adds one to the sequence
//! (one `lock xadd`, no loop however many peers wake at once) and is needed when
//! it found a waiting shard at sequence zero. At a million wakes a second to a
//! shard that never waits, 63 bits last for 290 000 years; and if they did wrap,
//! it would cost a needless wake.
//!
//! # The rules
//! 1. A peer publishes first and wakes afterwards. A peer that gets
//!    [`Wake::Needed`] owes the transport, and the debt stays even if the shard
//!    has begun to run meanwhile; a transport that fails is tried again.
//! 2. The transport is sticky: sent before the shard waits in the kernel, it ends
//!    that wait at once (an eventfd's count and a ring's completion both stay).
//! 3. The shard waits only if [`begin_wait`](Waiter::begin_wait) says so, which
//!    arms first and looks at the rings afterwards, and calls
//!    [`end_wait`](Waiter::end_wait) whatever ended the wait.
//!
//! # Why no wake is lost
//!
//! Every access is a read-modify-write, so all of them stand in one order, each
//! reads what the one before it left, and an unbroken run of them carries each
//! release on to every later acquire. Take a peer's wake and the next
//! `begin_wait` after the shard last looked at that peer's ring:
//! - *The wake comes first.* The arming acquires what the wake released, the
//!   publication before it included. So the look at the rings, which comes after
//!   the arming, finds the message, and the shard does not wait.
//! - *The arming comes first.* Then the wake, or one before it but after the
//!   arming, found the word waiting at sequence zero and was told `Needed`. Its
//!   transport ends the wait; the shard runs, and the message is found by the
//!   next look at the latest, by the first case.
//!
//! A plain load in `wake` could read a word from before the arming while the
//! shard's look reads a ring from before the publication: both would sleep on it.
//! A plain store in `end_wait` would break the run, and with it the release of a
//! second peer's wake that found the word signalled and sent nothing.
//!
//! A transport that arrives late, when its wait has ended for another reason,
//! ends the next wait early: an empty turn, nothing worse.

use std::fmt;

use super::sync::{Arc, AtomicU64, Ordering};

const RUNNING: u64 = 0;
const WAITING: u64 = 1;
const SIGNAL: u64 = 2;

/// Both ends of a shard's word; clone the [`Waker`] for each peer.
pub fn waker() -> (Waiter, Waker) {
    let word = Arc::new(Word(AtomicU64::new(RUNNING)));
    (Waiter { word: Arc::clone(&word) }, Waker { word })
}

/// Alone on its cache lines: peers write it whenever they hand something over.
#[repr(align(128))]
struct Word(AtomicU64);

/// The shard's own end: there is one, and it belongs to one thread.
pub struct Waiter {
    word: Arc<Word>,
}

impl Waiter {
    /// Arms, then asks `is_idle` whether there is nothing to do (every ring
    /// empty, no deadline passed), and returns whether to wait. If so, wait for
    /// the transport and call [`end_wait`](Self::end_wait) after it; if not, the
    /// shard is running again.
    #[must_use = "when it is true, wait, and call `end_wait` afterwards"]
    #[inline]
    pub fn begin_wait(&mut self, is_idle: impl FnOnce() -> bool) -> bool {
        // Acquire: what a peer published before a wake that came too early to
        // find the shard armed, `is_idle` sees.
        self.word.0.swap(WAITING, Ordering::Acquire);
        let idle = is_idle();
        if !idle {
            self.end_wait();
        }
        idle
    }

    /// Says that the shard runs, so that no peer needs to wake it. Look at every
    /// ring before the next wait.
    #[inline]
    pub fn end_wait(&mut self) {
        // Relaxed: it passes on what wakes released to the next arming, being
        // a read-modify-write, and has nothing to add.
        self.word.0.swap(RUNNING, Ordering::Relaxed);
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").finish_non_exhaustive()
    }
}

/// A peer's end.
#[derive(Clone)]
pub struct Waker {
    word: Arc<Word>,
}

impl Waker {
    /// Says that something has been published for the shard, and returns whether
    /// the caller must send the transport. Of all that wake a waiting shard, one
    /// is told so.
    #[inline]
    pub fn wake(&self) -> Wake {
        // Release: a shard that arms after this sees what was published before it.
        if self.word.0.fetch_add(SIGNAL, Ordering::Release) == WAITING {
            Wake::Needed
        } else {
            Wake::NotNeeded
        }
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

/// What a wake asks of the peer that woke.
#[must_use = "a wake that is needed and not sent leaves the shard asleep"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// The shard waits, or is about to: send the transport.
    Needed,
    /// The shard runs, or another caller sends the transport.
    NotNeeded,
}
