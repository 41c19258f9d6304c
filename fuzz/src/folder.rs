//! The durable folder: whatever its files contain, it opens or says why not, and what it
//! gives back is whole.

use std::sync::Arc;
use std::time::Duration;

use kad_durable::disk::FaultyDisk;
use kad_durable::{Change, Clocks, Contents, Folder, Options, Published, SyncPolicy, key_of};

use crate::input::Input;

/// Segments of an input at most.
const SEGMENTS_MAX: usize = 4;
/// Bytes of a record's body at most.
const BODY_BYTES_MAX: usize = 255;
const MARKER: [u8; 4] = *b"mark";

/// Clocks that stand still.
struct Still;

impl Clocks for Still {
    fn running(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn wall_ms(&self) -> u64 {
        1 << 40
    }
}

/// Opens a folder of files that the input has made: with good checksums where it says so,
/// since no search would guess one.
pub(crate) fn read(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let disk = FaultyDisk::default();
    let segments = 1 + input.below(SEGMENTS_MAX);
    if input.below(2) == 1 {
        disk.put("identity", &identity(&mut input));
    }
    for number in 1..=segments {
        let whole = segment(&mut input, segments - number);
        disk.put(&format!("{number:08}.seg"), &whole);
    }
    let options = Options {
        sync: SyncPolicy::Always,
        life_max: Duration::from_hours(24),
        clocks: Arc::new(Still),
    };
    let disk = Arc::new(disk);
    let Ok((mut folder, contents)) = Folder::open_on(disk.clone(), &options) else { return };
    check(&contents, &options);
    let value: Arc<[u8]> = Arc::from(&b"put after the start"[..]);
    let published = Published { key: key_of(&value), value, republish_ms: contents.now_ms };
    folder.keep(vec![Change::Publish(published.clone())]).expect("the disk works");
    drop(folder);

    let (_, again) = Folder::open_on(disk, &options).expect("it has opened before");
    check(&again, &options);
    let mut expected: Vec<_> = contents.published.iter().map(|value| value.key).collect();
    expected.push(published.key);
    let mut found: Vec<_> = again.published.iter().map(|value| value.key).collect();
    for keys in [&mut expected, &mut found] {
        keys.sort_unstable();
        keys.dedup();
    }
    assert_eq!(found, expected, "what was put is there at the next start");
    assert_eq!(again.held.len(), contents.held.len(), "what is held too");
    assert_eq!(again.identity, contents.identity);
}

/// What a folder gives back is whole and lives no longer than it may.
fn check(contents: &Contents, options: &Options) {
    let last_ms = contents.now_ms.saturating_add(options.life_max.as_millis() as u64);
    for published in &contents.published {
        assert_eq!(published.key, key_of(&published.value));
    }
    for held in &contents.held {
        assert_eq!(held.key, key_of(&held.value));
        assert!((contents.now_ms..=last_ms).contains(&held.expires_ms), "{held:?}");
    }
    let _ = contents.damage.to_string();
}

fn identity(input: &mut Input<'_>) -> Vec<u8> {
    let length = input.below(BODY_BYTES_MAX);
    let rest = input.take(length);
    match input.below(4) {
        0 => rest.to_vec(),
        version => {
            let version = u32::from(version != 1);
            let fields = [&b"KADI"[..], &(version ^ 1).to_be_bytes(), rest].concat();
            [&fields[..], &crc32fast::hash(&fields).to_be_bytes()].concat()
        }
    }
}

/// A segment: its header, and records until the input's next end mark; of the last segment
/// until its end.
fn segment(input: &mut Input<'_>, later: usize) -> Vec<u8> {
    let mut bytes = b"KADS\0\0\0\x01".to_vec();
    bytes.extend(MARKER);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    if input.below(8) == 7 {
        let at = input.below(bytes.len());
        bytes[at] ^= input.byte();
    }
    while !input.is_empty() {
        match input.below(8) {
            0 if later > 0 => break,
            1 => {
                let length = input.below(BODY_BYTES_MAX);
                bytes.extend(input.take(length));
            }
            2 => bytes.truncate(bytes.len() - input.below(16).min(bytes.len())),
            3 | 4 => {
                let kind = [2, 5][input.below(2)];
                let fields = input.take(8 + if kind == 5 { 2 } else { 0 });
                let length = input.below(BODY_BYTES_MAX);
                let value = input.take(length);
                let body = [&[kind][..], &key_of(value), fields, value].concat();
                bytes.extend(record(&body));
            }
            _ => {
                let length = input.below(BODY_BYTES_MAX);
                bytes.extend(record(input.take(length)));
            }
        }
    }
    bytes
}

/// A record with a good checksum.
fn record(body: &[u8]) -> Vec<u8> {
    let head = [MARKER, (body.len() as u32).to_be_bytes()].concat();
    let sum = crc32fast::hash(&[&head[..], body].concat());
    [&head[..], &sum.to_be_bytes(), body].concat()
}
