//! The client: sockets that send requests and check every answer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use kad_node::NetworkKeys;
use kad_node::seal::{Channel, SEAL_BYTES, SEALED_BYTES_MAX};
use kad_node::wire::Token;
use nix::sys::socket::{setsockopt, sockopt};

use crate::failure::Failure;
use crate::kernel::{Receiver, SEGMENTS_MAX};
use crate::load::{Load, Shape};
use crate::outbox::Outbox;
use crate::request::{self, KEYS, REQUEST_BYTES, Requests, Ticket};
use crate::server::Server;
use crate::subject::Grouping;

/// Longest wait for the first reply.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
const BUFFER_BYTES: usize = 1 << 20;
/// Requests of each socket in one wave of a flood: those of 64 sockets fill the receive
/// buffer of a server.
const FLOOD_ROUNDS: usize = 8;

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    /// Sent, and not answered in time; under a flood mostly never received.
    pub(crate) lost: u64,
    /// Replies to requests that were given up, or answered already.
    pub(crate) stray: u64,
}

/// A slot for a request, reused.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The request's number on its socket.
    number: u32,
    key: u8,
    outstanding: bool,
    /// When the request was due, since the load began.
    due: Duration,
}

/// One socket, and what it has asked.
struct Peer {
    socket: UdpSocket,
    asked: Asked,
}

/// The requests of one socket.
struct Asked {
    token: Token,
    slots: Box<[Slot]>,
    free: Vec<u16>,
    /// Requests so far.
    count: u32,
    next_key: usize,
    key_step: usize,
}

/// All sockets that load one server.
pub(crate) struct Client {
    shape: Shape,
    peers: Vec<Peer>,
    requests: Requests,
    receiver: Receiver,
    outbox: Outbox,
    /// Of a private network.
    channel: Option<Channel>,
    /// Bytes of a request as it travels.
    request_bytes: usize,
    pub(crate) tally: Tally,
}

impl Client {
    /// Connects the sockets, and gets a token for each as any client must.
    pub(crate) fn connect(server: &Server, load: Load) -> Result<Self, Failure> {
        let shape = load.shape(server.shards);
        let mut channel = server.keys.as_ref().map(channel).transpose()?;
        let request_bytes = REQUEST_BYTES + channel.as_ref().map_or(0, |_| SEAL_BYTES);
        let peers = (0..shape.sockets).map(|index| Peer::connect(server.address, shape, index));
        let peers = peers.collect::<io::Result<Vec<_>>>();
        let mut peers = peers.map_err(Failure::io("connecting a client"))?;
        for peer in &mut peers {
            peer.asked.token = get_token(&peer.socket, channel.as_mut())?;
            peer.coalesce(shape, request_bytes)
                .map_err(Failure::io("setting UDP_SEGMENT and UDP_GRO"))?;
        }
        let messages = match shape.receiving {
            Grouping::On => 16,
            Grouping::Off => SEGMENTS_MAX,
        };
        Ok(Self {
            shape,
            peers,
            requests: Requests::new(&server.texts, server.shards, load.asking()),
            receiver: Receiver::new(shape.receiving, messages),
            outbox: Outbox::new(shape.burst * request_bytes)
                .map_err(Failure::io("making a ring to send by"))?,
            channel,
            request_bytes,
            tally: Tally::default(),
        })
    }

    /// Sends a burst through each socket that has room for one, in turn, until none
    /// has.
    pub(crate) fn fill(&mut self) -> Result<(), Failure> {
        for _ in 0..self.shape.window / self.shape.burst {
            for index in 0..self.peers.len() {
                self.add(index, Duration::ZERO)?;
            }
        }
        self.flush()
    }

    /// Sends as many requests as the server takes in at once, by all sockets in turn,
    /// whatever waits for an answer.
    pub(crate) fn flood(&mut self) -> Result<(), Failure> {
        for _ in 0..FLOOD_ROUNDS {
            for index in 0..self.peers.len() {
                if !self.add(index, Duration::ZERO)? {
                    self.tally.lost += self.peers[index].asked.give_up_old();
                    self.add(index, Duration::ZERO)?;
                }
            }
        }
        self.flush()
    }

    /// Sends a burst through the first socket, due at `due`, if there is room for it.
    pub(crate) fn send(&mut self, due: Duration) -> Result<bool, Failure> {
        let has_room = self.add(0, due)?;
        self.flush()?;
        Ok(has_room)
    }

    /// Makes a burst ready to be sent, if there is room for it.
    fn add(&mut self, index: usize, due: Duration) -> Result<bool, Failure> {
        let Self { shape, peers, requests, outbox, channel, request_bytes, .. } = self;
        let Peer { socket, asked } = &mut peers[index];
        if asked.free.len() < shape.burst {
            return Ok(false);
        }
        let added = outbox.add(socket, |message| {
            for request in message.chunks_exact_mut(*request_bytes) {
                let Some(channel) = channel else {
                    asked.write(requests, due, request);
                    continue;
                };
                let (mut plain, mut sealed) = ([0; REQUEST_BYTES], [0; SEALED_BYTES_MAX]);
                asked.write(requests, due, &mut plain);
                let length = channel.seal(&plain, &mut sealed);
                request.copy_from_slice(&sealed[..length]);
            }
        });
        added.map_err(Failure::io("sending requests"))?;
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.outbox.flush().map_err(Failure::io("sending requests"))
    }

    /// Takes the replies that are there; says how many, and hands the time at which
    /// each request was due to `answered`.
    pub(crate) fn receive(&mut self, mut answered: impl FnMut(Duration)) -> Result<u64, Failure> {
        let mut count = 0;
        let mut opened = [0; SEALED_BYTES_MAX];
        for peer in &mut self.peers {
            if peer.asked.outstanding() == 0 {
                continue;
            }
            let received = self.receiver.receive(&peer.socket);
            received.map_err(Failure::io("receiving replies"))?;
            for (_, reply) in self.receiver.datagrams() {
                let reply = match &mut self.channel {
                    Some(channel) => open(channel, reply, &mut opened)?,
                    None => reply,
                };
                match peer.asked.take(&self.requests, reply)? {
                    Some(due) => {
                        count += 1;
                        answered(due);
                    }
                    None => self.tally.stray += 1,
                }
            }
        }
        self.tally.answered += count;
        Ok(count)
    }

    /// Unanswered requests from which on it does not ask.
    pub(crate) const fn refill(&self) -> usize {
        self.shape.refill
    }

    /// Requests that wait for an answer.
    pub(crate) fn outstanding(&self) -> usize {
        self.peers.iter().map(|peer| peer.asked.outstanding()).sum()
    }

    /// Gives up the requests that wait for an answer.
    pub(crate) fn give_up(&mut self) {
        self.tally.lost += self.outstanding() as u64;
        for peer in &mut self.peers {
            peer.asked.give_up();
        }
    }
}

impl Peer {
    fn connect(server: SocketAddr, shape: Shape, index: usize) -> io::Result<Self> {
        // Each is a host of its own, as peers are.
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, index as u8 + 1), 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES)?;
        let asked = Asked {
            token: Token::NONE,
            count: 0,
            slots: vec![Slot::default(); shape.window].into_boxed_slice(),
            free: (0..shape.window as u16).rev().collect(),
            next_key: index,
            // A message goes to one shard: its requests are all for that shard.
            key_step: usize::from(shape.burst == 1),
        };
        Ok(Self { socket, asked })
    }

    /// Makes the kernel split messages into requests, and deliver replies as segmented
    /// messages, as the shape says.
    fn coalesce(&self, shape: Shape, request_bytes: usize) -> io::Result<()> {
        if shape.burst > 1 {
            setsockopt(&self.socket, sockopt::UdpGsoSegment, &i32::from(request_bytes as u16))?;
        }
        setsockopt(&self.socket, sockopt::UdpGroSegment, &(shape.receiving == Grouping::On))?;
        Ok(())
    }
}

fn channel(keys: &NetworkKeys) -> Result<Channel, Failure> {
    Channel::new(Some(keys)).map_err(|error| Failure::Wrong(error.to_string()))
}

fn open<'a>(
    channel: &mut Channel,
    bytes: &'a [u8],
    room: &'a mut [u8; SEALED_BYTES_MAX],
) -> Result<&'a [u8], Failure> {
    let opened = channel.open(bytes, room);
    opened.map_err(|_| Failure::Wrong("a reply is not sealed by the key".into()))
}

/// Sends one request without a token, and takes the token in the reply.
pub(crate) fn get_token(
    socket: &UdpSocket,
    mut channel: Option<&mut Channel>,
) -> Result<Token, Failure> {
    let (request, mut room) = (request::first_request(), [0; SEALED_BYTES_MAX]);
    let request = match &mut channel {
        Some(channel) => {
            let length = channel.seal(&request, &mut room);
            &room[..length]
        }
        None => &request[..],
    };
    socket.send(request).map_err(Failure::io("asking for a token"))?;
    let mut reply = [0; 2048];
    let length = loop {
        match socket.recv(&mut reply) {
            // Closing a ring interrupts its thread.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => break outcome.map_err(Failure::io("waiting for a token"))?,
        }
    };
    let reply = match channel {
        Some(channel) => open(channel, &reply[..length], &mut room)?,
        None => &reply[..length],
    };
    request::first_reply(reply)
        .map_err(|_| Failure::Wrong("the first reply is not the value asked for".into()))
}

impl Asked {
    /// Requests that wait for an answer.
    fn outstanding(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Gives up the requests that wait for an answer.
    fn give_up(&mut self) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.outstanding {
                slot.outstanding = false;
                self.free.push(index as u16);
            }
        }
    }

    /// Gives up requests after which half a window of others was sent, and returns how
    /// many. When no slot is free, it gives up at least half of them.
    fn give_up_old(&mut self) -> u64 {
        let half = self.slots.len() as u32 / 2;
        let before = self.free.len();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.outstanding && self.count.wrapping_sub(slot.number) > half {
                slot.outstanding = false;
                self.free.push(index as u16);
            }
        }
        (self.free.len() - before) as u64
    }

    fn write(&mut self, requests: &Requests, due: Duration, buffer: &mut [u8]) {
        let index = self.free.pop().expect("there is room for a burst");
        let slot = &mut self.slots[usize::from(index)];
        let key = self.next_key % KEYS;
        self.next_key = key + self.key_step;
        self.count = self.count.wrapping_add(1);
        slot.number = self.count;
        slot.key = key as u8;
        slot.outstanding = true;
        slot.due = due;
        requests.write(key, Ticket { slot: index, number: slot.number }, self.token, buffer);
    }

    /// When the request was due that this reply answers; none where there is no
    /// such request any more.
    fn take(&mut self, requests: &Requests, reply: &[u8]) -> Result<Option<Duration>, Failure> {
        let wrong = |_| Failure::Wrong("a reply is not the value asked for".into());
        let (ticket, value) = requests.read(reply).map_err(wrong)?;
        let slot = self.slots.get_mut(usize::from(ticket.slot));
        let Some(slot) = slot.filter(|slot| slot.number == ticket.number) else {
            return Ok(None);
        };
        if !slot.outstanding {
            return Ok(None);
        }
        requests.check(slot.key.into(), value).map_err(wrong)?;
        slot.outstanding = false;
        self.free.push(ticket.slot);
        Ok(Some(slot.due))
    }
}
