//! Sending, the same for every driver that has nothing better: one `sendmmsg` for
//! a batch, with what goes to the same peer in one message.
//!
//! Requests in the ring would save `uring` one system call a turn. Measured on a
//! busy machine, against this in one interleaved run, the difference is within
//! the noise; and they would keep the outbox borrowed until they are complete.
#![allow(unsafe_code)] // sendmmsg takes pointers to pointers.

mod pauses;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use libc::{c_uint, iovec, mmsghdr};

use self::pauses::Pauses;
use super::address::{Name, Reach};
use super::control::Control;
use super::grouping::{Added, BATCH_MAX, Grouping, Train};
use super::locals::Locals;
use super::settings::Coalescing;
use super::socket::UdpSocket;
use super::stats::DriverStats;
use super::sys;

/// The arrays that `sendmmsg` reads. They are kept from batch to batch for their
/// memory alone: what they point to is valid within [`send`](Sender::send).
pub(super) struct Sender {
    grouping: Grouping,
    /// The runs of datagrams as they came, and their parts as they leave.
    taken: Vec<iovec>,
    slices: Vec<iovec>,
    /// Of each message that has some.
    controls: Vec<Control>,
    headers: Vec<mmsghdr>,
    pauses: Pauses,
    /// Where what is sent is to come from, for a socket bound to a wildcard.
    locals: Option<Locals>,
    reach: Reach,
}

impl Sender {
    /// For what leaves by `socket`: in trains where it is asked for and the kernel
    /// knows them.
    pub(super) fn new(socket: &UdpSocket, coalescing: Coalescing) -> Self {
        Self {
            grouping: Grouping::new(socket.sending(coalescing)),
            taken: Vec::with_capacity(BATCH_MAX),
            slices: Vec::with_capacity(BATCH_MAX),
            controls: Vec::with_capacity(BATCH_MAX),
            headers: Vec::with_capacity(BATCH_MAX),
            pauses: Pauses::new(),
            locals: socket.is_wildcard().then(Locals::new),
            reach: socket.reach(),
        }
    }

    /// Where what is sent is to come from, for a socket bound to a wildcard.
    pub(super) const fn locals(&mut self) -> Option<&mut Locals> {
        self.locals.as_mut()
    }

    /// Sends `datagrams`, in the order of their groups. What cannot be sent is
    /// dropped and counted.
    pub(super) fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        mut datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>,
        stats: &mut DriverStats,
    ) {
        while self.fill(socket, &mut datagrams, stats) {
            self.prepare();
            self.transmit(socket, stats);
        }
    }

    /// Takes up the next batch, if there is one.
    fn fill<'a>(
        &mut self,
        socket: &UdpSocket,
        datagrams: &mut impl Iterator<Item = (SocketAddr, &'a [u8])>,
        stats: &mut DriverStats,
    ) -> bool {
        self.taken.clear();
        self.grouping.clear();
        while !self.grouping.is_full()
            && let Some((destination, bytes)) = datagrams.next()
        {
            let name = || Name::new(socket.reach(), destination);
            match self.grouping.add(destination, bytes, name) {
                Added::Joined => {
                    let run = self.taken.last_mut().expect("a run was begun");
                    run.iov_len += bytes.len();
                }
                Added::Begun => {
                    // The kernel only reads what it sends.
                    let base = bytes.as_ptr().cast_mut().cast();
                    self.taken.push(iovec { iov_base: base, iov_len: bytes.len() });
                }
                Added::Nameless => stats.sends_other_family += 1,
            }
        }
        !self.taken.is_empty()
    }

    /// Brings the batch into the order and into the messages in which it leaves.
    fn prepare(&mut self) {
        let Self { grouping, pauses, .. } = self;
        grouping.couple(|host| !pauses.goes_on(host));
        self.point();
    }

    /// Makes the arrays of what is to leave.
    fn point(&mut self) {
        let Self { grouping, taken, slices, controls, headers, locals, reach, .. } = self;
        slices.clear();
        slices.extend(grouping.parts().iter().map(|part| {
            let bytes = part.bytes();
            let base = taken[usize::from(part.run)].iov_base.wrapping_byte_add(bytes.start);
            iovec { iov_base: base, iov_len: bytes.len() }
        }));
        let local = |train: Train| local(locals.as_ref(), grouping.destination(train));
        controls.clear();
        // Most messages are one datagram and need none.
        let is_plain = |train: &&Train| train.count == 1 && locals.is_none();
        for train in grouping.trains().iter().filter(|train| !is_plain(train)) {
            let mut control = Control::EMPTY;
            if train.count > 1 {
                control = control.segment(grouping.parts()[usize::from(train.first)].length);
            }
            if let Some(local) = local(*train) {
                control = control.source(*reach, local);
            }
            if control.length() > 0 {
                controls.push(control);
            }
        }
        let mut controls = controls.iter_mut();
        headers.clear();
        for train in grouping.trains() {
            let mut header = header(grouping, *train, slices);
            if (train.count > 1 || local(*train).is_some())
                && let Some(control) = controls.next()
            {
                header.msg_hdr.msg_control = control.as_mut_ptr();
                header.msg_hdr.msg_controllen = control.length() as _;
            }
            headers.push(header);
        }
    }

    /// Sends the batch.
    fn transmit(&mut self, socket: &UdpSocket, stats: &mut DriverStats) {
        let mut next = 0;
        while next < self.headers.len() {
            let rest = &mut self.headers[next..];
            stats.send_calls += 1;
            // SAFETY: `send` still borrows the datagrams to which the slices point, each
            // to one or to several that lie one after another, and neither slices nor
            // controls nor names have changed since `point`.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            next += match sys::counted(sent) {
                Ok(sent) => self.count(next, sent, stats),
                // First, since old kernels refuse a train by the same error.
                Err(error) if self.refuses_train(next, &error) => {
                    stats.trains_refused += 1;
                    self.pauses.refused(self.grouping.host(self.grouping.trains()[next]));
                    self.grouping.uncouple(next);
                    self.point();
                    0
                }
                Err(error) if self.refuses_source(next, &error) => {
                    stats.sources_refused += 1;
                    let destination = self.grouping.destination(self.grouping.trains()[next]);
                    if let Some(locals) = &mut self.locals {
                        locals.forget(destination);
                    }
                    self.point();
                    0
                }
                Err(error) => self.give_up(next, &error, stats),
            };
        }
    }

    /// Counts the `sent` messages from number `first` on.
    fn count(&mut self, first: usize, sent: usize, stats: &mut DriverStats) -> usize {
        let headers = &self.headers[first..][..sent];
        stats.bytes_sent += headers.iter().map(|one| u64::from(one.msg_len)).sum::<u64>();
        for train in &self.grouping.trains()[first..][..sent] {
            let datagrams = u64::from(train.count);
            stats.datagrams_sent += datagrams;
            if datagrams > 1 {
                stats.trains_sent += 1;
                stats.train_datagrams_sent += datagrams;
                self.pauses.taken(self.grouping.host(*train));
            }
        }
        sent
    }

    /// Whether `error` may say that message number `next` cannot leave from the address that
    /// it is to leave from, since this host does not have it any more.
    fn refuses_source(&self, next: usize, error: &io::Error) -> bool {
        let destination = self.grouping.destination(self.grouping.trains()[next]);
        local(self.locals.as_ref(), destination).is_some()
            && matches!(
                error.raw_os_error(),
                Some(libc::EINVAL | libc::EADDRNOTAVAIL | libc::ENETUNREACH | libc::EHOSTUNREACH)
            )
    }

    /// Whether `error` says that message number `next` goes only in parts. Where
    /// the path is too narrow for its datagrams, which by themselves go in
    /// fragments, older kernels call it EINVAL, younger ones EMSGSIZE.
    fn refuses_train(&self, next: usize, error: &io::Error) -> bool {
        self.grouping.trains()[next].count > 1
            && matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE))
    }

    /// How many messages from number `next` on are not tried again after `error`,
    /// which is the first one's. Where the queue is full that is all of them: each
    /// would cost a system call to fail in the same way.
    fn give_up(&self, next: usize, error: &io::Error, stats: &mut DriverStats) -> usize {
        let left = &self.grouping.trains()[next..];
        let unsent = match error.kind() {
            io::ErrorKind::Interrupted => 0,
            io::ErrorKind::WouldBlock => left.len(),
            _ => 1,
        };
        let datagrams = left[..unsent].iter().map(|train| u64::from(train.count)).sum();
        stats.count_unsent(error, datagrams);
        unsent
    }
}

/// The address that what goes to `destination` is to leave from, where the kernel is not to
/// choose it.
fn local(locals: Option<&Locals>, destination: SocketAddr) -> Option<IpAddr> {
    locals?.find(destination)
}

/// The header of a message without control messages.
fn header(grouping: &Grouping, train: Train, slices: &mut [iovec]) -> mmsghdr {
    let name = grouping.name(train);
    // The kernel only reads the name of a message that it sends.
    sys::message(
        (name.as_ptr().cast_mut(), name.length()),
        (slices.as_mut_ptr().wrapping_add(train.first.into()), train.parts.into()),
    )
}

#[cfg(test)]
mod tests;
