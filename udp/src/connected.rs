//! Sending to the one peer that a socket is connected to.
#![allow(unsafe_code)] // What is sent is borrowed for longer than the type says.

mod batch;

use std::io;

pub use self::batch::{BATCH_DATAGRAMS_MAX, Batch};
use crate::messages::{self, Messages};
use crate::segments::SEGMENTS_MAX;
use crate::socket::{Coalescing, UdpSocket};

/// Sends batches through connected sockets, in segmented messages until one is refused.
pub struct ConnectedSender {
    coalescing: Coalescing,
    messages: Messages,
    /// How many datagrams each message carries.
    datagrams: Vec<usize>,
}

impl ConnectedSender {
    /// A sender of segmented messages, or of a message for each datagram.
    pub fn new(coalescing: Coalescing) -> Self {
        let messages = Messages::with_capacity(BATCH_DATAGRAMS_MAX);
        Self { coalescing, messages, datagrams: Vec::with_capacity(BATCH_DATAGRAMS_MAX) }
    }

    /// Whether segmented messages are sent: until the device has refused one.
    pub const fn coalescing(&self) -> Coalescing {
        self.coalescing
    }

    /// Sends a batch, and calls `refused` with the place of each datagram that the kernel
    /// did not take.
    pub fn send(&mut self, socket: &UdpSocket, batch: &Batch, mut refused: impl FnMut(usize)) {
        self.point(batch);
        let (mut next, mut first) = (0, 0);
        // A socket reports an ICMP error of an earlier datagram in place of the next send:
        // that one is tried again, once.
        let mut is_tried = false;
        while next < self.messages.len() {
            // SAFETY: every slice is one of `batch`, which is borrowed until the end.
            let sent = unsafe { self.messages.send(socket, next) };
            match sent {
                Ok(sent) => {
                    first += self.datagrams[next..next + sent].iter().sum::<usize>();
                    next += sent;
                    is_tried = false;
                }
                Err(error) if self.gives_up_coalescing(next, &error) => {
                    // One by one, a message's place is its datagram's.
                    self.point(batch);
                    next = first;
                    is_tried = false;
                }
                Err(_) if !is_tried => is_tried = true,
                Err(_) => {
                    (first..first + self.datagrams[next]).for_each(&mut refused);
                    first += self.datagrams[next];
                    next += 1;
                    is_tried = false;
                }
            }
        }
    }

    /// Whether `error`, of message number `next`, may say that the device takes no segments;
    /// they are then not tried again.
    fn gives_up_coalescing(&mut self, next: usize, error: &io::Error) -> bool {
        let gives_up = self.datagrams[next] > 1 && messages::refuses_segments(error);
        if gives_up {
            self.coalescing = Coalescing::Off;
        }
        gives_up
    }

    /// Makes the arrays of what is to leave.
    fn point(&mut self, batch: &Batch) {
        let segments_max = match self.coalescing {
            Coalescing::Off => 1,
            Coalescing::On => SEGMENTS_MAX,
        };
        self.datagrams.clear();
        self.messages.reset(batch.len(), batch.len());
        for message in batch.messages(segments_max) {
            self.messages.push_slice(message.bytes.as_ptr(), message.bytes.len());
            let segment_bytes = (message.datagrams > 1).then_some(message.segment_bytes);
            self.messages.push(None, 1, segment_bytes, None);
            self.datagrams.push(message.datagrams);
        }
    }
}

#[cfg(test)]
mod tests;
