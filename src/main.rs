//! Argv in, exit code out: streams, the panic hook, and a runtime for the verbs that need one.

use std::io::{BufReader, IsTerminal, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;

use vmmove::app;
use vmmove::cluster::connect;
use vmmove::engine::clock::{System, SystemRng};
use vmmove::exit::Code;
use vmmove::model::failure::Failure;
use vmmove::output::error;
use vmmove::output::io::Io;
use vmmove::output::log;
use vmmove::verbs::args::help;
use vmmove::verbs::completion::protocol;
use vmmove::verbs::{Cli, Context};

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default().to_string_lossy().into_owned();
    let mut args = args.peekable();
    let asked = protocol::is_asked(&program) || args.next_if(|word| word == "__complete").is_some();
    if asked {
        panic::set_hook(Box::new(|_| {})); // What is said about a defect would stand in the prompt.
        let words: Vec<_> = args.collect();
        let answered = panic::catch_unwind(|| protocol::answer(&words, &mut std::io::stdout().lock()));
        return ExitCode::from(u8::from(!matches!(answered, Ok(Ok(())))));
    }
    let prefix = help::prefix(&program);
    panic::set_hook(Box::new({
        let prefix = prefix.clone();
        move |defect| tell(&prefix, defect)
    }));
    let mut io = streams();
    let code = panic::catch_unwind(AssertUnwindSafe(|| match app::read(&prefix, args, &mut io) {
        Ok(cli) => run(cli, io, prefix, program),
        Err(code) => code,
    }));
    ExitCode::from(code.unwrap_or(Code::ERROR).0)
}

fn run(cli: Cli, io: Io, prefix: String, program: String) -> Code {
    let local = cli.verb.is_local();
    let clock = Arc::new(System::new());
    if let Some(listener) = log::listener(cli.connection.verbosity.unwrap_or_default(), clock.clone(), std::io::stderr) {
        let _ = tracing::subscriber::set_global_default(listener); // Nobody listens before this.
    }
    let mut cx = Context {
        connection: cli.connection.clone(),
        connector: Arc::new(|ask| Box::pin(async move { connect(&ask).await })),
        io,
        clock,
        rng: Arc::new(SystemRng),
        prefix,
        program,
    };
    if local {
        return futures::executor::block_on(app::run(cli, &mut cx));
    }
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(app::run(cli, &mut cx));
            runtime.shutdown_background();
            code
        }
        Err(error) => app::fail(&mut cx.io, &Failure::error(format!("cannot start: {error}")), &cx.prefix),
    }
}

fn streams() -> Io {
    Io {
        stdin: Box::new(BufReader::new(std::io::stdin())),
        stdout: Box::new(std::io::stdout()),
        stderr: Box::new(std::io::stderr()),
        stdin_is_terminal: std::io::stdin().is_terminal(),
        stdout_is_terminal: std::io::stdout().is_terminal(),
        stderr_is_terminal: std::io::stderr().is_terminal(),
        screen: None,
        env: |name| std::env::var(name).ok(),
    }
}

/// Says that we have a defect.
fn tell(prefix: &str, defect: &panic::PanicHookInfo<'_>) {
    let place = defect.location().map(|place| format!("{}:{}", place.file(), place.line()));
    let detail = std::env::var_os("RUST_BACKTRACE").map(|_| defect.to_string());
    let said = error::defect(prefix, place.as_deref(), detail.as_deref(), std::io::stderr().is_terminal());
    let _ = std::io::stderr().lock().write_all(said.as_bytes());
}
