//! Shows text of others on a terminal: arguments, names of files. What a reader does
//! not see, or what moves the cursor or turns the writing direction, is escaped as `\u{202e}`.

use std::fmt;

/// Most characters of a text that [`beginning`] shows.
const BEGINNING_CHARS_MAX: usize = 60;

/// Whether a terminal shows nothing for `character`, or does something else than show it:
/// control characters, bidirectional marks, zero-width characters, tags.
pub fn is_hidden(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    // Blanks, such as the ideographic space. The two separators move the cursor.
    if character.is_whitespace() && !character.is_control() {
        return matches!(character, '\u{2028}' | '\u{2029}');
    }
    is_ignorable(character) || !is_printable(character)
}

/// Letters and marks that Unicode has terminals ignore (`Default_Ignorable_Code_Point`), and
/// the Braille pattern without a dot. The two variation selectors of emoji are left out.
const fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0d}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Whether the standard library's tables call it printable. They are asked by way of `Debug`,
/// which shows such a character as itself after another one.
fn is_printable(character: char) -> bool {
    let mut text = [b'a'; 1 + 4];
    let length = 1 + character.encode_utf8(&mut text[1..]).len();
    let text = std::str::from_utf8(&text[..length]).expect("two characters");
    text.escape_debug().count() == 2
}

/// All of `text` on one line.
pub fn line(text: &str) -> impl fmt::Display {
    Line { text, chars_max: usize::MAX }
}

/// The beginning of `text`, on one line.
pub fn beginning(text: &str) -> impl fmt::Display {
    Line { text, chars_max: BEGINNING_CHARS_MAX }
}

struct Line<'a> {
    text: &'a str,
    chars_max: usize,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.text.chars();
        for character in chars.by_ref().take(self.chars_max) {
            if is_hidden(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        if chars.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_not_show_is_escaped() {
        for (name, characters) in [
            ("controls", "\u{0}\u{7}\u{1b}\u{7f}\u{85}\u{9b}\r"),
            ("bidirectional", "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}"),
            ("zero-width", "\u{ad}\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{180e}\u{34f}"),
            ("tags", "\u{e0001}\u{e0041}\u{e007f}\u{e0100}\u{e01ef}\u{fe01}"),
            ("fillers", "\u{115f}\u{3164}\u{ffa0}\u{2800}\u{fff9}"),
            ("separators", "\u{2028}\u{2029}"),
        ] {
            for character in characters.chars() {
                assert!(is_hidden(character), "{name}: {character:?}");
                let text = character.to_string();
                assert!(line(&text).to_string().starts_with('\\'), "{name}: {character:?}");
            }
        }
    }

    #[test]
    fn what_people_write_is_shown_as_it_is() {
        for text in [
            "größe naïve",
            "e\u{301} combined",
            "日本語\u{3000}です",
            "עברית العربية",
            "\u{a0}«\u{202f}oui\u{202f}»",
            "\u{2764}\u{fe0f} \u{1f600}",
            "'\"\\",
        ] {
            assert_eq!(line(text).to_string(), text);
        }
    }

    #[test]
    fn a_line_has_no_line_end_and_a_beginning_has_a_bound() {
        assert_eq!(line("a\nb\tc").to_string(), "a\\nb\\tc");
        let long = "x".repeat(BEGINNING_CHARS_MAX);
        assert_eq!(beginning(&long).to_string(), long);
        assert_eq!(beginning(&(long.clone() + "y")).to_string(), long + "...");
    }
}
