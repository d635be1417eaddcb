//! Typing commands in stories: the application in process, with streams, a clock and chance of ours.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::app;
use crate::cluster::Cluster;
use crate::cluster::scripted::{Log, Seen};
use crate::engine::clock::{Clock, Rng, System};
use crate::output::io::Io;
use crate::verbs::Context;

/// Who sits there.
#[derive(Clone, Copy, Default)]
pub struct User {
    /// What they type into standard input.
    pub stdin: &'static str,
    /// They do it on a terminal.
    pub is_terminal: bool,
    /// Nobody reads standard output.
    pub has_left: bool,
}

/// What a command printed and did.
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: u8,
    pub log: Log,
}

impl Said {
    /// Everything a user sees, for snapshots.
    pub fn all(&self) -> String {
        format!("{}-- stderr\n{}-- exit code {}\n", self.stdout, self.stderr, self.code)
    }

    /// Whether nothing was sent that changes anything.
    pub fn changed_nothing(&self) -> bool {
        let question = |seen: &Seen| seen.path.contains("/apis/auth") || seen.query.contains("dryRun=All");
        self.log.all().iter().all(|seen| seen.method == "GET" || question(seen))
    }
}

/// Types a command, whose words are split at blanks, and is told everything.
pub async fn run(cluster: Cluster, log: Log, user: User, line: &str) -> Said {
    let User { stdin, is_terminal, has_left } = user;
    let (stdout, stderr) = (Paper { is_closed: has_left, ..Paper::default() }, Paper::default());
    let mut io = Io {
        stdin: Box::new(io::Cursor::new(stdin)),
        stdout: Box::new(stdout.clone()),
        stderr: Box::new(stderr.clone()),
        stdin_is_terminal: is_terminal,
        stdout_is_terminal: false,
        stderr_is_terminal: is_terminal,
        screen: None,
        env: |name| (name == "NO_COLOR").then(|| "1".to_owned()),
    };
    let code = match app::read("kubectl vmmove", line.split_whitespace().map(Into::into), &mut io) {
        Err(code) => code,
        Ok(cli) => {
            let mut cx = Context {
                connection: cli.connection.clone(),
                connector: Arc::new(move |_| {
                    let cluster = cluster.clone();
                    Box::pin(async move { Ok(cluster) })
                }),
                io,
                clock: Arc::new(At::new("2026-11-21T12:10:00Z")),
                rng: Arc::new(Chosen),
                prefix: "kubectl vmmove".to_owned(),
                program: String::new(),
            };
            app::run(cli, &mut cx).await
        }
    };
    Said { stdout: stdout.text(), stderr: stderr.text(), code: code.0, log }
}

/// A clock that shows one time.
pub struct At(System, jiff::Timestamp);

impl At {
    pub fn new(time: &str) -> Self {
        Self(System::new(), time.parse().unwrap())
    }
}

impl Clock for At {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn now(&self) -> jiff::Timestamp {
        self.1
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
}

/// The number from which a move is called `shop-to-prod-7k2fq`.
pub struct Chosen;

impl Rng for Chosen {
    fn next(&self) -> u64 {
        6_451_134
    }
}

/// A stream whose text can be read afterwards.
#[derive(Clone, Default)]
struct Paper {
    written: Arc<Mutex<Vec<u8>>>,
    is_closed: bool,
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
