//! `plan`: decides everything about a move, says why, and asks the server whether it would work. Changes nothing.

use std::path::{Path, PathBuf};

use clap_complete::ArgValueCompleter;
use serde_json::Value;

use super::Context;
use super::args::decisions::Decisions;
use super::args::display::{Table, on_stderr};
use super::args::selection::Selection;
use super::completion::values;
use super::looking::diff::diff;
use super::looking::planning::{Looked, decided, planned};
use super::looking::rehearsal::rehearse;
use super::looking::save;
use super::looking::wanted::{Named, named, required};
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::colour::Paint;
use crate::output::format::Format;
use crate::output::rehearsal::told;
use crate::output::table::nothing_found;
use crate::output::{columns, json as as_json, review, table, yaml};
use crate::plan::rbac::rbac;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # How two machines would move to namespace prod, and why so
  kubectl vmmove plan db-1 web-1 -n shop --to prod

  # Keep the plan for review, and carry it out later
  kubectl vmmove plan 'db-*' -n shop --to prod --save plan.yaml
  kubectl vmmove run -f plan.yaml

  # Carry it out in a sandbox first, filled with what is seen of the cluster
  kubectl vmmove plan db-1 -n shop --to prod --rehearse

  # What would change in each object
  kubectl vmmove plan db-1 -n shop --to prod --diff

  # The roles that somebody needs who carries it out
  kubectl vmmove plan db-1 -n shop --to prod --print-rbac")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    decisions: Decisions,
    #[command(flatten)]
    table: Table,
    /// Write the plan to a file (JSON if its name ends so, else YAML), unless something blocks it
    #[arg(long, value_name = "FILE", add = ArgValueCompleter::new(values::files))]
    save: Option<PathBuf>,
    /// Print the roles that carrying it out needs, ready for 'kubectl apply'
    #[arg(long, conflicts_with_all = ["save", "diff", "format"])]
    print_rbac: bool,
    /// Print how each object of the target differs from that of the source; secrets are left out
    #[arg(long, conflicts_with = "format")]
    diff: bool,
    /// Carry the plan out, and back again, in a sandbox filled with what was seen of the cluster, which hears nothing of it
    #[arg(long, conflicts_with_all = ["print_rbac", "diff"])]
    rehearse: bool,
    /// Exit with 2 when there is something to move
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Plans, and shows the plan with its findings.
///
/// # Errors
/// Wrong arguments, a cluster that cannot be reached, a file that cannot be written. Blocking findings are exit code 4.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    required(&args.selection)?;
    let wanted = match named(&args.selection, &mut cx.io)? {
        Named::Wanted(wanted) => wanted,
        Named::Plan(_) => {
            return Err(Failure::usage("the file holds a plan, which has decided already")
                .hint("see whether it still holds with 'validate -f', or carry it out with 'run -f'"));
        }
    };
    if args.print_rbac {
        let looked = decided(cx, &wanted, &args.decisions).await?;
        let roles = rbac(&looked.planned.plan.spec).iter().map(yaml::write).collect::<Result<Vec<_>, _>>()?;
        cx.io.print(&roles.join("---\n"))?;
        tell_findings(cx, &looked);
        return ending(cx, args, &looked);
    }
    let mut looked = planned(cx, &wanted, &args.decisions).await?;
    if looked.planned.plan.spec.machines.is_empty() && !looked.is_blocked() {
        cx.io.remark(&nothing_found(Some(&looked.seen.source.namespace)));
        return Ok(Code::DONE);
    }
    if args.rehearse && !looked.is_blocked() {
        rehearsed(cx, &mut looked).await?;
    }
    show(cx, args, &looked).await?;
    if let Some(path) = &args.save {
        keep(cx, &looked, path)?;
    }
    ending(cx, args, &looked)
}

/// Rehearses the plan and tells what happened; what was found joins the plan's findings.
async fn rehearsed(cx: &mut Context, looked: &mut Looked) -> Result<(), Failure> {
    let rehearsal = rehearse(&cx.prefix, cx.clock.now(), &looked.seen, &looked.planned.plan).await?;
    let paint = Paint::for_stream(cx.io.stderr_is_terminal, cx.io.env);
    cx.io.remark(&format!("{}\n", told(&rehearsal, &cx.prefix, paint)));
    looked.planned.findings.extend(rehearsal.findings);
    Ok(())
}

fn ending(cx: &Context, args: &Args, looked: &Looked) -> Result<Code, Failure> {
    match (looked.is_blocked(), args.detailed_exitcode && !looked.planned.plan.spec.machines.is_empty()) {
        (true, _) => Err(looked.refusal(cx)),
        (false, true) => Ok(Code::SOMETHING_TO_MOVE),
        (false, false) => Ok(Code::DONE),
    }
}

/// The plan on standard output. Where that is a document or a diff, the findings go to standard error.
async fn show(cx: &mut Context, args: &Args, looked: &Looked) -> Result<(), Failure> {
    let plan = &looked.planned.plan;
    if args.diff {
        let text = diff(&looked.sites, &looked.seen, plan).await?;
        cx.io.print(&text)?;
        tell_findings(cx, looked);
        return Ok(());
    }
    let format = args.table.output.format();
    if format.is_table() {
        let style = args.table.style(&cx.io);
        let text = review::plan(plan, &looked.planned.findings, style, cx.clock.now());
        return cx.io.print(&text);
    }
    let text = match format {
        Format::Yaml => yaml::write(plan)?,
        Format::Json => as_json::write(plan)?,
        other => other.one(&document(looked)?)?,
    };
    cx.io.print(&text)?;
    tell_findings(cx, looked);
    Ok(())
}

fn document(looked: &Looked) -> Result<Value, Failure> {
    serde_json::to_value(&looked.planned.plan).map_err(|error| Failure::error(format!("cannot write the plan: {error}")))
}

fn tell_findings(cx: &mut Context, looked: &Looked) {
    let findings = columns::findings::sorted(&looked.planned.findings);
    cx.io.remark(&table::render(&findings, on_stderr(&cx.io), cx.clock.now()));
}

/// Saves a plan that nothing blocks.
fn keep(cx: &mut Context, looked: &Looked, path: &Path) -> Result<(), Failure> {
    if looked.is_blocked() {
        cx.io.remark(&format!("the plan is blocked and was not saved to {}\n", path.display()));
        return Ok(());
    }
    let is_json = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let plan = &looked.planned.plan;
    save::whole(path, &if is_json { as_json::write(plan)? } else { yaml::write(plan)? })?;
    let command = format!("run -f {}", super::args::connection::quoted(&path.display().to_string()));
    cx.io.remark(&format!("saved to {}; carry it out with: {}\n", path.display(), cx.commands(&plan.spec.source.namespace).typed(&command)));
    Ok(())
}
