//! Segmented messages on real sockets, and what happens where they are refused.

use std::net::UdpSocket as StdSocket;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use super::*;
use crate::loopback::is_there;
use crate::segments::SEGMENTS_MAX;
use crate::socket::SocketBuffers;

/// Longest wait for what must come: only a failing test ever waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the datagrams of these tests have their steer byte.
const STEER_OFFSET: usize = 3;

/// Counts what a sender tells.
#[derive(Debug, Default)]
struct Counts {
    calls: u64,
    sent: Sent,
    unsent: u64,
    full: u64,
    segments_refused: u64,
    sources_refused: u64,
}

impl Observer for Counts {
    fn send_called(&mut self) {
        self.calls += 1;
    }

    fn sent(&mut self, sent: Sent) {
        self.sent += sent;
    }

    fn unsent(&mut self, error: &io::Error, datagrams: u64) {
        let is_full = error.kind() == io::ErrorKind::WouldBlock;
        *(if is_full { &mut self.full } else { &mut self.unsent }) += datagrams;
    }

    fn segments_refused(&mut self) {
        self.segments_refused += 1;
    }

    fn source_refused(&mut self) {
        self.sources_refused += 1;
    }
}

struct Rig {
    socket: UdpSocket,
    sender: Sender,
    counts: Counts,
    peers: Vec<StdSocket>,
}

impl Rig {
    fn new(listen: &str, peers: &[&str]) -> Self {
        let buffers = SocketBuffers { receive_bytes: 1 << 18, send_bytes: 1 << 19 };
        let listen = listen.parse().expect("an address");
        let socket = UdpSocket::bind(listen, buffers).expect("it is free");
        let peers = peers.iter().map(|ip| {
            let peer = StdSocket::bind((*ip, 0)).expect("loopback is there");
            peer.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            peer
        });
        let peers = peers.collect();
        let sender = Sender::new(&socket, Coalescing::On, STEER_OFFSET);
        Self { socket, sender, counts: Counts::default(), peers }
    }

    /// Sends `count` datagrams to each peer in turn, each of its own content, and
    /// sees them all arrive, in order.
    fn exchange(&mut self, count: usize, length: usize) {
        let content = |number: usize| {
            let mut bytes = vec![0; length];
            bytes[length - 2..].copy_from_slice(&(number as u16).to_be_bytes());
            bytes
        };
        let contents: Vec<_> = (0..count).map(content).collect();
        let destinations: Vec<_> =
            self.peers.iter().map(|peer| peer.local_addr().expect("bound")).collect();
        let datagrams =
            contents.iter().flat_map(|bytes| destinations.iter().map(move |to| (*to, &bytes[..])));
        self.sender.send(&self.socket, datagrams, &mut self.counts);
        let mut buffer = [0; 2048];
        for peer in &self.peers {
            for expected in &contents {
                let received = peer.recv(&mut buffer).expect("it was sent");
                assert_eq!(buffer[..received], expected[..]);
            }
        }
    }

    /// Without checksums the kernel refuses to split a message, as some devices do.
    fn set_checksums(&self, off: libc::c_int) {
        // SAFETY: the option is a number, of which so many bytes are there.
        let result = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NO_CHECK,
                (&raw const off).cast(),
                size_of_val(&off) as libc::socklen_t,
            )
        };
        assert_eq!(result, 0);
    }
}

#[test]
fn what_goes_to_one_peer_leaves_as_one_message() {
    let mut rig = Rig::new("127.0.0.1:0", &["127.0.0.1", "127.0.0.1", "127.0.0.1"]);
    rig.exchange(16, 68);
    let counts = rig.counts;
    assert_eq!((counts.sent.segmented, counts.sent.segments), (3, 48));
    assert_eq!((counts.sent.datagrams, counts.sent.bytes), (48, 48 * 68));
    assert_eq!(counts.calls, 1);
}

#[test]
fn a_burst_in_one_piece_of_memory_arrives_datagram_by_datagram() {
    let mut rig = Rig::new("127.0.0.1:0", &["127.0.0.1"]);
    let to = rig.peers[0].local_addr().expect("bound");
    let mut memory: Vec<u8> = (0..16).flat_map(|number| [number; 68]).collect();
    // All for one socket of a group.
    memory.chunks_mut(68).for_each(|bytes| bytes[STEER_OFFSET] = 0);
    let mut buffer = [0; 2048];
    // As one message, and one by one where that is refused.
    for (checksums_off, segmented) in [(0, 1), (1, 1)] {
        rig.set_checksums(checksums_off);
        let datagrams = memory.chunks(68).map(|bytes| (to, bytes));
        rig.sender.send(&rig.socket, datagrams, &mut rig.counts);
        for expected in memory.chunks(68) {
            let received = rig.peers[0].recv(&mut buffer).expect("it was sent");
            assert_eq!(buffer[..received], *expected);
        }
        assert_eq!(rig.counts.sent.segmented, segmented);
    }
    assert_eq!(rig.counts.segments_refused, 1);
    assert_eq!((rig.counts.sent.datagrams, rig.counts.sent.bytes), (32, 32 * 68));
}

#[test]
fn segmented_messages_reach_peers_of_both_families_from_one_socket() {
    if !is_there("::1") {
        return;
    }
    let mut rig = Rig::new("[::]:0", &["127.0.0.1", "::1"]);
    rig.exchange(16, 68);
    assert_eq!((rig.counts.sent.segmented, rig.counts.segments_refused), (2, 0));
}

#[test]
fn a_refused_message_leaves_one_by_one_from_the_address_that_was_asked() {
    let mut rig = Rig::new("0.0.0.0:0", &["127.0.0.1"]);
    let to = rig.peers[0].local_addr().expect("bound");
    let asked = IpAddr::from([127, 0, 0, 2]);
    rig.sender.locals().expect("a wildcard").note(to, asked);
    rig.set_checksums(1);
    rig.sender.send(&rig.socket, [(to, &[1; 68][..]); 8].into_iter(), &mut rig.counts);
    let mut buffer = [0; 2048];
    for _ in 0..8 {
        let (_, source) = rig.peers[0].recv_from(&mut buffer).expect("it was sent");
        assert_eq!(source.ip(), asked);
    }
    assert_eq!((rig.counts.segments_refused, rig.counts.sources_refused), (1, 0));
}

#[test]
fn what_cannot_leave_from_the_asked_address_leaves_from_another() {
    let mut rig = Rig::new("0.0.0.0:0", &["127.0.0.1", "127.0.0.1"]);
    let to = rig.peers[0].local_addr().expect("bound");
    // An address for documentation, which no host has.
    let lost = IpAddr::from([192, 0, 2, 1]);
    for count in [1, 8] {
        rig.sender.locals().expect("a wildcard").all_sent();
        rig.sender.locals().expect("a wildcard").note(to, lost);
        rig.exchange(count, 68);
    }
    assert_eq!((rig.counts.sources_refused, rig.counts.sent.datagrams), (2, 18));
    assert_eq!(rig.counts.unsent, 0);
}

#[test]
fn the_longest_messages_are_taken() {
    let mut rig = Rig::new("127.0.0.1:0", &["127.0.0.1"]);
    rig.exchange(2 * SEGMENTS_MAX, 68);
    assert_eq!(rig.counts.sent.segmented, 2);
    // 53 of 1232 bytes are 65 296; one more is more than an IP packet holds. More of
    // them might be more than the peer's buffer holds.
    rig.exchange(60, 1232);
    assert_eq!((rig.counts.sent.segmented, rig.counts.segments_refused), (4, 0));
}

#[test]
fn refused_messages_go_one_by_one_and_are_tried_less_and_less_often() {
    let mut rig = Rig::new("127.0.0.1:0", &["127.0.0.1", "127.0.0.2"]);
    rig.set_checksums(1);
    for _ in 0..100 {
        rig.exchange(8, 68);
    }
    assert_eq!((rig.counts.sent.segmented, rig.counts.sent.datagrams), (0, 1600));
    // To each host in batches 0, 2, 5, 10, 19, 36 and 69.
    assert_eq!(rig.counts.segments_refused, 14);
    assert_eq!((rig.counts.unsent, rig.counts.full), (0, 0));
    // A batch with both: the first refused, what is before the second, that, the rest.
    assert_eq!(rig.counts.calls, 93 + 7 * 4);
}

#[test]
fn a_peer_that_takes_no_segments_spoils_none_for_others() {
    let mut rig = Rig::new("127.0.0.1:0", &["127.0.0.1"]);
    let good = rig.peers[0].local_addr().expect("bound");
    // The kernel takes no message to port 0, as it takes no segments where the path is
    // too narrow for them.
    let bad = SocketAddr::from(([127, 0, 0, 2], 0));
    let content = [1; 68];
    let mut buffer = [0; 2048];
    for _ in 0..100 {
        let to = [bad, bad, good, good, good, bad];
        let datagrams = to.into_iter().map(|to| (to, &content[..]));
        rig.sender.send(&rig.socket, datagrams, &mut rig.counts);
        for _ in 0..3 {
            let received = rig.peers[0].recv(&mut buffer).expect("it was sent");
            assert_eq!(buffer[..received], content);
        }
    }
    assert_eq!((rig.counts.sent.segmented, rig.counts.sent.segments), (100, 300));
    // In batches 0, 2, 5, 10, 19, 36 and 69.
    assert_eq!(rig.counts.segments_refused, 7);
    assert_eq!((rig.counts.sent.datagrams, rig.counts.unsent), (300, 300));
}

#[test]
fn what_comes_after_a_refused_message_keeps_its_order_and_its_segments() {
    let hosts = ["127.0.0.1", "127.0.0.1", "127.0.0.3"];
    let mut rig = Rig::new("127.0.0.1:0", &hosts);
    let bad = SocketAddr::from(([127, 0, 0, 2], 0));
    let to = rig.peers.iter().map(|peer| peer.local_addr().expect("bound"));
    let to: Vec<_> = [bad].into_iter().chain(to).chain([bad]).collect();
    let mut contents = [[0; 68]; 8];
    (0..).zip(&mut contents).for_each(|(number, bytes)| bytes[67] = number);
    let datagrams = contents.iter().flat_map(|bytes| to.iter().map(move |to| (*to, &bytes[..])));
    rig.sender.send(&rig.socket, datagrams, &mut rig.counts);
    let mut buffer = [0; 2048];
    for peer in &rig.peers {
        for expected in &contents {
            let received = peer.recv(&mut buffer).expect("it was sent");
            assert_eq!(buffer[..received], expected[..]);
        }
    }
    assert_eq!((rig.counts.sent.segmented, rig.counts.segments_refused), (3, 1));
    assert_eq!(rig.counts.unsent, 16);
}

#[test]
fn a_message_is_split_only_for_what_may_be_due_to_it() {
    let mut rig = Rig::new("127.0.0.1:0", &["127.0.0.1"]);
    for (count, errno, expected) in [
        (2, libc::EIO, true),
        (2, libc::EINVAL, true),
        // Of Linux 6.18, for datagrams that the path takes in fragments only.
        (2, libc::EMSGSIZE, true),
        (2, libc::EAGAIN, false),
        (2, libc::EHOSTUNREACH, false),
        (1, libc::EMSGSIZE, false),
    ] {
        rig.exchange(count, 68);
        let error = io::Error::from_raw_os_error(errno);
        assert_eq!(rig.sender.refuses_segments(0, &error), expected, "{count} and {error}");
    }
}

#[test]
fn segmented_messages_are_sent_again_once_they_are_taken_again() {
    let mut rig = Rig::new("127.0.0.1:0", &["127.0.0.1"]);
    rig.set_checksums(1);
    rig.exchange(8, 68);
    rig.set_checksums(0);
    rig.exchange(8, 68);
    assert_eq!(rig.counts.sent.segmented, 0, "the pause");
    rig.exchange(8, 68);
    assert_eq!((rig.counts.sent.segmented, rig.counts.segments_refused), (1, 1));
}

#[test]
fn a_message_to_nowhere_is_counted_by_its_datagrams() {
    let mut rig = Rig::new("127.0.0.1:0", &[]);
    let nowhere: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    rig.sender.send(&rig.socket, [(nowhere, &[1; 9][..]); 5].into_iter(), &mut rig.counts);
    assert_eq!((rig.counts.unsent, rig.counts.sent.datagrams), (5, 0));
    assert_eq!(rig.counts.segments_refused, 1, "port 0 is no valid one");
}
