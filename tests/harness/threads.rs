//! The threads of a process.

use std::fs;
use std::path::PathBuf;

/// The threads of `process`, a number or `self`, whose names begin so: as folders under
/// `/proc`.
pub(crate) fn threads(process: &str, name: &str) -> Vec<PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let tasks = tasks.map(|task| task.expect("it can be listed").path());
    let is_named = |task: &PathBuf| {
        fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.starts_with(name))
    };
    tasks.filter(is_named).collect()
}
