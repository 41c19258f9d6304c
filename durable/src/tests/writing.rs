//! The thread that writes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::model::{Hands, Model, START_MS, hold, options};
use crate::disk::{Fault, FaultyDisk};
use crate::folder::Folder;
use crate::limits::{BATCH_BYTES_MAX, QUEUE_BATCHES};
use crate::types::{Change, Held, Purpose, SyncPolicy};
use crate::writer::{Batch, Event, Refused, Writer};

/// Longer than anything takes.
const DEADLINE: Duration = Duration::from_mins(1);

fn start(disk: &FaultyDisk, sync: SyncPolicy) -> (Writer, Receiver<Event>, Counted) {
    let options = options(sync, Hands::at(START_MS));
    let (folder, _) = Folder::open_on(Arc::new(disk.clone()), &options).expect("a folder");
    let counters = folder.counters();
    let (sender, events) = channel();
    let writer = Writer::start(folder, move |event| drop(sender.send(event))).expect("a thread");
    (writer, events, counters)
}

type Counted = Arc<crate::counters::Counters>;

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
        writer.stop();
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
    let value = |number: u8| {
        let value = super::model::value(number, 30 << 10);
        let (key, expires_ms) = (crate::key_of(&value), START_MS + 9_000_000);
        Change::Hold(Held { key, value, expires_ms, purpose: Purpose::Cache, source: None })
    };
    for number in 0..5 {
        let batch = Batch { tag: u64::from(number), changes: vec![value(number)] };
        writer.queue().try_push(batch).expect("room");
        while !matches!(events.recv_timeout(DEADLINE).expect("an event"), Event::Failed { .. }) {}
    }
    assert_eq!(counters.snapshot().changes_missed, 2);
    disk.mend();
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Mended { missed: 2 }));
    assert_eq!(Model::on(&disk.power_cut(0)).held.len(), 3);
    drop(writer);
}

#[test]
fn a_full_queue_refuses_and_never_waits() {
    let disk = FaultyDisk::default();
    let options = options(SyncPolicy::EverySecond, Hands::at(START_MS));
    let (folder, _) = Folder::open_on(Arc::new(disk.clone()), &options).expect("a folder");
    let counters = folder.counters();
    let ((entered, enters), (leave, left)) = (channel(), channel::<()>());
    let writer = Writer::start(folder, move |_| {
        let _ = entered.send(());
        let _ = left.recv();
    });
    let writer = writer.expect("a thread");
    let queue = writer.queue();
    queue.try_push(batch(0)).expect("room");
    enters.recv_timeout(DEADLINE).expect("the writer is stuck in the event");
    for number in 1..=QUEUE_BATCHES as u8 {
        queue.try_push(batch(number)).expect("room");
    }
    assert_eq!(queue.try_push(batch(99)), Err(Refused::Busy(batch(99))));
    assert_eq!(counters.snapshot().batches_refused, 1);
    let large = super::model::value(1, BATCH_BYTES_MAX);
    let large = Change::Hold(Held {
        key: [0; 20],
        value: large,
        expires_ms: 0,
        purpose: Purpose::Cache,
        source: None,
    });
    let large = Batch { tag: 7, changes: vec![large] };
    assert!(matches!(queue.try_push(large), Err(Refused::TooLarge(_))));
    drop(leave);
    writer.stop();
    assert_eq!(Model::on(&disk.killed()).held.len(), 1 + QUEUE_BATCHES);
    assert!(matches!(queue.try_push(batch(1)), Err(Refused::Closed(_))));
}
