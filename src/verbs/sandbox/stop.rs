//! `sandbox stop`: ends a sandbox that somebody started in another terminal, or in the background.

use std::path::Path;
use std::time::Duration;

use super::place;
use crate::cluster::Connect;
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::sandbox::listen::STOP;
use crate::verbs::Context;

/// How long it may take to end, and how often that is looked at.
const LIMIT: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # The one that runs
  kubectl vmmove sandbox stop

  # One of several
  kubectl vmmove sandbox stop --port 41234")]
pub struct Args {
    /// The port of the one to stop; not needed when one runs
    #[arg(long, value_name = "PORT", conflicts_with = "all")]
    port: Option<u16>,
    /// Stop all that run
    #[arg(long)]
    all: bool,
}

/// Stops it and waits until it is gone.
///
/// # Errors
/// None runs, or several do, or it does not end.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let mut all = place::all(&place::folder(&cx.io));
    if let Some(port) = args.port {
        all.retain(|(known, _)| *known == port);
    }
    match all.as_slice() {
        [] => {
            let place = args.port.map_or_else(String::new, |port| format!(" on port {port}"));
            return Err(Failure::error(format!("no sandbox of yours runs{place}")).hint(format!("start one with: {} sandbox start", cx.prefix)));
        }
        [_, _, ..] if !args.all => {
            let ports: Vec<String> = all.iter().map(|(port, _)| port.to_string()).collect();
            let failure = Failure::error(format!("{} sandboxes run, on the ports {}", all.len(), ports.join(", ")));
            return Err(failure.hint(format!("say which: {} sandbox stop --port {}, or --all", cx.prefix, ports[0])));
        }
        _ => {}
    }
    for (port, file) in all {
        let words = if end(cx, port, &file).await? { "stopped" } else { "had ended already; its kubeconfig is removed" };
        cx.io.print(&format!("sandbox on port {port} {words}\n"))?;
    }
    Ok(Code::DONE)
}

/// Asks one to end, and waits until its file is gone. False when nobody is there any more: then the file is removed for it.
async fn end(cx: &Context, port: u16, file: &Path) -> Result<bool, Failure> {
    if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        drop(std::fs::remove_file(file));
        return Ok(false);
    }
    let ask = Connect { kubeconfig: Some(file.to_owned()), request_timeout: Some(Duration::from_secs(5)), ..Connect::default() };
    // Whether the answer still comes through is a matter of chance: that the file goes is the sign.
    let asked = (cx.connector)(ask).await?.post(STOP).await;
    let begun = cx.clock.elapsed();
    while file.exists() {
        if cx.clock.elapsed().saturating_sub(begun) > LIMIT {
            let why = asked.err().map_or_else(String::new, |error| format!(": {}", Failure::from(error).message));
            let failure = Failure::error(format!("the sandbox on port {port} does not end{why}"));
            return Err(failure.hint(format!("if something else serves there by now, remove {}", file.display())));
        }
        cx.clock.sleep(STEP).await;
    }
    Ok(true)
}
