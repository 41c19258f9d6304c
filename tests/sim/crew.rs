//! Threads that work on what the world's own thread has to be done, beside it.
//!
//! Thousands of times in a second there is something to do for some hundred microseconds. A thread
//! that sleeps takes as long to wake as some ten turns of nodes, so it looks for work for a while
//! before it does; and the world's thread, which works too, waits for none that has nothing in
//! hand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{hint, mem};

/// How long a thread looks for work before it sleeps: longer than the world takes to open a window.
const LOOK: Duration = Duration::from_micros(200);
/// How often it looks between two readings of the clock.
const LOOKS: usize = 64;

/// The threads.
pub(crate) struct Crew<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<T> {
    work: fn(&mut T),
    state: Mutex<State<T>>,
    /// Whether there is anything to take, or the threads are to end: read without the lock.
    is_called: AtomicBool,
    call: Condvar,
}

struct State<T> {
    left: VecDeque<T>,
    done: Vec<T>,
    asleep: usize,
    is_over: bool,
}

impl<T: Send + 'static> Crew<T> {
    /// So many threads, each of which does `work`.
    pub(crate) fn new(threads: usize, work: fn(&mut T)) -> Self {
        let state = State { left: VecDeque::new(), done: Vec::new(), asleep: 0, is_over: false };
        let shared = Arc::new(Shared {
            work,
            state: Mutex::new(state),
            is_called: AtomicBool::new(false),
            call: Condvar::new(),
        });
        let begin = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                while shared.wait_for_work() {
                    while shared.work_on_next() {}
                }
            })
        };
        let threads = (0..threads).map(begin).collect();
        Self { shared, threads }
    }

    /// Has all of `todo` worked on, by the caller too once it has done `first`; all are left
    /// there, in any order.
    pub(crate) fn work_on(&self, todo: &mut Vec<T>, first: impl FnOnce()) {
        let count = todo.len();
        self.shared.put(todo);
        first();
        while self.shared.work_on_next() {}
        while !self.shared.take_done(todo, count) {
            let has_ended = self.threads.iter().any(JoinHandle::is_finished);
            assert!(!has_ended, "a thread has panicked");
            hint::spin_loop();
        }
    }
}

impl<T> Drop for Crew<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_over = true;
        self.shared.is_called.store(true, Ordering::Release);
        drop(state);
        self.shared.call.notify_all();
        for thread in self.threads.drain(..) {
            // One that has panicked has said so.
            _ = thread.join();
        }
    }
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("no thread panics while it has the lock")
    }

    fn put(&self, todo: &mut Vec<T>) {
        let mut state = self.state();
        state.left.extend(todo.drain(..));
        self.is_called.store(true, Ordering::Release);
        let asleep = state.asleep;
        drop(state);
        if asleep > 0 {
            self.call.notify_all();
        }
    }

    /// Works on one thing that no thread has taken yet, where there is one.
    fn work_on_next(&self) -> bool {
        let mut state = self.state();
        let Some(mut next) = state.left.pop_front() else { return false };
        if state.left.is_empty() && !state.is_over {
            self.is_called.store(false, Ordering::Release);
        }
        drop(state);
        (self.work)(&mut next);
        self.state().done.push(next);
        true
    }

    /// Takes what is done, once that is so many.
    fn take_done(&self, done: &mut Vec<T>, count: usize) -> bool {
        let mut state = self.state();
        let is_done = state.done.len() == count;
        if is_done {
            mem::swap(&mut state.done, done);
        }
        is_done
    }

    /// Whether there is more to do, rather than never again.
    fn wait_for_work(&self) -> bool {
        let start = Instant::now();
        while start.elapsed() < LOOK {
            for _ in 0..LOOKS {
                if self.is_called.load(Ordering::Acquire) {
                    return !self.state().is_over;
                }
                hint::spin_loop();
            }
        }
        let mut state = self.state();
        state.asleep += 1;
        let waits = |state: &mut State<T>| state.left.is_empty() && !state.is_over;
        state = self.call.wait_while(state, waits).expect("no thread panics while it has the lock");
        state.asleep -= 1;
        !state.is_over
    }
}
