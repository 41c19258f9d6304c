//! Sending to many peers: one `sendmmsg` for a batch, with what goes to the same peer in
//! one message.
//!
//! Requests in an `io_uring` would save one system call a turn. Measured on a busy machine,
//! against this in one interleaved run, the difference is within the noise; and they would
//! keep the datagrams borrowed until they are complete.
#![allow(unsafe_code)] // What is sent is borrowed for longer than the type says.

mod by_destination;
mod pauses;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use self::by_destination::{Added, BATCH_MAX, ByDestination, Message};
use self::pauses::Pauses;
use crate::address::{Families, RawAddress};
use crate::local::LocalAddresses;
use crate::messages::{self, Messages};
use crate::observer::{Observer, Sent};
use crate::socket::{Coalescing, UdpSocket};

/// Sends by one socket, to any number of peers.
pub struct Sender {
    by_destination: ByDestination,
    /// Where each slice of the batch begins.
    starts: Vec<*const u8>,
    messages: Messages,
    pauses: Pauses,
    /// Where what is sent is to come from, for a socket bound to a wildcard.
    locals: Option<LocalAddresses>,
    families: Families,
}

impl Sender {
    /// For what leaves by `socket`: in segmented messages where it is asked for and the
    /// kernel knows them. Only datagrams with the same byte at `steer_offset` go together.
    pub fn new(socket: &UdpSocket, coalescing: Coalescing, steer_offset: usize) -> Self {
        Self {
            by_destination: ByDestination::new(socket.coalesces_sends(coalescing), steer_offset),
            starts: Vec::with_capacity(BATCH_MAX),
            messages: Messages::with_capacity(BATCH_MAX),
            pauses: Pauses::new(),
            locals: socket.is_wildcard().then(LocalAddresses::new),
            families: socket.families(),
        }
    }

    /// Where what is sent is to come from, for a socket bound to a wildcard.
    pub const fn locals(&mut self) -> Option<&mut LocalAddresses> {
        self.locals.as_mut()
    }

    /// Sends `datagrams`: those to one destination in their order. What cannot be sent is
    /// dropped and told to the observer.
    pub fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        mut datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>,
        observer: &mut impl Observer,
    ) {
        while self.fill(&mut datagrams, observer) {
            let Self { by_destination, pauses, .. } = self;
            by_destination.form_messages(|host| !pauses.goes_on(host));
            self.point();
            self.transmit(socket, observer);
        }
    }

    /// Takes up the next batch, if there is one.
    fn fill<'a>(
        &mut self,
        datagrams: &mut impl Iterator<Item = (SocketAddr, &'a [u8])>,
        observer: &mut impl Observer,
    ) -> bool {
        self.starts.clear();
        self.by_destination.clear();
        while !self.by_destination.is_full()
            && let Some((destination, bytes)) = datagrams.next()
        {
            let raw = || RawAddress::new(self.families, destination);
            match self.by_destination.add(destination, bytes, raw) {
                Added::ToSlice => {}
                Added::NewSlice => self.starts.push(bytes.as_ptr()),
                Added::Unreachable => observer.unreachable_family(),
            }
        }
        !self.starts.is_empty()
    }

    /// Makes the arrays of what is to leave.
    fn point(&mut self) {
        let Self { by_destination, starts, messages, locals, families, .. } = self;
        messages.reset(by_destination.messages().len(), by_destination.parts().len());
        for &message in by_destination.messages() {
            let parts = by_destination.parts_of(message);
            for part in parts {
                let Range { start, end } = part.bytes();
                let slice = starts[usize::from(part.slice)].wrapping_byte_add(start);
                messages.push_slice(slice, end - start);
            }
            let segment_bytes = (message.datagrams > 1).then(|| parts[0].length);
            let source = local(locals.as_ref(), by_destination.destination(message));
            let source = source.map(|source| (*families, source));
            let to = by_destination.raw(message);
            messages.push(Some(to), parts.len(), segment_bytes, source);
        }
    }

    /// Sends the batch.
    fn transmit(&mut self, socket: &UdpSocket, observer: &mut impl Observer) {
        let mut next = 0;
        while next < self.messages.len() {
            observer.send_called();
            // SAFETY: `send` still borrows the datagrams to which the slices point, each to
            // one or to several that lie one after another, and no destination's address has
            // changed since `point`.
            let sent = unsafe { self.messages.send(socket, next) };
            next += match sent {
                Ok(sent) => self.tell_sent(next, sent, observer),
                // First, since old kernels refuse segments by the same error.
                Err(error) if self.refuses_segments(next, &error) => {
                    observer.segments_refused();
                    self.pauses.refused(self.by_destination.host(self.message(next)));
                    self.by_destination.split(next);
                    self.point();
                    0
                }
                Err(error) if self.refuses_source(next, &error) => {
                    observer.source_refused();
                    let destination = self.by_destination.destination(self.message(next));
                    if let Some(locals) = &mut self.locals {
                        locals.forget(destination);
                    }
                    self.point();
                    0
                }
                Err(error) => self.give_up(next, &error, observer),
            };
        }
    }

    fn message(&self, index: usize) -> Message {
        self.by_destination.messages()[index]
    }

    /// Tells of `count` messages from number `first` on, which were sent.
    fn tell_sent(&mut self, first: usize, count: usize, observer: &mut impl Observer) -> usize {
        let mut sent = Sent { bytes: self.messages.bytes(first..first + count), ..Sent::default() };
        for message in &self.by_destination.messages()[first..][..count] {
            let datagrams = u64::from(message.datagrams);
            sent.datagrams += datagrams;
            if datagrams > 1 {
                sent.segmented += 1;
                sent.segments += datagrams;
                self.pauses.taken(self.by_destination.host(*message));
            }
        }
        observer.sent(sent);
        count
    }

    /// Whether `error` may say that message number `next` cannot leave from the address that
    /// it is to leave from, since this host does not have it any more.
    fn refuses_source(&self, next: usize, error: &io::Error) -> bool {
        let destination = self.by_destination.destination(self.message(next));
        local(self.locals.as_ref(), destination).is_some()
            && matches!(
                error.raw_os_error(),
                Some(libc::EINVAL | libc::EADDRNOTAVAIL | libc::ENETUNREACH | libc::EHOSTUNREACH)
            )
    }

    /// Whether `error` may say that message number `next` goes only in parts.
    fn refuses_segments(&self, next: usize, error: &io::Error) -> bool {
        self.message(next).datagrams > 1 && messages::refuses_segments(error)
    }

    /// How many messages from number `next` on are not tried again after `error`,
    /// which is the first one's. Where the queue is full that is all of them: each
    /// would cost a system call to fail in the same way.
    fn give_up(&self, next: usize, error: &io::Error, observer: &mut impl Observer) -> usize {
        let left = &self.by_destination.messages()[next..];
        let unsent = match error.kind() {
            io::ErrorKind::Interrupted => 0,
            io::ErrorKind::WouldBlock => left.len(),
            _ => 1,
        };
        let datagrams = left[..unsent].iter().map(|message| u64::from(message.datagrams)).sum();
        observer.unsent(error, datagrams);
        unsent
    }
}

/// The address that what goes to `destination` is to leave from, where the kernel is not to
/// choose it.
fn local(locals: Option<&LocalAddresses>, destination: SocketAddr) -> Option<IpAddr> {
    locals?.find(destination)
}

#[cfg(test)]
mod tests;
