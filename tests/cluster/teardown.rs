//! The programs of a laboratory never outlive the process that started them, however that ends.
#![allow(clippy::print_stdout, clippy::panic, reason = "one of the ends is a panic, and the process says what it started")]

use std::future::pending;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::interrupted;
use crate::lab::process::{Component, Keeper, Program};
use crate::lab::ready::Ready;
use crate::lab::wait::{Look, PATIENCE, until};

/// Set for the process that is to end so.
const END: &str = "VMMOVE_TEARDOWN";

/// If this process was started to end in a certain way: starts a program, says its process id, and does so.
pub async fn ends_as_asked() -> Result<bool> {
    let Ok(end) = std::env::var(END) else { return Ok(false) };
    let log = std::env::temp_dir().join(format!("vmmove-teardown-{}", std::process::id()));
    let command = vec!["sleep".to_owned(), "1000".to_owned()];
    let program = Program { name: "sleep", command, env: Vec::new(), ready: Ready::Running, farewell: Signal::SIGKILL };
    let component = Component::new(program, log.clone(), Keeper::new()?);
    component.start().await?;
    std::fs::remove_file(log)?;
    let mut heard = pin!(interrupted());
    // From here on it listens.
    let _ = futures::poll!(&mut heard);
    println!("{}", component.pid().context("it does not run")?);
    match end.as_str() {
        // Not before whoever started it has seen what it started.
        "panic" => panic!("as asked, {:?}", std::io::read_to_string(std::io::stdin())),
        "interrupt" => heard.await,
        _ => pending().await,
    }
    Ok(true)
}

/// Starts a process that ends so, and gives it and the program that it started.
async fn started(end: &str) -> Result<(Child, PathBuf)> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.env(END, end).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("it has no output")?).read_line(&mut line)?;
    let program = PathBuf::from(format!("/proc/{}", line.trim()));
    ensure!(!line.trim().is_empty(), "it started nothing");
    // Until then the kernel has not been told whose end is its end.
    let runs = async || match std::fs::read_to_string(program.join("comm"))?.trim() {
        "sleep" => Ok(Look::Done(())),
        other => Ok(Look::NotYet(other.to_owned())),
    };
    until("what was started is itself", PATIENCE, runs).await?;
    Ok((child, program))
}

/// A panic, a Ctrl-C and a SIGKILL take everything along.
pub async fn nothing_outlives_its_laboratory() -> Result<()> {
    for (end, signal) in [("panic", None), ("interrupt", Some(Signal::SIGINT)), ("kill", Some(Signal::SIGKILL))] {
        let (mut child, program) = started(end).await?;
        if let Some(signal) = signal {
            kill(Pid::from_raw(child.id().try_into()?), signal)?;
        }
        // Waiting closes its standard input first.
        let status = tokio::task::spawn_blocking(move || child.wait()).await??;
        if status.success() != (end == "interrupt") {
            bail!("the process that was to end by {end} ended with {status}");
        }
        let gone = async || Ok(if program.exists() { Look::NotYet("it runs".to_owned()) } else { Look::Done(()) });
        until(&format!("the end of what was started, after {end}"), PATIENCE, gone).await?;
    }
    Ok(())
}
