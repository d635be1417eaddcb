//! `sandbox`: a cluster in this process, to try the tool on.

use clap::Subcommand;

use super::Context;
use crate::exit::Code;
use crate::model::failure::Failure;

pub mod demo;
pub mod inside;
#[cfg(test)]
mod tests;

#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// See three virtual machines moved, a crash survived and a machine put back, in ten seconds
    Demo(demo::Args),
}

/// Does what is asked of the sandbox.
///
/// # Errors
/// Whatever its file says.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    match &args.what {
        What::Demo(args) => demo::run(cx, args).await,
    }
}
