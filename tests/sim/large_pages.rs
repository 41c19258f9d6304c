//! Has the memory of the nodes lie in large pages.
//!
//! A turn of one node among thousands reads memory that no cache holds, all over a gigabyte, and
//! in pages of 4 KB the processor has to find most of these pages first: with 12 000 nodes a
//! fifth of its time.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What the C library takes its settings from as a process begins.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Large pages, and 64 MB at a time, since a page is large only where all of it is there when it
/// is first written.
const LARGE_PAGES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=67108864";

/// Begins the program once more, with that setting, where it has none. Where that cannot be, it
/// goes on without: only slower.
pub(crate) fn ensure() {
    if env::var_os(TUNABLES).is_none()
        && let Ok(program) = env::current_exe()
    {
        _ = Command::new(program).args(env::args_os().skip(1)).env(TUNABLES, LARGE_PAGES).exec();
    }
}
