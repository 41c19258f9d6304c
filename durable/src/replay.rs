//! Reads a whole folder.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Stamp, millis};
use crate::disk::Disk;
use crate::error::OpenError;
use crate::index::{Index, Place, Table};
use crate::limits::FILE_BYTES_MAX;
use crate::record::Body;
use crate::segment::{self, Found, Reader};
use crate::types::{Contact, Held, Published, key_of};

/// What could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Places at which something is damaged: one record or several in a row.
    pub damaged: u64,
    /// Values that do not hash to their keys.
    pub mismatched: u64,
    /// Segments whose last write was cut off.
    pub torn_tails: u64,
    /// Bytes of these writes.
    pub torn_bytes: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} damaged, {} that do not match their keys, {} writes cut off ({} bytes)",
            self.damaged, self.mismatched, self.torn_tails, self.torn_bytes
        )
    }
}

/// The records of a folder, and where those are that live.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// The segments, the oldest first, and how many bytes of each are good.
    pub(crate) segments: Vec<(u32, u64)>,
    pub(crate) index: Index,
    pub(crate) contacts: Vec<Contact>,
    /// The last time that is written down.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) damage: Damage,
    /// Segments to be cut off, and where.
    pub(crate) torn: Vec<(u32, u64)>,
    pub(crate) records: u64,
}

/// Reads where everything is.
pub(crate) fn scan(disk: &dyn Disk) -> Result<Scanned, OpenError> {
    let names = disk.list().map_err(OpenError::io("list the folder"))?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    let mut scanned = Scanned::default();
    for number in numbers {
        let bytes = read(disk, number)?;
        scan_segment(&mut scanned, number, &bytes)?;
    }
    Ok(scanned)
}

fn read(disk: &dyn Disk, number: u32) -> Result<Vec<u8>, OpenError> {
    let name = segment::name(number);
    disk.read(&name, FILE_BYTES_MAX).map_err(OpenError::io(format!("read {name}")))
}

fn scan_segment(scanned: &mut Scanned, number: u32, bytes: &[u8]) -> Result<(), OpenError> {
    let mut good = bytes.len() as u64;
    for found in Reader::new(&segment::name(number), bytes)? {
        match found {
            Found::Damaged => scanned.damage.damaged += 1,
            Found::TornTail { offset } => {
                good = u64::from(offset);
                scanned.damage.torn_tails += 1;
                scanned.damage.torn_bytes += bytes.len() as u64 - good;
                scanned.torn.push((number, good));
            }
            Found::Record { offset, length, body } => {
                scanned.records += 1;
                scanned.index.apply(&body, Place { segment: number, offset, length });
                match body {
                    Body::Clock { folder_ms, wall_ms } => {
                        scanned.stamp = scanned.stamp.max(Some(Stamp { folder_ms, wall_ms }));
                    }
                    Body::Contacts(contacts) => scanned.contacts = contacts,
                    _ => {}
                }
            }
        }
    }
    scanned.segments.push((number, good));
    Ok(())
}

/// The values that live, each verified against its key.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) published: Vec<Published>,
    pub(crate) held: Vec<Held>,
}

/// Reads the values that live at `now_ms`. No life is longer than `life_max`.
pub(crate) fn values(
    disk: &dyn Disk,
    scanned: &mut Scanned,
    now_ms: u64,
    life_max: Duration,
) -> Result<Values, OpenError> {
    scanned.index.expire(now_ms);
    let latest = now_ms.saturating_add(millis(life_max));
    let mut values = Values::default();
    for &(number, _) in &scanned.segments {
        if scanned.index.live_in(number) == 0 {
            continue;
        }
        let bytes = read(disk, number)?;
        for found in Reader::new(&segment::name(number), &bytes)? {
            let Found::Record { offset, body, .. } = found else { continue };
            let (table, key, value, source) = match body {
                Body::Publish { key, value, .. } => (Table::Published, key, value, None),
                Body::Hold { key, value, source, .. } => (Table::Held, key, value, source),
                _ => continue,
            };
            let Some(&entry) = scanned.index.at(table, &key, number, offset) else { continue };
            if key_of(value) != key {
                scanned.damage.mismatched += 1;
                scanned.index.remove(table, &key);
                continue;
            }
            let value = Arc::from(value);
            match table {
                Table::Published => {
                    let republish_ms = entry.date_ms();
                    values.published.push(Published { key, value, republish_ms });
                }
                Table::Held => {
                    let expires_ms = entry.date_ms().min(latest);
                    let purpose = entry.purpose;
                    values.held.push(Held { key, value, expires_ms, purpose, source });
                }
            }
        }
    }
    Ok(values)
}
