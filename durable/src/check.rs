//! Verifies a folder without changing it.

use std::fmt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use humantime::{format_duration, format_rfc3339_seconds};

use crate::clock::Stamp;
use crate::disk::{Disk, Files};
use crate::error::OpenError;
use crate::folder::refuse_foreign;
use crate::identity;
use crate::lock::Lock;
use crate::replay::{self, Damage};
use crate::types::{Identity, Purpose};

/// What is in a folder. It prints as some lines of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Who the node is.
    pub identity: Option<Identity>,
    /// The nodes that it knows.
    pub contacts: usize,
    /// Values that were put here.
    pub published: usize,
    /// Values held as replicas.
    pub replicas: usize,
    /// Values held because a get passed.
    pub cached: usize,
    /// Bytes of all these values.
    pub value_bytes: u64,
    /// Segments.
    pub segments: usize,
    /// Records in them, the dead ones too.
    pub records: u64,
    /// Bytes of them.
    pub disk_bytes: u64,
    /// Bytes of the records that live.
    pub live_bytes: u64,
    /// When the first and the last of the values that are held end, in milliseconds since the
    /// folder's last time; what has ended by then is not counted.
    pub ends_ms: Option<(u64, u64)>,
    /// The wall clock when the node last wrote it down.
    pub last_wall_ms: Option<u64>,
    /// What cannot be read.
    pub damage: Damage,
}

impl Checked {
    /// Whether all can be read. A write that was cut off is no damage: it was never reported
    /// as kept.
    pub const fn is_good(&self) -> bool {
        self.damage.damaged == 0 && self.damage.mismatched == 0
    }
}

/// Verifies the folder at `path`. It must exist, and nothing may use it.
pub fn check(path: &Path) -> Result<Checked, OpenError> {
    refuse_foreign(path)?;
    let _lock = Lock::take_read_only(path)?;
    check_on(&Files::new(path))
}

pub(crate) fn check_on(disk: &dyn Disk) -> Result<Checked, OpenError> {
    let identity = identity::read(disk)?;
    let mut scanned = replay::scan(disk)?;
    let Stamp { folder_ms, wall_ms } = scanned.stamp.unwrap_or_default();
    let values = replay::values(disk, &mut scanned, folder_ms, Duration::MAX)?;
    let of_purpose = |purpose| values.held.iter().filter(|held| held.purpose == purpose).count();
    let ends = || values.held.iter().map(|held| held.expires_ms.saturating_sub(folder_ms));
    let lengths = values.published.iter().map(|published| published.value.len());
    let lengths = lengths.chain(values.held.iter().map(|held| held.value.len()));
    Ok(Checked {
        identity,
        contacts: scanned.contacts.len(),
        published: values.published.len(),
        replicas: of_purpose(Purpose::Replica),
        cached: of_purpose(Purpose::Cache),
        value_bytes: lengths.map(|length| length as u64).sum(),
        segments: scanned.segments.len(),
        records: scanned.records,
        disk_bytes: scanned.segments.iter().map(|&(_, bytes)| bytes).sum(),
        live_bytes: scanned.index.live_bytes(),
        ends_ms: ends().min().zip(ends().max()),
        last_wall_ms: scanned.stamp.map(|_| wall_ms),
        damage: scanned.damage,
    })
}

const fn whole_seconds(ms: u64) -> Duration {
    Duration::from_secs(ms / 1000)
}

/// The date in UTC; none of a wall clock that was beyond the year 9999.
fn date(wall_ms: u64) -> Option<impl fmt::Display> {
    const YEAR_10000_MS: u64 = 253_402_300_800_000;
    let date = || format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(wall_ms));
    (wall_ms < YEAR_10000_MS).then(date)
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identity {
            Some(identity) => {
                f.write_str("id        ")?;
                identity.id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                writeln!(f, ", {} bytes of key material", identity.key_material.len())?;
            }
            None => writeln!(f, "id        none")?,
        }
        writeln!(f, "contacts  {}", self.contacts)?;
        writeln!(
            f,
            "values    {} put here, {} replicas, {} cached copies, {} bytes",
            self.published, self.replicas, self.cached, self.value_bytes
        )?;
        if let Some((first, last)) = self.ends_ms {
            let [first, last] = [first, last].map(|ms| format_duration(whole_seconds(ms)));
            writeln!(f, "lives     end in {first} to {last}")?;
        }
        if let Some(wall_ms) = self.last_wall_ms {
            match date(wall_ms) {
                Some(date) => writeln!(f, "written   last at {date}")?,
                None => writeln!(f, "written   last at {wall_ms} ms since 1970")?,
            }
        }
        writeln!(
            f,
            "disk      {} bytes, {} of them live; segments: {}, records: {}",
            self.disk_bytes, self.live_bytes, self.segments, self.records
        )?;
        write!(f, "damage    {}", self.damage)
    }
}
