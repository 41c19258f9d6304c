//! The thread that writes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::model::{Hands, Model, START_MS, hold, options};
use crate::disk::{Fault, FaultyDisk};
use crate::folder::Folder;
use crate::limits::{BATCH_BYTES_MAX, QUEUE_BATCHES, QUEUE_BYTES};
use crate::types::{Change, Held, Purpose, SyncPolicy};
use crate::writer::{Batch, Event, Refused, Writer};

/// Longer than anything takes.
const DEADLINE: Duration = Duration::from_mins(1);

type Counted = Arc<crate::counters::Counters>;

fn start(disk: &FaultyDisk, sync: SyncPolicy) -> (Writer, Receiver<Event>, Counted) {
    let options = options(sync, Hands::at(START_MS));
    let (folder, _) = Folder::open_on(Arc::new(disk.clone()), &options).expect("a folder");
    let counters = folder.counters();
    let (sender, events) = channel();
    let writer = Writer::start(folder, move |event| drop(sender.send(event))).expect("a thread");
    (writer, events, counters)
}

fn batch(number: u8) -> Batch {
    Batch { tag: u64::from(number), changes: vec![hold(number, 9_000_000)] }
}

#[test]
fn each_batch_is_told_of_once_and_in_order() {
    for sync in [SyncPolicy::Always, SyncPolicy::EverySecond, SyncPolicy::Off] {
        let disk = FaultyDisk::default();
        let (writer, events, counters) = start(&disk, sync);
        for number in 0..100 {
            while matches!(writer.queue().try_push(batch(number)), Err(Refused::Busy(_))) {
                std::thread::yield_now();
            }
        }
        for tag in 0..100 {
            let synced = sync == SyncPolicy::Always;
            assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Kept { tag, synced }));
            if synced {
                let found = Model::on(&disk.power_cut(0)).held.len() as u64;
                assert!(found > tag, "{found} after batch {tag}");
            }
        }
        assert_eq!(counters.snapshot().batches_kept, 100);
        assert_eq!(Model::on(&disk.killed()).held.len(), 100);
        writer.stop().expect("a disk that answers");
        if sync != SyncPolicy::Off {
            assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 100);
        }
    }
}

#[test]
fn every_second_syncs_without_further_batches() {
    let disk = FaultyDisk::default();
    let (writer, events, counters) = start(&disk, SyncPolicy::EverySecond);
    writer.queue().try_push(batch(1)).expect("room");
    events.recv_timeout(DEADLINE).expect("an event");
    let deadline = std::time::Instant::now() + DEADLINE;
    while counters.snapshot().syncs == 0 {
        assert!(std::time::Instant::now() < deadline, "nothing is synced");
        std::thread::yield_now();
    }
    assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 1);
    drop(writer);
}

#[test]
fn what_is_synced_is_not_kept_in_memory() {
    let disk = FaultyDisk::default();
    let mut log = super::model::open(&disk, SyncPolicy::EverySecond).0.log;
    for _ in 0..3 {
        log.write(large(1, 30 << 10).changes).expect("a write");
    }
    assert!(log.is_full_of_unsynced());
    log.sync().expect("a sync");
    assert!(!log.is_full_of_unsynced());
}

#[test]
fn a_fault_is_told_of_and_mended() {
    for fault in [Fault::Full, Fault::Write, Fault::ShortWrite, Fault::ReadOnly] {
        let disk = FaultyDisk::default();
        let (writer, events, counters) = start(&disk, SyncPolicy::EverySecond);
        writer.queue().try_push(batch(1)).expect("room");
        assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Kept { tag: 1, synced: false }));
        disk.inject(fault, 3);
        writer.queue().try_push(batch(2)).expect("room");
        assert!(matches!(events.recv_timeout(DEADLINE), Ok(Event::Fault { .. })), "{fault:?}");
        assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Failed { tag: 2 }));
        assert_eq!(counters.snapshot().not_durable, 1);
        writer.queue().try_push(batch(3)).expect("room");
        assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Failed { tag: 3 }));
        disk.mend();
        assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Mended { missed: 0 }));
        assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 3);
        writer.queue().try_push(batch(4)).expect("room");
        assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Kept { tag: 4, synced: false }));
        assert_eq!(counters.snapshot().not_durable, 0);
        assert_eq!(counters.snapshot().batches_failed, 2);
    }
}

#[test]
fn a_batch_whose_fsync_fails_is_not_called_synced() {
    let disk = FaultyDisk::default();
    let (writer, events, counters) = start(&disk, SyncPolicy::Always);
    disk.inject(Fault::Sync, 0);
    writer.queue().try_push(batch(1)).expect("room");
    assert!(matches!(events.recv_timeout(DEADLINE), Ok(Event::Fault { .. })));
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Failed { tag: 1 }));
    // The fault was one fsync: a second one of the same file would succeed, and lie.
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Mended { missed: 0 }));
    assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 1);
    assert_eq!(counters.snapshot().sync_faults, 1);
    drop(writer);
}

#[test]
fn what_there_is_no_room_for_while_the_disk_fails_is_counted() {
    let disk = FaultyDisk::default();
    let (writer, events, counters) = start(&disk, SyncPolicy::EverySecond);
    disk.inject(Fault::ReadOnly, 0);
    for number in 0..5 {
        writer.queue().try_push(large(number, 30 << 10)).expect("room");
        while !matches!(events.recv_timeout(DEADLINE).expect("an event"), Event::Failed { .. }) {}
    }
    assert_eq!(counters.snapshot().changes_missed, 2);
    disk.mend();
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Mended { missed: 2 }));
    assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 3);
    drop(writer);
}

/// A writer that is stuck in its first event until the sender is dropped.
fn stuck(disk: &FaultyDisk) -> (Writer, Sender<()>, Counted) {
    let options = options(SyncPolicy::EverySecond, Hands::at(START_MS));
    let (folder, _) = Folder::open_on(Arc::new(disk.clone()), &options).expect("a folder");
    let counters = folder.counters();
    let ((entered, enters), (leave, left)) = (channel(), channel::<()>());
    let writer = Writer::start(folder, move |_| {
        let _ = entered.send(());
        let _ = left.recv();
    });
    let writer = writer.expect("a thread");
    writer.queue().try_push(batch(0)).expect("room");
    enters.recv_timeout(DEADLINE).expect("an event");
    (writer, leave, counters)
}

fn large(number: u8, bytes: usize) -> Batch {
    let value = super::model::value(number, bytes);
    let (key, expires_ms) = (crate::key_of(&value), START_MS + 9_000_000);
    let held = Held { key, value, expires_ms, purpose: Purpose::Cache, source: None };
    Batch { tag: u64::from(number), changes: vec![Change::Hold(held)] }
}

#[test]
fn a_full_queue_refuses_and_never_waits() {
    let disk = FaultyDisk::default();
    let (writer, leave, counters) = stuck(&disk);
    let queue = writer.queue();
    for number in 1..=QUEUE_BATCHES as u8 {
        queue.try_push(batch(number)).expect("room");
    }
    assert_eq!(queue.try_push(batch(99)), Err(Refused::Busy(batch(99))));
    assert_eq!(counters.snapshot().batches_refused, 1);
    assert!(matches!(queue.try_push(large(1, BATCH_BYTES_MAX)), Err(Refused::TooLarge(_))));
    drop(leave);
    writer.stop().expect("a disk that answers");
    assert_eq!(Model::on(&disk.killed()).held.len(), 1 + QUEUE_BATCHES);
    assert!(matches!(queue.try_push(batch(1)), Err(Refused::Closed(_))));
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let disk = FaultyDisk::default();
    let (writer, leave, _) = stuck(&disk);
    let queue = writer.queue();
    let half = QUEUE_BYTES / 2 - 100;
    queue.try_push(large(1, half)).expect("room");
    queue.try_push(large(2, half)).expect("room");
    assert!(matches!(queue.try_push(large(3, half)), Err(Refused::Busy(_))));
    queue.try_push(Batch { tag: 4, changes: Vec::new() }).expect("what was refused takes no room");
    drop(leave);
    writer.stop().expect("a disk that answers");
    assert_eq!(Model::on(&disk.killed()).held.len(), 3);
}

#[test]
fn a_disk_that_hangs_does_not_keep_the_writer_from_being_stopped() {
    let disk = FaultyDisk::default();
    let (writer, events, _) = start(&disk, SyncPolicy::EverySecond);
    writer.queue().try_push(batch(1)).expect("room");
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Kept { tag: 1, synced: false }));
    disk.inject(Fault::Hang, 0);
    // More than the queue takes: it is full, and the thread is stuck.
    let mut number = 2;
    while writer.queue().try_push(batch(number)).is_ok() {
        number += 1;
    }
    let unwritten = writer.stop_within(Duration::from_millis(10)).expect_err("it hangs");
    assert_eq!(unwritten.changes, usize::from(number) - 2);
    disk.mend();
    // The thread that was left behind ends by itself, and writes what it has.
    while events.recv_timeout(DEADLINE).is_ok() {}
    assert_eq!(Model::on(&disk.killed()).held.len(), usize::from(number) - 1);
}

#[test]
fn a_disk_that_is_read_only_at_the_start_is_served_from_and_mended_later() {
    let disk = FaultyDisk::default();
    let (writer, events, _) = start(&disk, SyncPolicy::EverySecond);
    writer.queue().try_push(batch(1)).expect("room");
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Kept { tag: 1, synced: false }));
    writer.stop().expect("a disk that answers");
    disk.put("00000002.seg", b"a write that was cut off");
    disk.inject(Fault::ReadOnly, 0);
    assert_eq!(Model::on(&disk).held.len(), 1, "what can be read is served");
    let (writer, events, counters) = start(&disk, SyncPolicy::EverySecond);
    assert!(matches!(events.recv_timeout(DEADLINE), Ok(Event::Fault { .. })));
    writer.queue().try_push(batch(2)).expect("room");
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Failed { tag: 2 }));
    assert_eq!(counters.snapshot().not_durable, 1);
    disk.mend();
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Mended { missed: 0 }));
    assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 2);
    drop(writer);
}
