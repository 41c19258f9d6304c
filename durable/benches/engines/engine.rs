//! What the bench asks of an engine, and the engines.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};
use std::path::Path;

use canopydb::{DbOptions, EnvOptions};
use durable::Durable;
use fjall::{KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use redb::{Durability, ReadableDatabase as _, ReadableTable as _, StorageBackend};

mod durable;

/// The fields of a held replica beside its value: expiry, purpose, source.
pub(crate) const FIELDS_BYTES: usize = 8 + 1 + 17;
/// All values are in memory already: an engine needs little for blocks.
const CACHE_BYTES: usize = 16 << 20;

pub(crate) type Group = Vec<([u8; 20], Vec<u8>)>;

pub(crate) trait Engine {
    /// Takes note of what comes next, where it costs a copy that a node does not make.
    fn prepare(&mut self, _entries: &Group) {}
    /// Keeps a group: when it returns, the operating system has it, or with `always` the
    /// disk.
    fn put(&mut self, entries: &Group);
    fn remove(&mut self, entries: &Group);
    fn sync(&mut self);
    /// Waits until all groups are kept.
    fn finish(&mut self) {}
    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8]));
    fn close(self: Box<Self>) {}
}

pub(crate) fn open(name: &str, dir: &Path, always: bool) -> Box<dyn Engine> {
    match name {
        "log" => Box::new(Log::open(dir, always)),
        "kad-durable" => Box::new(Durable::open(dir, always, false)),
        "kad-durable-queued" => Box::new(Durable::open(dir, always, true)),
        "fjall" => Box::new(Fjall::open(dir, always)),
        "redb" => Box::new(Redb::open(dir, true, Durability::Immediate)),
        "redb-none" => Box::new(Redb::open(dir, true, Durability::None)),
        "redb-unsynced" => Box::new(Redb::open(dir, always, Durability::Immediate)),
        "canopydb" => Box::new(Canopy::open(dir, always)),
        _ => panic!("no engine {name}"),
    }
}

/// The bare file: what no engine can be faster than.
struct Log {
    file: File,
    path: std::path::PathBuf,
    always: bool,
    buffer: Vec<u8>,
}

/// Bytes of a record before the payload: length, checksum, kind, key.
const RECORD_BYTES: usize = 4 + 4 + 1 + 20;

impl Log {
    fn open(dir: &Path, always: bool) -> Self {
        let path = dir.join("log");
        let file = OpenOptions::new().append(true).create(true).open(&path).expect("a log");
        Self { file, path, always, buffer: Vec::new() }
    }

    fn append(&mut self, kind: u8, entries: &Group) {
        self.buffer.clear();
        for (key, payload) in entries {
            let payload = if kind == 0 { &payload[..] } else { &[] };
            let start = self.buffer.len();
            self.buffer.extend_from_slice(&(payload.len() as u32).to_le_bytes());
            self.buffer.extend_from_slice(&[0; 4]);
            self.buffer.push(kind);
            self.buffer.extend_from_slice(key);
            self.buffer.extend_from_slice(payload);
            let sum = crc32fast::hash(&self.buffer[start + 8..]);
            self.buffer[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
        }
        self.file.write_all(&self.buffer).expect("the log is written");
        if self.always {
            self.sync();
        }
    }
}

impl Engine for Log {
    fn put(&mut self, entries: &Group) {
        self.append(0, entries);
    }

    fn remove(&mut self, entries: &Group) {
        self.append(1, entries);
    }

    fn sync(&mut self) {
        self.file.sync_data().expect("the log is synced");
    }

    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        let mut file = BufReader::with_capacity(1 << 20, File::open(&self.path).expect("the log"));
        let mut head = [0; RECORD_BYTES];
        let mut payload = Vec::new();
        while file.read_exact(&mut head).is_ok() {
            let length = u32::from_le_bytes(head[..4].try_into().expect("4 bytes"));
            payload.resize(length as usize, 0);
            if file.read_exact(&mut payload).is_err() {
                break;
            }
            let mut sum = crc32fast::Hasher::new();
            sum.update(&head[8..]);
            sum.update(&payload);
            if sum.finalize().to_le_bytes() != head[4..8] {
                break;
            }
            each(&head[9..], &payload);
        }
    }
}

struct Fjall {
    db: fjall::Database,
    values: fjall::Keyspace,
    always: bool,
}

impl Fjall {
    fn open(dir: &Path, always: bool) -> Self {
        let builder =
            fjall::Database::builder(dir).cache_size(CACHE_BYTES as u64).worker_threads(1);
        let db = builder.max_journaling_size(64 << 20).open().expect("a database");
        // Values of a kilobyte and more lie apart from the keys, so that compaction does not
        // write them again.
        let options = || {
            KeyspaceCreateOptions::default()
                .with_kv_separation(Some(KvSeparationOptions::default()))
        };
        let values = db.keyspace("values", options).expect("a keyspace");
        Self { db, values, always }
    }

    fn commit(&self, batch: fjall::OwnedWriteBatch) {
        let mode = if self.always { PersistMode::SyncData } else { PersistMode::Buffer };
        batch.durability(Some(mode)).commit().expect("a commit");
    }
}

impl Engine for Fjall {
    fn put(&mut self, entries: &Group) {
        let mut batch = self.db.batch();
        for (key, payload) in entries {
            batch.insert(&self.values, key.as_slice(), payload.as_slice());
        }
        self.commit(batch);
    }

    fn remove(&mut self, entries: &Group) {
        let mut batch = self.db.batch();
        for (key, _) in entries {
            batch.remove(&self.values, key.as_slice());
        }
        self.commit(batch);
    }

    fn sync(&mut self) {
        self.db.persist(PersistMode::SyncData).expect("a sync");
    }

    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        for entry in self.values.iter() {
            let (key, value) = entry.into_inner().expect("an entry");
            each(&key, &value);
        }
    }
}

struct Redb {
    db: redb::Database,
    durability: Durability,
}

const TABLE: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("values");

/// A file whose fsync does nothing: after a power cut the database may be damaged, but
/// it shows what redb costs without the fsync of every commit.
#[derive(Debug)]
struct Unsynced(redb::backends::FileBackend);

impl StorageBackend for Unsynced {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.0.write(offset, data)
    }
}

impl Redb {
    fn open(dir: &Path, synced: bool, durability: Durability) -> Self {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let file = dir.join("redb");
        if synced {
            return Self { db: builder.create(file).expect("a database"), durability };
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(file);
        let backend = redb::backends::FileBackend::new(file.expect("a file")).expect("a lock");
        let db = builder.create_with_backend(Unsynced(backend)).expect("a database");
        Self { db, durability }
    }
}

impl Engine for Redb {
    fn put(&mut self, entries: &Group) {
        let mut write = self.db.begin_write().expect("a transaction");
        write.set_durability(self.durability).expect("a durability");
        let mut table = write.open_table(TABLE).expect("the table");
        for (key, payload) in entries {
            table.insert(key.as_slice(), payload.as_slice()).expect("an entry");
        }
        drop(table);
        write.commit().expect("a commit");
    }

    fn remove(&mut self, entries: &Group) {
        let mut write = self.db.begin_write().expect("a transaction");
        write.set_durability(self.durability).expect("a durability");
        let mut table = write.open_table(TABLE).expect("the table");
        for (key, _) in entries {
            table.remove(key.as_slice()).expect("an entry");
        }
        drop(table);
        write.commit().expect("a commit");
    }

    fn sync(&mut self) {}

    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        let read = self.db.begin_read().expect("a transaction");
        // There is none before the first commit.
        let Ok(table) = read.open_table(TABLE) else { return };
        for entry in table.iter().expect("the entries") {
            let (key, value) = entry.expect("an entry");
            each(key.value(), value.value());
        }
    }
}

struct Canopy {
    db: canopydb::Database,
    always: bool,
}

impl Canopy {
    fn open(dir: &Path, always: bool) -> Self {
        let mut options = EnvOptions::new(dir);
        options.page_cache_size = CACHE_BYTES;
        options.use_checksums = true;
        let db = canopydb::Database::with_options(options, DbOptions::default());
        Self { db: db.expect("a database"), always }
    }
}

impl Engine for Canopy {
    fn put(&mut self, entries: &Group) {
        let write = self.db.begin_write().expect("a transaction");
        let mut tree = write.get_or_create_tree(b"values").expect("the tree");
        for (key, payload) in entries {
            tree.insert(key, payload).expect("an entry");
        }
        drop(tree);
        write.commit_with(self.always).expect("a commit");
    }

    fn remove(&mut self, entries: &Group) {
        let write = self.db.begin_write().expect("a transaction");
        let mut tree = write.get_or_create_tree(b"values").expect("the tree");
        for (key, _) in entries {
            tree.delete(key).expect("an entry");
        }
        drop(tree);
        write.commit_with(self.always).expect("a commit");
    }

    fn sync(&mut self) {
        self.db.sync().expect("a sync");
    }

    fn scan(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        let read = self.db.begin_read().expect("a transaction");
        let Some(tree) = read.get_tree(b"values").expect("the trees") else { return };
        for entry in tree.iter().expect("the entries") {
            let (key, value) = entry.expect("an entry");
            each(&key, &value);
        }
    }
}
