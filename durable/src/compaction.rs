//! Frees the disk of what is dead: the records that live in the oldest segment are copied to
//! the end, and the segment is removed.
//!
//! Always the oldest, because then no record is removed on which a later one depends. When a
//! `renew`, an `evict` or a `forget` is in the oldest segment, the value that it changes is in
//! the same segment or has been copied behind it, with its fields as they are now. So only
//! values and contacts are ever copied.

use std::io;

use crate::counters::add;
use crate::index::{Place, Table};
use crate::limits::{COMPACT_STEP_BYTES, FILE_BYTES_MAX, GROUP_BYTES};
use crate::log::Log;
use crate::record::Body;
use crate::segment::{self, Found, Reader};
use crate::types::Key;

/// The oldest segment while it is copied.
pub(crate) struct Compaction {
    segment: u32,
    bytes: Vec<u8>,
    offset: usize,
    /// Records that were copied; the index learns of it when the copies are synced.
    values: Vec<(Table, Key, Place, Place)>,
    contacts: Option<(Place, Place)>,
    damaged: u64,
}

impl Log {
    /// Copies what lives in about `bytes` of the oldest segment. Where that was the rest, it
    /// removes the segment.
    pub(crate) fn compact(&mut self, bytes: usize) -> io::Result<()> {
        let Some(&(oldest, _)) = self.segments.front() else { return Ok(()) };
        let mut compaction = match self.compaction.take() {
            Some(compaction) if compaction.segment == oldest => compaction,
            _ if self.index.live_in(oldest) == 0 => return self.remove_oldest(),
            // What was copied in vain would fill the disk for good.
            _ if self.disk.free_bytes()? < self.index.live_in(oldest) + GROUP_BYTES as u64 => {
                return Err(io::ErrorKind::StorageFull.into());
            }
            _ => Compaction {
                segment: oldest,
                bytes: self.disk.read(&segment::name(oldest), FILE_BYTES_MAX)?,
                offset: 0,
                values: Vec::new(),
                contacts: None,
                damaged: 0,
            },
        };
        let end = compaction.offset.saturating_add(bytes.max(COMPACT_STEP_BYTES));
        while compaction.offset < compaction.bytes.len().min(end) {
            self.copy_group(&mut compaction)?;
        }
        if compaction.offset < compaction.bytes.len() {
            self.compaction = Some(compaction);
            return Ok(());
        }
        self.finish(&compaction)
    }

    /// Copies a group of records.
    fn copy_group(&mut self, compaction: &mut Compaction) -> io::Result<()> {
        let segment = compaction.segment;
        let now_ms = self.clock.now().folder_ms;
        let end = compaction.bytes.len().min(compaction.offset + COMPACT_STEP_BYTES);
        self.begin_group(end - compaction.offset)?;
        let read = Reader::new(&segment::name(segment), &compaction.bytes);
        let mut reader = read.map_err(io::Error::other)?;
        reader.go_to(compaction.offset);
        let before = self.group_bytes();
        while reader.offset() < end && self.group_bytes() < GROUP_BYTES {
            let (offset, body) = match reader.next() {
                Some(Found::Record { offset, body, .. }) => (offset, body),
                Some(Found::Damaged) => {
                    compaction.damaged += 1;
                    continue;
                }
                _ => break,
            };
            let (table, key) = match body {
                Body::Publish { key, .. } => (Table::Published, key),
                Body::Hold { key, .. } => (Table::Held, key),
                Body::Contacts(_) => {
                    if let Some(from) = self.index.contacts_at(segment, offset) {
                        compaction.contacts = Some((from, self.push(&body)));
                    }
                    continue;
                }
                _ => continue,
            };
            let Some(&entry) = self.index.at(table, &key, segment, offset) else { continue };
            if table == Table::Held && entry.date_ms() <= now_ms {
                self.index.remove(table, &key);
                continue;
            }
            let to = self.push(&with_date(body, entry.date_ms(), entry.purpose));
            compaction.values.push((table, key, entry.place, to));
        }
        compaction.offset = reader.offset();
        let copied = self.group_bytes() - before;
        add(&self.counters.bytes_compacted, copied as u64);
        self.end_group()
    }

    /// The whole segment is copied: removes it once the copies are on the disk.
    fn finish(&mut self, compaction: &Compaction) -> io::Result<()> {
        self.sync()?;
        for (table, key, from, to) in &compaction.values {
            self.index.moved(*table, key, *from, *to);
        }
        if let Some((from, to)) = compaction.contacts {
            self.index.contacts_moved(from, to);
        }
        // What is left could not be read.
        let unread = self.index.drop_segment(compaction.segment) as u64;
        add(&self.counters.damaged, unread.max(compaction.damaged));
        self.remove_oldest()
    }
}

/// The record with the fields that it has now.
fn with_date(body: Body, date_ms: u64, now: crate::types::Purpose) -> Body {
    match body {
        Body::Publish { key, value, .. } => Body::Publish { key, republish_ms: date_ms, value },
        Body::Hold { key, source, value, .. } => {
            Body::Hold { key, expires_ms: date_ms, purpose: now, source, value }
        }
        other => other,
    }
}
