//! The application: a function of a command line, streams, a connector, a clock and chance. Everything it does can be had in a test.

use futures::future::LocalBoxFuture;

use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::error;
use crate::output::io::Io;
use crate::verbs::args::parse::{Parsed, parse};
use crate::verbs::{Cli, Context};

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
///
/// It is boxed here, so that everything it does is compiled once and not again wherever somebody waits for it.
pub fn run(cli: Cli, cx: &mut Context) -> LocalBoxFuture<'_, Code> {
    Box::pin(async move {
        match cli.verb.run(cx).await {
            Ok(code) => code,
            Err(failure) => {
                let command = format!("{} {}", cx.prefix, cli.verb.name());
                fail(&mut cx.io, &failure, &command)
            }
        }
    })
}

/// Tells a failure and gives its exit code. `command` is what was typed up to the verb.
pub fn fail(io: &mut Io, failure: &Failure, command: &str) -> Code {
    io.remark(&error::render(failure, command));
    failure.kind.into()
}
