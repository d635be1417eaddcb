//! Whether a stream gets colours, and the few there are. Colour repeats what the words say; it never says anything alone.

use std::fmt::Display;

use owo_colors::OwoColorize;

/// Paints, or leaves text as it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// No colours, whatever the stream.
    pub const PLAIN: Self = Self { on: false };

    /// Decides for one stream as kubectl does (kubernetes/kubectl `pkg/util/term`, `AllowsColorOutput`): a terminal that
    /// is not dumb, `NO_COLOR` unset or empty, and on Windows a terminal that says it can.
    pub fn for_stream(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> Self {
        let dumb = env("TERM").is_some_and(|term| term == "dumb");
        let unwanted = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        let able = !cfg!(windows) || env("WT_SESSION").is_some();
        Self { on: is_terminal && !dumb && !unwanted && able }
    }

    /// Something that stopped or will stop the move.
    pub fn bad(self, text: impl Display) -> String {
        if self.on { text.red().to_string() } else { text.to_string() }
    }

    /// Something to have read.
    pub fn doubtful(self, text: impl Display) -> String {
        if self.on { text.yellow().to_string() } else { text.to_string() }
    }

    /// Something that went well.
    pub fn good(self, text: impl Display) -> String {
        if self.on { text.green().to_string() } else { text.to_string() }
    }

    /// Something beside the point.
    pub fn quiet(self, text: impl Display) -> String {
        if self.on { text.dimmed().to_string() } else { text.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_that_wants_them() {
        let with = |terminal: bool, name: &'static str, value: &'static str| {
            Paint::for_stream(terminal, move |asked| if asked == "WT_SESSION" || asked == name { Some(value.to_owned()) } else { None })
        };
        assert!(with(true, "TERM", "xterm").on);
        assert!(with(true, "NO_COLOR", "").on);
        assert!(!with(false, "TERM", "xterm").on);
        assert!(!with(true, "TERM", "dumb").on);
        assert!(!with(true, "NO_COLOR", "1").on);
        assert_eq!(Paint::PLAIN.bad("x"), "x");
        assert_eq!(Paint { on: true }.bad("x"), "\u{1b}[31mx\u{1b}[39m");
    }
}
