//! The loop of the thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Batch, Event, Message, Shared};
use crate::counters::add;
use crate::folder::Folder;
use crate::limits::{CLOCK_PERIOD, COMPACT_RATE, GROUP_BYTES, RETRY_MAX, RETRY_MIN, SYNC_PERIOD};
use crate::types::SyncPolicy;

/// A wait that grows.
struct Backoff {
    due: Instant,
    wait: Duration,
}

impl Backoff {
    fn new() -> Self {
        Self { due: Instant::now() + RETRY_MIN, wait: RETRY_MIN }
    }

    fn grow(&mut self) {
        self.wait = (self.wait * 2).min(RETRY_MAX);
        self.due = Instant::now() + self.wait;
    }
}

pub(super) struct Worker {
    folder: Folder,
    receiver: Receiver<Message>,
    shared: Arc<Shared>,
    on_event: Box<dyn FnMut(Event) + Send>,
    sync_due: Option<Instant>,
    tick_due: Instant,
    /// While the disk does not work.
    retry: Option<Backoff>,
    /// While compaction does not work.
    growing: Option<Backoff>,
}

impl Worker {
    pub(super) fn new(
        folder: Folder,
        receiver: Receiver<Message>,
        shared: Arc<Shared>,
        on_event: Box<dyn FnMut(Event) + Send>,
    ) -> Self {
        Self {
            folder,
            receiver,
            shared,
            on_event,
            sync_due: None,
            tick_due: Instant::now(),
            retry: None,
            growing: None,
        }
    }

    pub(super) fn run(mut self) {
        while !self.shared.is_stopping.load(Ordering::Relaxed) {
            let wait = self.next_due().saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(wait) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => self.keep_house(0),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        while let Ok(message) = self.receiver.try_recv() {
            self.take(message);
        }
        if self.folder.log.is_faulty() {
            self.mend();
        } else if self.folder.log.policy != SyncPolicy::Off {
            let synced = self.folder.log.sync();
            self.note(synced);
        }
    }

    /// When something is to be done, if no batch comes.
    fn next_due(&self) -> Instant {
        if self.can_compact() {
            return Instant::now();
        }
        let retry = self.retry.as_ref().map(|retry| retry.due);
        let growing = self.growing.as_ref().map(|growing| growing.due);
        let due = [Some(self.tick_due), self.sync_due, retry, growing].into_iter().flatten().min();
        due.unwrap_or(self.tick_due)
    }

    /// Takes a message, and the batches behind it as far as they make a group.
    fn take(&mut self, message: Message) {
        let (mut group, mut bytes) = (Vec::new(), 0);
        let mut next = Some(message);
        while let Some(message) = next {
            match message {
                Message::Batch(batch, batch_bytes) => {
                    self.shared.queued_bytes.fetch_sub(batch_bytes, Ordering::Relaxed);
                    bytes += batch_bytes;
                    group.push(batch);
                }
                // It has woken the thread, which is all that it is for.
                Message::Stop => {}
            }
            next = if bytes < GROUP_BYTES { self.receiver.try_recv().ok() } else { None };
        }
        self.write(group);
        self.keep_house(bytes);
    }

    fn write(&mut self, group: Vec<Batch>) {
        let began = Instant::now();
        let tags: Vec<u64> = group.iter().map(|batch| batch.tag).collect();
        let count: usize = group.iter().map(|batch| batch.changes.len()).sum();
        let changes = group.into_iter().flat_map(|batch| batch.changes).collect();
        let synced = self.folder.log.policy == SyncPolicy::Always;
        let kept = self.folder.keep(changes);
        let counters = self.folder.counters();
        let is_kept = kept.is_ok();
        let counter = if is_kept { &counters.batches_kept } else { &counters.batches_failed };
        add(counter, tags.len() as u64);
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        counters.stall_max_us.fetch_max(took, Ordering::Relaxed);
        self.note(kept);
        self.shared.untold_changes.fetch_sub(count, Ordering::Relaxed);
        for tag in tags {
            let event = if is_kept { Event::Kept { tag, synced } } else { Event::Failed { tag } };
            (self.on_event)(event);
        }
    }

    /// Tells of a fault when it begins.
    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result
            && self.retry.is_none()
        {
            self.retry = Some(Backoff::new());
            self.sync_due = None;
            (self.on_event)(Event::Fault { error: error.to_string() });
        }
    }

    /// What is due beside the batches, of which `bytes` were written just now.
    fn keep_house(&mut self, bytes: usize) {
        let now = Instant::now();
        if now >= self.tick_due {
            self.tick_due = now + CLOCK_PERIOD;
            let ticked = self.folder.log.tick();
            self.note(ticked);
        }
        if self.retry.as_ref().is_some_and(|retry| now >= retry.due) {
            self.mend();
        }
        if self.retry.is_some() {
            return;
        }
        self.sync_when_due(now);
        if self.growing.as_ref().is_none_or(|growing| now >= growing.due)
            && self.folder.log.needs_compaction()
        {
            self.compact(bytes);
        }
    }

    fn sync_when_due(&mut self, now: Instant) {
        let log = &mut self.folder.log;
        let is_due = if log.policy == SyncPolicy::EverySecond && log.is_dirty() {
            now >= *self.sync_due.get_or_insert(now + SYNC_PERIOD)
        } else {
            self.sync_due = None;
            false
        };
        if is_due || log.is_full_of_unsynced() {
            self.sync_due = None;
            let synced = log.sync();
            self.note(synced);
        }
    }

    fn can_compact(&self) -> bool {
        self.growing.is_none() && self.retry.is_none() && self.folder.log.needs_compaction()
    }

    fn compact(&mut self, bytes: usize) {
        let compacted = self.folder.log.compact(bytes * COMPACT_RATE);
        if self.folder.log.is_faulty() {
            self.note(compacted);
            return;
        }
        match (compacted, &mut self.growing) {
            (Ok(()), growing) => *growing = None,
            (Err(_), Some(growing)) => growing.grow(),
            (Err(error), growing) => {
                *growing = Some(Backoff::new());
                (self.on_event)(Event::Growing { error: error.to_string() });
            }
        }
    }

    fn mend(&mut self) {
        match self.folder.log.retry() {
            Ok(missed) => {
                self.retry = None;
                (self.on_event)(Event::Mended { missed });
            }
            Err(_) => self.retry.get_or_insert_with(Backoff::new).grow(),
        }
    }
}
