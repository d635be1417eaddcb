//! `recreate`: makes the machines in the target, halted.

use super::Context;
use super::acting::phase::{self, PhaseArgs, Window};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::Phase;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Make the machines of a move in the target, halted
  kubectl vmmove recreate shop-to-prod-7k2fq -n shop")]
pub struct Args {
    #[command(flatten)]
    phase: PhaseArgs,
}

/// Recreates.
///
/// # Errors
/// As [`phase::run`].
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    phase::run(cx, &args.phase, Window { phase: Phase::Recreate, done: "recreated" }).await
}
