//! Counts the heap bytes that each thread holds, so that a node's memory can be
//! measured rather than estimated.
//!
//! A world lives on one thread, so the difference across a call into a node is
//! what that node took or gave back.

#[path = "../harness/allocator.rs"]
mod counting;

use std::cell::Cell;

use self::counting::Counting;

#[global_allocator]
static COUNTING: Counting = Counting(count);

thread_local! {
    static HELD_BYTES: Cell<isize> = const { Cell::new(0) };
}

/// Heap bytes that this thread has taken, less those that it has given back.
pub(crate) fn held_bytes() -> isize {
    HELD_BYTES.get()
}

fn count(_allocations: u64, bytes: isize) {
    // A thread that is going away still frees; what it frees then is not measured.
    let _ = HELD_BYTES.try_with(|held| held.set(held.get() + bytes));
}
