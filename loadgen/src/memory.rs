//! Large buffers, of which the system may not have the memory: that is an error on one
//! line, where an ordinary allocation would end the program without a word of its own.

use std::fmt;

/// There is not so much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// What it is for.
    pub purpose: &'static str,
    /// How many bytes of it.
    pub bytes: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { purpose, bytes } = self;
        let mebibytes = bytes.div_ceil(1 << 20);
        write!(
            f,
            "no memory for {purpose} ({mebibytes} MiB): use fewer --keys, --peers or --threads, or \
             raise the limit (ulimit -v, a container's)"
        )
    }
}

impl From<OutOfMemory> for String {
    fn from(error: OutOfMemory) -> Self {
        error.to_string()
    }
}

/// An empty vector with room for `count` elements.
pub fn room<T>(count: usize, purpose: &'static str) -> Result<Vec<T>, OutOfMemory> {
    let mut room = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>());
    room.try_reserve_exact(count).map_err(|_| OutOfMemory { purpose, bytes })?;
    Ok(room)
}

/// Whether so many bytes can be had, which many small allocations are about to take.
pub fn check(bytes: usize, purpose: &'static str) -> Result<(), OutOfMemory> {
    room::<u8>(bytes, purpose).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_told_on_one_line() {
        assert!(room::<u64>(1 << 10, "values").is_ok_and(|room| room.capacity() >= 1 << 10));
        let error = room::<u64>(1 << 59, "values").expect_err("more than any machine has");
        assert_eq!(error, OutOfMemory { purpose: "values", bytes: 1 << 62 });
        let text = error.to_string();
        assert!(text.contains("values (4398046511104 MiB)") && !text.contains('\n'), "{text}");
    }
}
