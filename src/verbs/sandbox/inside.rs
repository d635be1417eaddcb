//! The tool on a cluster in this process: requests go straight to it, and the tool's time is the cluster's.

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::app;
use crate::cluster::Cluster;
use crate::engine::clock::{Clock, Rng, Seeded};
use crate::exit::Code;
use crate::model::names::LABEL_MOVE;
use crate::output::io::Io;
use crate::output::progress::Screen;
use crate::sandbox::catalog::CONFIG_MAP;
use crate::sandbox::server::Sandbox;
use crate::sandbox::time::{Scaled, Time};
use crate::sandbox::world::World;
use crate::verbs::{Connector, Context};

/// The sandbox's time, as the tool asks for it.
#[derive(Clone, Copy, Debug)]
struct Shown {
    time: Scaled,
    begun: Timestamp,
}

impl Shown {
    fn new(time: Scaled) -> Self {
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

/// A cluster in this process, its time, and somebody who types commands there.
#[derive(Clone)]
pub struct Inside {
    pub sandbox: Sandbox,
    pub time: Scaled,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    /// Whether standard output is taken for a terminal, and so shows colours.
    pub colours: bool,
    /// The terminal that standard error is taken for, if it is.
    pub screen: Option<Screen>,
}

impl Inside {
    /// A cluster that goes on from there, so many times as fast as the runtime it is begun on, for as long as that. Chance follows from the seed.
    pub fn of(world: World, pace: u32, seed: u64) -> Self {
        let time = Scaled::new(world.now(), pace);
        let sandbox = Sandbox::of(world, Arc::new(time));
        tokio::spawn(sandbox.clone().live());
        Self { sandbox, time, clock: Arc::new(Shown::new(time)), rng: Arc::new(Seeded::new(seed)), colours: false, screen: None }
    }

    /// Whatever the flags say, the cluster is this one.
    pub fn connector(&self) -> Connector {
        let (sandbox, clock, rng) = (self.sandbox.clone(), self.clock.clone(), self.rng.clone());
        Arc::new(move |ask| {
            let namespace = ask.namespace.unwrap_or_else(|| "default".to_owned());
            let cluster = Cluster::from_service(sandbox.clone(), &namespace, clock.clone(), rng.clone());
            Box::pin(async move { Ok(cluster) })
        })
    }

    /// Types `kubectl vmmove LINE` and waits for its end. Nobody is there to answer questions.
    pub async fn types(&self, prefix: &str, line: &str, stdin: String) -> Said {
        let (stdout, stderr) = (Page::default(), Page::default());
        let mut io = Io {
            stdin: Box::new(Cursor::new(stdin.into_bytes())),
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            stdin_is_terminal: false,
            stdout_is_terminal: self.colours,
            stderr_is_terminal: self.screen.is_some(),
            screen: self.screen.clone(),
            env: |_| None,
        };
        let words = line.split_whitespace().map(|word| word.trim_matches('\'').into());
        let code = match app::read(prefix, words, &mut io) {
            Err(code) => code,
            Ok(cli) => {
                let (connection, connector) = (cli.connection.clone(), self.connector());
                let (clock, rng, prefix) = (self.clock.clone(), self.rng.clone(), prefix.to_owned());
                let mut cx = Context { connection, connector, io, clock, rng, prefix, program: String::new() };
                app::run(cli, &mut cx).await
            }
        };
        Said { code, stdout: stdout.text(), stderr: stderr.text() }
    }

    /// The names of the moves whose ledgers are in a namespace, the oldest first.
    pub fn moves(&self, namespace: &str) -> Vec<String> {
        let mut maps = self.sandbox.with(|world| world.list(&CONFIG_MAP, Some(namespace)));
        maps.sort_by_key(|map| map["metadata"]["creationTimestamp"].as_str().map(str::to_owned));
        let mut names: Vec<String> = maps.iter().filter_map(|map| Some(map["metadata"]["labels"].get(LABEL_MOVE)?.as_str()?.to_owned())).collect();
        names.dedup();
        names
    }
}

/// Plays on a cluster that goes on from there, in virtual time: nothing is waited for. It is a runtime of its own, so call it on a thread that has none.
///
/// # Errors
/// The system gives no runtime.
pub fn in_virtual_time<T>(world: World, seed: u64, play: impl AsyncFnOnce(Inside) -> T) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    Ok(runtime.block_on(async { play(Inside::of(world, 1, seed)).await }))
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    pub code: Code,
    pub stdout: String,
    pub stderr: String,
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
