//! The folder in the file system.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::model::{START_MS, publish};
use crate::check::check;
use crate::error::OpenError;
use crate::folder::{Folder, Options};
use crate::types::Identity;

#[test]
fn a_folder_is_created_for_its_owner_alone_and_locked() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a/b");
    let (folder, contents) = Folder::open(&path, &Options::default()).expect("a folder");
    assert!(contents.identity.is_none());
    assert_eq!(fs::metadata(&path).expect("the folder").permissions().mode() & 0o777, 0o700);
    let pid = std::process::id();
    let line = format!("{} is in use by process {pid}", path.display());
    let Err(error) = Folder::open(&path, &Options::default()) else { panic!("opened twice") };
    assert_eq!(error.to_string(), line);
    assert_eq!(check(&path).expect_err("in use").to_string(), line);
    drop(folder);
    Folder::open(&path, &Options::default()).expect("a folder that is free again");
}

#[test]
fn a_folder_of_other_files_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("lost+found")).expect("a folder");
    fs::write(dir.path().join("letter.txt"), "dear").expect("a file");
    let Err(error) = Folder::open(dir.path(), &Options::default()) else { panic!("opened") };
    assert!(matches!(error, OpenError::Foreign { ref file, .. } if file == "letter.txt"));
    fs::remove_file(dir.path().join("letter.txt")).expect("a file");
    Folder::open(dir.path(), &Options::default()).expect("a file system that is empty");
}

#[test]
fn the_identity_persists_and_a_damaged_one_is_not_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let (folder, _) = Folder::open(dir.path(), &Options::default()).expect("a folder");
    let mut identity = Identity { id: [3; 20], key_material: vec![1, 2, 3] };
    folder.set_identity(&identity).expect("a write");
    identity.id = [4; 20];
    folder.set_identity(&identity).expect("a write");
    drop(folder);
    let contents = Folder::open(dir.path(), &Options::default()).expect("a folder").1;
    assert_eq!(contents.identity, Some(identity));
    let file = dir.path().join("identity");
    fs::write(&file, &fs::read(&file).expect("a file")[..20]).expect("a file");
    let opened = Folder::open(dir.path(), &Options::default());
    assert!(matches!(opened, Err(OpenError::Identity)));
}

#[test]
fn a_check_prints_what_is_in_a_folder_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut folder, _) = Folder::open(dir.path(), &Options::default()).expect("a folder");
    folder.set_identity(&Identity { id: [0xab; 20], key_material: vec![0; 32] }).expect("a write");
    folder.log.write(vec![publish(1, START_MS), publish(2, START_MS)]).expect("a write");
    drop(folder);
    let segment = dir.path().join("00000001.seg");
    let mut bytes = fs::read(&segment).expect("a segment");
    bytes.truncate(bytes.len() - 1);
    fs::write(&segment, &bytes).expect("a segment");
    let text = check(dir.path()).expect("a folder").to_string();
    assert!(text.contains(&"ab".repeat(20)), "{text}");
    assert!(text.contains("1 put here, 0 replicas, 0 cached copies, 100 bytes"), "{text}");
    assert!(
        text.ends_with("0 that do not match their keys, 1 writes cut off (140 bytes)"),
        "{text}"
    );
    assert_eq!(fs::read(&segment).expect("a segment"), bytes);
}
