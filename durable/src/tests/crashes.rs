//! What a kill or a power cut leaves, with and without faults before it.

use proptest::prelude::*;

use super::model::{Model, any_change, open};
use crate::check::check_on;
use crate::disk::{Disk as _, Fault, FaultyDisk};
use crate::limits::FILE_BYTES_MAX;
use crate::log::Log;
use crate::replay::Damage;
use crate::types::{Change, SyncPolicy};

fn any_groups() -> impl Strategy<Value = Vec<Vec<Change>>> {
    prop::collection::vec(prop::collection::vec(any_change(), 1..8), 1..40)
}

fn any_policy() -> impl Strategy<Value = SyncPolicy> {
    prop_oneof![Just(SyncPolicy::Always), Just(SyncPolicy::EverySecond), Just(SyncPolicy::Off)]
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::ShortWrite),
        Just(Fault::Write),
        Just(Fault::Full),
        Just(Fault::Sync),
        Just(Fault::ReadOnly),
    ]
}

/// Compacts as long as it is due and works.
fn compact(log: &mut Log) {
    while log.needs_compaction() && log.compact(0).is_ok() {}
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Killed between two writes: all is there. Killed within a write: all before it, and a
    /// prefix of it.
    #[test]
    fn a_kill_leaves_all_that_was_acknowledged(
        groups in any_groups(), last in prop::collection::vec(any_change(), 1..8), cut: usize,
        steps in 0..4usize,
    ) {
        let disk = FaultyDisk::default();
        let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
        let mut model = Model::default();
        for group in &groups {
            log.write(group.clone()).expect("a disk without faults");
            model.apply_all(group);
            // It may be killed amid a compaction.
            for _ in 0..steps {
                if log.needs_compaction() {
                    log.compact(0).expect("a disk without faults");
                }
            }
            prop_assert!(Model::on(&disk.killed()) == model, "a kill loses something");
        }
        let before = disk.killed();
        log.write(last.clone()).expect("a disk without faults");
        let after = disk.killed();
        let name = after.list().expect("names").pop().expect("a segment");
        let length = |disk: &FaultyDisk| disk.read(&name, FILE_BYTES_MAX).map_or(0, |b| b.len());
        let (from, to) = (length(&before), length(&after));
        after.truncate(&name, (from + cut % (to - from)) as u64).expect("a segment");
        let found = Model::on(&after);
        let mut prefixes = vec![model.clone()];
        for change in &last {
            model.apply(change);
            prefixes.push(model.clone());
        }
        prop_assert!(prefixes.contains(&found), "what is left of the last group is no prefix");
    }

    /// After a power cut: all that was synced is there, and of a key that was changed later
    /// nothing but what it was meanwhile.
    #[test]
    fn a_power_cut_leaves_all_that_was_synced(
        groups in any_groups(), synced_every in 1..6usize, keeps: u8,
    ) {
        let disk = FaultyDisk::default();
        let mut log = open(&disk, SyncPolicy::EverySecond).0.log;
        let mut synced = Model::default();
        let mut later = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            log.write(group.clone()).expect("a disk without faults");
            later.extend(group.iter().cloned());
            // Compaction syncs too, what it has not told of.
            compact(&mut log);
            if index % synced_every == 0 {
                log.sync().expect("a disk without faults");
                synced.apply_all(&std::mem::take(&mut later));
            }
        }
        let found = Model::on(&disk.power_cut(keeps));
        check_synced(&synced, &later, &found)?;
    }

    /// Killed, started again, killed again; then the power fails: what a start has read is
    /// there.
    #[test]
    fn what_a_start_has_read_survives_a_power_cut(
        runs in prop::collection::vec(any_groups(), 1..4), keeps: u8,
    ) {
        let (mut disk, mut read) = (FaultyDisk::default(), Model::default());
        let (mut all, mut later) = (Model::default(), Vec::new());
        for groups in runs {
            let (folder, contents) = open(&disk, SyncPolicy::EverySecond);
            read = Model::of(&contents);
            prop_assert!(read == all, "a kill loses something");
            later.clear();
            let mut log = folder.log;
            for group in groups {
                all.apply_all(&group);
                later.extend(group.iter().cloned());
                log.write(group).expect("a disk without faults");
                compact(&mut log);
            }
            drop(log);
            disk = disk.killed();
        }
        check_synced(&read, &later, &Model::on(&disk.power_cut(keeps)))?;
    }

    /// A fault at any byte, for a while: what was reported as kept is there at any time after
    /// a kill, and what was reported as synced after a power cut. When the disk works again,
    /// all is there, the failed changes too.
    #[test]
    fn a_fault_loses_nothing_that_was_acknowledged(
        groups in any_groups(), policy in any_policy(), fault in any_fault(),
        at in 0..40usize, bytes in 0..600usize, lasts in 1..6usize, keeps: u8,
    ) {
        let disk = FaultyDisk::default();
        let mut log = open(&disk, policy).0.log;
        let (mut model, mut synced, mut later) = (Model::default(), Model::default(), Vec::new());
        for (index, group) in groups.iter().enumerate() {
            if index == at {
                disk.inject(fault, bytes);
            }
            if index == at + lasts {
                disk.mend();
                if log.is_faulty() {
                    prop_assert_eq!(log.retry().expect("a disk that works"), 0);
                    prop_assert!(Model::on(&disk.killed()) == model, "a kill loses something");
                }
            }
            // Trying too early loses nothing.
            let _ = if log.is_faulty() { log.retry() } else { Ok(0) };
            let written = log.write(group.clone());
            model.apply_all(group);
            later.extend(group.iter().cloned());
            if written.is_ok() && !log.is_faulty() {
                prop_assert!(Model::on(&disk.killed()) == model, "a kill loses something");
                let is_synced = policy == SyncPolicy::Always && log.sync().is_ok();
                if is_synced {
                    synced.apply_all(&std::mem::take(&mut later));
                }
            }
            compact(&mut log);
            check_synced(&synced, &later, &Model::on(&disk.power_cut(keeps)))?;
        }
        disk.mend();
        if log.is_faulty() {
            prop_assert_eq!(log.retry().expect("a disk that works"), 0);
        }
        prop_assert!(Model::on(&disk.killed()) == model, "something that failed is missing");
        let damage = check_on(&disk).expect("a folder").damage;
        prop_assert!(fault == Fault::ReadOnly || damage == Damage::default(), "{damage}");
        if policy != SyncPolicy::Off {
            log.sync().expect("a disk that works");
            let found = Model::on(&disk.power_cut(keeps));
            prop_assert!(found == model, "something that was synced is missing");
        }
    }
}

/// Whether `found` has all of `synced`: exactly, but for keys that `later` has changed, which
/// may be as they were at any time since. Only what `later` removes may be missing.
fn check_synced(synced: &Model, later: &[Change], found: &Model) -> Result<(), TestCaseError> {
    let (mut published, mut held) = (Vec::new(), Vec::new());
    let (mut forgotten, mut evicted) = (Vec::new(), Vec::new());
    for change in later {
        match change {
            Change::Publish(it) => published.push(it.key),
            Change::Republish { key, .. } => published.push(*key),
            Change::Forget { key } => forgotten.push(*key),
            Change::Hold(it) => held.push(it.key),
            Change::Renew { key, .. } => held.push(*key),
            Change::Evict { key } => evicted.push(*key),
            Change::Contacts(_) => {}
        }
    }
    for (key, was) in &synced.published {
        let is = found.published.get(key);
        let is_right = is == Some(was) || is.is_some() && published.contains(key);
        prop_assert!(is_right || forgotten.contains(key), "a value put here is missing");
    }
    for (key, was) in &synced.held {
        let is = found.held.get(key);
        let is_right = is == Some(was) || is.is_some() && held.contains(key);
        prop_assert!(is_right || evicted.contains(key), "a value held is missing");
    }
    let appeared = found
        .published
        .keys()
        .any(|key| !synced.published.contains_key(key) && !published.contains(key));
    prop_assert!(!appeared, "a value that was forgotten is back");
    let appeared =
        found.held.keys().any(|key| !synced.held.contains_key(key) && !held.contains(key));
    prop_assert!(!appeared, "a value that was evicted is back");
    Ok(())
}
