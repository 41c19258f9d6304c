//! Keeps what a node must not lose in a folder: its identity, its contacts, the values that
//! were put here, and the values that it holds for others.
//!
//! All of it is in the node's memory too. The folder is read once, at the start; after that
//! it is only written, by a thread of its own. See the README for the promise and the format.
//!
//! ```
//! use std::sync::Arc;
//! use kad_durable::{Batch, Change, Folder, Options, Published, Writer, key_of};
//!
//! let dir = tempfile::tempdir()?;
//! let (folder, contents) = Folder::open(&dir.path().join("data"), &Options::default())?;
//! assert!(contents.published.is_empty());
//!
//! let (sender, events) = std::sync::mpsc::channel();
//! let writer = Writer::start(folder, move |event| drop(sender.send(event)))?;
//! let value: Arc<[u8]> = Arc::from(&b"hello"[..]);
//! let published = Published { key: key_of(&value), value, republish_ms: contents.now_ms };
//! let batch = Batch { tag: 1, changes: vec![Change::Publish(published)] };
//! writer.queue().try_push(batch).expect("the queue has room");
//! assert_eq!(events.recv()?.to_string(), "batch 1: written");
//! writer.stop()?;
//!
//! let (_, contents) = Folder::open(&dir.path().join("data"), &Options::default())?;
//! assert_eq!(&*contents.published[0].value, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod clock;
mod compaction;
mod counters;
pub mod disk;
mod error;
mod folder;
mod identity;
mod index;
pub mod limits;
mod lock;
mod log;
mod record;
mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod types;
mod writer;

pub use check::{Checked, check};
pub use clock::{Clocks, Down, SystemClocks};
pub use counters::{Counters, Snapshot};
pub use error::OpenError;
pub use folder::{Contents, Folder, IdentityWriter, Options};
pub use replay::Damage;
pub use types::{Change, Contact, Held, Identity, Key, Published, Purpose, SyncPolicy, key_of};
pub use writer::{Batch, Event, Queue, Refused, Unwritten, Writer};
