//! `sandbox start --background`: another process of this program serves, and this one waits until it does.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::start::{Args, LAST};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::verbs::Context;

/// Starts it and repeats what it prints. When it cannot serve, what it says and how it ends are repeated too.
///
/// # Errors
/// The process cannot be started.
pub async fn start(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let cannot = |error: std::io::Error| Failure::error(format!("cannot start in the background: {error}"));
    let mut child = command(cx, args).map_err(cannot)?.spawn().map_err(cannot)?;
    let printed = printed(&mut child).await.map_err(cannot)?;
    if printed.lines().last().is_some_and(|line| line.starts_with(LAST)) {
        cx.io.print(&printed)?;
        return Ok(Code::DONE);
    }
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said).await.map_err(cannot)?;
    }
    let ended = child.wait().await.map_err(cannot)?;
    cx.io.remark(&said);
    Ok(ended.code().and_then(|code| u8::try_from(code).ok()).map_or(Code::ERROR, Code))
}

/// What it prints until it serves, or ends.
async fn printed(child: &mut Child) -> std::io::Result<String> {
    let (mut text, Some(stdout)) = (String::new(), child.stdout.take()) else { return Ok(String::new()) };
    let mut stdout = BufReader::new(stdout);
    let mut begun = 0;
    while stdout.read_line(&mut text).await? > 0 && !text[begun..].starts_with(LAST) {
        begun = text.len();
    }
    Ok(text)
}

fn command(cx: &Context, args: &Args) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["sandbox", "start", "--scenario", &args.scenario, "--speed", &args.speed.to_string()]);
    if let Some(port) = args.port {
        command.args(["--port", &port.to_string()]);
    }
    if args.plain {
        command.arg("--plain");
    }
    if args.skip_unknown {
        command.arg("--skip-unknown");
    }
    let stdin = if args.scenario == "-" { Stdio::inherit() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: a Ctrl-C on this terminal is not meant for it.
    #[cfg(unix)]
    command.arg0(&cx.program).process_group(0);
    #[cfg(not(unix))]
    let _ = cx;
    Ok(command)
}
