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
//! The sequence also tells the shard where to look: as long as no wake has come,
//! nothing has been published since it last looked at its rings, so it looks at
//! none of them. A turn without messages costs the same however many peers there
//! are ([`take_signal`](Waiter::take_signal)).
//!
//! # The rules
//! 1. A peer publishes first and wakes afterwards. A peer that gets
//!    [`Wake::Needed`] owes the transport, and the debt stays even if the shard
//!    has begun to run meanwhile; a transport that fails is tried again.
//! 2. The transport is sticky: sent before the shard waits in the kernel, it ends
//!    that wait at once (an eventfd's count and a ring's completion both stay).
//! 3. The shard waits only if [`begin_wait`](Waiter::begin_wait) says so, which
//!    arms first and looks at the rings afterwards, and calls
//!    [`end_wait`](Waiter::end_wait) whatever ended the wait, and in a turn without
//!    one.
//! 4. The shard looks at every ring after each [`take_signal`](Waiter::take_signal)
//!    that says so.
//!
//! # Why no wake is lost
//!
//! Every access is a read-modify-write, so all of them stand in one order, each
//! reads what the one before it left, and an unbroken run of them carries each
//! release on to every later acquire. Take a peer's wake and the next
//! `begin_wait` after the shard last looked at that peer's ring:
//! - *The wake comes first.* The arming, or an `end_wait` before it, reads a
//!   sequence that is not zero, and acquires what the wake released, the
//!   publication before it included. So the look at the rings, which it asks for
//!   and which comes after it, finds the message, and the shard does not wait.
//! - *The arming comes first.* Then the wake, or one before it but after the
//!   arming, found the word waiting at sequence zero and was told `Needed`. Its
//!   transport ends the wait; the shard runs, and the message is found by the
//!   next look at the latest, by the first case.
//!
//! A shard that looks at no ring has read sequence zero since its last look: no
//! wake stands before that reading, so each publication that it has not seen is
//! followed by a wake that is still to come, and the second case holds.
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
    (Waiter { word: Arc::clone(&word), is_signalled: false }, Waker { word })
}

/// Alone on its cache lines: peers write it whenever they hand something over.
#[repr(align(128))]
struct Word(AtomicU64);

#[cfg(not(loom))] // whose atomics are larger
const _: () = assert!(align_of::<Word>() == super::LINES && size_of::<Word>() == super::LINES);

/// The shard's own end: there is one, and it belongs to one thread.
pub struct Waiter {
    word: Arc<Word>,
    /// Whether a wake has come since the rings were last looked at.
    is_signalled: bool,
}

impl Waiter {
    /// Arms, then asks `is_idle` whether every ring is empty, unless no peer has
    /// published anything since the last look, and returns whether to wait. If so,
    /// wait for the transport and call [`end_wait`](Self::end_wait) after it; if
    /// not, the shard is running again.
    #[must_use = "when it is true, wait, and call `end_wait` afterwards"]
    #[inline]
    pub fn begin_wait(&mut self, is_idle: impl FnOnce() -> bool) -> bool {
        // Acquire: what a peer published before a wake that came too early to
        // find the shard armed, `is_idle` sees.
        let before = self.word.0.swap(WAITING, Ordering::Acquire);
        self.is_signalled |= before >= SIGNAL;
        let idle = !self.is_signalled || is_idle();
        if !idle {
            self.end_wait();
        }
        idle
    }

    /// Says that the shard runs, so that no peer needs to wake it. Look at every
    /// ring before the next wait where [`take_signal`](Self::take_signal) says so.
    #[inline]
    pub fn end_wait(&mut self) {
        // Acquire: what was published before the wakes whose signals it clears,
        // the look after it sees.
        let before = self.word.0.swap(RUNNING, Ordering::Acquire);
        self.is_signalled |= before >= SIGNAL;
    }

    /// Whether a wake has come since it was last asked: look at every ring then,
    /// and at none otherwise. What is published after the last
    /// [`end_wait`](Self::end_wait) may be told of by the next one only.
    #[must_use = "when it is true, look at every ring"]
    #[inline]
    pub fn take_signal(&mut self) -> bool {
        std::mem::take(&mut self.is_signalled)
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
