//! `clone`: brings the disks to the target, each by its strategy.

use super::Context;
use super::acting::phase::{self, PhaseArgs, Window};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::Phase;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Bring the disks of a move to the target
  kubectl vmmove clone shop-to-prod-7k2fq -n shop

  # Those of one machine
  kubectl vmmove clone shop-to-prod-7k2fq -n shop --vm db-1")]
pub struct Args {
    #[command(flatten)]
    phase: PhaseArgs,
}

/// Clones.
///
/// # Errors
/// As [`phase::run`].
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    phase::run(cx, &args.phase, Window { phase: Phase::Clone, done: "cloned" }).await
}
