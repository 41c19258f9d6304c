//! Small texts in files: settings, tokens.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Largest file that is read: settings of every flag have a hundredth of it, and a device has
/// no end.
const BYTES_MAX: usize = 1 << 20;

/// All of a file.
///
/// # Errors
/// When it cannot be read, is no text, or has more than [`BYTES_MAX`] bytes.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = File::open(path)?.take(BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    if bytes > BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {BYTES_MAX} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        let refused = read(Path::new("/dev/zero")).expect_err("it has no end");
        assert!(refused.to_string().contains("more than 1048576 bytes"), "{refused}");
        assert_eq!(read(Path::new("/dev/null")).expect("it is empty"), "");
    }
}
