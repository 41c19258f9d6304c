//! Datagrams that leave together through one socket.

use crate::segments::SEGMENTS_MAX;
use crate::{DATAGRAM_BYTES_MAX, MESSAGE_BYTES_MAX};

/// Datagrams of one batch at most: as many as one message takes.
pub const BATCH_DATAGRAMS_MAX: usize = SEGMENTS_MAX;

/// Datagrams, one behind the other in one buffer, so that a message of equal ones
/// is one piece of memory.
#[derive(Debug)]
pub struct Batch {
    bytes: Box<[u8; BATCH_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX]>,
    used: usize,
    lengths: Vec<u16>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; BATCH_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX]
                .try_into()
                .expect("as many bytes as the array has"),
            used: 0,
            lengths: Vec::with_capacity(BATCH_DATAGRAMS_MAX),
        }
    }

    /// Adds the datagram that `encode` writes, whose length it returns.
    ///
    /// # Panics
    /// When the batch [is full](Self::is_full).
    pub fn push(&mut self, encode: impl FnOnce(&mut [u8; DATAGRAM_BYTES_MAX]) -> usize) {
        assert!(!self.is_full());
        let room = self.bytes[self.used..].first_chunk_mut().expect("room for every datagram");
        let length = encode(room);
        self.used += length;
        self.lengths.push(length as u16);
    }

    /// Whether no other datagram may be added.
    pub fn is_full(&self) -> bool {
        self.lengths.len() == BATCH_DATAGRAMS_MAX
    }

    /// How many datagrams there are.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The datagrams.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.messages(1).map(|message| message.bytes)
    }

    /// The datagrams as messages of at most `segments_max` of equal length, of which the
    /// last may be shorter.
    pub(crate) fn messages(&self, segments_max: usize) -> impl Iterator<Item = Message<'_>> {
        let (mut next, mut start) = (0, 0);
        std::iter::from_fn(move || {
            let segment_bytes = *self.lengths.get(next)?;
            let (first, begin) = (next, start);
            while let Some(&length) = self.lengths.get(next) {
                let fits = next - first < segments_max
                    && start - begin + usize::from(length) <= MESSAGE_BYTES_MAX;
                if !fits || length > segment_bytes {
                    break;
                }
                next += 1;
                start += usize::from(length);
                if length < segment_bytes {
                    break;
                }
            }
            let datagrams = next - first;
            Some(Message { bytes: &self.bytes[begin..start], segment_bytes, datagrams })
        })
    }

    /// Forgets the datagrams, which have been sent.
    pub fn clear(&mut self) {
        self.used = 0;
        self.lengths.clear();
    }
}

/// Datagrams of equal length, but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// All their bytes.
    pub(crate) bytes: &'a [u8],
    /// Bytes of each but the last, which may be shorter.
    pub(crate) segment_bytes: u16,
    /// How many there are.
    pub(crate) datagrams: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lengths: &[usize]) -> Batch {
        let mut batch = Batch::new();
        for (index, &length) in lengths.iter().enumerate() {
            batch.push(|room| {
                room[..length].fill(index as u8);
                length
            });
        }
        batch
    }

    fn shape(batch: &Batch, segments_max: usize) -> Vec<(usize, usize, u16)> {
        let messages = batch.messages(segments_max);
        messages.map(|one| (one.datagrams, one.bytes.len(), one.segment_bytes)).collect()
    }

    #[test]
    fn a_message_ends_behind_a_shorter_datagram_and_before_a_longer_one() {
        let batch = batch(&[72, 72, 60, 72, 100, 100]);
        assert_eq!(shape(&batch, 64), [(3, 204, 72), (1, 72, 72), (2, 200, 100)]);
        assert_eq!(shape(&batch, 2), [(2, 144, 72), (1, 60, 60), (1, 72, 72), (2, 200, 100)]);
        let single: Vec<&[u8]> = batch.iter().collect();
        assert_eq!(single.len(), 6);
        assert_eq!(single[2], [2; 60]);
    }

    #[test]
    fn a_message_is_no_longer_than_a_packet() {
        let batch = batch(&[DATAGRAM_BYTES_MAX; BATCH_DATAGRAMS_MAX]);
        assert!(batch.is_full());
        assert_eq!(shape(&batch, 64)[0].0, MESSAGE_BYTES_MAX / DATAGRAM_BYTES_MAX);
        let sent: usize = batch.messages(64).map(|message| message.datagrams).sum();
        assert_eq!(sent, BATCH_DATAGRAMS_MAX);
    }
}
