//! The contacts of a NODES reply: written from a slice, read in place.

use core::fmt;

use super::address::{Contact, read_contact, write_contact};
use super::bytes::{DecodeError, Reader, Writer};
use crate::limits::K_MAX;

/// At most [`K_MAX`] contacts, as a slice or as the bytes of a datagram.
#[derive(Clone, Copy)]
pub struct Contacts<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Slice(&'a [Contact]),
    /// Bytes that [`Contacts::read`] has found to hold `count` contacts.
    Encoded {
        count: u8,
        bytes: &'a [u8],
    },
}

impl<'a> Contacts<'a> {
    /// The first [`K_MAX`] contacts of `contacts`.
    pub fn new(contacts: &'a [Contact]) -> Self {
        Self(Source::Slice(&contacts[..contacts.len().min(K_MAX)]))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Slice(contacts) => contacts.len(),
            Source::Encoded { count, .. } => count as usize,
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each contact in turn.
    pub fn iter(&self) -> impl Iterator<Item = Contact> + use<'a> {
        let (slice, encoded): (&[Contact], &[u8]) = match self.0 {
            Source::Slice(contacts) => (contacts, &[]),
            Source::Encoded { bytes, .. } => (&[], bytes),
        };
        let mut reader = Reader::new(encoded);
        let decoded = core::iter::from_fn(move || read_contact(&mut reader).ok());
        slice.iter().copied().chain(decoded)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(self.len() as u8);
        match self.0 {
            Source::Slice(contacts) => {
                for &contact in contacts {
                    write_contact(writer, contact);
                }
            }
            Source::Encoded { bytes, .. } => writer.bytes(bytes),
        }
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = reader.u8()?;
        if usize::from(count) > K_MAX {
            return Err(DecodeError::Contacts);
        }
        let start = reader.rest();
        for _ in 0..count {
            read_contact(reader)?;
        }
        let bytes = &start[..start.len() - reader.rest().len()];
        Ok(Self(Source::Encoded { count, bytes }))
    }
}

impl fmt::Debug for Contacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Contacts<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Contacts<'_> {}
