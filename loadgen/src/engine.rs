//! One thread's part of a run, without sockets or clocks: it is handed the time
//! and what was received, and says what to send. So tests drive it by a clock of
//! their own, against a target that is no more than a function.
//!
//! One turn: [`handle_overdue`](Engine::handle_overdue),
//! [`send_due`](Engine::send_due), then [`sent`](Engine::sent) at the moment when
//! what is [`Outgoing`] is handed to the kernel, then
//! [`receive`](Engine::receive) for each datagram that came. All times are
//! nanoseconds since the run's start.

mod answer;
mod datagram;
mod outgoing;
mod traffic;

use hdrhistogram::Histogram;
use kad_node::id::Id;
use kad_node::node::OperationId;
use kad_node::rng::Rng;
use kad_node::wire::Token;
use udp::BATCH_DATAGRAMS_MAX;

use crate::corpus::{Corpus, KeyPicker};
use crate::deck::Deck;
use crate::in_flight::{Ended, InFlight, LinkIndex, Request};
use crate::loss::{Leg, Loss};
use crate::memory::OutOfMemory;
use crate::mix::Kind;
use crate::record::{Course, Record, brief_histogram};
use crate::schedule::{Schedule, Share};
use crate::transaction::Transaction;

pub use answer::{Ending, OperationEnd};
pub use datagram::store;
pub use outgoing::{Outgoing, OutgoingLink, WholeOperation};
pub use traffic::{Pace, Traffic};

/// What a thread knows of one link.
#[derive(Debug)]
struct LinkState {
    /// The latest that its target gave: each reply brings a fresh one, so it does
    /// not run out while there is traffic.
    token: Token,
    sender: Id,
}

/// What decides when this thread sends.
#[derive(Debug)]
enum Pacer {
    Open(Schedule),
    Closed { window: usize },
}

/// One thread's part of a run.
#[derive(Debug)]
pub struct Engine {
    traffic: Traffic,
    pacer: Pacer,
    deck: Deck<Kind>,
    picker: KeyPicker,
    rng: Rng,
    loss: Loss,
    links: Vec<LinkState>,
    link: LinkIndex,
    burst_left: u64,
    in_flight: InFlight,
    ended: Ended,
    /// The number of the next request.
    sequence: u64,
    /// The number of the first request of the measured time, once it has begun.
    measured_from: u64,
    /// What was composed in this turn, in order.
    composed: Vec<Transaction>,
    record: Record,
    /// Latency of what was answered since the thread last told of it.
    recent: Histogram<u32>,
    strange: u64,
}

impl Engine {
    /// Thread number `thread`, with a link for each of `tokens`.
    pub fn new(traffic: Traffic, thread: u64, tokens: &[Token]) -> Result<Self, OutOfMemory> {
        let mut seeds = Rng::from_u64(traffic.seed);
        for _ in 0..thread {
            seeds = Rng::from_seed(seeds.seed());
        }
        let mut rng = || Rng::from_seed(seeds.seed());
        let share = |rate| Share { rate, burst: traffic.burst, thread, threads: traffic.threads };
        let pacer = match traffic.pace {
            Pace::Open { rate, arrivals } => {
                Pacer::Open(Schedule::new(arrivals, share(rate), rng()))
            }
            Pace::Closed { window } => Pacer::Closed { window: window as usize },
        };
        let deck = Deck::new(traffic.mix.weights(), rng());
        let mut rng = rng();
        let links = tokens.iter().map(|&token| LinkState { token, sender: rng.id() }).collect();
        Ok(Self {
            pacer,
            deck,
            picker: KeyPicker::new(traffic.popularity, traffic.corpus.len())?,
            rng,
            loss: Loss::new(traffic.drop, traffic.seed, thread),
            links,
            link: LinkIndex(0),
            burst_left: traffic.burst,
            in_flight: InFlight::new(),
            ended: Ended::new(),
            sequence: 0,
            measured_from: u64::MAX,
            composed: Vec::with_capacity(BATCH_DATAGRAMS_MAX),
            record: Record::new(traffic.mix.kinds(), traffic.duration_ns),
            recent: brief_histogram(),
            strange: 0,
            traffic,
        })
    }

    /// What was measured so far.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// What requests are about.
    pub fn corpus(&self) -> &Corpus {
        &self.traffic.corpus
    }

    /// Latency of what was answered since this was last emptied.
    pub const fn recent(&mut self) -> &mut Histogram<u32> {
        &mut self.recent
    }

    /// Datagrams received that were no replies to any request of ours.
    pub const fn strange(&self) -> u64 {
        self.strange
    }

    /// Whether anything was composed since [`sent`](Self::sent) was called.
    pub const fn has_composed(&self) -> bool {
        !self.composed.is_empty()
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether all is over at `now_ns`: nothing to send, nothing to wait for.
    pub fn is_done(&self, now_ns: u64) -> bool {
        self.in_flight.is_empty() && self.composed.is_empty() && self.has_sent_all(now_ns)
    }

    /// Whether nothing is sent any more but again: all that was due is sent, or
    /// the generator is so late that it will not catch up.
    fn has_sent_all(&self, now_ns: u64) -> bool {
        let end_ns = self.traffic.end_ns();
        match &self.pacer {
            Pacer::Open(schedule) => {
                schedule.next_ns() >= end_ns || now_ns >= end_ns + self.traffic.timeout_ns
            }
            Pacer::Closed { .. } => now_ns >= end_ns,
        }
    }

    /// When there is something to do, if nothing is received before.
    pub fn next_wake_ns(&self, now_ns: u64) -> Option<u64> {
        let due_ns = match &self.pacer {
            _ if !self.composed.is_empty() => Some(now_ns),
            _ if self.has_sent_all(now_ns) => None,
            Pacer::Open(schedule) => Some(schedule.next_ns()),
            Pacer::Closed { window } if self.in_flight.len() >= *window => None,
            Pacer::Closed { .. } => Some(now_ns),
        };
        [due_ns, self.in_flight.next_deadline_ns()].into_iter().flatten().min()
    }

    /// Sends again, or gives up, what has waited in vain.
    pub fn handle_overdue(&mut self, now_ns: u64, out: &mut Outgoing) {
        while self.composed.len() < BATCH_DATAGRAMS_MAX
            && let Some(request) = self.in_flight.overdue(now_ns)
        {
            match request.kind {
                _ if request.transaction.send() > self.traffic.retries => {
                    self.give_up(now_ns, request.transaction);
                }
                // It sends again by itself, and may take as long as the others.
                kind if self.is_whole(kind) => self.wait_on(now_ns, request.transaction),
                _ => self.resend(request.transaction, out),
            }
        }
    }

    fn give_up(&mut self, now_ns: u64, transaction: Transaction) {
        if let Some(request) = self.in_flight.remove(transaction)
            && self.is_measured(transaction)
        {
            let course = self.course(&request, now_ns);
            self.record.timed_out(course);
        }
    }

    fn wait_on(&mut self, now_ns: u64, transaction: Transaction) {
        if let Some(request) = self.in_flight.find(transaction) {
            request.transaction = transaction.resend();
            self.in_flight.wait(now_ns + self.traffic.timeout_ns, transaction.resend());
        }
    }

    /// Composes what is due, at most a batch in one turn.
    pub fn send_due(&mut self, now_ns: u64, out: &mut Outgoing) {
        self.skip_warm_up(now_ns);
        while self.composed.len() < BATCH_DATAGRAMS_MAX
            && let Some(due_ns) = self.take_due(now_ns)
        {
            if due_ns >= self.traffic.warmup_ns {
                self.measured_from = self.measured_from.min(self.sequence);
                self.record.books.scheduled += 1;
            }
            self.begin(due_ns, out);
            self.end_of_request();
        }
    }

    /// Each burst goes through one link, the next one through the next.
    fn end_of_request(&mut self) {
        self.burst_left -= 1;
        if self.burst_left == 0 {
            self.burst_left = self.traffic.burst;
            self.link = LinkIndex((self.link.0 + 1) % self.links.len() as u16);
        }
    }

    /// When the measured time has come, leaves out what of the warm-up was not sent
    /// yet: it is not counted, and it would make what is measured late. Numbers and
    /// draws go on as if it had been sent, so that the measured requests are the
    /// seed's.
    fn skip_warm_up(&mut self, now_ns: u64) {
        let warmup_ns = self.traffic.warmup_ns;
        while let Pacer::Open(schedule) = &mut self.pacer
            && now_ns >= warmup_ns
            && schedule.next_ns() < warmup_ns
        {
            schedule.advance();
            self.deck.draw();
            self.picker.pick(&mut self.rng);
            self.ended.begin(self.sequence);
            self.sequence += 1;
            self.end_of_request();
        }
    }

    /// When the next request was due, if it is to be sent now.
    fn take_due(&mut self, now_ns: u64) -> Option<u64> {
        if self.has_sent_all(now_ns) || !self.in_flight.has_room() {
            return None;
        }
        match &mut self.pacer {
            Pacer::Open(schedule) => {
                let due_ns = schedule.next_ns();
                (due_ns <= now_ns).then(|| {
                    schedule.advance();
                    due_ns
                })
            }
            Pacer::Closed { window } => {
                // A burst begins only when it can go out whole.
                let begun = self.burst_left < self.traffic.burst;
                let room = self.in_flight.len() + self.burst_left as usize <= *window;
                (begun || room).then_some(now_ns)
            }
        }
    }

    fn begin(&mut self, due_ns: u64, out: &mut Outgoing) {
        let kind = self.deck.draw();
        let key = self.picker.pick(&mut self.rng);
        let link = self.link;
        self.ended.begin(self.sequence);
        let request = self.in_flight.insert(self.sequence, |transaction| Request {
            kind,
            key,
            link,
            due_ns,
            first_sent_ns: due_ns,
            transaction,
            is_renewed: false,
        });
        let request = *request;
        self.sequence += 1;
        self.compose(&request, out);
    }

    fn resend(&mut self, transaction: Transaction, out: &mut Outgoing) {
        let Some(request) = self.in_flight.find(transaction) else {
            return;
        };
        request.transaction = request.transaction.resend();
        let request = *request;
        self.record.books.resent += u64::from(self.is_measured(transaction));
        self.compose(&request, out);
    }

    /// Writes a request's datagram, unless it is dropped on purpose.
    fn compose(&mut self, request: &Request, out: &mut Outgoing) {
        let transaction = request.transaction;
        self.composed.push(transaction);
        if self.is_whole(request.kind) {
            let operation = OperationId(transaction.number());
            let (kind, key) = (request.kind, request.key);
            out.operations.push(WholeOperation { operation, kind, key });
            return;
        }
        let measured = u64::from(self.is_measured(transaction));
        if self.loss.drops(Leg::Request, transaction) {
            self.record.books.requests_dropped += measured;
            return;
        }
        self.record.books.requests_transmitted += measured;
        let datagram = self.datagram(request);
        let link = &mut out.links[usize::from(request.link.0)];
        link.push(&datagram, transaction);
    }

    /// Notes that what was composed is handed to the kernel now.
    pub fn sent(&mut self, now_ns: u64) {
        for index in 0..self.composed.len() {
            let transaction = self.composed[index];
            let Some(request) = self.in_flight.find(transaction) else {
                continue;
            };
            if transaction.send() == 1 {
                request.first_sent_ns = now_ns;
                if matches!(self.pacer, Pacer::Closed { .. }) {
                    request.due_ns = now_ns;
                }
                let request = *request;
                if self.is_measured(transaction) {
                    let due_ns = request.due_ns.saturating_sub(self.traffic.warmup_ns);
                    self.record.sent(request.kind, due_ns, now_ns - request.due_ns);
                    self.record.books.lookups_sent += u64::from(self.is_whole(request.kind));
                }
            }
            self.in_flight.wait(now_ns + self.traffic.timeout_ns, transaction);
        }
        self.composed.clear();
    }

    /// Notes that the kernel refused a datagram; its request waits as if it had
    /// been lost on the way.
    pub fn unsendable(&mut self, transaction: Transaction) {
        if self.is_measured(transaction) {
            self.record.books.requests_transmitted -= 1;
            self.record.books.requests_unsendable += 1;
        }
    }

    /// Ends the run at `now_ns`, before its time. What is in flight stays unfinished; of
    /// the schedule, what is due later no longer counts. Nothing may be composed and not
    /// yet [sent](Self::sent).
    pub fn cut_short(&mut self, now_ns: u64) {
        debug_assert!(self.composed.is_empty());
        let measured = self.in_flight.iter().filter(|one| self.is_measured(one.transaction));
        self.record.books.unfinished += measured.count() as u64;
        self.in_flight.clear();
        self.traffic.cut_short(now_ns);
    }

    /// What was measured, once all [is done](Self::is_done) or [cut
    /// short](Self::cut_short): what the schedule still holds was never sent.
    pub fn finish(mut self) -> Record {
        if let Pacer::Open(schedule) = &mut self.pacer {
            while schedule.next_ns() < self.traffic.end_ns() {
                if schedule.next_ns() >= self.traffic.warmup_ns {
                    self.record.books.scheduled += 1;
                    self.record.books.unsent += 1;
                }
                schedule.advance();
            }
        }
        self.record
    }

    const fn is_whole(&self, kind: Kind) -> bool {
        kind.is_whole(self.traffic.scope)
    }

    const fn is_measured(&self, transaction: Transaction) -> bool {
        transaction.sequence() >= self.measured_from
    }

    fn course(&self, request: &Request, now_ns: u64) -> Course {
        Course {
            due_ns: request.due_ns.saturating_sub(self.traffic.warmup_ns),
            late_ns: request.first_sent_ns - request.due_ns,
            taken_ns: now_ns.saturating_sub(request.due_ns),
        }
    }
}
