//! Writing to the streams that main hands in, and what a closed one means.

use std::io::{self, Write};

use crate::model::failure::{Failure, FailureKind};

/// Writes data output. A reader that has gone away is [`FailureKind::BrokenPipe`], which ends the program in silence.
pub fn data(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(FailureKind::BrokenPipe, "standard output was closed"),
        _ => Failure::error(format!("cannot write to standard output: {error}")).hint("what was printed so far is not whole"),
    })
}

/// Writes what may be lost: a move goes on although nobody reads about it, so errors are swallowed.
pub fn news(out: &mut dyn Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stream whose reader has gone away.
    pub(crate) struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_closed_pipe_is_told_apart_for_data_and_ignored_for_news() {
        assert_eq!(data(&mut Closed, "x").map_err(|failure| failure.kind), Err(FailureKind::BrokenPipe));
        news(&mut Closed, "x");
    }
}
