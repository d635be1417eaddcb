//! Starts a lab to look around in with kubectl: `cargo run --example lab`. Ctrl-C stops it and removes its files.
#![allow(clippy::print_stdout, reason = "this is a program to be read on a terminal")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]
#![allow(dead_code, reason = "the tests use what this does not")]

#[path = "mod.rs"]
mod lab;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use lab::{Lab, Options, build};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    tokio::task::spawn_blocking(build::build).await??;
    let begin = Instant::now();
    let lab = tokio::select! {
        lab = Lab::start(Options::default()) => lab?,
        () = lab::interrupted() => return Ok(()),
    };
    let (seconds, mebibytes) = (begin.elapsed().as_secs_f64(), lab.memory() / (1 << 20));
    println!("{} programs run after {seconds:.1} s, in {mebibytes} MiB of memory.", lab.components().len());
    println!("logs: {}\n", lab.logs().display());
    println!("export KUBECONFIG={}", lab.kubeconfig().display());
    println!("{} get virtualmachines,datavolumes,persistentvolumeclaims --all-namespaces\n", lab.kubectl().display());
    println!("Ctrl-C ends it.");
    lab::interrupted().await;
    let begin = Instant::now();
    lab.stop();
    println!("Everything is stopped, after {:.1} s.", begin.elapsed().as_secs_f64());
    Ok(())
}
