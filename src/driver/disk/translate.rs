//! The node's values in the folder's words, and back.
//!
//! The folder counts milliseconds of its own time, the node microseconds since it was
//! started. A value that no other node is known to hold has the republish time 0: after a
//! restart it is published as soon as the node has joined.

use std::time::Duration;

use kad_durable as folder;

use crate::id::Id;
use crate::node::{Change, HeldValue, PublishedValue};
use crate::time::Instant;
use crate::wire::Purpose;

/// The republish time of a value that no other node is known to hold.
const UNHELD_MS: u64 = 0;

/// Translates the node's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct FolderTime {
    start_ms: u64,
    start: Instant,
}

impl FolderTime {
    /// Where the folder's time is `start_ms` when the node's is `start`.
    pub(super) const fn new(start_ms: u64, start: Instant) -> Self {
        Self { start_ms, start }
    }

    fn ms(self, at: Instant) -> u64 {
        self.start_ms.saturating_add(at.since(self.start).as_millis() as u64)
    }

    /// A moment that has passed is the start.
    fn instant(self, at_ms: u64) -> Instant {
        self.start + Duration::from_millis(at_ms.saturating_sub(self.start_ms))
    }
}

const fn purpose(purpose: Purpose) -> folder::Purpose {
    match purpose {
        Purpose::Replica => folder::Purpose::Replica,
        Purpose::Cache => folder::Purpose::Cache,
    }
}

fn republish_ms(time: FolderTime, republish: Instant, is_held: bool) -> u64 {
    if is_held { time.ms(republish) } else { UNHELD_MS }
}

pub(super) fn change(change: Change, time: FolderTime) -> folder::Change {
    match change {
        Change::Held(HeldValue { key, value, expires, purpose: of, source }) => {
            folder::Change::Hold(folder::Held {
                key: key.to_bytes(),
                value,
                expires_ms: time.ms(expires),
                purpose: purpose(of),
                source,
            })
        }
        Change::Renewed { key, expires, purpose: of } => folder::Change::Renew {
            key: key.to_bytes(),
            expires_ms: time.ms(expires),
            purpose: purpose(of),
        },
        Change::Dropped { key } => folder::Change::Evict { key: key.to_bytes() },
        Change::Published(PublishedValue { key, value, republish, is_held }) => {
            let republish_ms = republish_ms(time, republish, is_held);
            folder::Change::Publish(folder::Published { key: key.to_bytes(), value, republish_ms })
        }
        Change::Rescheduled { key, republish, is_held } => folder::Change::Republish {
            key: key.to_bytes(),
            republish_ms: republish_ms(time, republish, is_held),
        },
        Change::Forgotten { key } => folder::Change::Forget { key: key.to_bytes() },
    }
}

pub(super) fn held_value(held: folder::Held, time: FolderTime) -> HeldValue {
    HeldValue {
        key: Id::new(held.key),
        value: held.value,
        expires: time.instant(held.expires_ms),
        purpose: match held.purpose {
            folder::Purpose::Replica => Purpose::Replica,
            folder::Purpose::Cache => Purpose::Cache,
        },
        source: held.source,
    }
}

pub(super) fn published_value(published: folder::Published, time: FolderTime) -> PublishedValue {
    PublishedValue {
        key: Id::new(published.key),
        value: published.value,
        republish: time.instant(published.republish_ms),
        is_held: published.republish_ms != UNHELD_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: FolderTime = FolderTime { start_ms: 1_000_000, start: Instant::ZERO };

    fn published(republish_s: u64, is_held: bool) -> PublishedValue {
        let republish = Instant::ZERO + Duration::from_secs(republish_s);
        PublishedValue { key: Id::of_value(b"v"), value: b"v"[..].into(), republish, is_held }
    }

    fn there_and_back(value: &PublishedValue) -> PublishedValue {
        let folder::Change::Publish(kept) = change(Change::Published(value.clone()), TIME) else {
            panic!("a published value stays one");
        };
        published_value(kept, TIME)
    }

    #[test]
    fn values_and_their_times_survive_the_way_to_the_folder_and_back() {
        assert_eq!(there_and_back(&published(7, true)), published(7, true));
        // At once, when the node has joined.
        assert_eq!(there_and_back(&published(7, false)), published(0, false));
        let held = HeldValue {
            key: Id::of_value(b"v"),
            value: b"v"[..].into(),
            expires: Instant::ZERO + Duration::from_hours(5),
            purpose: Purpose::Cache,
            source: Some([192, 0, 2, 1].into()),
        };
        let folder::Change::Hold(kept) = change(Change::Held(held.clone()), TIME) else {
            panic!("a held value stays one");
        };
        assert_eq!(held_value(kept, TIME), held);
    }

    #[test]
    fn a_moment_before_the_start_is_the_start() {
        assert_eq!(TIME.instant(999_999), Instant::ZERO);
        assert_eq!(TIME.instant(1_000_001), Instant::ZERO + Duration::from_millis(1));
    }
}
