//! What a user sees: one call, one golden file with standard output, standard error and exit code.
//!
//! Where no cluster is needed, the application runs in process, with streams and a clock of ours; elsewhere the built binary is started, with
//! an API server of the tests' own (`server.rs`). `INSTA_UPDATE=always cargo test --test terminal` rewrites the files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod bad_input;
mod completing;
mod connection;
mod desk;
#[cfg(unix)]
mod live;
mod logging;
mod pages;
mod screen;
mod server;
#[cfg(unix)]
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../sandbox/serving.rs"]
mod serving;
mod stories;
#[cfg(unix)]
mod surroundings;
#[cfg(unix)]
mod tty;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use vmmove::app;
use vmmove::cluster::connect;
use vmmove::engine::clock::{Clock, Rng};
use vmmove::exit::Code;
use vmmove::output::io::Io;
use vmmove::verbs::Context;

/// A stream whose text can be read afterwards, or whose reader has gone away.
#[derive(Clone, Default)]
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    closed: bool,
}

impl Stream {
    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.text.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Stands still at the first second of 2026.
struct Still;

impl Clock for Still {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_767_225_600).unwrap()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::ready(()))
    }
}

impl Rng for Still {
    fn next(&self) -> u64 {
        7
    }
}

/// A terminal to type a command into.
struct Terminal {
    prefix: &'static str,
    stdout: Stream,
    stderr: Stream,
    /// Texts that differ from run to run, and what golden files say instead.
    hidden: Vec<(String, &'static str)>,
}

/// What came of a command.
struct Seen {
    text: String,
    stderr: String,
    code: u8,
}

fn terminal() -> Terminal {
    Terminal { prefix: "kubectl vmmove", stdout: Stream::default(), stderr: Stream::default(), hidden: Vec::new() }
}

impl Terminal {
    fn called(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    fn with_closed_stdout(mut self) -> Self {
        self.stdout.closed = true;
        self
    }

    fn hiding(mut self, text: impl Into<String>, name: &'static str) -> Self {
        self.hidden.push((text.into(), name));
        self
    }

    fn run(self, line: &str) -> Seen {
        let code = self.exit_code(line);
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        let mut text = format!("$ {} {line}\n{stdout}-- stderr\n{stderr}-- exit code {}\n", self.prefix, code.0);
        for (hidden, name) in &self.hidden {
            text = text.replace(hidden, name);
        }
        Seen { text, stderr, code: code.0 }
    }

    fn exit_code(&self, line: &str) -> Code {
        let mut io = Io {
            stdin: Box::new(io::empty()),
            stdout: Box::new(self.stdout.clone()),
            stderr: Box::new(self.stderr.clone()),
            stdin_is_terminal: false,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            screen: None,
            env: |_| None,
        };
        let cli = match app::read(self.prefix, line.split_whitespace().map(Into::into), &mut io) {
            Ok(cli) => cli,
            Err(code) => return code,
        };
        let mut cx = Context {
            connection: cli.connection.clone(),
            connector: Arc::new(|ask| Box::pin(async move { connect(&ask).await })),
            io,
            clock: Arc::new(Still),
            rng: Arc::new(Still),
            prefix: self.prefix.to_owned(),
            program: "kubectl-vmmove".to_owned(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(app::run(cli, &mut cx))
    }
}

impl Seen {
    /// Compares with the file `golden/NAME.snap`.
    fn golden(&self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.text));
    }
}
