//! A bounded ring between one producer and one consumer.
//!
//! ```text
//!        head                 published    tail
//!         v                       v         v
//!   free  | for the consumer      | batch   |  free
//!   ------+-----------------------+---------+------> index, modulo 2^64
//! ```
//!
//! Two indices are shared, each on cache lines of its own and written by one end
//! alone: the consumer's *head* and the producer's published *tail*. They count
//! messages and wrap around at the word's end; a slot is the index modulo the
//! capacity, a power of two, so that no slot is lost to tell full from empty.
//!
//! Each end works on copies: the producer looks at the head only when the ring
//! seems full, the consumer at the tail only when it seems empty. A batch thus
//! costs a cache miss or two, not each message.
//!
//! # Why it is sound
//!
//! A slot belongs to the producer from `tail` to `head + capacity`, and to the
//! consumer from `head` to the published tail. It changes hands twice:
//! - [`Producer::publish`] stores the tail with Release after the slots were
//!   written; the consumer loads it with Acquire before it reads them.
//! - The consumer stores the head with Release after the slots were read; the
//!   producer loads it with Acquire before it overwrites them.
//!
//! When the last end is gone, the slots from head to tail still hold messages,
//! and the ring drops them. Each end writes its index when it is dropped, so that
//! these are the true ones; the reference count orders the writes before the read.

// The slots are shared memory whose ownership the indices carry: the borrow
// checker cannot see that.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::MaybeUninit;

use super::sync::{Arc, AtomicBool, AtomicUsize, Ordering, UnsafeCell};

/// A ring of `capacity` messages, a power of two.
///
/// # Panics
/// When `capacity` is not a power of two.
pub fn ring<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_from(capacity, 0)
}

/// A ring whose indices begin at `start`: so tests reach the word's end.
pub(super) fn ring_from<T: Send>(capacity: usize, start: usize) -> (Producer<T>, Consumer<T>) {
    assert!(capacity.is_power_of_two(), "a ring of {capacity} slots: take a power of two");
    let shared = Arc::new(Shared {
        producer: End::new(start),
        consumer: End::new(start),
        slots: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
    });
    let producer =
        Producer { shared: Arc::clone(&shared), tail: start, published: start, head_seen: start };
    (producer, Consumer { shared, head: start, tail_seen: start })
}

/// What one end shows to the other. Two lines of 64 bytes apart, because
/// processors fetch lines in pairs.
#[repr(align(128))]
struct End {
    /// The producer's published tail; the consumer's head.
    index: AtomicUsize,
    /// Set once, when the end is dropped.
    gone: AtomicBool,
}

impl End {
    fn new(start: usize) -> Self {
        Self { index: AtomicUsize::new(start), gone: AtomicBool::new(false) }
    }
}

#[cfg(not(loom))] // whose atomics are larger
const _: () = assert!(align_of::<End>() == super::LINES && size_of::<End>() == super::LINES);

struct Shared<T> {
    producer: End,
    consumer: End,
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: the two ends hand each slot to one another by the protocol in the
// module's documentation, so that no two threads touch a slot at a time; a
// message is moved from thread to thread, which `T: Send` allows.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    fn slot(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots[index & (self.slots.len() - 1)]
    }

    /// Moves a message into its slot; what that held is forgotten.
    ///
    /// # Safety
    /// The slot belongs to the caller.
    unsafe fn write(&self, index: usize, message: T) {
        self.slot(index).with_mut(|slot| {
            // SAFETY: the caller vouches that nothing else touches the slot, and
            // the pointer is the slot's own.
            unsafe { slot.cast::<T>().write(message) }
        });
    }

    /// Moves a message out of its slot.
    ///
    /// # Safety
    /// The slot belongs to the caller, holds a message, and is not read again
    /// before it is written.
    unsafe fn read(&self, index: usize) -> T {
        self.slot(index).with_mut(|slot| {
            // SAFETY: the caller vouches for a message that is there, that nothing
            // else touches, and of which no second copy will be made.
            unsafe { slot.cast::<T>().read() }
        })
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let tail = self.producer.index.load(Ordering::Relaxed);
        let mut head = self.consumer.index.load(Ordering::Relaxed);
        while head != tail {
            // SAFETY: both ends are gone and have left their true indices;
            // between them every slot holds a message, and each is read once.
            drop(unsafe { self.read(head) });
            head = head.wrapping_add(1);
        }
    }
}

/// The end that puts messages in.
///
/// Dropping it publishes what it has pushed. Wake the consumer afterwards, so
/// that it learns that no more will come.
pub struct Producer<T: Send> {
    shared: Arc<Shared<T>>,
    /// Where the next message goes.
    tail: usize,
    /// The tail that the consumer sees.
    published: usize,
    /// The consumer's head when it was last looked at: it can only have grown.
    head_seen: usize,
}

impl<T: Send> Producer<T> {
    /// Adds a message to the batch that the next [`publish`](Self::publish)
    /// shows to the consumer; gives the message back when the ring is full.
    #[inline]
    pub fn push(&mut self, message: T) -> Result<(), T> {
        if self.is_full() {
            return Err(message);
        }
        // SAFETY: the slots from the tail to `head + capacity` are the producer's,
        // and the head was at least `head_seen` when it was last looked at.
        unsafe { self.shared.write(self.tail, message) };
        self.tail = self.tail.wrapping_add(1);
        Ok(())
    }

    /// Shows the consumer all that has been pushed, with one store, and returns
    /// how many messages are new to it: unless none, wake it.
    #[inline]
    pub fn publish(&mut self) -> usize {
        let batch = self.batch();
        if batch > 0 {
            self.shared.producer.index.store(self.tail, Ordering::Release);
            self.published = self.tail;
        }
        batch
    }

    /// How many messages have been pushed that the consumer does not see yet.
    #[inline]
    pub fn batch(&self) -> usize {
        self.tail.wrapping_sub(self.published)
    }

    /// How many messages the ring holds.
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }

    /// Whether there is no room for another message. If there is room, there will
    /// be until the next [`push`](Self::push).
    #[inline]
    pub fn is_full(&mut self) -> bool {
        let capacity = self.capacity();
        if self.tail.wrapping_sub(self.head_seen) == capacity {
            self.head_seen = self.shared.consumer.index.load(Ordering::Acquire);
        }
        self.tail.wrapping_sub(self.head_seen) == capacity
    }

    /// Whether the consumer is gone, so that nothing takes what is pushed.
    pub fn is_closed(&self) -> bool {
        // Relaxed: nothing is read on the strength of the answer.
        self.shared.consumer.gone.load(Ordering::Relaxed)
    }
}

impl<T: Send> Drop for Producer<T> {
    fn drop(&mut self) {
        self.publish();
        // Release: a thread that sees the flag sees the last batch too.
        self.shared.producer.gone.store(true, Ordering::Release);
    }
}

impl<T: Send> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("tail", &self.tail).finish_non_exhaustive()
    }
}

/// The end that takes messages out, in the order in which they were pushed.
///
/// What is left in the ring when both ends are gone is dropped then.
pub struct Consumer<T: Send> {
    shared: Arc<Shared<T>>,
    /// Where the next message lies.
    head: usize,
    /// The producer's tail when it was last looked at: it can only have grown.
    tail_seen: usize,
}

impl<T: Send> Consumer<T> {
    /// Takes the oldest message, and gives its slot back at once. For many
    /// messages, [`drain`](Self::drain) gives their slots back with one store.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            self.look();
        }
        let message = self.take()?;
        self.release();
        Some(message)
    }

    /// Takes what has been published by now, oldest first, and gives all the
    /// slots back when the iterator is dropped. What it did not reach stays.
    ///
    /// Bounded by the capacity however quick the producer, so that a turn ends.
    #[inline]
    pub fn drain(&mut self) -> Drain<'_, T> {
        self.look();
        Drain { first: self.head, consumer: self }
    }

    /// Whether nothing is there to take: what to ask between arming and waiting.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Relaxed: no slot is read on the strength of the answer; and a message
        // whose publication happened before the call is seen in any case.
        self.shared.producer.index.load(Ordering::Relaxed) == self.head
    }

    /// Whether the producer is gone. All that it pushed is then there to take,
    /// so: closed first, empty afterwards, and no message will ever come.
    pub fn is_closed(&self) -> bool {
        // Acquire: with the flag comes the last batch.
        self.shared.producer.gone.load(Ordering::Acquire)
    }

    fn look(&mut self) {
        self.tail_seen = self.shared.producer.index.load(Ordering::Acquire);
    }

    fn take(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            return None;
        }
        // SAFETY: the slots from head to the published tail hold messages and
        // are the consumer's; moving the head leaves this one for good.
        let message = unsafe { self.shared.read(self.head) };
        self.head = self.head.wrapping_add(1);
        Some(message)
    }

    fn release(&self) {
        self.shared.consumer.index.store(self.head, Ordering::Release);
    }
}

impl<T: Send> Drop for Consumer<T> {
    fn drop(&mut self) {
        // The head that the ring shall drop from: a drain that was forgotten has
        // taken messages without saying so.
        self.release();
        self.shared.consumer.gone.store(true, Ordering::Relaxed);
    }
}

impl<T: Send> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("head", &self.head).finish_non_exhaustive()
    }
}

/// The messages that [`Consumer::drain`] takes.
#[derive(Debug)]
pub struct Drain<'a, T: Send> {
    consumer: &'a mut Consumer<T>,
    /// The head when the drain began.
    first: usize,
}

impl<T: Send> Iterator for Drain<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.consumer.take()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.consumer.tail_seen.wrapping_sub(self.consumer.head);
        (left, Some(left))
    }
}

impl<T: Send> ExactSizeIterator for Drain<'_, T> {}

impl<T: Send> Drop for Drain<'_, T> {
    fn drop(&mut self) {
        if self.consumer.head != self.first {
            self.consumer.release();
        }
    }
}
