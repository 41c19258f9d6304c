//! The renewals of a RENEW: written from a slice, read in place; and what RENEWED says.

use core::fmt;

use super::bytes::{DecodeError, Reader, Writer};
use crate::id::{ID_BYTES, Id};
use crate::limits::{RENEWAL_BYTES, RENEWALS_MAX};

/// A value to keep longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The value's key.
    pub key: Id,
    /// How long to keep it, in seconds.
    pub life_s: u32,
}

/// From one to [`RENEWALS_MAX`] renewals, as a slice or as the bytes of a datagram.
#[derive(Clone, Copy)]
pub struct Renewals<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Slice(&'a [Renewal]),
    Encoded(&'a [[u8; RENEWAL_BYTES]]),
}

impl<'a> Renewals<'a> {
    /// The first [`RENEWALS_MAX`] of `renewals`.
    ///
    /// # Panics
    /// When there is none.
    pub fn new(renewals: &'a [Renewal]) -> Self {
        assert!(!renewals.is_empty(), "a RENEW is steered by its first key");
        Self(Source::Slice(&renewals[..renewals.len().min(RENEWALS_MAX)]))
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Slice(renewals) => renewals.len(),
            Source::Encoded(renewals) => renewals.len(),
        }
    }

    /// Each renewal in turn.
    pub fn iter(&self) -> impl Iterator<Item = Renewal> + use<'a> {
        let (slice, encoded): (&[Renewal], &[_]) = match self.0 {
            Source::Slice(renewals) => (renewals, &[]),
            Source::Encoded(renewals) => (&[], renewals),
        };
        slice.iter().copied().chain(encoded.iter().map(of_bytes))
    }

    /// The byte that steers: the last one of the first key.
    pub(super) const fn steer(&self) -> u8 {
        match self.0 {
            Source::Slice(renewals) => renewals[0].key.last_byte(),
            Source::Encoded(renewals) => renewals[0][ID_BYTES - 1],
        }
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(self.len() as u8);
        for Renewal { key, life_s } in self.iter() {
            writer.bytes(&key.to_bytes());
            writer.u32(life_s);
        }
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = usize::from(reader.u8()?);
        if count == 0 || count > RENEWALS_MAX {
            return Err(DecodeError::Renewals);
        }
        let bytes = reader.slice(count * RENEWAL_BYTES)?;
        Ok(Self(Source::Encoded(bytes.as_chunks().0)))
    }
}

fn of_bytes(bytes: &[u8; RENEWAL_BYTES]) -> Renewal {
    let (key, life_s) = bytes.split_first_chunk().expect("a key is a part of a renewal");
    let life_s = life_s.first_chunk().expect("four bytes follow it");
    Renewal { key: Id::new(*key), life_s: u32::from_be_bytes(*life_s) }
}

impl fmt::Debug for Renewals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Renewals<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Renewals<'_> {}

/// The body of a RENEWED: bit `i`, the least significant first, is of renewal `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// The renewals that it is about: those whose keys the answering shard owns.
    pub answered: u64,
    /// Those of them whose values are not held.
    pub lacking: u64,
}
