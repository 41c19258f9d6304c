//! Messages from one shard's thread to another's, without a lock.
//!
//! Each ordered pair of shards has a `ring`; each shard has one `waker`'s
//! word. The sender pushes a turn's messages, publishes them with one store, and
//! wakes the receiver, which costs a system call only if the receiver waits:
//!
//! ```
//! use kad_node::handoff::{Wake, ring, waker};
//!
//! let (mut producer, mut consumer) = ring::<u32>(1024);
//! let (mut waiter, waker) = waker();
//!
//! // The sender, once a turn:
//! producer.push(1).expect("there is room");
//! producer.push(2).expect("there is room");
//! if producer.publish() > 0 && waker.wake() == Wake::Needed {
//!     // Write to the receiver's eventfd, or send MSG_RING.
//! }
//!
//! // The receiver, when it has nothing else to do:
//! if waiter.begin_wait(|| consumer.is_empty()) {
//!     // Wait for the kernel, then:
//!     waiter.end_wait();
//! }
//! // The sender has woken it: otherwise it would look at no ring.
//! assert!(waiter.take_signal());
//! assert_eq!(consumer.drain().sum::<u32>(), 3);
//! ```
//!
//! A turn that has much for a peer publishes and wakes more often, so that the peer
//! takes from one part of the ring while the other fills.
//!
//! A full ring gives the message back, and the sender chooses: drop and count
//! it, or keep it and try again next turn. No sender is woken when room appears, so
//! a sender that keeps a message waits with a deadline.
//!
//! # What is checked, and what is not
//!
//! This module imports nothing else of the crate, so that loom can run its tests
//! in every interleaving of a few threads (up to a bound of preemptions), with
//! every stale value that a load may return:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --lib \
//!     --no-default-features --features handoff handoff::loom_tests
//! ```
//!
//! `tests/loom-mutations.sh` breaks every ordering and every step of the
//! protocols, one at a time, and shows which test notices. What loom cannot see:
//! - *What costs time only.* The padding, the remembered indices and the store
//!   that an empty batch saves may go without a test failing. The script proves
//!   it of each.
//! - *The orderings that are Relaxed already.* There is nothing to weaken; the
//!   script breaks the step instead. In the ring's own drop the reference count
//!   orders the reads, and loom brings its own model of that, not the standard
//!   library's code.
//! - *A load that returns what is stored later* (load buffering): loom runs each
//!   thread in order. None could do harm: slots are touched only after an
//!   Acquire, and a message or a waiting shard seen too early costs an empty turn.
//! - *The transport.* The tests' stand-in is a flag under a lock, sticky and never
//!   failing, as the waker's second rule demands of the real one.
//! - *More than three threads, more than a few messages, larger rings.* The code
//!   has no case for them; ordinary tests send a million messages through rings
//!   of 1, 2 and 1024, or on a machine too busy for that as many as pass in 10 s,
//!   and never less than 10 000.
//! - *A message whose own drop panics* while the ring drops what is left: the rest
//!   leaks, and none is dropped twice.

mod ring;
mod sync;
mod waker;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

/// Bytes of the cache lines that a word between two threads has to itself: two lines of 64,
/// because processors fetch lines in pairs.
#[cfg(not(loom))]
const LINES: usize = 128;

pub use ring::{Consumer, Drain, Producer, ring};
pub use waker::{Waiter, Wake, Waker, waker};
