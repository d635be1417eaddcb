//! `stop`: fences each machine in the source and waits until nothing holds its disks.

use super::Context;
use super::acting::phase::{self, PhaseArgs, Window};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::Phase;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Begin a move with a plan, and stop its machines
  kubectl vmmove stop -f plan.yaml

  # Stop one machine of a move
  kubectl vmmove stop shop-to-prod-7k2fq -n shop --vm db-1")]
pub struct Args {
    #[command(flatten)]
    phase: PhaseArgs,
}

/// Stops.
///
/// # Errors
/// As [`phase::run`].
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    phase::run(cx, &args.phase, Window { phase: Phase::Stop, done: "stopped" }).await
}
