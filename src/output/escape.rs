//! Text from a cluster is not trusted with the terminal: what would move its cursor or reorder its letters is shown instead.

use std::borrow::Cow;

/// Makes control characters visible: escape as `^[`, line ends as `\n`, `\r` and `\t`, others as `\u{7f}`.
///
/// kubectl does it for the first two (kubernetes/cli-runtime `pkg/printers/terminal.go`); characters that turn the
/// direction of writing are added here, because they make one name look like another.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\u{1b}' => safe.push_str("^["),
            '\n' | '\r' | '\t' => safe.extend(c.escape_default()),
            c if is_unsafe(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// The same for a text of several lines: line ends stay.
pub fn paragraph(text: &str) -> String {
    text.split('\n').map(terminal).collect::<Vec<_>>().join("\n")
}

fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_colour_the_screen_nor_start_a_line() {
        assert_eq!(terminal("db\u{1b}[31m-1\nok\u{202e}"), "db^[[31m-1\\nok\\u{202e}");
        assert_eq!(terminal("größe 7"), "größe 7");
        assert_eq!(paragraph("a\nb\u{7}"), "a\nb\\u{7}");
    }
}
