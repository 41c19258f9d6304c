//! Values of 16 MiB, which are larger than a segment and a group, under the real limits.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use kad_durable::{
    Batch, Change, Event, Folder, Held, Key, Options, Purpose, Queue, Refused, Writer, key_of,
};

const VALUE_BYTES: usize = 16 << 20;
/// Values that live at a time.
const LIVE: u8 = 4;
const ROUNDS: u8 = 4;
/// Longer than anything takes.
const DEADLINE: Duration = Duration::from_mins(1);

fn value(number: u8) -> Arc<[u8]> {
    vec![number; VALUE_BYTES].into()
}

fn hold(number: u8, expires_ms: u64) -> Change {
    let value = value(number);
    let key = key_of(&value);
    let purpose = Purpose::Replica;
    Change::Hold(Held { key, value, expires_ms, purpose, source: None })
}

/// Hands a batch over, as often as the queue, which has room for three of them, is full.
fn push(queue: &Queue, mut batch: Batch) {
    while let Err(refused) = queue.try_push(batch) {
        match refused {
            Refused::Busy(back) => batch = back,
            refused => panic!("{refused:?}"),
        }
        std::thread::yield_now();
    }
}

fn bytes_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).expect("the folder");
    entries.map(|entry| entry.expect("an entry").metadata().expect("its data").len()).sum()
}

#[test]
fn the_largest_values_are_kept_compacted_and_read_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let (folder, contents) = Folder::open(dir.path(), &Options::default()).expect("a folder");
    let expires_ms = contents.now_ms + 3_600_000;
    let (sender, events) = channel();
    let writer = Writer::start(folder, move |event| drop(sender.send(event))).expect("a thread");
    let batches = LIVE * ROUNDS;
    for number in 0..batches {
        // The same values again and again: all copies but the last are dead.
        let changes = vec![hold(number % LIVE, expires_ms)];
        push(&writer.queue(), Batch { tag: number.into(), changes });
    }
    for tag in 0..batches {
        let kept = Event::Kept { tag: tag.into(), synced: false };
        assert_eq!(events.recv_timeout(DEADLINE), Ok(kept));
    }
    writer.stop().expect("a disk that answers");
    let bound = (usize::from(LIVE) * VALUE_BYTES) as u64 * 7 / 5 + (40 << 20);
    assert!(bytes_of(dir.path()) < bound, "{} of {bound} bytes", bytes_of(dir.path()));
    let (_, contents) = Folder::open(dir.path(), &Options::default()).expect("a folder");
    let mut found: Vec<Key> = contents.held.iter().map(|held| held.key).collect();
    found.sort_unstable();
    let mut all: Vec<Key> = (0..LIVE).map(|number| key_of(&value(number))).collect();
    all.sort_unstable();
    assert_eq!(found, all);
    assert_eq!(contents.damage.damaged + contents.damage.mismatched, 0);
}
