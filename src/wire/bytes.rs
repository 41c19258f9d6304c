//! The bytes of a datagram, read and written one field after another.

use core::fmt;

use crate::limits::{DATAGRAM_BYTES_MAX, PIECE_BYTES_MAX};

/// Why bytes are no datagram of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It ends before its header or body does.
    Truncated,
    /// It is longer than [`DATAGRAM_BYTES_MAX`], or its part of a value longer than
    /// [`PIECE_BYTES_MAX`].
    Oversized,
    /// It does not begin with [`MAGIC`](super::MAGIC).
    Magic,
    /// It is of another [`VERSION`](super::VERSION).
    Version,
    /// Its kind is unknown.
    Kind,
    /// An address is of no known family.
    Address,
    /// It counts more contacts than a reply carries.
    Contacts,
    /// It counts no renewal, or more than a request carries.
    Renewals,
    /// A code in the body is unknown.
    Code,
}

impl DecodeError {
    /// What the log calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Oversized => "oversized",
            Self::Magic => "not a datagram of this protocol",
            Self::Version => "another version of the protocol",
            Self::Kind => "unknown kind",
            Self::Address => "unknown address family",
            Self::Contacts => "too many contacts",
            Self::Renewals => "no renewal, or too many",
            Self::Code => "unknown code",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for DecodeError {}

/// Cold, so that the compiler does not take what follows a dozen reads for it.
#[cold]
const fn truncated<T>() -> Result<T, DecodeError> {
    Err(DecodeError::Truncated)
}

/// Reads a datagram from its start, or says why it is none of the protocol.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return truncated();
        };
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((head, rest)) = self.rest.split_at_checked(length) else {
            return truncated();
        };
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn value(&mut self) -> Result<&'a [u8], DecodeError> {
        if self.rest.len() > PIECE_BYTES_MAX {
            return Err(DecodeError::Oversized);
        }
        Ok(core::mem::take(&mut self.rest))
    }
}

/// Writes at the start of a datagram's buffer.
pub(super) struct Writer<'a> {
    buffer: &'a mut [u8; DATAGRAM_BYTES_MAX],
    length: usize,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(buffer: &'a mut [u8; DATAGRAM_BYTES_MAX]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Bytes written so far.
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.buffer[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }
}
