//! `select`: writes a move list. Chosen on a terminal, named on the command line, or as a template to fill in.

use std::path::PathBuf;

use clap_complete::ArgValueCompleter;

use super::Context;
use super::args::connection::quoted;
use super::args::selection::Selection;
use super::completion::values;
use super::looking::assessing::{Assessed, assessed};
use super::looking::save;
use super::looking::wanted::{Named, named};
use crate::exit::Code;
use crate::model::assessment::AssessmentRow;
use crate::model::failure::Failure;
use crate::output::picker::pick;
use crate::output::review::counted;
use crate::output::table::{self, Style, nothing_found};
use crate::output::yaml;
use crate::plan::move_list::{MoveList, template};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # Choose from a list on the terminal
  kubectl vmmove select -n shop --save list.yaml

  # All with a label, to namespace prod
  kubectl vmmove select -l app=db -n shop --to prod --save list.yaml

  # Review what would happen to them
  kubectl vmmove plan -f list.yaml")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Namespace of the target, to be written into the list
    #[arg(long, value_name = "NAMESPACE", add = ArgValueCompleter::new(values::namespaces))]
    to: Option<String>,
    /// Write the list to a file rather than to standard output
    #[arg(long, value_name = "FILE", add = ArgValueCompleter::new(values::files))]
    save: Option<PathBuf>,
}

/// Writes the list.
///
/// # Errors
/// No connection, a name that nothing has, a file that cannot be written.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let wanted = match named(&args.selection, &mut cx.io)? {
        Named::Wanted(wanted) => wanted,
        Named::Plan(_) => return Err(Failure::usage("the file holds a plan, which has chosen already").hint("give names, or a move list")),
    };
    let found = assessed(cx, &wanted).await?;
    let namespace = found.seen.source.namespace.clone();
    if found.assessment.machines.is_empty() {
        cx.io.remark(&nothing_found(Some(&namespace)));
        return Ok(Code::DONE);
    }
    let seen: Vec<String> = found.assessment.rows().map(|row| row.name.clone()).collect();
    let chosen = match (args.selection.is_empty(), cx.io.stdin_is_terminal && cx.io.stderr_is_terminal) {
        (false, _) => Some(seen.clone()),
        (true, true) => Some(picked(cx, &found)?),
        (true, false) => None,
    };
    let text = match &chosen {
        Some(names) if names.is_empty() => {
            cx.io.remark("nothing was chosen\n");
            return Ok(Code::DONE);
        }
        Some(names) => yaml::write(&MoveList::of(&namespace, args.to.as_deref(), names))?,
        None => template(&namespace, args.to.as_deref(), &seen),
    };
    let Some(path) = &args.save else {
        cx.io.print(&text)?;
        return Ok(Code::DONE);
    };
    save::whole(path, &text)?;
    let to = if args.to.is_some() { "" } else { " --to NAMESPACE" };
    let command = cx.commands(&namespace).typed(&format!("plan -f {}{to}", quoted(&path.display().to_string())));
    let what = chosen.map_or_else(|| "a template".to_owned(), |names| counted(names.len(), "virtual machine"));
    cx.io.remark(&format!("{what} written to {}; review the move with: {command}\n", path.display()));
    Ok(Code::DONE)
}

/// Lets the user choose on the terminal, from the lines of the table.
fn picked(cx: &Context, found: &Assessed) -> Result<Vec<String>, Failure> {
    let rows: Vec<AssessmentRow> = found.assessment.rows().cloned().collect();
    let lines = table::render(&rows, Style { headers: false, ..Style::default() }, cx.clock.now());
    let lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    let places = pick(&format!("Virtual machines of {} to move", found.seen.source.namespace), &lines)?;
    Ok(places.into_iter().filter_map(|place| rows.get(place)).map(|row| row.name.clone()).collect())
}
