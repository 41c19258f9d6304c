//! The same bytes over TCP.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use super::{Outcome, VALUE_BYTES, VALUES};

/// Receives as many bytes over a connection.
pub(super) fn over_loopback() -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let receiver = TcpStream::connect(listener.local_addr()?)?;
    let (sender, _) = listener.accept()?;
    thread::scope(|scope| {
        scope.spawn(move || send(sender, VALUES));
        receive(receiver)
    })
}

/// Sends so many values.
pub(super) fn send(mut sender: TcpStream, values: usize) {
    let value = vec![7; VALUE_BYTES];
    for _ in 0..values {
        sender.write_all(&value).expect("it is received");
    }
}

/// Receives all that comes, and does nothing with it.
pub(super) fn receive(mut receiver: TcpStream) -> Outcome<()> {
    let mut buffer = vec![0; 1 << 16];
    while receiver.read(&mut buffer)? > 0 {}
    Ok(())
}
