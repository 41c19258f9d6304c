//! The echo's replies of one turn, grouped by destination or not.
#![allow(unsafe_code)] // sendmmsg takes pointers to pointers.

use std::io;
use std::net::UdpSocket;
use std::ptr;

use libc::{iovec, mmsghdr, sockaddr_in};

use crate::kernel::{self, CONTROL_BYTES, Control, SEGMENTS_MAX};
use crate::request::{self, REPLY_BYTES, TRANSACTION};
use crate::subject::Grouping;

/// Replies that leave together.
pub(super) const BATCH_DATAGRAMS_MAX: usize = 512;
const SLOTS: usize = 2 * BATCH_DATAGRAMS_MAX;
const NONE: u16 = u16::MAX;

/// Replies to one destination, each pointing to the next.
#[derive(Clone, Copy)]
struct Group {
    key: u64,
    name: sockaddr_in,
    slot: u16,
    first: u16,
    last: u16,
}

pub(super) struct Replies {
    grouping: Grouping,
    /// Each holds the reply already, but for the transaction id.
    bytes: Box<[[u8; REPLY_BYTES]]>,
    next: Box<[u16]>,
    count: usize,
    groups: Vec<Group>,
    slots: Box<[u16]>,
    slices: Vec<iovec>,
    headers: Vec<mmsghdr>,
    control: Control,
}

impl Replies {
    pub(super) fn new(grouping: Grouping) -> Self {
        Self {
            grouping,
            bytes: vec![request::reply_template(); BATCH_DATAGRAMS_MAX].into_boxed_slice(),
            next: vec![NONE; BATCH_DATAGRAMS_MAX].into_boxed_slice(),
            count: 0,
            groups: Vec::with_capacity(BATCH_DATAGRAMS_MAX),
            slots: vec![NONE; SLOTS].into_boxed_slice(),
            slices: Vec::with_capacity(BATCH_DATAGRAMS_MAX),
            headers: Vec::with_capacity(BATCH_DATAGRAMS_MAX),
            control: Control::segment(REPLY_BYTES as u16),
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.count == BATCH_DATAGRAMS_MAX
    }

    /// Answers `request`, which came from `source`.
    pub(super) fn add(&mut self, source: &sockaddr_in, request: &[u8]) {
        let Some(transaction) = request.get(TRANSACTION) else {
            return;
        };
        let index = self.count as u16;
        self.bytes[self.count][TRANSACTION].copy_from_slice(transaction);
        self.next[self.count] = NONE;
        self.count += 1;
        let key = u64::from(source.sin_addr.s_addr) << 16 | u64::from(source.sin_port);
        let slot = match self.grouping {
            Grouping::Off => NONE,
            Grouping::On => match self.find(key) {
                Ok(group) => {
                    let group = &mut self.groups[group];
                    self.next[usize::from(group.last)] = index;
                    group.last = index;
                    return;
                }
                Err(slot) => slot,
            },
        };
        if let Some(slot) = self.slots.get_mut(usize::from(slot)) {
            *slot = self.groups.len() as u16;
        }
        self.groups.push(Group { key, name: *source, slot, first: index, last: index });
    }

    /// The group of `key`, or the free place for it. There are twice as many places
    /// as groups, so the search ends.
    fn find(&self, key: u64) -> Result<usize, u16> {
        if let Some(last) = self.groups.len().checked_sub(1)
            && self.groups[last].key == key
        {
            return Ok(last);
        }
        // Fibonacci hashing: 2^64 divided by the golden ratio.
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2());
        let mut slot = hash as usize;
        loop {
            match self.slots[slot] {
                NONE => return Err(slot as u16),
                group if self.groups[usize::from(group)].key == key => return Ok(group.into()),
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }

    /// Sends them, and says how many calls that took.
    pub(super) fn send(&mut self, socket: &UdpSocket) -> io::Result<u64> {
        self.slices.clear();
        self.headers.clear();
        let slices = self.slices.as_mut_ptr();
        for group in &mut self.groups {
            let mut next = group.first;
            while next != NONE {
                let first = self.slices.len();
                let (mut count, mut adjacent) = (0, NONE);
                while next != NONE && count < SEGMENTS_MAX {
                    if next == adjacent {
                        // One slice for what lies in one piece, as the node sends it.
                        let last = self.slices.last_mut().expect("the one before it");
                        last.iov_len += REPLY_BYTES;
                    } else {
                        let iov_base = self.bytes[usize::from(next)].as_mut_ptr().cast();
                        self.slices.push(iovec { iov_base, iov_len: REPLY_BYTES });
                    }
                    count += 1;
                    adjacent = next + 1;
                    next = self.next[usize::from(next)];
                }
                let parts = self.slices.len() - first;
                let mut header =
                    kernel::message(&raw mut group.name, slices.wrapping_add(first), parts);
                if count > 1 {
                    header.msg_hdr.msg_control = ptr::from_mut(&mut self.control).cast();
                    header.msg_hdr.msg_controllen = CONTROL_BYTES as _;
                }
                self.headers.push(header);
            }
        }
        // SAFETY: names, slices, bytes and control are in `self`; the slices have
        // not moved, since there is room for a batch of them.
        let calls = unsafe { kernel::send_all(socket, &mut self.headers) };
        for group in self.groups.drain(..) {
            if let Some(slot) = self.slots.get_mut(usize::from(group.slot)) {
                *slot = NONE;
            }
        }
        self.count = 0;
        calls
    }
}
