//! The folder's time, across restarts and wrong wall clocks.

use std::time::Duration;

use proptest::prelude::*;

use super::model::{HOUR_MS, Hands, START_MS, hold, open_at, options};
use crate::clock::{Down, Stamp, resumed};
use crate::disk::FaultyDisk;
use crate::folder::Folder;
use crate::types::SyncPolicy;

const DAY: Duration = Duration::from_hours(24);

#[test]
fn life_that_passed_while_down_has_passed() {
    let disk = FaultyDisk::default();
    let (mut folder, contents) = open_at(&disk, SyncPolicy::Always, START_MS);
    assert_eq!((contents.now_ms, contents.down), (START_MS, Down::New));
    folder.log.write(vec![hold(1, HOUR_MS), hold(2, 3 * HOUR_MS)]).expect("a write");
    let contents = open_at(&disk, SyncPolicy::Off, START_MS + 2 * HOUR_MS).1;
    assert_eq!(contents.down, Down::For(Duration::from_hours(2)));
    assert_eq!(contents.held.len(), 1);
    assert_eq!(contents.held[0].expires_ms - contents.now_ms, HOUR_MS);
}

#[test]
fn a_wall_clock_far_ahead_drops_nothing() {
    let disk = FaultyDisk::default();
    let mut log = open_at(&disk, SyncPolicy::Always, START_MS).0.log;
    log.write(vec![hold(1, HOUR_MS)]).expect("a write");
    let contents = open_at(&disk, SyncPolicy::Off, START_MS * 2).1;
    assert_eq!(contents.down, Down::Ahead(Duration::from_millis(START_MS)));
    assert_eq!(contents.held[0].expires_ms - contents.now_ms, HOUR_MS);
}

#[test]
fn a_wall_clock_that_goes_back_at_every_start_makes_nothing_immortal() {
    let disk = FaultyDisk::default();
    let mut wall_ms = START_MS;
    let mut lived = 0;
    let mut log = open_at(&disk, SyncPolicy::Always, wall_ms).0.log;
    log.write(vec![hold(1, HOUR_MS)]).expect("a write");
    loop {
        wall_ms -= 5 * HOUR_MS;
        let hands = Hands::at(wall_ms);
        let options = options(SyncPolicy::Always, hands.clone());
        let opened = Folder::open_on(std::sync::Arc::new(disk.clone()), &options);
        let (mut folder, contents) = opened.expect("a folder");
        if contents.held.is_empty() {
            break;
        }
        assert_eq!(contents.held[0].expires_ms - contents.now_ms, HOUR_MS - lived);
        // It runs for ten minutes.
        folder.log.tick().expect("a write");
        hands.pass(HOUR_MS / 6);
        folder.log.tick().expect("a write");
        lived += HOUR_MS / 6;
        assert!(lived <= HOUR_MS);
    }
    assert_eq!(lived, HOUR_MS);
}

#[test]
fn no_life_is_longer_than_the_longest() {
    let disk = FaultyDisk::default();
    let mut log = open_at(&disk, SyncPolicy::Always, START_MS).0.log;
    log.write(vec![hold(1, 500 * HOUR_MS)]).expect("a write");
    let contents = open_at(&disk, SyncPolicy::Off, START_MS).1;
    assert_eq!(contents.held[0].expires_ms - contents.now_ms, 24 * HOUR_MS);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_folders_time_never_goes_back_and_never_leaps(folder_ms: u64, wall_ms: u64, now: u64) {
        let (resumed_ms, _) = resumed(Some(Stamp { folder_ms, wall_ms }), now, DAY);
        prop_assert!(resumed_ms >= folder_ms);
        prop_assert!(resumed_ms - folder_ms <= 24 * HOUR_MS);
    }
}
