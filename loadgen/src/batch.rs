//! Datagrams that leave together through one socket.

use kad_node::limits::DATAGRAM_BYTES_MAX;

/// Datagrams of one batch at most: as many as one coalesced send takes on every
/// kernel.
pub const BATCH_MAX: usize = 64;

/// Datagrams, one behind the other in one buffer, so that a run of equal ones is
/// one piece of memory.
#[derive(Debug)]
pub struct Batch {
    bytes: Box<[u8; BATCH_MAX * DATAGRAM_BYTES_MAX]>,
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
            bytes: vec![0; BATCH_MAX * DATAGRAM_BYTES_MAX]
                .try_into()
                .expect("as many bytes as the array has"),
            used: 0,
            lengths: Vec::with_capacity(BATCH_MAX),
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
        self.lengths.len() == BATCH_MAX
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
        self.runs(1).map(|run| run.bytes)
    }

    /// The datagrams in runs of at most `segments_max` of equal length, of which
    /// the last may be shorter: what `UDP_SEGMENT` sends in one go.
    pub fn runs(&self, segments_max: usize) -> impl Iterator<Item = Run<'_>> {
        let (mut next, mut start) = (0, 0);
        std::iter::from_fn(move || {
            let segment_bytes = *self.lengths.get(next)?;
            let (first, begin) = (next, start);
            while let Some(&length) = self.lengths.get(next) {
                let fits = next - first < segments_max
                    && start - begin + usize::from(length) <= RUN_BYTES_MAX;
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
            Some(Run { bytes: &self.bytes[begin..start], segment_bytes, datagrams })
        })
    }

    /// Forgets the datagrams, which have been sent.
    pub fn clear(&mut self) {
        self.used = 0;
        self.lengths.clear();
    }
}

/// Bytes of a run at most: what one UDP datagram over IPv6 carries, less its
/// header.
const RUN_BYTES_MAX: usize = 65_535 - 8;

const _: () = assert!(DATAGRAM_BYTES_MAX <= RUN_BYTES_MAX, "one datagram is a run");

/// Datagrams of equal length, but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// All their bytes.
    pub bytes: &'a [u8],
    /// Bytes of each but the last, which may be shorter.
    pub segment_bytes: u16,
    /// How many there are.
    pub datagrams: usize,
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
        let runs = batch.runs(segments_max);
        runs.map(|run| (run.datagrams, run.bytes.len(), run.segment_bytes)).collect()
    }

    #[test]
    fn a_run_ends_behind_a_shorter_datagram_and_before_a_longer_one() {
        let batch = batch(&[72, 72, 60, 72, 100, 100]);
        assert_eq!(shape(&batch, 64), [(3, 204, 72), (1, 72, 72), (2, 200, 100)]);
        assert_eq!(shape(&batch, 2), [(2, 144, 72), (1, 60, 60), (1, 72, 72), (2, 200, 100)]);
        let single: Vec<&[u8]> = batch.iter().collect();
        assert_eq!(single.len(), 6);
        assert_eq!(single[2], [2; 60]);
    }

    #[test]
    fn a_run_is_no_longer_than_a_datagram_of_the_kernel() {
        let batch = batch(&[DATAGRAM_BYTES_MAX; BATCH_MAX]);
        assert!(batch.is_full());
        assert_eq!(shape(&batch, 64)[0].0, RUN_BYTES_MAX / DATAGRAM_BYTES_MAX);
        let sent: usize = batch.runs(64).map(|run| run.datagrams).sum();
        assert_eq!(sent, BATCH_MAX);
    }
}
