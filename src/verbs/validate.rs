//! `validate`: says whether a plan still holds. Exit code 4, with what changed, if not.

use std::path::PathBuf;

use clap_complete::ArgValueCompleter;

use super::Context;
use super::args::display::Table;
use super::completion::values;
use super::looking::documents::read_plan;
use super::looking::planning::{refusal, replanned};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::columns::findings::sorted;
use crate::output::{review, table};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Is last week's plan still true?
  kubectl vmmove validate -f plan.yaml")]
pub struct Args {
    /// The plan; - is standard input
    #[arg(short, long, value_name = "PLAN", add = ArgValueCompleter::new(values::files))]
    filename: PathBuf,
    /// Leave out the header line
    #[arg(long)]
    no_headers: bool,
}

/// Looks at everything that the plan was made from again, and asks the server again.
///
/// # Errors
/// A plan that cannot be read or was edited, no connection; blocking findings.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let plan = read_plan(&args.filename, &mut cx.io)?;
    let headline = review::headline(&plan);
    let looked = replanned(cx, plan).await?;
    let style = Table { no_headers: args.no_headers, ..Table::default() }.style(&cx.io);
    let findings = sorted(&looked.planned.findings);
    let shown = table::render(&findings, style, cx.clock.now());
    let gap = if shown.is_empty() { "" } else { "\n" };
    cx.io.print(&format!("{headline}{gap}{shown}"))?;
    if looked.is_blocked() {
        return Err(refusal(cx, &findings));
    }
    cx.io.remark("the plan still holds\n");
    Ok(Code::DONE)
}
