//! Many puts at once: as many in flight as the network takes, and each settled in the order in
//! which they were given.
//!
//! They are begun in the order of the last bytes of their keys, again and again. That byte steers
//! a STORE to a shard of its receiver, and the datagrams to one node that are steered alike leave
//! as one message: a STORE costs the kernel more than both nodes.

mod window;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use kad_node::driver::DriverEvent;
use kad_node::node::{Event, KeyedValue, OperationId, Refusal};

use self::window::{PUTS_MAX, Sign, Window};
use crate::operations::{NodeGone, Operations, PutAnswer, PutError};
use crate::wait::Wait;

/// Puts that are kept at once: those that wait, those in flight, and those that have ended before
/// an earlier one.
const KEPT_MAX: usize = 16 * PUTS_MAX;
/// Bytes of their values from which on no more are taken.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// Once as many are in flight as may be, the next are begun when one part of so many has ended,
/// and then together.
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
    /// The oldest first, one number after another.
    kept: VecDeque<Put<T>>,
    kept_bytes: usize,
    next: u64,
    /// The numbers of those that are to be begun, in the order of the last bytes of their keys.
    waiting: BTreeSet<(u8, u64)>,
    /// The last byte of the key of what was begun last.
    last_byte: u8,
    /// The numbers of those that have begun.
    in_flight: HashMap<OperationId, u64>,
    /// The operation that was begun last.
    last_begun: u64,
    /// Whether more may be begun, up to the window.
    is_filling: bool,
    /// Until when nothing is begun.
    pause: Option<Instant>,
    /// How often a value is put that no node stores.
    tries_max: usize,
    /// What the oldest waits for.
    wait: Option<(OperationId, Wait)>,
    /// Whether the oldest before it waited for a disk in vain.
    is_disk_hung: bool,
}

impl<T> Puts<T> {
    /// None yet. A value that no node stores is put so often before that is the answer.
    pub(crate) fn new(tries_max: usize) -> Self {
        Self {
            window: Window::new(),
            kept: VecDeque::new(),
            kept_bytes: 0,
            next: 0,
            waiting: BTreeSet::new(),
            last_byte: 0,
            in_flight: HashMap::new(),
            last_begun: 0,
            is_filling: true,
            pause: None,
            tries_max,
            wait: None,
            is_disk_hung: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether one more may be given.
    pub(crate) fn has_room(&self) -> bool {
        self.kept.len() < KEPT_MAX && self.kept_bytes < KEPT_BYTES_MAX
    }

    /// Has one more put, now or when there is room for it.
    pub(crate) fn give(
        &mut self,
        operations: &Operations,
        value: KeyedValue,
        tag: T,
    ) -> Result<(), NodeGone> {
        let number = self.next;
        self.next += 1;
        self.kept_bytes += value.bytes().len();
        self.waiting.insert((value.key().last_byte(), number));
        self.kept.push_back(Put { number, value, tag, tries: 1, state: State::Waiting });
        self.begin_waiting(operations)
    }

    /// Begins those that wait, as far as there is room.
    pub(crate) fn begin_waiting(&mut self, operations: &Operations) -> Result<(), NodeGone> {
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        self.pause = None;
        while self.is_filling
            && let Some((last_byte, number)) = self.next_waiting()
        {
            let Some(put) = self.numbered(number) else { continue };
            let Some(operation) = operations.begin_put(put.value.clone())? else {
                self.waiting.insert((last_byte, number));
                self.pause = Some(Instant::now() + REFUSED_PAUSE);
                break;
            };
            put.state = State::InFlight(operation);
            self.last_begun = operation.0;
            self.in_flight.insert(operation, number);
            self.is_filling = self.in_flight.len() < self.window.puts();
        }
        Ok(())
    }

    fn next_waiting(&mut self) -> Option<(u8, u64)> {
        let behind = self.waiting.range((self.last_byte, 0)..).next();
        let next = *behind.or_else(|| self.waiting.first())?;
        self.last_byte = next.0;
        self.waiting.remove(&next);
        Some(next)
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Put<T>> {
        let first = self.kept.front()?.number;
        self.kept.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Takes in an event; whether it was the answer to one of them.
    pub(crate) fn take(&mut self, event: &DriverEvent) -> bool {
        match *event {
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

    fn settle(&mut self, operation: OperationId, answer: PutAnswer) -> bool {
        let in_flight = self.in_flight.len();
        let Some(number) = self.in_flight.remove(&operation) else { return false };
        let tries_max = self.tries_max;
        let Some(put) = self.numbered(number) else { return false };
        let (sign, is_final) = match answer.outcome {
            Ok(stored) => {
                let is_lost = stored.asked > 0 && stored.holders == 0 && stored.too_large == 0;
                let (asked, resent) = (stored.asked, stored.resent);
                (Sign::Ended { asked, resent }, !is_lost || put.tries == tries_max)
            }
            Err(PutError::Refused(Refusal::Busy | Refusal::DiskBusy)) => (Sign::Refused, false),
            Err(_) => (Sign::Ended { asked: 0, resent: 0 }, true),
        };
        if is_final {
            put.state = State::Ended(answer);
        } else {
            put.tries += usize::from(sign != Sign::Refused);
            put.state = State::Waiting;
            let last_byte = put.value.key().last_byte();
            self.waiting.insert((last_byte, number));
            self.pause = Some(Instant::now() + REFUSED_PAUSE);
        }
        self.window.take(operation.0, self.last_begun, in_flight, sign);
        let puts = self.window.puts();
        self.is_filling |= self.in_flight.len() <= puts - puts / REFILL_PARTS;
        true
    }

    /// Gives those up that have not begun.
    pub(crate) fn give_up_waiting(&mut self) {
        for (_, number) in mem::take(&mut self.waiting) {
            if let Some(put) = self.numbered(number) {
                let (outcome, elapsed) =
                    (Err(PutError::Refused(Refusal::Abandoned)), Duration::ZERO);
                put.state = State::Ended(PutAnswer { outcome, elapsed });
            }
        }
    }

    /// The oldest, if it has ended.
    pub(crate) fn settled(&mut self) -> Option<Settled<T>> {
        if !matches!(self.kept.front()?.state, State::Ended(_)) {
            return None;
        }
        let Put { value, tag, state, .. } = self.kept.pop_front()?;
        let State::Ended(answer) = state else { return None };
        self.kept_bytes -= value.bytes().len();
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
