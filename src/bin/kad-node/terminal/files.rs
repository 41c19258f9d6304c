//! Names of files, as the prompt's Tab key completes them.

use std::fs;
use std::path::Path;

use kad_node::printable;

/// Most entries of a folder that are looked at: a Tab in a larger one does not hang.
const ENTRIES_MAX: usize = 10_000;

/// Where the last part of the path that `text` begins is in it, and what that part may be:
/// names that a line with them means, a folder with the slash that leads into it.
pub(super) fn beginning(text: &str) -> (usize, Vec<String>) {
    let blanks = text.len() - text.trim_start().len();
    let quote = text[blanks..].chars().next().filter(|first| matches!(first, '"' | '\''));
    let path = &text[blanks + quote.map_or(0, char::len_utf8)..];
    let (folder, typed) = path.rfind('/').map_or(("", path), |at| path.split_at(at + 1));
    let start = text.len() - typed.len();
    if quote.is_none() && path.starts_with('~') {
        return (start, Vec::new());
    }
    let Ok(entries) = fs::read_dir(if folder.is_empty() { "." } else { folder }) else {
        return (start, Vec::new());
    };
    let names =
        entries.take(ENTRIES_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| {
            name.starts_with(typed) && (typed.starts_with('.') || !name.starts_with('.'))
        })
        .filter(|name| is_plain(name, quote, folder))
        .map(|name| if Path::new(folder).join(&name).is_dir() { name + "/" } else { name })
        .collect();
    names.sort_unstable();
    (start, names)
}

/// Whether a line with this name means this name, and a terminal shows it as it is.
fn is_plain(name: &str, quote: Option<char>, folder: &str) -> bool {
    let is_meant = match quote {
        Some(quote) => !name.contains(quote),
        None => {
            name.trim_end() == name
                && (!folder.is_empty() || !name.starts_with(['"', '\'', '~', '@', ' ']))
        }
    };
    is_meant && !name.contains(printable::is_hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_completed_in_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["note", "notes two", ".note", "no\u{1b}te", "nota ", "it's", "other"] {
            fs::write(folder.path().join(name), "x").expect("a disk");
        }
        fs::create_dir(folder.path().join("nothing")).expect("a disk");
        let path = folder.path().display().to_string();
        let found = |text: &str| {
            let text = text.replace('%', &path);
            let (start, names) = beginning(&text);
            (text[start..].to_owned(), names.join("|"))
        };
        for (text, typed, names) in [
            ("%/no", "no", "note|notes two|nothing/"),
            (" '%/notes t", "notes t", "notes two"),
            ("%/.n", ".n", ".note"),
            ("%/it", "it", "it's"),
            ("'%/it", "it", ""),
            ("%/absent/n", "n", ""),
            ("~/n", "n", ""),
        ] {
            assert_eq!(found(text), (typed.to_owned(), names.to_owned()), "{text}");
        }
        let all = found("%/");
        assert_eq!(all.1, "it's|note|notes two|nothing/|other", "nothing hidden is offered");
    }
}
