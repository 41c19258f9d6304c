//! The keys of a network, and the files that hold them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Keys of a network at most: a datagram of another costs a try by each.
const KEYS_MAX: usize = 4;
/// Permissions of a file that others may not have: the group may read it, as where a
/// container's secret is given to its group, and no other user may do anything.
const MODE_FORBIDDEN: u32 = 0o027;
/// Permissions of a file that is made.
const MODE: u32 = 0o600;

/// The key of a network: all that have it are members.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkKey([u8; KEY_BYTES]);

impl NetworkKey {
    /// The key made of `bytes`.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// A key drawn by the system.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(super) const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Its 64 hexadecimal digits: what a file holds.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads a key from a file: its digits, or its bare bytes.
    ///
    /// # Errors
    /// Why the file holds none, and what helps.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let file = File::open(path).map_err(KeyFileError::Unreadable)?;
        let metadata = file.metadata().map_err(KeyFileError::Unreadable)?;
        let mode = metadata.permissions().mode() & 0o777;
        if metadata.is_file() && mode & MODE_FORBIDDEN != 0 {
            return Err(KeyFileError::Open { mode });
        }
        // One byte more than digits and the end of a line, so that a longer file shows.
        let mut bytes = Vec::new();
        let read = file.take(2 * KEY_BYTES as u64 + 3).read_to_end(&mut bytes);
        read.map_err(KeyFileError::Unreadable)?;
        let key = <[u8; KEY_BYTES]>::try_from(&bytes[..]).ok().or_else(|| from_hex(&bytes));
        key.map(Self).ok_or(KeyFileError::NoKey { bytes: metadata.len() })
    }

    /// Writes the key to a new file that its user alone may read.
    ///
    /// # Errors
    /// When the file is there already, or cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
        writeln!(file, "{}", self.to_hex())?;
        file.sync_all()
    }
}

fn from_hex(text: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    hex::decode_to_slice(text.trim_ascii_end(), &mut key).ok().map(|()| key)
}

impl fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkKey(..)")
    }
}

/// Why a file holds no key: its `Display` is one line that says what helps.
#[derive(Debug)]
pub enum KeyFileError {
    /// It cannot be read.
    Unreadable(io::Error),
    /// Others than its owner and its group may read or write it.
    Open {
        /// Its permissions.
        mode: u32,
    },
    /// What it holds is no key.
    NoKey {
        /// How much it holds.
        bytes: u64,
    },
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) if error.kind() == io::ErrorKind::NotFound => {
                write!(f, "{error}: make it by 'kad-node keygen FILE', or copy it from a member")
            }
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::Open { mode } => write!(
                f,
                "other users have access to it (mode {mode:04o}), so the key may be known: \
                 chmod 600, and better a new key"
            ),
            Self::NoKey { bytes } => write!(
                f,
                "its {bytes} bytes are no key: expected {KEY_BYTES} bytes or their {} \
                 hexadecimal digits, as 'kad-node keygen FILE' makes them",
                2 * KEY_BYTES
            ),
        }
    }
}

impl std::error::Error for KeyFileError {}

/// The keys of a network, one at least: the first seals, each opens.
#[derive(Clone, Debug)]
pub struct NetworkKeys(Arc<[NetworkKey]>);

/// More keys than a network may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyKeys {
    /// How many.
    pub count: usize,
}

impl fmt::Display for TooManyKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys: a network has {KEYS_MAX} at most", self.count)
    }
}

impl std::error::Error for TooManyKeys {}

impl NetworkKeys {
    /// These keys; none where there is none.
    ///
    /// # Errors
    /// When there are too many.
    pub fn new(keys: &[NetworkKey]) -> Result<Option<Self>, TooManyKeys> {
        match keys.len() {
            0 => Ok(None),
            1..=KEYS_MAX => Ok(Some(Self(keys.into()))),
            count => Err(TooManyKeys { count }),
        }
    }

    pub(super) fn first(&self) -> &NetworkKey {
        &self.0[0]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &NetworkKey> {
        self.0.iter()
    }
}
