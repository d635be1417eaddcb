//! Questions before something is done, and what is said when the answer is no.

use super::finding::Found;
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::confirm::{self, Dialogue};
use crate::output::io::Io;

/// Asks on the terminal; `yes` answers beforehand.
///
/// # Errors
/// There is no terminal to ask on.
pub fn confirm(io: &mut Io, question: &str, yes: bool) -> Result<bool, Failure> {
    let is_terminal = io.stdin_is_terminal && io.stderr_is_terminal;
    confirm::confirm(question, yes, Dialogue { input: &mut *io.stdin, output: &mut *io.stderr, is_terminal })
}

/// What a "no" comes to.
pub fn declined(io: &mut Io) -> Code {
    io.remark("Nothing was done.\n");
    Code::ERROR
}

/// Who began the move and when, for a question, where that was somebody else.
pub fn author(found: &Found) -> Option<String> {
    let header = &found.opened.header;
    (header.author != found.user).then(|| format!("Move {} was begun by {} at {}.", header.move_id, header.author, header.created))
}

/// Asks whether to go on with a move of somebody else. One's own needs no question.
///
/// # Errors
/// As [`confirm`].
pub fn may_go_on(io: &mut Io, found: &Found, yes: bool) -> Result<bool, Failure> {
    match author(found) {
        Some(author) => confirm(io, &format!("{author} Go on with it?"), yes),
        None => Ok(true),
    }
}
