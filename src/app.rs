//! The application: a function of a command line, streams, a connector, a clock and chance. Everything it does can be had in a test.

use std::io::{BufRead, Write};

use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::{error, stream};
use crate::verbs::args::parse::{Parsed, parse};
use crate::verbs::{Cli, Context};

/// The streams of one run, and what is known about them.
pub struct Io {
    pub stdin: Box<dyn BufRead + Send>,
    pub stdout: Box<dyn Write + Send>,
    pub stderr: Box<dyn Write + Send>,
    pub stdin_is_terminal: bool,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
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

/// Reads the command line. Help and wrong usage are answered at once, with the exit code.
///
/// # Errors
/// There is nothing to run; the code to exit with.
pub fn read(prefix: &str, args: impl IntoIterator<Item = std::ffi::OsString>, io: &mut Io) -> Result<Cli, Code> {
    match parse(prefix, args) {
        Parsed::Run(cli) => Ok(*cli),
        Parsed::Help(page) => Err(io.print(&page).map_or_else(|failure| failure.kind.into(), |()| Code::DONE)),
        Parsed::Wrong(failure, command) => Err(fail(io, &failure, &command)),
    }
}

/// Does what the command line says and returns the exit code. A failure is told on standard error.
pub async fn run(cli: Cli, cx: &mut Context) -> Code {
    match cli.verb.run(cx).await {
        Ok(code) => code,
        Err(failure) => {
            let command = format!("{} {}", cx.prefix, cli.verb.name());
            fail(&mut cx.io, &failure, &command)
        }
    }
}

/// Tells a failure and gives its exit code. `command` is what was typed up to the verb.
pub fn fail(io: &mut Io, failure: &Failure, command: &str) -> Code {
    io.remark(&error::render(failure, command));
    failure.kind.into()
}
