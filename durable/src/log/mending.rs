//! What a fault costs, and how it is made good.

use std::io;

use super::{Health, Log};
use crate::counters::add;
use crate::index::Place;
use crate::limits::{GROUP_BYTES, UNSYNCED_BYTES};
use crate::record::Body;
use crate::segment;
use crate::types::{Change, SyncPolicy};

/// A renewal has no place in the index: the record that it renews has.
const NOWHERE: Place = Place { segment: 0, offset: 0, length: 0 };

impl Log {
    /// Keeps changes in memory until they are synced, as far as there is room.
    pub(super) fn keep(&mut self, changes: Vec<Change>) {
        for change in changes {
            if self.is_faulty() && matches!(change, Change::Renew { .. }) {
                // Or the value would expire here, and the renewal find nothing to renew.
                self.index.apply(&Body::from(&change), NOWHERE);
            }
            if self.is_faulty() && self.unsynced_bytes >= UNSYNCED_BYTES {
                self.missed += 1;
                add(&self.counters.changes_missed, 1);
            } else {
                self.unsynced_bytes += change.bytes();
                self.unsynced.push(change);
            }
        }
    }

    /// Gives the active segment up, cut off where it is good.
    pub(crate) fn fail(&mut self) {
        self.health = Health::Unsettled;
        self.compaction = None;
        self.unsynced_files.clear();
        if self.active.take().is_some() {
            self.cut_off();
        }
        self.count();
    }

    /// The same after a write has failed, most often because the disk is full. An fsync may
    /// still succeed for all that was written before. Then only the rest has to be written
    /// again, and there may be room to be made.
    pub(super) fn fail_write(&mut self) {
        if self.active.is_some() {
            self.cut_off();
        }
        let is_settled = self.health != Health::Unsettled && self.sync_files().is_ok();
        if is_settled {
            self.is_dirty = false;
            self.forget_unsynced();
        }
        self.fail();
        if is_settled {
            self.health = Health::Settled;
        }
    }

    /// Cuts the newest segment off where it is good. Where that does not work, the reader does.
    fn cut_off(&mut self) {
        let Some(&(number, good)) = self.segments.back() else { return };
        let name = segment::name(number);
        if good == 0 {
            self.segments.pop_back();
            self.active = None;
            let _ = self.disk.remove(&name);
        } else {
            let _ = self.disk.truncate(&name, good);
        }
    }

    /// Writes what a fault may have lost, and syncs it, as far as the disk takes it. When it
    /// has taken all, returns how many changes there was no room to keep.
    pub(crate) fn retry(&mut self) -> io::Result<u64> {
        // Out of the way of an fsync, which drops what it finds there.
        let mut changes = std::mem::take(&mut self.unsynced);
        self.make_room();
        let (written, mended) = self.write_again(&changes);
        changes.drain(..written);
        self.unsynced_bytes = changes.iter().map(Change::bytes).sum();
        self.unsynced = changes;
        mended?;
        self.health = Health::Sound;
        self.count();
        Ok(std::mem::take(&mut self.missed))
    }

    /// Compacts, where nothing is at risk: a folder that has filled its disk may have much
    /// that is dead.
    fn make_room(&mut self) {
        while self.health == Health::Settled && self.can_shrink() {
            if self.compact(usize::MAX).is_err() {
                return;
            }
        }
    }

    /// Whether the oldest segment is worth being removed while the disk is full.
    fn can_shrink(&self) -> bool {
        let Some(&(oldest, _)) = self.segments.front() else { return false };
        let is_dead = self.index.live_in(oldest) == 0 && self.segments.len() > 1;
        let is_written = self.active.as_ref().is_some_and(|active| active.number == oldest);
        (is_dead && !is_written) || self.has_too_much()
    }

    /// Writes groups of `changes`: one at least, because nothing else shows that the disk
    /// takes what it is given. Returns how many changes it has taken.
    fn write_again(&mut self, changes: &[Change]) -> (usize, io::Result<()>) {
        let mut written = 0;
        loop {
            let (mut bytes, rest) = (0, &changes[written..]);
            let fits = |change: &&Change| {
                bytes += change.bytes();
                bytes < GROUP_BYTES
            };
            let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
            if let Err(error) = self.write_group_again(&rest[..count]) {
                return (written, Err(error));
            }
            written += count;
            if written == changes.len() {
                return (written, Ok(()));
            }
        }
    }

    /// Writes a group and syncs it. Where either fails, the disk is as before: what it holds
    /// is written again later, and would take its room at each retry.
    fn write_group_again(&mut self, group: &[Change]) -> io::Result<()> {
        let before = (self.segments.len(), self.segments.back().copied());
        let written = self.write_group(group);
        let kept = match self.policy {
            SyncPolicy::Off => written,
            SyncPolicy::Always | SyncPolicy::EverySecond => written.and_then(|()| self.sync()),
        };
        if kept.is_err() {
            let (count, last) = before;
            self.remove_newest(count);
            self.cut_back(last);
        }
        kept
    }

    /// Removes all segments but the first `count`.
    fn remove_newest(&mut self, count: usize) {
        while self.segments.len() > count
            && let Some(&(number, bytes)) = self.segments.back()
            && self.disk.remove(&segment::name(number)).is_ok()
        {
            self.segments.pop_back();
            self.disk_bytes -= bytes;
        }
        self.count();
    }

    /// Cuts the newest segment off where it was before, where it is still the newest.
    fn cut_back(&mut self, before: Option<(u32, u64)>) {
        let Some((number, good)) = before else { return };
        if let Some((newest, bytes)) = self.segments.back_mut()
            && *newest == number
            && *bytes > good
            && self.disk.truncate(&segment::name(number), good).is_ok()
        {
            self.disk_bytes -= *bytes - good;
            *bytes = good;
        }
        self.count();
    }
}
