//! Damaged bytes, and bytes that never were a folder.

use proptest::prelude::*;

use super::model::{Model, hold, open, publish};
use crate::check::check_on;
use crate::disk::{Disk as _, FaultyDisk};
use crate::error::OpenError;
use crate::limits::FILE_BYTES_MAX;
use crate::record::{Body, encode};
use crate::replay;
use crate::segment::{self, header};
use crate::types::{Change, Purpose, SyncPolicy};

fn folder(values: u8) -> FaultyDisk {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, SyncPolicy::Always).0.log;
    for number in 0..values {
        log.write(vec![hold(number, 9_000_000), publish(number, 1)]).expect("a write");
    }
    disk
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_damaged_byte_costs_one_record(which: usize, at: usize) {
        let disk = folder(20);
        let names = disk.list().expect("names");
        disk.damage(&names[which % names.len()], at);
        let checked = check_on(&disk).expect("a folder");
        let damage = checked.damage;
        prop_assert_eq!(damage.damaged + damage.torn_tails, 1);
        prop_assert!(checked.published + checked.replicas >= 39);
        // It is the same without the check, and the next one finds the tail cut off.
        let contents = open(&disk, SyncPolicy::Off).1;
        prop_assert_eq!(contents.damage, damage);
        prop_assert_eq!(check_on(&disk).expect("a folder").damage.torn_tails, 0);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_cost_more_memory_than_they_are(
        bytes: Vec<u8>, marker: u32, has_header: bool,
        lies in prop::collection::vec((any::<usize>(), any::<[u8; 4]>()), 0..4),
    ) {
        let mut file = Vec::new();
        if has_header {
            file.extend_from_slice(&header(marker));
            encode(&Body::Forget { key: [1; 20] }, marker, &mut file);
            file.extend_from_slice(&marker.to_be_bytes());
        }
        file.extend_from_slice(&bytes);
        // Lengths, among others.
        for (at, lie) in lies {
            let at = at % file.len().max(4);
            if let Some(place) = file.get_mut(at..at + 4) {
                place.copy_from_slice(&lie);
            }
        }
        let disk = FaultyDisk::default();
        disk.put("00000001.seg", &file);
        disk.put("identity", &bytes);
        let scanned = replay::scan(&disk);
        if let Ok(scanned) = scanned {
            prop_assert!(scanned.index.live_bytes() <= file.len() as u64);
            prop_assert!(scanned.contacts.len() <= file.len());
        }
        let _ = check_on(&disk);
    }
}

#[test]
fn what_was_cut_off_stays_cut_off_and_the_folder_goes_on() {
    let disk = folder(3);
    let name = disk.list().expect("names").pop().expect("a segment");
    let length = disk.read(&name, FILE_BYTES_MAX).expect("a segment").len();
    disk.truncate(&name, length as u64 - 5).expect("a segment");
    let (mut folder, contents) = open(&disk, SyncPolicy::Always);
    assert_eq!((contents.damage.torn_tails, contents.damage.damaged), (1, 0));
    assert_eq!((contents.published.len(), contents.held.len()), (2, 3));
    folder.log.write(vec![publish(2, 1)]).expect("a write");
    let contents = open(&disk, SyncPolicy::Off).1;
    assert_eq!(contents.damage, replay::Damage::default());
    assert_eq!((contents.published.len(), contents.held.len()), (3, 3));
}

#[test]
fn a_value_that_does_not_match_its_key_is_dropped_and_counted() {
    let disk = folder(1);
    let mut log = open(&disk, SyncPolicy::Always).0.log;
    let Change::Publish(mut wrong) = publish(5, 1) else { unreachable!("a publish") };
    wrong.key = [9; 20];
    log.write(vec![Change::Publish(wrong)]).expect("a write");
    let contents = open(&disk, SyncPolicy::Off).1;
    assert_eq!((contents.published.len(), contents.damage.mismatched), (1, 1));
    assert!(!check_on(&disk).expect("a folder").is_good());
}

#[test]
fn a_stored_value_that_looks_like_records_is_not_taken_for_them() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, SyncPolicy::Always).0.log;
    let Change::Hold(held) = hold(1, 9_000_000) else { unreachable!("a hold") };
    log.write(vec![Change::Hold(held.clone())]).expect("a write");
    let mut forged = Vec::new();
    for marker in 0..8 {
        encode(&Body::Evict { key: held.key }, marker, &mut forged);
    }
    let Change::Hold(mut carrier) = hold(2, 9_000_000) else { unreachable!("a hold") };
    (carrier.key, carrier.value) = (crate::key_of(&forged), forged.into());
    log.write(vec![Change::Hold(carrier), hold(3, 9_000_000)]).expect("a write");
    // In the head of the carrier, so that the reader looks for the next record in its value.
    let name = disk.list().expect("names").pop().expect("a segment");
    let bytes = disk.read(&name, FILE_BYTES_MAX).expect("a segment");
    let first = 16 + 29 + 147;
    assert_eq!(bytes[first..first + 4], bytes[8..12], "the carrier's marker");
    disk.damage(&name, first + 5);
    let contents = open(&disk, SyncPolicy::Off).1;
    assert_eq!((contents.held.len(), contents.damage.damaged), (2, 1));
}

#[test]
fn another_version_is_refused_in_one_line() {
    let disk = folder(1);
    let mut bytes = header(5);
    bytes[7] = 2;
    let sum = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&sum.to_be_bytes());
    disk.put(&segment::name(7), &bytes);
    let Err(error) = check_on(&disk) else { panic!("version 2 is read") };
    assert!(matches!(error, OpenError::Version { found: 2, .. }));
    let line = "00000007.seg has format version 2, and this program reads only version 1";
    assert_eq!(error.to_string(), line);
}

#[test]
fn renewals_and_removals_hold_beyond_a_restart() {
    let disk = folder(3);
    let mut log = open(&disk, SyncPolicy::Always).0.log;
    let keys: Vec<_> =
        (0..3).map(|number| crate::key_of(&super::model::value(number, 100))).collect();
    let (expires_ms, purpose) = (super::model::START_MS + 77_000_000, Purpose::Cache);
    log.write(vec![
        Change::Renew { key: keys[0], expires_ms, purpose },
        Change::Evict { key: keys[1] },
        Change::Forget { key: keys[2] },
        Change::Republish { key: keys[0], republish_ms: 9 },
    ])
    .expect("a write");
    log.sync().expect("a sync");
    let found = Model::on(&disk.power_cut(0));
    assert_eq!((found.held[&keys[0]].1, found.held[&keys[0]].2), (expires_ms, true));
    assert!(!found.held.contains_key(&keys[1]));
    assert!(!found.published.contains_key(&keys[2]));
    assert_eq!(found.published[&keys[0]].1, 9);
}
