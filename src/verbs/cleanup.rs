//! `cleanup`: removes the sources with their disks, once their machines are verified; there is no way back then.

use super::Context;
use super::acting::phase::{self, PhaseArgs, Window};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::Phase;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Remove the sources of a move
  kubectl vmmove cleanup shop-to-prod-7k2fq -n shop

  # The source of one machine, without being asked
  kubectl vmmove cleanup shop-to-prod-7k2fq -n shop --vm db-1 --yes

  # Say what would be removed
  kubectl vmmove cleanup shop-to-prod-7k2fq -n shop --dry-run=client")]
pub struct Args {
    #[command(flatten)]
    phase: PhaseArgs,
}

/// Cleans up.
///
/// # Errors
/// As [`phase::run`].
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    phase::run(cx, &args.phase, Window { phase: Phase::Cleanup, done: "cleaned up" }).await
}
