//! One thread of the generator: the engine, its sockets, and the wait between
//! turns.
//!
//! How it waits decides what it can measure. A thread that sleeps is woken tens
//! of microseconds late, which is more than a request takes on loopback. So where
//! there is a core for each generator thread and one for the rest, a thread
//! *spins*: while answers are outstanding, or the next request is near, it polls
//! its sockets without sleeping. Where cores are short it *sleeps* until a
//! datagram or the next deadline comes, for a spinning thread would take the time
//! that the node needs.

mod clients;
mod measured;
mod seals;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kad_node::rng::Rng;
use kad_node::wire::Token;
use udp::{BATCH_DATAGRAMS_MAX, BufferSize, Coalescing, ConnectedSender, Receiver, UdpSocket};

use self::clients::Clients;
pub use self::measured::{Coalesced, Measured};
use self::seals::Seals;
use crate::clock::Clock;
use crate::cpu;
use crate::engine::{Engine, Outgoing, Traffic};
use crate::in_flight::LinkIndex;
use crate::link;
use crate::live::Recent;
use crate::lookups::LookupClient;
use crate::loss::Loss;
use crate::membership::Membership;
use crate::memory;
use crate::mix::Kind;

/// How a thread passes the time until it has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Polling.
    Spin,
    /// Asleep.
    Sleep,
}

/// Even a spinning thread sleeps when nothing is in flight and the next request
/// is farther away than this: it is woken well before.
const SPIN_NS: u64 = 200_000;
/// With more sockets than this, one call asks which of them are readable.
const SOCKETS_POLLED_SINGLY: usize = 2;
/// How often a thread tells how far it is.
const TELL_NS: u64 = 20_000_000;
/// How often it tells the latency since then as well: some microseconds of work.
const TELL_LATENCY_NS: u64 = 200_000_000;
/// Longest sleep: so soon a thread notices that the run is cut short.
const SLEEP_NS_MAX: u64 = 100_000_000;

/// Memory of one socket: what is to leave through it.
const LINK_BYTES: usize = BATCH_DATAGRAMS_MAX * udp::DATAGRAM_BYTES_MAX + 4096;
/// Memory of a thread beside that, rounded up: its histograms, the ends of its requests and
/// its receive buffers.
const OWN_BYTES: usize = 8 << 20;

/// Where requests go.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// A token that it gave.
    pub token: Token,
}

/// What a thread is made with.
#[derive(Debug)]
pub struct Plan {
    /// What all threads send together.
    pub traffic: Traffic,
    /// Which of them this is, from 0.
    pub thread: u64,
    /// Where to.
    pub targets: Vec<Target>,
    /// Their network.
    pub membership: Membership,
    /// Sockets for each target.
    pub peers: usize,
    /// Whether bursts travel as one.
    pub coalescing: Coalescing,
    /// How it waits.
    pub waiting: Waiting,
    /// How long it may take to join the network, for lookups.
    pub join_timeout: Duration,
}

/// How far a thread is, told now and then.
#[derive(Debug, Default)]
pub struct Progress {
    /// Requests sent in the measured time.
    pub sent: AtomicU64,
    /// Of these, answered.
    pub answered: AtomicU64,
    /// Of these, given up.
    pub timed_out: AtomicU64,
    /// Requests in flight.
    pub in_flight: AtomicU64,
    /// Latency of the latest answers.
    pub recent: Recent,
}

/// One thread of the generator.
pub struct Worker {
    engine: Engine,
    out: Outgoing,
    sockets: Vec<UdpSocket>,
    seals: Seals,
    sender: ConnectedSender,
    receiver: Receiver,
    clients: Clients,
    waiting: Waiting,
    polled: Vec<libc::pollfd>,
    end_ns: u64,
    warmup_ns: u64,
}

/// When a run ends at the latest, which may be set while it goes on.
#[derive(Debug)]
pub struct Cut {
    at_ns: AtomicU64,
}

impl Default for Cut {
    fn default() -> Self {
        Self::new()
    }
}

impl Cut {
    /// Not before the run's own end.
    pub const fn new() -> Self {
        Self { at_ns: AtomicU64::new(u64::MAX) }
    }

    /// At `now_ns`.
    pub fn short(&self, now_ns: u64) {
        self.at_ns.store(now_ns, Ordering::Relaxed);
    }

    /// When, where that has been set.
    pub fn at_ns(&self) -> Option<u64> {
        Some(self.at_ns.load(Ordering::Relaxed)).filter(|&at_ns| at_ns < u64::MAX)
    }
}

/// Messages of one receive at most: each may be as many datagrams as fit.
const fn messages_max(buffer: BufferSize) -> usize {
    match buffer {
        BufferSize::Datagram => 64,
        BufferSize::Message => 16,
    }
}

/// How datagrams come from the kernel.
fn received_as(receiver: &Receiver) -> Coalescing {
    match receiver.buffer() {
        BufferSize::Datagram => Coalescing::Off,
        BufferSize::Message => Coalescing::On,
    }
}

/// Makes the kernel wake the calling thread when its time comes: by default it may be 50
/// microseconds later, to save wake-ups.
fn wake_punctually() {
    // It fails on kernels without it: then the waits are longer.
    let _ = nix::sys::prctl::set_timerslack(1);
}

impl Worker {
    /// Opens the sockets, and joins the network where whole lookups are asked for.
    pub fn new(plan: Plan) -> Result<Self, String> {
        let Plan { traffic, thread, targets, membership, peers, coalescing, .. } = plan;
        memory::check(targets.len() * peers * LINK_BYTES + OWN_BYTES, "a thread")?;
        let (mut sending, mut buffer) = (coalescing, BufferSize::Datagram);
        let mut sockets = Vec::new();
        let mut tokens = Vec::new();
        for target in targets.iter().cycle().take(targets.len() * peers) {
            let socket = link::connect(target.address)
                .map_err(|error| format!("no way to {}: {error}", target.address))?;
            sending = socket.coalesces_sends(sending);
            // Where one socket's datagrams come as one message, buffers must have room.
            if socket.coalesce_receives(coalescing) == BufferSize::Message {
                buffer = BufferSize::Message;
            }
            sockets.push(socket);
            tokens.push(target.token);
        }
        let addresses: Vec<_> = targets.iter().map(|target| target.address).collect();
        let client = |seed: u64, is_needed: bool| {
            let seed = Rng::from_u64(seed ^ (thread << 32)).seed();
            let join = || LookupClient::join(&membership, &addresses, seed, plan.join_timeout);
            let mut client = is_needed.then(join).transpose()?;
            // Another stream than that of the single requests.
            if let Some(client) = &mut client {
                client.set_loss(Loss::new(traffic.drop, !traffic.seed, thread));
            }
            Ok::<_, String>(client)
        };
        let is_whole = |kind: Kind| traffic.mix.contains(kind) && kind.is_whole(traffic.scope);
        let gets = client(traffic.seed, is_whole(Kind::Get) || is_whole(Kind::Lookup))?;
        // What a client puts it has itself, so that its own gets would not leave it.
        let puts = client(traffic.seed.rotate_left(16), is_whole(Kind::Put))?;
        let clients = Clients { gets, puts };
        let mut polled: Vec<_> = sockets.iter().map(udp::readable).collect();
        polled.extend(clients.iter().map(udp::readable));
        Ok(Self {
            out: Outgoing::new(sockets.len()),
            seals: Seals::of(&membership)?,
            sender: ConnectedSender::new(sending),
            receiver: Receiver::new(buffer, messages_max(buffer)),
            end_ns: traffic.end_ns(),
            warmup_ns: traffic.warmup_ns,
            engine: Engine::new(traffic, thread, &tokens)?,
            sockets,
            clients,
            waiting: plan.waiting,
            polled,
        })
    }

    /// Runs from the clock's zero until every request is answered or given up, or until
    /// it is cut short.
    pub fn run(mut self, clock: Clock, cut: &Cut, progress: &Progress) -> Result<Measured, String> {
        wake_punctually();
        std::thread::sleep(clock.until(0).saturating_sub(Duration::from_millis(1)));
        while !clock.until(0).is_zero() {
            std::hint::spin_loop();
        }
        let (mut cpu_before, mut cpu_after) = (None, None);
        let mut drops_before = 0;
        let (mut busy_ns, mut last_ns, mut told_ns, mut told_latency_ns) = (0, 0, 0, 0);
        let mut was_busy = false;
        loop {
            let now_ns = clock.now_ns();
            if now_ns >= self.warmup_ns && now_ns < self.end_ns && was_busy {
                busy_ns += now_ns - last_ns;
            }
            last_ns = now_ns;
            if cpu_before.is_none() && now_ns >= self.warmup_ns {
                cpu_before = Some(cpu::of_this_thread());
                drops_before = self.receive_drops();
                self.clients.iter_mut().for_each(LookupClient::begin_account);
            }
            if cpu_after.is_none() && now_ns >= self.end_ns {
                cpu_after = Some(cpu::of_this_thread());
            }
            if now_ns >= told_ns + TELL_NS {
                told_ns = now_ns;
                self.tell(progress);
            }
            if now_ns >= told_latency_ns + TELL_LATENCY_NS {
                told_latency_ns = now_ns;
                progress.recent.tell(self.engine.recent());
            }
            was_busy = self.turn(now_ns, clock)?;
            if self.engine.is_done(now_ns) {
                break;
            }
            if let Some(at_ns) = cut.at_ns().filter(|&at_ns| at_ns <= now_ns) {
                // What the last replies had it send again.
                self.send(clock);
                self.engine.cut_short(at_ns);
                break;
            }
            if !was_busy {
                self.pause(clock)?;
            }
        }
        self.tell(progress);
        let receive_drops = self.receive_drops() - drops_before;
        let cpu_before = cpu_before.unwrap_or_default();
        let time = cpu_after.unwrap_or_else(cpu::of_this_thread).since(cpu_before);
        let strange = self.engine.strange();
        let coalescing =
            Coalesced { sends: self.sender.coalescing(), receives: received_as(&self.receiver) };
        let mut record = self.engine.finish();
        self.clients.settle(&mut record);
        Ok(Measured { record, strange, receive_drops, coalescing, time, busy_ns })
    }

    /// Does what is due. Returns whether that was anything.
    fn turn(&mut self, now_ns: u64, clock: Clock) -> Result<bool, String> {
        self.engine.handle_overdue(now_ns, &mut self.out);
        self.engine.send_due(now_ns, &mut self.out);
        let sent = self.send(clock);
        let received = self.receive(clock)?;
        Ok(sent || received)
    }

    /// Hands the kernel what was composed; says whether that was anything.
    fn send(&mut self, clock: Clock) -> bool {
        if !self.engine.has_composed() {
            return false;
        }
        self.engine.sent(clock.now_ns());
        for (socket, out) in self.sockets.iter().zip(&mut self.out.links) {
            if !out.batch.is_empty() {
                let (engine, transactions) = (&mut self.engine, &out.transactions);
                let batch = self.seals.seal(&out.batch);
                self.sender.send(socket, batch, |index| engine.unsendable(transactions[index]));
                out.clear();
            }
        }
        let corpus = self.engine.corpus();
        for operation in self.out.operations.drain(..) {
            self.clients.begin(&operation, corpus);
        }
        true
    }

    /// Takes in what has come; says whether that was anything.
    fn receive(&mut self, clock: Clock) -> Result<bool, String> {
        let mut received = false;
        let ask = self.sockets.len() > SOCKETS_POLLED_SINGLY;
        if ask {
            self.wait(Duration::ZERO)?;
        }
        for (index, socket) in self.sockets.iter().enumerate() {
            if ask && self.polled[index].revents == 0 {
                continue;
            }
            match self.receiver.receive(socket, &mut ()) {
                Ok(0) => continue,
                Ok(_) => received = true,
                // An ICMP error of an earlier send.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(format!("receiving failed: {error}")),
            }
            let now_ns = clock.now_ns();
            while self.receiver.advance(&mut ()) {
                let (_, bytes) = self.receiver.datagram();
                let bytes = self.seals.open(bytes);
                self.engine.receive(now_ns, LinkIndex(index as u16), bytes, &mut self.out);
            }
        }
        for client in self.clients.iter_mut() {
            for end in client.ended() {
                self.engine.operation_ended(clock.now_ns(), &end);
                received = true;
            }
        }
        Ok(received)
    }

    fn pause(&mut self, clock: Clock) -> Result<(), String> {
        let now_ns = clock.now_ns();
        let mut gap_ns =
            self.engine.next_wake_ns(now_ns).map_or(0, |wake| wake.saturating_sub(now_ns));
        if let Some(due) = self.clients.iter().filter_map(LookupClient::next_timeout).min() {
            gap_ns = gap_ns.min(crate::quantity::nanos(due));
        }
        let gap_ns = gap_ns.min(SLEEP_NS_MAX);
        match self.waiting {
            Waiting::Spin if self.engine.in_flight() > 0 || gap_ns <= SPIN_NS => {
                std::hint::spin_loop();
                Ok(())
            }
            Waiting::Spin => self.wait(Duration::from_nanos(gap_ns - SPIN_NS / 2)),
            Waiting::Sleep => self.wait(Duration::from_nanos(gap_ns)),
        }
    }

    /// Waits until a socket can be read or `timeout` is over.
    fn wait(&mut self, timeout: Duration) -> Result<(), String> {
        udp::poll(&mut self.polled, Some(timeout))
            .map_err(|error| format!("waiting failed: {error}"))
    }

    fn receive_drops(&self) -> u64 {
        let of_lookups = self.clients.iter().filter_map(udp::receive_drops);
        self.sockets.iter().filter_map(UdpSocket::receive_drops).chain(of_lookups).sum()
    }

    fn tell(&self, progress: &Progress) {
        let books = &self.engine.record().books;
        progress.sent.store(books.sent, Ordering::Relaxed);
        progress.answered.store(books.answered, Ordering::Relaxed);
        progress.timed_out.store(books.timed_out, Ordering::Relaxed);
        progress.in_flight.store(self.engine.in_flight() as u64, Ordering::Relaxed);
    }
}
