//! `verify`: compares the target with the source, and sees that guests are up.

use super::Context;
use super::acting::phase::{self, PhaseArgs, Window};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::model::graph::Phase;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # See that the machines of a move have arrived
  kubectl vmmove verify shop-to-prod-7k2fq -n shop")]
pub struct Args {
    #[command(flatten)]
    phase: PhaseArgs,
}

/// Verifies.
///
/// # Errors
/// As [`phase::run`].
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    phase::run(cx, &args.phase, Window { phase: Phase::Verify, done: "verified" }).await
}
