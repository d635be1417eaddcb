//! `start`: starts the machines in the target as they were in the source.

use super::Context;
use super::acting::phase::{self, PhaseArgs, Window};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::Phase;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Start the machines of a move in the target
  kubectl vmmove start shop-to-prod-7k2fq -n shop")]
pub struct Args {
    #[command(flatten)]
    phase: PhaseArgs,
}

/// Starts.
///
/// # Errors
/// As [`phase::run`].
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    phase::run(cx, &args.phase, Window { phase: Phase::Start, done: "started" }).await
}
