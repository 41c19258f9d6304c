//! Messages from one shard's thread to another's, without a lock.
//!
//! Each ordered pair of shards has a [`ring`]; each shard has one [`waker`]'s
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
//! assert_eq!(consumer.drain().sum::<u32>(), 3);
//! ```
//!
//! A full ring gives the message back, and the sender chooses: drop and count
//! it, or keep it and try again next turn. Nobody is woken when room appears, so
//! a sender that keeps a message waits with a deadline.
//!
//! This module imports nothing else of the crate. It is checked by loom, whose
//! tests run every interleaving of a few threads within a bound of preemptions:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --lib handoff
//! ```

mod ring;
mod sync;
mod waker;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

pub use ring::{Consumer, Drain, Producer, ring};
pub use waker::{Waiter, Wake, Waker, waker};
