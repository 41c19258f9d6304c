//! A folder of a node that is open, and what was in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kad_durable::{
    Contents, Counters, Damage, Down, Folder, Identity, IdentityWriter, OpenError, Options,
    SyncPolicy, SystemClocks,
};

use super::translate::{FolderTime, held_value, published_value};
use crate::id::Id;
use crate::node::{HeldValue, PublishedValue, ShardPosition};

/// The folder of a node that is about to start, with what a node of before has left there.
pub struct Data {
    folder: Folder,
    contents: Contents,
}

/// Keeps a node's id in its folder.
#[derive(Clone)]
pub struct IdKeeper(IdentityWriter);

impl IdKeeper {
    /// Makes it the folder of the node called `id`.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn keep(&self, id: Id) -> Result<(), OpenError> {
        self.0.set(&Identity { id: id.to_bytes(), key_material: Vec::new() })
    }
}

impl std::fmt::Debug for IdKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdKeeper").finish_non_exhaustive()
    }
}

/// The values of one shard.
#[derive(Default)]
pub(super) struct Values {
    pub(super) held: Vec<HeldValue>,
    pub(super) published: Vec<PublishedValue>,
}

/// The values of all shards.
pub(super) struct AllValues(BTreeMap<usize, Values>);

impl AllValues {
    pub(super) fn take(&mut self, shard: usize) -> Values {
        self.0.remove(&shard).unwrap_or_default()
    }
}

impl Data {
    /// Opens the folder at `path`, which is created where it is absent, for one process
    /// alone. No value that it holds lives longer than `life_max`.
    ///
    /// # Errors
    /// In one line: another process uses it, another version has written it, it contains
    /// something else, or the system refuses it.
    pub fn open(path: &Path, sync: SyncPolicy, life_max: Duration) -> Result<Self, OpenError> {
        let options = Options { sync, life_max, clocks: Arc::new(SystemClocks) };
        let (folder, contents) = Folder::open(path, &options)?;
        Ok(Self { folder, contents })
    }

    /// The id of the node whose folder it is; none in a new one.
    pub fn id(&self) -> Option<Id> {
        self.contents.identity.as_ref().map(|identity| Id::new(identity.id))
    }

    /// Makes it the folder of the node called `id`.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn set_id(&self, id: Id) -> Result<(), OpenError> {
        self.id_keeper().keep(id)
    }

    /// Keeps another id in the folder while the node runs.
    pub(super) fn id_keeper(&self) -> IdKeeper {
        IdKeeper(self.folder.identity_writer())
    }

    /// Where the contacts of the node of before were.
    pub fn contacts(&self) -> Vec<SocketAddr> {
        self.contents.contacts.iter().map(|contact| contact.address).collect()
    }

    /// How many values were put here, and how many are held for others.
    pub fn values(&self) -> (usize, usize) {
        (self.contents.published.len(), self.contents.held.len())
    }

    /// How long the node was down.
    pub const fn down(&self) -> Down {
        self.contents.down
    }

    /// What could not be read.
    pub const fn damage(&self) -> Damage {
        self.contents.damage
    }

    /// What the folder counts, from now on.
    pub fn counters(&self) -> Arc<Counters> {
        self.folder.counters()
    }

    /// The folder's time now.
    pub(super) fn now_ms(&self) -> u64 {
        let running = kad_durable::Clocks::running(&SystemClocks);
        let open = running.saturating_sub(self.contents.running);
        self.contents.now_ms.saturating_add(open.as_millis() as u64)
    }

    /// The folder, and the values that each shard owns.
    pub(super) fn into_parts(
        self,
        position: ShardPosition,
        time: FolderTime,
    ) -> (Folder, AllValues) {
        let mut all: BTreeMap<usize, Values> = BTreeMap::new();
        let shard = |key: [u8; 20]| position.of_key(Id::new(key)).as_usize();
        for held in self.contents.held {
            all.entry(shard(held.key)).or_default().held.push(held_value(held, time));
        }
        for published in self.contents.published {
            let values = all.entry(shard(published.key)).or_default();
            values.published.push(published_value(published, time));
        }
        (self.folder, AllValues(all))
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data").field("id", &self.id()).finish_non_exhaustive()
    }
}
