//! This crate, as a node uses it: through its queue and its thread.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use kad_durable::{
    Batch, Change, Event, Folder, Held, Options, Purpose, Refused, SyncPolicy, Writer,
};

use super::{Engine, FIELDS_BYTES, Group};

pub(crate) struct Durable {
    path: PathBuf,
    /// `None` before the first group: a start reads before it writes.
    writer: Option<(Writer, Receiver<Event>)>,
    always: bool,
    queued: bool,
    changes: Vec<Change>,
    unkept: usize,
}

impl Durable {
    pub(crate) fn open(dir: &Path, always: bool, queued: bool) -> Self {
        let path = dir.join("data");
        Self { path, writer: None, always, queued, changes: Vec::new(), unkept: 0 }
    }

    fn push(&mut self, changes: Vec<Change>) {
        let sync = if self.always { SyncPolicy::Always } else { SyncPolicy::EverySecond };
        let options = Options { sync, ..Options::default() };
        let (writer, events) = self.writer.get_or_insert_with(|| {
            let (folder, _) = Folder::open(&self.path, &options).expect("a folder");
            let (sender, events) = channel();
            let writer = Writer::start(folder, move |event| drop(sender.send(event)));
            (writer.expect("a thread"), events)
        });
        let mut batch = Batch { tag: 0, changes };
        while let Err(Refused::Busy(refused)) = writer.queue().try_push(batch) {
            batch = refused;
            wait(events, &mut self.unkept);
        }
        self.unkept += 1;
        if !self.queued {
            wait(events, &mut self.unkept);
        }
    }
}

fn wait(events: &Receiver<Event>, unkept: &mut usize) {
    assert!(matches!(events.recv(), Ok(Event::Kept { .. })), "a batch is kept");
    *unkept -= 1;
}

impl Engine for Durable {
    fn prepare(&mut self, entries: &Group) {
        let hold = |(key, payload): &([u8; 20], Vec<u8>)| {
            Change::Hold(Held {
                key: *key,
                value: payload[FIELDS_BYTES..].into(),
                expires_ms: u64::MAX,
                purpose: Purpose::Replica,
                source: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            })
        };
        self.changes = entries.iter().map(hold).collect();
    }

    fn put(&mut self, entries: &Group) {
        if self.changes.is_empty() {
            self.prepare(entries);
        }
        let changes = std::mem::take(&mut self.changes);
        self.push(changes);
    }

    fn remove(&mut self, entries: &Group) {
        self.push(entries.iter().map(|&(key, _)| Change::Evict { key }).collect());
    }

    /// The writer syncs when a second has passed.
    fn sync(&mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        while let Some((_, events)) = self.writer.as_ref().filter(|_| self.unkept > 0) {
            wait(events, &mut self.unkept);
        }
    }

    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        let (_, contents) = Folder::open(&self.path, &Options::default()).expect("a folder");
        let mut payload = vec![0; FIELDS_BYTES];
        for held in contents.held {
            payload.truncate(FIELDS_BYTES);
            payload.extend_from_slice(&held.value);
            each(&held.key, &payload);
        }
    }
}
