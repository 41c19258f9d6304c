//! CPU time, as the scheduler accounts for it: exact to the nanosecond, where
//! `times` counts in ticks.

use std::fs;
use std::path::Path;

/// Time of a thread so far, in nanoseconds. Zero where the kernel does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadTime {
    /// On a core.
    pub cpu_ns: u64,
    /// Waiting for a core while others had them.
    pub queued_ns: u64,
}

impl ThreadTime {
    /// What was added since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            queued_ns: self.queued_ns.saturating_sub(earlier.queued_ns),
        }
    }
}

/// The calling thread's time.
pub fn of_this_thread() -> ThreadTime {
    of_task(Path::new("/proc/thread-self"))
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
    Some(counted.map(|task| of_task(&task.path()).cpu_ns).sum())
}

/// The calling thread's id.
pub fn this_thread() -> Option<u32> {
    // It reads PID/task/TID.
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

fn of_task(task: &Path) -> ThreadTime {
    let schedstat = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let mut fields = schedstat.split_whitespace().map(|field| field.parse().unwrap_or(0));
    let cpu_ns = fields.next().unwrap_or(0);
    ThreadTime { cpu_ns, queued_ns: fields.next().unwrap_or(0) }
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
        let before_ns = of_this_thread().cpu_ns;
        let mut number = 1u64;
        while of_this_thread().cpu_ns < before_ns + 1_000_000 {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        // Threads that were started meanwhile may add to it.
        let counted_ns = of_process_ns(process, &others).expect("it runs");
        assert!(counted_ns >= before_ns + 1_000_000);
        assert_eq!(of_process_ns(u32::MAX, &[]), None);
    }
}
