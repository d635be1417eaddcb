//! `copy`: copies what the machines refer to: Secrets, ConfigMaps, Services, instance types.

use super::Context;
use super::acting::phase::{self, PhaseArgs, Window};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::Phase;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Copy what the machines of a move refer to
  kubectl vmmove copy shop-to-prod-7k2fq -n shop

  # Begin a move with it: nothing is stopped
  kubectl vmmove copy -f plan.yaml")]
pub struct Args {
    #[command(flatten)]
    phase: PhaseArgs,
}

/// Copies.
///
/// # Errors
/// As [`phase::run`].
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    phase::run(cx, &args.phase, Window { phase: Phase::Copy, done: "copied" }).await
}
