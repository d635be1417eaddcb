//! The tool on a cluster in this process: requests go straight to it, and the tool's time is the cluster's.

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::app;
use crate::cluster::Cluster;
use crate::engine::clock::{Clock, Rng};
use crate::exit::Code;
use crate::output::io::Io;
use crate::sandbox::server::Sandbox;
use crate::sandbox::time::{Scaled, Time};
use crate::verbs::{Connector, Context};

/// The sandbox's time, as the tool asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    time: Scaled,
    begun: Timestamp,
}

impl Shown {
    pub fn new(time: Scaled) -> Self {
        Self { time, begun: time.now() }
    }
}

impl Clock for Shown {
    fn elapsed(&self) -> Duration {
        Duration::try_from(self.time.now().duration_since(self.begun)).unwrap_or_default()
    }

    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.time.sleep(duration)
    }
}

/// Whatever the flags say, the cluster is this one.
pub fn connector(sandbox: Sandbox, clock: Arc<dyn Clock>) -> Connector {
    Arc::new(move |ask| {
        let namespace = ask.namespace.unwrap_or_else(|| "default".to_owned());
        let cluster = Cluster::from_service(sandbox.clone(), &namespace, clock.clone());
        Box::pin(async move { Ok(cluster) })
    })
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    pub code: Code,
    pub stdout: String,
    pub stderr: String,
}

/// Types `kubectl vmmove LINE` on a cluster in this process, at no terminal, and waits for its end.
pub async fn types(sandbox: &Sandbox, time: Scaled, rng: Arc<dyn Rng>, prefix: &str, line: &str, stdin: String) -> Said {
    let (stdout, stderr) = (Page::default(), Page::default());
    let mut io = Io {
        stdin: Box::new(Cursor::new(stdin.into_bytes())),
        stdout: Box::new(stdout.clone()),
        stderr: Box::new(stderr.clone()),
        stdin_is_terminal: false,
        stdout_is_terminal: false,
        stderr_is_terminal: false,
        env: |_| None,
    };
    let code = match app::read(prefix, line.split_whitespace().map(Into::into), &mut io) {
        Err(code) => code,
        Ok(cli) => {
            let clock = Arc::new(Shown::new(time));
            let connector = connector(sandbox.clone(), clock.clone());
            let (connection, prefix) = (cli.connection.clone(), prefix.to_owned());
            let mut cx = Context { connection, connector, io, clock, rng, prefix, program: String::new() };
            Box::pin(app::run(cli, &mut cx)).await
        }
    };
    Said { code, stdout: stdout.text(), stderr: stderr.text() }
}

/// A stream that keeps what is written to it.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
