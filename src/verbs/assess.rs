//! `assess`: what is there, and what would speak against moving it. Changes nothing.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::args::display::{Rows, Table};
use super::args::selection::Selection;
use super::looking::assessing::{Assessed, assessed};
use super::looking::export::export;
use super::looking::wanted::{Named, Wanted, Who, named};
use crate::exit::Code;
use crate::model::assessment::AssessmentRow;
use crate::model::failure::Failure;
use crate::model::kind;
use crate::output::error::warning;
use crate::output::format::Format;
use crate::output::review::counted;
use crate::output::table::{self, nothing_found};
use crate::output::{json, labels, yaml};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # All virtual machines of a namespace
  kubectl vmmove assess -n shop

  # Some of them, with every finding
  kubectl vmmove assess 'db-*' -n shop -o wide

  # The largest last, with what each is labelled as
  kubectl vmmove assess -n shop --sort-by=.summary.size -L app

  # Their manifests, those of their disks and of what they refer to, one file each
  kubectl vmmove assess db-1 -n shop --export db-1")]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    table: Table,
    #[command(flatten)]
    rows: Rows,
    /// Also write the manifests of the machines, their disks and what they refer to into a folder that only you can read; Secrets are among them
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    export: Option<PathBuf>,
}

/// Assesses the machines that are named, all of them when none is.
///
/// # Errors
/// No connection, a name that nothing has, a folder that cannot be written.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let wanted = match named(&args.selection, &mut cx.io)? {
        Named::Wanted(wanted) => *wanted,
        Named::Plan(plan) => Wanted {
            who: Who::Listed(plan.spec.machines.into_iter().map(|machine| machine.name).collect()),
            base: crate::plan::request::MoveRequest::default(),
            namespace: Some(plan.spec.source.namespace),
        },
    };
    let mut found = assessed(cx, &wanted).await?;
    if found.assessment.machines.is_empty() {
        cx.io.remark(&nothing_found(Some(&found.seen.source.namespace)));
        return Ok(Code::DONE);
    }
    if let Some(path) = &args.rows.sort_by {
        path.sort(&mut found.assessment.machines, document)?;
    }
    let text = show(cx, args, &found)?;
    cx.io.print(&text)?;
    if let Some(folder) = &args.export {
        keep(cx, &found, folder).await?;
    }
    Ok(Code::DONE)
}

fn show(cx: &Context, args: &Args, found: &Assessed) -> Result<String, Failure> {
    let assessment = &found.assessment;
    match args.table.output.format() {
        format @ (Format::Table | Format::Wide) => {
            let (style, now) = (args.table.style(&cx.io), cx.clock.now());
            let rows: Vec<AssessmentRow> = assessment.rows().cloned().collect();
            let labels: Vec<_> = assessment.machines.iter().map(|machine| &machine.metadata.labels).collect();
            let more = labels::columns(&labels, &args.rows.label_columns, args.rows.show_labels);
            let mut text = table::render_with(&rows, &more, style, now);
            let findings: Vec<_> = assessment.machines.iter().flat_map(|machine| machine.findings.clone()).collect();
            if format == Format::Wide && !findings.is_empty() {
                text = text + "\n" + &table::render(&crate::output::columns::findings::sorted(&findings), style, now);
            }
            Ok(text)
        }
        Format::Yaml => yaml::write(assessment),
        Format::Json => json::write(assessment),
        Format::Name => Format::Name.many(&machines(found)),
        // A row for each machine, as for each item of a list.
        format @ Format::CustomColumns(_) => {
            let machines = assessment.machines.iter().map(document).collect::<Result<Vec<_>, _>>()?;
            if args.table.no_headers { format.many_without_headers(&machines) } else { format.many(&machines) }
        }
        other => other.one(&document(assessment)?),
    }
}

fn document(part: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(part).map_err(|error| Failure::error(format!("cannot write the assessment: {error}")))
}

/// The machines themselves.
fn machines(found: &Assessed) -> Vec<Value> {
    let objects = &found.seen.source.objects;
    found.assessment.rows().filter_map(|row| objects.get(kind::VM, &row.name)).map(|vm| vm.value().into_owned()).collect()
}

async fn keep(cx: &mut Context, found: &Assessed, folder: &Path) -> Result<(), Failure> {
    let names: Vec<String> = found.assessment.rows().map(|row| row.name.clone()).collect();
    let done = export(&found.cluster, &found.seen, &names, folder).await?;
    for object in &done.left_out {
        cx.io.remark(&warning(&format!("{object} was left out: you may not read it, or it is gone")));
    }
    cx.io.remark(&format!("{} written to {}\n", counted(done.written, "manifest"), folder.display()));
    Ok(())
}
