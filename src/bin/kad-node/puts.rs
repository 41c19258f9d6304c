//! Many puts at once: as many in flight as the network takes, and each settled in the order in
//! which they were given.

mod window;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use kad_node::driver::DriverEvent;
use kad_node::node::{Event, KeyedValue, OperationId, Refusal};

use self::window::{PUTS_MAX, Sign, Window};
use crate::operations::{NodeGone, Operations, PutAnswer, PutError};
use crate::wait::Wait;

/// Puts that are kept at once: those in flight, and those that have ended and wait for an
/// earlier one.
const KEPT_MAX: usize = 4 * PUTS_MAX;
/// Once as many are in flight as may be, the next are begun when one part of so many has ended,
/// and then together: what goes to one node at one time costs little more than one datagram.
const REFILL_PARTS: usize = 4;
/// How long nothing is begun after the node has refused a put.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// A put that was given.
struct Put<T> {
    number: u64,
    value: KeyedValue,
    tag: T,
    tries: usize,
    state: State,
}

enum State {
    /// It is to be begun.
    Waiting,
    InFlight(OperationId),
    Ended(PutAnswer),
}

impl State {
    fn is_of(&self, expected: OperationId) -> bool {
        matches!(self, Self::InFlight(operation) if *operation == expected)
    }
}

/// A put that has ended, before which all earlier ones have.
pub(crate) struct Settled<T> {
    pub(crate) value: KeyedValue,
    /// What it was given with.
    pub(crate) tag: T,
    pub(crate) answer: PutAnswer,
}

/// The puts of one client, each with what its giver knows it by.
pub(crate) struct Puts<T> {
    window: Window,
    /// The oldest first.
    kept: VecDeque<Put<T>>,
    in_flight: usize,
    /// Whether more may be begun, up to the window.
    is_filling: bool,
    /// Of those that are kept, how many are to be begun.
    waiting: usize,
    next: u64,
    /// How often a value is put that no node stores.
    tries_max: usize,
    /// Until when nothing is begun.
    pause: Option<Instant>,
    /// What the oldest waits for.
    wait: Option<(OperationId, Wait)>,
    /// Whether the oldest before it waited for a disk in vain.
    is_disk_hung: bool,
}

impl<T> Puts<T> {
    /// None yet. A value that no node stores is put so often before that is the answer.
    pub(crate) const fn new(tries_max: usize) -> Self {
        Self {
            window: Window::new(),
            kept: VecDeque::new(),
            in_flight: 0,
            is_filling: true,
            waiting: 0,
            next: 0,
            tries_max,
            pause: None,
            wait: None,
            is_disk_hung: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether one more may be given.
    pub(crate) fn has_room(&self) -> bool {
        self.in_flight < self.window.puts() && self.kept.len() < KEPT_MAX && self.waiting == 0
    }

    /// Begins one more.
    pub(crate) fn give(
        &mut self,
        operations: &Operations,
        value: KeyedValue,
        tag: T,
    ) -> Result<(), NodeGone> {
        let number = self.next;
        self.kept.push_back(Put { number, value, tag, tries: 1, state: State::Waiting });
        (self.next, self.waiting) = (self.next + 1, self.waiting + 1);
        self.begin_waiting(operations)
    }

    /// Begins those that wait, as far as there is room.
    pub(crate) fn begin_waiting(&mut self, operations: &Operations) -> Result<(), NodeGone> {
        if self.waiting == 0 || self.pause.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.pause = None;
        let waiting = self.kept.iter_mut().filter(|put| matches!(put.state, State::Waiting));
        for put in waiting {
            if self.in_flight >= self.window.puts() {
                break;
            }
            let Some(operation) = operations.begin_put(put.value.clone())? else {
                self.pause = Some(Instant::now() + REFUSED_PAUSE);
                break;
            };
            put.state = State::InFlight(operation);
            (self.in_flight, self.waiting) = (self.in_flight + 1, self.waiting - 1);
            self.is_filling = self.in_flight < self.window.puts();
        }
        Ok(())
    }

    /// Takes in an event; whether it was the answer to one of them.
    pub(crate) fn take(&mut self, event: DriverEvent) -> bool {
        match event {
            DriverEvent::Node(Event::Put { operation, outcome, elapsed, .. }) => {
                let outcome = outcome.map_err(PutError::Refused);
                self.settle(operation, PutAnswer { outcome, elapsed })
            }
            DriverEvent::Node(Event::Pending { operation, pending }) => {
                if let Some((_, wait)) = &mut self.wait {
                    wait.take(operation, pending);
                }
                false
            }
            DriverEvent::Node(Event::Progress { operation, progress, .. }) => {
                if let Some((_, wait)) = &mut self.wait {
                    wait.moved(operation, progress);
                }
                false
            }
            _ => false,
        }
    }

    fn settle(&mut self, expected: OperationId, answer: PutAnswer) -> bool {
        let mut kept = self.kept.iter_mut();
        let Some(put) = kept.find(|put| put.state.is_of(expected)) else { return false };
        let (sign, is_final) = match answer.outcome {
            Ok(stored) => {
                let is_lost = stored.asked > 0 && stored.holders == 0 && stored.too_large == 0;
                let (asked, resent) = (stored.asked, stored.resent);
                (Sign::Ended { asked, resent }, !is_lost || put.tries == self.tries_max)
            }
            Err(PutError::Refused(Refusal::Busy | Refusal::DiskBusy)) => (Sign::Refused, false),
            Err(_) => (Sign::Ended { asked: 0, resent: 0 }, true),
        };
        self.window.take(put.number, self.next, self.in_flight, sign);
        self.in_flight -= 1;
        let puts = self.window.puts();
        self.is_filling |= self.in_flight <= puts - puts / REFILL_PARTS;
        if is_final {
            put.state = State::Ended(answer);
        } else {
            put.tries += usize::from(sign != Sign::Refused);
            put.state = State::Waiting;
            self.waiting += 1;
            self.pause = Some(Instant::now() + REFUSED_PAUSE);
        }
        true
    }

    /// The oldest, if it has ended.
    pub(crate) fn settled(&mut self) -> Option<Settled<T>> {
        if !matches!(self.kept.front()?.state, State::Ended(_)) {
            return None;
        }
        let Put { value, tag, state, .. } = self.kept.pop_front()?;
        let State::Ended(answer) = state else { return None };
        self.is_disk_hung = matches!(answer.outcome, Err(PutError::DiskHangs));
        self.wait = None; // which clears what it shows
        Some(Settled { value, tag, answer })
    }

    /// No event has come in a while: shows what the oldest waits for, and gives it up where that
    /// is a disk that hangs.
    pub(crate) fn look(&mut self, operations: &Operations) -> Result<(), NodeGone> {
        let Some(put) = self.kept.front_mut() else { return Ok(()) };
        let State::InFlight(operation) = put.state else { return Ok(()) };
        if self.wait.as_ref().is_none_or(|(of, _)| *of != operation) {
            self.wait = Some((operation, Wait::begin(operation, put.value.key())));
        }
        let Some((_, wait)) = &mut self.wait else { return Ok(()) };
        if wait.is_of_a_hung_disk() || self.is_disk_hung && wait.is_of_a_disk() {
            let (outcome, elapsed) = (Err(PutError::DiskHangs), wait.elapsed());
            self.settle(operation, PutAnswer { outcome, elapsed });
            return Ok(());
        }
        if let Some(question) = wait.question() {
            operations.send(question)?;
        }
        wait.show();
        Ok(())
    }
}
