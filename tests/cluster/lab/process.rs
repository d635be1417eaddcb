//! Child processes that never outlive the test run.
//!
//! Three things see to that: a component is stopped when it is dropped; `setpriv --pdeathsig` has the kernel kill it
//! when the thread that spawned it dies, whatever the reason; and its own process group keeps a Ctrl-C on the terminal
//! from reaching it before the lab takes things down in its order.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::ready::Ready;
use super::wait::{PATIENCE, until};

/// The thread that spawns. A parent-death signal follows the *thread*, so it must live as long as the lab.
#[derive(Clone)]
pub struct Keeper(mpsc::Sender<(Command, mpsc::Sender<io::Result<Child>>)>);

impl Keeper {
    pub fn new() -> Result<Self> {
        let (orders, inbox) = mpsc::channel::<(Command, mpsc::Sender<io::Result<Child>>)>();
        thread::Builder::new().name("lab-keeper".into()).spawn(move || {
            for (mut command, reply) in inbox {
                // Nobody waits for the reply any more: dropping the child is all that is left to do.
                drop(reply.send(command.spawn()));
            }
        })?;
        Ok(Self(orders))
    }

    fn spawn(&self, command: Command) -> Result<Child> {
        let (reply, answer) = mpsc::channel();
        self.0.send((command, reply)).map_err(|_| anyhow!("the spawning thread is gone"))?;
        Ok(answer.recv()??)
    }
}

/// What to run, how to know that it is ready and how to end it.
pub struct Program {
    pub name: &'static str,
    pub command: Vec<String>,
    pub env: Vec<(&'static str, String)>,
    pub ready: Ready,
    /// SIGKILL, except for programs that have data to put in order.
    pub farewell: Signal,
}

/// One program of the lab, running or stopped.
pub struct Component {
    program: Mutex<Program>,
    name: &'static str,
    log: PathBuf,
    keeper: Keeper,
    child: Mutex<Option<Child>>,
}

impl Component {
    /// A component that does not run yet and will log to `log`.
    pub fn new(program: Program, log: PathBuf, keeper: Keeper) -> Self {
        Self { name: program.name, program: Mutex::new(program), log, keeper, child: Mutex::new(None) }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Spawns the program and waits until it is ready; does nothing when it runs.
    pub async fn start(&self) -> Result<()> {
        if !self.running() {
            self.spawn().with_context(|| format!("cannot start {}", self.name))?;
        }
        self.ready().await
    }

    /// Ends the program as the lab does at its end, and waits for that. A test that killed it by its process id calls this,
    /// too: until then the program counts as one that ended by itself, which fails every wait.
    pub fn stop(&self) {
        let farewell = lock(&self.program).farewell;
        self.end(farewell);
    }

    /// Ends the program as a crash would.
    pub fn kill(&self) {
        self.end(Signal::SIGKILL);
    }

    pub async fn restart(&self) -> Result<()> {
        self.stop();
        self.start().await
    }

    /// Stops the clock of the program: it keeps its connections and leases, and does nothing.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Gives `flag` another value for the next start.
    pub fn set_flag(&self, flag: &str, value: &str) {
        let mut program = lock(&self.program);
        program.command.retain(|each| !each.starts_with(&format!("{flag}=")));
        program.command.push(format!("{flag}={value}"));
    }

    pub fn running(&self) -> bool {
        lock(&self.child).is_some()
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        lock(&self.child).as_ref().map(Child::id)
    }

    /// Resident memory in bytes; 0 when it does not run.
    pub fn memory(&self) -> u64 {
        let Some(pid) = self.pid() else { return 0 };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// An error with the end of the log when the program ended by itself.
    pub fn check(&self) -> Result<()> {
        let mut child = lock(&self.child);
        if let Some(status) = child.as_mut().map(Child::try_wait).transpose()?.flatten() {
            bail!("{} ended by itself ({status}); the end of its log:\n{}", self.name, self.tail());
        }
        Ok(())
    }

    async fn ready(&self) -> Result<()> {
        let ready = lock(&self.program).ready.clone();
        let what = format!("{} is ready", self.name);
        let looked = until(&what, PATIENCE, async || {
            self.check()?;
            Ok(ready.look().await)
        });
        looked.await.with_context(|| format!("the end of the log of {}:\n{}", self.name, self.tail()))
    }

    fn spawn(&self) -> Result<()> {
        let program = lock(&self.program);
        let log = File::options().create(true).append(true).open(&self.log)?;
        if let Ready::File(path) = &program.ready {
            // Left by an earlier run, it would look ready at once.
            drop(fs::remove_file(path));
        }
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).args(&program.command).process_group(0);
        command.envs(program.env.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        *lock(&self.child) = Some(self.keeper.spawn(command)?);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().with_context(|| format!("{} does not run", self.name))?;
        Ok(killpg(Pid::from_raw(pid.try_into()?), signal)?)
    }

    fn end(&self, signal: Signal) {
        // A paused program hears no other signal than SIGKILL.
        drop(self.signal(signal));
        drop(self.signal(Signal::SIGCONT));
        let Some(mut child) = lock(&self.child).take() else { return };
        let asked = Instant::now();
        while matches!(child.try_wait(), Ok(None)) {
            if asked.elapsed() > Duration::from_secs(5) {
                drop(child.kill());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A test that panicked with the lock in hand must not keep the lab from being taken down.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
