//! A value as a terminal shows it: text, of which every row but the first is indented, so
//! that it cannot pass for what the program itself prints. What is no text is only described.

use std::io;

use kad_node::printable::is_hidden;
use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthChar as _;

use crate::reply;

/// What each row but the first begins with.
const INDENT: &str = "    ";
/// A terminal's tab stops.
const TAB_COLUMNS: usize = 8;
/// Makes an emoji of the character before it, which takes two columns then.
const EMOJI_SELECTOR: char = '\u{fe0f}';
/// Most bytes shown of what is no text.
const BYTES_SHOWN_MAX: usize = 8;

/// Columns of the terminal on standard output; more than any row where there is none.
pub(crate) fn columns() -> usize {
    let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0);
    size.map_or(usize::MAX, |size| size.ws_col.into())
}

/// What a terminal of so many columns shows of `value`. Its tabs and line ends stay, and what
/// a reader would not see is escaped.
pub(crate) fn value(value: &[u8], columns: usize) -> String {
    let Ok(text) = std::str::from_utf8(value) else { return described(value) };
    let mut rows = Rows { shown: String::with_capacity(value.len()), column: 0, columns };
    for character in text.chars() {
        match character {
            '\n' => rows.begin(),
            '\t' => rows.tab(),
            _ if is_hidden(character) => {
                character.escape_default().for_each(|part| rows.push(part));
            }
            _ => rows.push(character),
        }
    }
    rows.shown
}

fn described(value: &[u8]) -> String {
    let first = &value[..value.len().min(BYTES_SHOWN_MAX)];
    let bytes: Vec<String> = first.iter().map(|byte| format!("{byte:02x}")).collect();
    let count = reply::counted(value.len(), "byte");
    let more = if first.len() < value.len() { " ..." } else { "" };
    format!("not a text: {count} ({}{more}); get KEY > FILE keeps it", bytes.join(" "))
}

struct Rows {
    shown: String,
    /// Of the next character.
    column: usize,
    columns: usize,
}

impl Rows {
    fn begin(&mut self) {
        self.shown.push('\n');
        self.shown.push_str(INDENT);
        self.column = INDENT.len();
    }

    fn push(&mut self, character: char) {
        // Terminals differ by a column on some characters: the wider one counts, since a row
        // that the terminal itself breaks has no indent.
        let width = match character {
            EMOJI_SELECTOR => 1,
            _ => character.width_cjk().unwrap_or(0),
        };
        if self.column + width > self.columns {
            self.begin();
        }
        self.shown.push(character);
        self.column += width;
    }

    fn tab(&mut self) {
        let stop = (self.column / TAB_COLUMNS + 1) * TAB_COLUMNS;
        if stop < self.columns {
            self.shown.push('\t');
            self.column = stop;
        } else {
            self.begin();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wider than any text here.
    const WIDE: usize = 1000;

    #[test]
    fn what_people_write_is_shown_as_it_is_and_what_is_hidden_is_escaped() {
        for text in [
            "größe naïve",
            "e\u{301} combined",
            "日本語\u{3000}です",
            "עברית العربية",
            "\u{2764}\u{fe0f} \u{1f600}",
            "'\"\\",
        ] {
            assert_eq!(value(text.as_bytes(), WIDE), text);
        }
        assert_eq!(value("a\u{1b}[2J\u{202e}b\r".as_bytes(), WIDE), "a\\u{1b}[2J\\u{202e}b\\r");
    }

    #[test]
    fn no_row_of_a_value_can_pass_for_what_the_program_prints() {
        assert_eq!(
            value(b"one\nfrom local\nkad> \ttwo", WIDE),
            "one\n    from local\n    kad> \ttwo"
        );
        assert_eq!(value(b"one\r\nkad> ", WIDE), "one\\r\n    kad> ");
        let wrapped = value(b"0123456789from local", 10);
        assert_eq!(wrapped, "0123456789\n    from l\n    ocal");
        assert_eq!(value(b"0123456789", 10), "0123456789", "it fits");
        assert_eq!(value(b"01234567\tkad> ", 10), "01234567\n    kad> ");
        for text in ["\u{1f600}", "日", "\u{2764}\u{fe0f}", "\u{b1}", "\u{1}", "e\u{301}", "\t"] {
            for row in value(text.repeat(100).as_bytes(), 21).lines().skip(1) {
                assert!(row.starts_with(INDENT), "{row}");
                let column =
                    row.chars().filter_map(unicode_width::UnicodeWidthChar::width).sum::<usize>();
                assert!(column <= 21, "{row}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_described() {
        assert_eq!(value(b"\xff", WIDE), "not a text: 1 byte (ff); get KEY > FILE keeps it");
        let picture = b"\x89PNG\r\n\x1a\n and more";
        let said = value(picture, WIDE);
        assert!(said.starts_with("not a text: 17 bytes (89 50 4e 47 0d 0a 1a 0a ...)"), "{said}");
    }
}
