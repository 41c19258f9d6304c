//! CPU time, as the scheduler accounts for it: exact to the nanosecond, where
//! `times` counts in ticks.

use std::fs;
use std::path::Path;

/// CPU time that the calling thread has used, in nanoseconds. Zero where the
/// kernel does not tell.
pub fn of_this_thread_ns() -> u64 {
    of_task_ns(Path::new("/proc/thread-self"))
}

/// CPU time that the threads of a process have used, in nanoseconds, those left
/// out that `excluded` names by their thread ids. None when there is no such
/// process. What threads used that have ended is not in it.
pub fn of_process_ns(process: u32, excluded: &[u32]) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let counted = tasks.flatten().filter(|task| {
        let id = task.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        id.is_some_and(|id| !excluded.contains(&id))
    });
    Some(counted.map(|task| of_task_ns(&task.path())).sum())
}

/// The calling thread's id.
pub fn this_thread() -> Option<u32> {
    // It reads PID/task/TID.
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

fn of_task_ns(task: &Path) -> u64 {
    let schedstat = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let on_cpu_ns = schedstat.split_whitespace().next();
    on_cpu_ns.and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_s_work_is_counted_and_that_of_others_is_left_out() {
        let process = std::process::id();
        let this = this_thread().expect("Linux");
        let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
        let ids = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
        let others: Vec<u32> = ids.filter(|id| *id != this).collect();
        let before_ns = of_this_thread_ns();
        let mut number = 1u64;
        while of_this_thread_ns() < before_ns + 1_000_000 {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        // Threads that were started meanwhile may add to it.
        let counted_ns = of_process_ns(process, &others).expect("it runs");
        assert!(counted_ns >= before_ns + 1_000_000);
        assert_eq!(of_process_ns(u32::MAX, &[]), None);
    }
}
