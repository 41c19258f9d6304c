//! The file `identity`: `KADI`, version 4, id 20, key material, CRC-32 of all before.

use std::io;

use crate::disk::{Disk, write_all};
use crate::error::OpenError;
use crate::segment::VERSION;
use crate::types::Identity;

pub(crate) const FILE: &str = "identity";
/// It is written under this name first.
pub(crate) const NEW_FILE: &str = "identity.new";
const MAGIC: [u8; 4] = *b"KADI";
const FIXED_BYTES: usize = 4 + 4 + 20 + 4;
const BYTES_MAX: usize = 1 << 16;

pub(crate) fn encode(identity: &Identity) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FIXED_BYTES + identity.key_material.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&identity.id);
    bytes.extend_from_slice(&identity.key_material);
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Identity, OpenError> {
    let (fields, sum) = bytes.split_last_chunk::<4>().ok_or(OpenError::Identity)?;
    let (magic, rest) = fields.split_first_chunk::<4>().ok_or(OpenError::Identity)?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or(OpenError::Identity)?;
    let (id, key_material) = rest.split_first_chunk::<20>().ok_or(OpenError::Identity)?;
    if *magic != MAGIC || *sum != crc32fast::hash(fields).to_be_bytes() {
        return Err(OpenError::Identity);
    }
    let found = u32::from_be_bytes(*version);
    if found != VERSION {
        return Err(OpenError::Version { file: FILE.to_owned(), found });
    }
    Ok(Identity { id: *id, key_material: key_material.to_vec() })
}

pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Identity>, OpenError> {
    match disk.read(FILE, BYTES_MAX) {
        Ok(bytes) => decode(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::io("read identity")(error)),
    }
}

/// Writes it so that a crash leaves the old one or the new one.
pub(crate) fn write(disk: &dyn Disk, identity: &Identity) -> io::Result<()> {
    let bytes = encode(identity);
    if bytes.len() > BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    match disk.remove(NEW_FILE) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = disk.create(NEW_FILE)?;
    write_all(&mut *file, &bytes)?;
    file.sync()?;
    disk.rename(NEW_FILE, FILE)?;
    disk.sync_folder()
}
