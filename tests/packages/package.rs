//! Makes a release of built binaries: `cargo run --release --example package -- --help`.
#![allow(clippy::print_stdout, reason = "this is a program to be read on a terminal")]

mod release;

use anyhow::Result;
use clap::Parser;

fn main() -> Result<()> {
    for path in release::command::Args::parse().run()? {
        println!("{}", path.display());
    }
    Ok(())
}
