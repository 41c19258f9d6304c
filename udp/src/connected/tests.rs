//! The system calls, on real sockets.

use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use super::*;
use crate::receiver::Receiver;
use crate::segments::BufferSize;
use crate::socket::SocketBuffers;
use crate::sys::{poll, readable};

const BUFFERS: SocketBuffers = SocketBuffers { receive_bytes: 1 << 18, send_bytes: 1 << 18 };
const PATIENCE: Option<Duration> = Some(Duration::from_mins(1));

/// A connected socket, and one that receives what it sends.
fn pair() -> (UdpSocket, UdpSocket) {
    let b = UdpSocket::bind("127.0.0.1:0".parse().expect("an address"), BUFFERS).expect("a port");
    (UdpSocket::connect(b.address(), BUFFERS).expect("loopback"), b)
}

fn receiver(buffer: BufferSize) -> Receiver {
    Receiver::new(buffer, BATCH_DATAGRAMS_MAX)
}

fn batch(datagrams: &[Vec<u8>]) -> Batch {
    let mut batch = Batch::new();
    for bytes in datagrams {
        batch.push(|room| {
            room[..bytes.len()].copy_from_slice(bytes);
            bytes.len()
        });
    }
    batch
}

/// Without checksums the kernel refuses to segment, as some devices do.
fn set_no_checksums(socket: &UdpSocket) {
    let on: libc::c_int = 1;
    // SAFETY: the option is a number, of which so many bytes are there.
    let result = unsafe {
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        let value = (&raw const on).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_NO_CHECK, value, length)
    };
    assert_eq!(result, 0);
}

/// What arrives, until as many datagrams as `count` have, and in how many messages.
fn receive(receiver: &mut Receiver, socket: &UdpSocket, count: usize) -> (Vec<Vec<u8>>, usize) {
    let (mut all, mut messages) = (Vec::new(), 0);
    while all.len() < count {
        poll(&mut [readable(socket)], PATIENCE).expect("a descriptor");
        let taken = receiver.receive(socket, &mut ()).expect("receives");
        assert!(taken > 0, "{} of {count}", all.len());
        while receiver.advance(&mut ()) {
            all.push(receiver.datagram().1.to_vec());
        }
        messages += taken;
    }
    (all, messages)
}

#[test]
fn datagrams_of_all_sizes_arrive_as_they_were_sent_and_equal_ones_together() {
    let datagrams: Vec<Vec<u8>> =
        [72, 72, 72, 30, 72, 1232, 1232, 1].iter().map(|&n| vec![n as u8; n]).collect();
    for (out, into, messages) in [
        (Coalescing::Off, Coalescing::Off, 8),
        (Coalescing::On, Coalescing::Off, 8),
        (Coalescing::Off, Coalescing::On, 8),
        // 72 72 72 30, then 72, then 1232 1232 1.
        (Coalescing::On, Coalescing::On, 3),
    ] {
        let (a, b) = pair();
        let buffer = b.coalesce_receives(into);
        let expected = [BufferSize::Message, BufferSize::Datagram];
        assert_eq!(buffer, expected[usize::from(into == Coalescing::Off)], "since Linux 5.0");
        let mut sender = ConnectedSender::new(out);
        sender.send(&a, &batch(&datagrams), |index| panic!("refused {index}"));
        let received = receive(&mut receiver(buffer), &b, datagrams.len());
        assert_eq!(received, (datagrams.clone(), messages), "{out:?} {into:?}");
    }
}

#[test]
fn a_device_that_takes_no_segments_is_sent_single_datagrams() {
    let (a, b) = pair();
    let sends = a.coalesces_sends(Coalescing::On);
    assert_eq!(sends, Coalescing::On, "UDP_SEGMENT since Linux 4.18");
    set_no_checksums(&a);
    let datagrams = vec![vec![1; 72]; 8];
    let mut sender = ConnectedSender::new(Coalescing::On);
    for _ in 0..2 {
        sender.send(&a, &batch(&datagrams), |index| panic!("refused {index}"));
        assert_eq!(sender.coalescing, Coalescing::Off, "remembered");
        let received = receive(&mut receiver(BufferSize::Datagram), &b, datagrams.len());
        assert_eq!(received, (datagrams.clone(), 8));
    }
}

#[test]
fn an_icmp_error_before_the_refusal_of_a_message_costs_none_of_its_datagrams() {
    let (a, b) = pair();
    set_no_checksums(&a);
    // Nothing listens any more: the kernel tells it in place of the next send.
    drop(b);
    let mut sender = ConnectedSender::new(Coalescing::On);
    sender.send(&a, &batch(&[vec![1]]), |index| panic!("refused {index}"));
    poll(&mut [readable(&a)], PATIENCE).expect("a descriptor");
    sender.send(&a, &batch(&vec![vec![1; 72]; 8]), |index| panic!("refused {index}"));
    assert_eq!(sender.coalescing(), Coalescing::Off);
}

#[test]
fn what_is_refused_by_itself_says_nothing_of_segments() {
    let (a, _b) = pair();
    let mut sender = ConnectedSender::new(Coalescing::On);
    sender.send(&a, &batch(&[vec![1; 72]]), |index| panic!("refused {index}"));
    let refused = io::Error::from_raw_os_error(libc::EINVAL);
    assert!(!sender.gives_up_coalescing(0, &refused));
    sender.send(&a, &batch(&[vec![1; 72], vec![1; 72]]), |index| panic!("refused {index}"));
    assert!(sender.gives_up_coalescing(0, &refused));
}

#[test]
fn an_icmp_error_of_an_earlier_datagram_costs_no_later_one() {
    let (a, b) = pair();
    // Nothing listens any more: the kernel tells it in place of later sends.
    drop(b);
    let mut sender = ConnectedSender::new(Coalescing::Off);
    for _ in 0..4 {
        sender.send(&a, &batch(&vec![vec![1; 10]; 8]), |index| panic!("refused {index}"));
    }
    let error = receiver(BufferSize::Datagram).receive(&a, &mut ()).err();
    let kind = error.map(|error| error.kind());
    assert!(matches!(kind, None | Some(io::ErrorKind::ConnectionRefused)), "{kind:?}");
}

#[test]
fn each_refused_datagram_is_told_once() {
    for coalescing in [Coalescing::Off, Coalescing::On] {
        let (_, unconnected) = pair();
        let mut refused = Vec::new();
        let datagrams = batch(&[vec![1; 10], vec![1; 10], vec![1; 20]]);
        ConnectedSender::new(coalescing)
            .send(&unconnected, &datagrams, |index| refused.push(index));
        assert_eq!(refused, [0, 1, 2], "{coalescing:?}");
    }
}

#[test]
fn a_full_receive_buffer_is_counted() {
    let (a, b) = pair();
    assert_eq!(b.receive_drops(), Some(0));
    let mut sender = ConnectedSender::new(Coalescing::Off);
    let datagrams = vec![vec![0; 1000]; BATCH_DATAGRAMS_MAX];
    // The default buffer holds some 212 992 bytes, which four of these overflow; a
    // machine may be set up with more, and take its time to deliver.
    let begun = Instant::now();
    while b.receive_drops() == Some(0) {
        assert!(begun.elapsed() < Duration::from_mins(1), "no buffer is as large");
        sender.send(&a, &batch(&datagrams), |_| {});
    }
}
