//! The folder stays small, and loses nothing by it.

use super::model::{HOUR_MS, Hands, Model, contacts, hold, open, open_at, options, publish};
use crate::disk::{Fault, FaultyDisk};
use crate::folder::Folder;
use crate::limits::{GROUP_BYTES, SEGMENT_BYTES, SLACK_BYTES};
use crate::log::Log;
use crate::types::{Change, Held, Purpose, SyncPolicy, key_of};

fn compact(log: &mut Log) {
    while log.needs_compaction() {
        log.compact(0).expect("a disk without faults");
    }
}

fn bound(log: &Log) -> u64 {
    log.index.live_bytes() * 7 / 5 + SLACK_BYTES + SEGMENT_BYTES as u64
}

#[test]
fn a_folder_whose_values_are_stored_again_and_again_stays_small() {
    for policy in [SyncPolicy::Always, SyncPolicy::EverySecond, SyncPolicy::Off] {
        let disk = FaultyDisk::default();
        let mut log = open(&disk, policy).0.log;
        let mut model = Model::default();
        let mut write = |log: &mut Log, change: Change| {
            model.apply(&change);
            log.write(vec![change]).expect("a write");
        };
        write(&mut log, Change::Contacts(contacts(5)));
        for number in 200..220 {
            write(&mut log, publish(number, 7));
        }
        for round in 1..30 {
            for number in 0..50 {
                write(&mut log, hold(number, round * HOUR_MS / 2));
                compact(&mut log);
            }
        }
        assert!((disk.bytes() as u64) < bound(&log), "{} bytes", disk.bytes());
        let counted = log.counters.snapshot();
        assert_eq!(counted.disk_bytes, disk.bytes() as u64);
        assert!(counted.bytes_compacted > 0);
        assert!(counted.bytes_compacted < counted.bytes_written * 3 / 4, "much is copied");
        assert_eq!(Model::on(&disk.killed()), model);
        log.sync().expect("a sync");
        assert_eq!(Model::on(&disk.power_cut(0)), model);
    }
}

#[test]
fn what_was_removed_does_not_come_back() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
    let evict = |number| match hold(number, 0) {
        Change::Hold(held) => Change::Evict { key: held.key },
        _ => unreachable!("a hold"),
    };
    log.write((0..60).map(|number| hold(number, HOUR_MS)).collect()).expect("a write");
    log.write((10..60).map(evict).collect()).expect("a write");
    for _ in 0..200 {
        log.write(vec![hold(100, HOUR_MS)]).expect("a write");
        compact(&mut log);
        assert_eq!(Model::on(&disk.power_cut(255)).held.len(), 11);
    }
    assert!((disk.bytes() as u64) < bound(&log));
}

#[test]
fn copies_whose_fsync_fails_are_not_relied_on() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
    let mut number = 0..;
    let mut write = |log: &mut Log| {
        let changes = vec![hold(number.next().expect("a number") % 40, HOUR_MS)];
        log.write(changes).expect("a write");
    };
    while !log.needs_compaction() {
        write(&mut log);
    }
    log.sync().expect("a sync");
    disk.inject(Fault::Sync, 0);
    while log.compact(0).is_ok() {}
    assert!(log.is_faulty());
    disk.mend();
    assert_eq!(log.retry().expect("a disk that works"), 0);
    // Until the segments that were copied in vain are gone.
    for _ in 0..100 {
        write(&mut log);
        compact(&mut log);
        assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 40);
    }
}

#[test]
fn what_has_expired_costs_nothing_to_remove() {
    let disk = FaultyDisk::default();
    let hands = Hands::at(super::model::START_MS);
    let opened = Folder::open_on(
        std::sync::Arc::new(disk.clone()),
        &options(SyncPolicy::EverySecond, hands.clone()),
    );
    let mut log = opened.expect("a folder").0.log;
    for number in 0..200 {
        log.write(vec![hold(number, HOUR_MS)]).expect("a write");
    }
    assert!(!log.needs_compaction());
    hands.pass(2 * HOUR_MS);
    log.tick().expect("a write");
    compact(&mut log);
    assert_eq!(log.counters.snapshot().bytes_compacted, 0);
    assert!((disk.bytes() as u64) < bound(&log));
    assert_eq!(log.index.values(), 0);
}

#[test]
fn many_starts_leave_few_segments() {
    let disk = FaultyDisk::default();
    open(&disk, SyncPolicy::Off).0.log.write(vec![hold(1, HOUR_MS)]).expect("a write");
    for _ in 0..100 {
        let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
        log.tick().expect("a write");
        compact(&mut log);
        assert!(log.segments.len() < 24, "{} segments", log.segments.len());
    }
    assert_eq!(Model::on(&disk.killed()).held.len(), 1);
}

#[test]
fn retries_that_fail_leave_nothing_on_the_disk() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
    log.write((0..60).map(|number| hold(number, HOUR_MS)).collect()).expect("a write");
    disk.inject(Fault::Sync, 0);
    log.sync().expect_err("a fault");
    let before = disk.bytes();
    for _ in 0..20 {
        disk.inject(Fault::Sync, 0);
        log.retry().expect_err("a fault");
        disk.inject(Fault::Full, 1000);
        log.retry().expect_err("a fault");
        assert_eq!(disk.bytes(), before);
    }
    disk.mend();
    assert_eq!(log.retry().expect("a disk without faults"), 0);
    assert_eq!(log.counters.snapshot().disk_bytes, disk.bytes() as u64);
    assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 60);
}

#[test]
fn a_full_disk_is_not_mended_because_nothing_waits() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
    disk.inject(Fault::Full, 0);
    log.tick().expect_err("a fault");
    log.retry().expect_err("a fault");
    disk.mend();
    log.retry().expect("a disk without faults");
}

/// A log whose oldest segments hold values that live for an hour, and the newest one that lives
/// longer, on a disk that is full.
fn filled(disk: &FaultyDisk, hands: &std::sync::Arc<Hands>) -> Log {
    let options = options(SyncPolicy::EverySecond, std::sync::Arc::clone(hands));
    let opened = Folder::open_on(std::sync::Arc::new(disk.clone()), &options);
    let mut log = opened.expect("a folder").0.log;
    for number in 0..100 {
        log.write(vec![hold(number, HOUR_MS)]).expect("a write");
    }
    log.write(vec![hold(100, 3 * HOUR_MS)]).expect("a write");
    disk.inject(Fault::Full, 0);
    log.write(vec![hold(101, 3 * HOUR_MS)]).expect_err("a full disk");
    log.retry().expect_err("nothing has expired");
    log
}

/// What is found on a disk when an hour has passed.
fn found_later(disk: &FaultyDisk) -> Model {
    let later = super::model::START_MS + HOUR_MS + 1;
    Model::of(&open_at(&disk.power_cut(0), SyncPolicy::Off, later).1)
}

#[test]
fn a_folder_that_has_filled_its_disk_makes_room_by_what_has_expired() {
    let disk = FaultyDisk::default();
    let hands = Hands::at(super::model::START_MS);
    let mut log = filled(&disk, &hands);
    let before = disk.bytes();
    hands.pass(HOUR_MS + 1);
    log.tick().expect_err("a full disk");
    log.retry().expect_err("the disk takes no more, whatever is removed");
    assert!(disk.bytes() * 2 < before, "{} of {before} bytes", disk.bytes());
    disk.mend();
    log.retry().expect("a disk without faults");
    assert_eq!(found_later(&disk).held.len(), 2);
}

#[test]
fn a_value_whose_renewal_could_not_be_written_is_not_taken_for_expired() {
    let disk = FaultyDisk::default();
    let hands = Hands::at(super::model::START_MS);
    let mut log = filled(&disk, &hands);
    let Change::Hold(held) = hold(0, 5 * HOUR_MS) else { unreachable!("a hold") };
    let (key, expires_ms, purpose) = (held.key, held.expires_ms, held.purpose);
    log.write(vec![Change::Renew { key, expires_ms, purpose }]).expect_err("a full disk");
    hands.pass(HOUR_MS + 1);
    log.tick().expect_err("a full disk");
    log.retry().expect_err("a full disk");
    disk.mend();
    log.retry().expect("a disk without faults");
    compact(&mut log);
    assert_eq!(found_later(&disk).held[&key].1, expires_ms);
}

#[test]
fn a_disk_that_takes_a_part_is_not_asked_for_that_again() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
    disk.inject(Fault::Full, 0);
    // Three groups of a retry.
    let large = |number| {
        let value = super::model::value(number, GROUP_BYTES - 1000);
        let (key, expires_ms) = (key_of(&value), super::model::START_MS + HOUR_MS);
        let purpose = Purpose::Cache;
        Change::Hold(Held { key, value, expires_ms, purpose, source: None })
    };
    log.write(vec![large(1)]).expect_err("a full disk");
    for number in 2..4 {
        log.unsynced.push(large(number));
    }
    disk.inject(Fault::Full, GROUP_BYTES + GROUP_BYTES / 2);
    log.retry().expect_err("a full disk");
    assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 1);
    disk.inject(Fault::Full, 2 * GROUP_BYTES);
    log.retry().expect("room for the rest");
    assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 3);
}

#[test]
fn nothing_is_copied_where_there_is_no_room_for_it() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
    log.write(vec![publish(200, 7)]).expect("a write");
    let mut numbers = (0..40).cycle();
    while !log.needs_compaction() {
        log.write(vec![hold(numbers.next().expect("a number"), HOUR_MS)]).expect("a write");
    }
    let before = disk.bytes();
    disk.inject(Fault::Full, 1000);
    let error = log.compact(0).expect_err("no room");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert!(!log.is_faulty(), "it still takes what is small");
    assert_eq!(disk.bytes(), before);
}
