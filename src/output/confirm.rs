//! Questions that a person must answer before something is done. Never a hang: without a terminal there is no question.

use std::io::{BufRead, Write};

use super::stream;
use crate::model::failure::Failure;

/// Where a question is asked and answered.
pub struct Dialogue<'a> {
    pub input: &'a mut dyn BufRead,
    /// Standard error, so that data output stays clean.
    pub output: &'a mut dyn Write,
    /// Both of them are a terminal.
    pub is_terminal: bool,
}

/// Asks a yes-or-no question; the default is no. `yes` (`--yes`) answers it beforehand. Closing the input means no.
///
/// # Errors
/// There is no terminal to ask on and `--yes` was not given.
pub fn confirm(question: &str, yes: bool, dialogue: Dialogue<'_>) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !dialogue.is_terminal {
        return Err(Failure::error("this must be agreed to, and there is no terminal to ask on; nothing was done")
            .hint(format!("the question is: {question}"))
            .hint("if the answer is yes, say so with --yes"));
    }
    for _ in 0..3 {
        stream::news(dialogue.output, &format!("{question} [y/N] "));
        let mut answer = String::new();
        let read = dialogue.input.read_line(&mut answer).map_err(|error| Failure::error(format!("cannot read the answer: {error}")))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "" if read == 0 => {
                stream::news(dialogue.output, "\n");
                return Ok(false);
            }
            "" | "n" | "no" => return Ok(false),
            _ => stream::news(dialogue.output, "Please answer y or n.\n"),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &str = "Move 2 virtual machines from shop to prod?";

    fn ask(yes: bool, is_terminal: bool, typed: &str) -> (Result<bool, String>, String) {
        let mut output = Vec::new();
        let answer = confirm(QUESTION, yes, Dialogue { input: &mut typed.as_bytes(), output: &mut output, is_terminal });
        (answer.map_err(|failure| format!("{failure} | {}", failure.hints.join(" | "))), String::from_utf8_lossy(&output).into_owned())
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for (typed, expected) in
            [("y\n", true), ("YES\n", true), ("\n", false), ("no\n", false), ("", false), ("x\nx\nx\ny\n", false), ("what\ny\n", true)]
        {
            assert_eq!(ask(false, true, typed).0, Ok(expected), "{typed:?}");
        }
        assert_eq!(ask(false, true, "n\n").1, format!("{QUESTION} [y/N] "));
    }

    #[test]
    fn without_a_terminal_the_flag_is_named() {
        let (answer, shown) = ask(false, false, "y\n");
        let refused = "this must be agreed to, and there is no terminal to ask on; nothing was done";
        assert_eq!(answer, Err(format!("{refused} | the question is: {QUESTION} | if the answer is yes, say so with --yes")));
        assert_eq!(shown, "");
    }

    #[test]
    fn yes_beforehand_asks_nothing() {
        assert_eq!(ask(true, false, ""), (Ok(true), String::new()));
    }
}
