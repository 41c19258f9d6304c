//! Room in the kernel's table of neighbours (ARP), which all containers of a
//! machine share.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel keeps the table's limits.
const LIMITS: &str = "/proc/sys/net/ipv4/neigh/default";
/// From `gc_thresh2` entries on the kernel drops idle ones after five seconds; at
/// `gc_thresh3` it takes no more, and datagrams to new neighbours are not sent. A
/// seed and 60 nodes hold 61 x 60 = 3660 entries.
const WANTED: [(&str, u32); 2] = [("gc_thresh3", 8192), ("gc_thresh2", 4096)];

/// Whether the table has room for all containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Enough,
    /// Entries come and go: nodes take a minute or two to join.
    Cramped,
}

/// Raises the table's limits for a full mesh of containers, and restores them when dropped.
pub(crate) struct Room {
    /// The limits that were raised, and what they were.
    raised: Vec<(PathBuf, u32)>,
    space: Space,
}

impl Room {
    /// Raises the limits, or prints that it may not: the test also passes without, but takes
    /// longer.
    pub(crate) fn make() -> Self {
        let mut room = Self { raised: Vec::new(), space: Space::Enough };
        for (name, wanted) in WANTED {
            let limit = Path::new(LIMITS).join(name);
            let Some(was) = read(&limit).filter(|&was| was < wanted) else {
                continue;
            };
            match fs::write(&limit, wanted.to_string()) {
                Ok(()) => {
                    eprintln!("compose: {name} of the neighbour table: {was} -> {wanted}, for now");
                    room.raised.push((limit, was));
                }
                Err(error) => {
                    eprintln!(
                        "compose: {name} of the neighbour table stays {was} ({error}): nodes may \
                         take two minutes to join; docker/README.md says what helps"
                    );
                    room.space = Space::Cramped;
                }
            }
        }
        room
    }

    /// Whether there is enough.
    pub(crate) const fn space(&self) -> Space {
        self.space
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for (limit, was) in self.raised.drain(..).rev() {
            // A process that may raise a limit may lower it.
            let _ = fs::write(limit, was.to_string());
        }
    }
}

fn read(limit: &Path) -> Option<u32> {
    fs::read_to_string(limit).ok()?.trim().parse().ok()
}
