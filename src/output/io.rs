//! The streams of a run as one value, so that a test can hand in its own.

use std::io::{BufRead, Write};

use super::progress::Screen;
use super::stream;
use crate::model::failure::Failure;

/// The streams of one run, and what is known about them.
pub struct Io {
    pub stdin: Box<dyn BufRead + Send>,
    pub stdout: Box<dyn Write + Send>,
    pub stderr: Box<dyn Write + Send>,
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
    /// What a live display is drawn on, if it is not standard error.
    pub screen: Option<Screen>,
    /// Reads an environment variable; colours depend on some.
    pub env: fn(&str) -> Option<String>,
}

impl Io {
    /// Writes data output.
    ///
    /// # Errors
    /// The reader has gone away, or the device is full.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        stream::data(self.stdout.as_mut(), text)
    }

    /// Writes a remark beside the data; a reader that has gone away is no error.
    pub fn remark(&mut self, text: &str) {
        stream::news(self.stderr.as_mut(), text);
    }
}
