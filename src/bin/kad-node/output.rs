//! Where the one-shot commands put their results: standard output, or a file that appears
//! whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kad_node::printable;
use serde::Serialize;

use crate::failure::Failure;
use crate::log;
use crate::reply::Audience;

/// Writes a result to standard output. A closed pipe is no error: its reader wants no more.
pub(crate) fn print(
    write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>, Audience) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out, Audience::of_stdout()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a result to standard output as one object of JSON, on one line.
pub(crate) fn print_json(result: &impl Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(result).expect("a result without maps has a JSON form");
    line.push(b'\n');
    print(|out, _| out.write_all(&line))
}

/// Writes additional information to standard error.
pub(crate) fn print_info(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
    let mut text = Vec::new();
    if write(&mut text).is_ok() {
        log::say(String::from_utf8_lossy(&text).trim_end());
    }
}

/// Writes `value` to the file `path`, by way of a file beside it that takes its name when all
/// is written: a reader sees the old file or the new one. A device or a pipe is written to
/// as it is.
pub(crate) fn write_file(path: &Path, value: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        let shown = path.display().to_string();
        Failure::Failed(format!("cannot write '{}': {error}", printable::line(&shown)))
    };
    // The file that a link leads to is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = fs::metadata(&path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        let mut device = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        return device.write_all(value).map_err(failed);
    }
    replace(&path, value, before.map(|before| before.permissions())).map_err(failed)
}

fn replace(path: &Path, value: &[u8], before: Option<Permissions>) -> io::Result<()> {
    /// What a new file may be; the mask of the process takes from it.
    const NEW: u32 = 0o666;

    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new()
        .prefix(".kad-node-")
        .permissions(Permissions::from_mode(NEW))
        .tempfile_in(folder)?;
    beside.write_all(value)?;
    if let Some(before) = before {
        beside.as_file().set_permissions(before)?;
    }
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    // Without the folder's own sync a power cut may take the name back.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("value");
        write_file(&path, b"first").expect("a new file");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("its mode is ours");
        let link = folder.path().join("link");
        symlink(&path, &link).expect("a link");
        let mut old = File::open(&path).expect("the first file");
        write_file(&link, b"second").expect("the file is replaced");
        assert_eq!(fs::read(&path).expect("a file"), b"second");
        assert_eq!(io::read_to_string(&mut old).expect("the first file"), "first");
        let after = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(after & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing is left");
    }

    #[test]
    fn a_device_is_written_to_and_stays() {
        write_file(Path::new("/dev/null"), b"value").expect("it takes everything");
        let after = fs::metadata("/dev/null").expect("it is still there");
        assert!(!after.is_file());
        let error = write_file(Path::new("/dev/full"), b"value").expect_err("a full disk");
        assert!(matches!(error, Failure::Failed(why) if why.contains("'/dev/full'")));
    }
}
