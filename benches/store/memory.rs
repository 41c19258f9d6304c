//! Memory of a process.

use std::fs;

#[derive(Clone, Copy)]
pub(crate) enum Process {
    This,
    Other(u32),
}

/// Bytes of it that are in memory.
pub(crate) fn resident(process: Process) -> u64 {
    let folder = match process {
        Process::This => "self".to_owned(),
        Process::Other(id) => id.to_string(),
    };
    let status = fs::read_to_string(format!("/proc/{folder}/status")).expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    let kibibytes = line.trim().trim_end_matches(" kB").parse::<u64>();
    kibibytes.expect("a number") << 10
}
