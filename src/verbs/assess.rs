//! `assess`: what is there, and what would speak against moving it. Changes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap_complete::ArgValueCompleter;
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::args::display::{Rows, Table};
use super::args::selection::Selection;
use super::completion::values;
use super::looking::assessing::{Assessed, assessed, look_again};
use super::looking::export::export;
use super::looking::wanted::{Named, Wanted, Who, named};
use crate::cluster::{About, Topic};
use crate::exit::Code;
use crate::model::assessment::AssessmentRow;
use crate::model::failure::Failure;
use crate::model::kind::{self, Kind};
use crate::output::error::warning;
use crate::output::format::Format;
use crate::output::review::counted;
use crate::output::table::{self, Style, Widths, nothing_found};
use crate::output::{json, labels, yaml};
use crate::plan::assessment::Assessment;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # All virtual machines of a namespace
  kubectl vmmove assess -n shop

  # Some of them, with every finding
  kubectl vmmove assess 'db-*' -n shop -o wide

  # The largest last, with what each is labelled as
  kubectl vmmove assess -n shop --sort-by=.summary.size -L app

  # And whatever changes from then on
  kubectl vmmove assess -n shop -w

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
    #[arg(long, value_name = "FOLDER", add = ArgValueCompleter::new(values::folders))]
    export: Option<PathBuf>,
    /// Go on showing machines about which something changes, until it is interrupted
    #[arg(short, long, conflicts_with = "export")]
    watch: bool,
}

/// What changes so close together is looked at once,
const SETTLE: Duration = Duration::from_millis(500);
/// and where a look takes long, so many times as long goes by between two of them: a busy namespace is not listed without a pause.
const PAUSE: u32 = 4;
/// What a machine's row may change with.
const SHOWN: [Kind; 6] = [kind::VM, kind::VMI, kind::CLAIM, kind::DATA_VOLUME, kind::SERVICE, kind::VM_SNAPSHOT];

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
    let found = assessed(cx, &wanted).await?;
    let mut page = Page { style: args.table.style(&cx.io), widths: Widths::default(), is_first: true };
    if found.assessment.machines.is_empty() {
        cx.io.remark(&nothing_found(Some(&found.seen.source.namespace)));
    } else {
        page.show(cx, args, &found, found.assessment.clone())?;
    }
    if args.watch {
        return watch(cx, args, &wanted, found, page).await;
    }
    if let Some(folder) = args.export.as_ref().filter(|_| !found.assessment.machines.is_empty()) {
        keep(cx, &found, folder).await?;
    }
    Ok(Code::DONE)
}

/// Shows each machine again when something about it changed, one that is gone as it was last; it ends when somebody ends it.
async fn watch(cx: &mut Context, args: &Args, wanted: &Wanted, mut shown: Assessed, mut page: Page) -> Result<Code, Failure> {
    let topic = |kind| Topic { kind, namespace: Some(shown.seen.source.namespace.clone()), name: None, labels: None, about: About::All };
    let mut wakes = shown.cluster.watch(&SHOWN.map(topic));
    loop {
        let began = cx.clock.elapsed();
        let found = look_again(&shown, wanted).await?;
        let took = cx.clock.elapsed().saturating_sub(began);
        let mut changed = found.assessment.clone();
        changed.machines.retain(|machine| !shown.assessment.machines.contains(machine));
        let is_there = |name: &str| found.assessment.machines.iter().any(|machine| machine.summary.name == name);
        changed.machines.extend(shown.assessment.machines.into_iter().filter(|machine| !is_there(&machine.summary.name)));
        changed.findings.clear();
        if !changed.machines.is_empty() {
            page.show(cx, args, &found, changed)?;
        }
        shown = found;
        wakes.next().await;
        cx.clock.sleep(SETTLE.max(took * PAUSE)).await;
    }
}

/// What was printed so far, as far as what follows depends on it.
struct Page {
    style: Style,
    widths: Widths,
    is_first: bool,
}

impl Page {
    fn show(&mut self, cx: &mut Context, args: &Args, found: &Assessed, mut assessment: Assessment) -> Result<(), Failure> {
        if let Some(path) = &args.rows.sort_by {
            path.sort(&mut assessment.machines, document)?;
        }
        let text = self.text(cx, args, found, &assessment)?;
        (self.style.headers, self.is_first) = (false, false);
        cx.io.print(&text)
    }

    fn text(&mut self, cx: &Context, args: &Args, found: &Assessed, assessment: &Assessment) -> Result<String, Failure> {
        match args.table.output.format() {
            format @ (Format::Table | Format::Wide) => {
                let now = cx.clock.now();
                let rows: Vec<AssessmentRow> = assessment.rows().cloned().collect();
                let labels: Vec<_> = assessment.machines.iter().map(|machine| &machine.metadata.labels).collect();
                let more = labels::columns(&labels, &args.rows.label_columns, args.rows.show_labels);
                let mut text = table::render_below(&mut self.widths, &rows, &more, self.style, now);
                let findings: Vec<_> = assessment.machines.iter().flat_map(|machine| machine.findings.clone()).collect();
                if format == Format::Wide && !args.watch && !findings.is_empty() {
                    text = text + "\n" + &table::render(&crate::output::columns::findings::sorted(&findings), self.style, now);
                }
                Ok(text)
            }
            Format::Yaml => yaml::stream(std::slice::from_ref(assessment), self.is_first),
            Format::Json => json::write(assessment),
            Format::Name => Format::Name.many(&machines(found, assessment)),
            // A row for each machine, as for each item of a list.
            format @ Format::CustomColumns(_) => {
                let machines = assessment.machines.iter().map(document).collect::<Result<Vec<_>, _>>()?;
                if self.style.headers { format.many(&machines) } else { format.many_without_headers(&machines) }
            }
            other => other.one(&document(assessment)?),
        }
    }
}

fn document(part: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(part).map_err(|error| Failure::error(format!("cannot write the assessment: {error}")))
}

/// The machines themselves.
fn machines(found: &Assessed, assessment: &Assessment) -> Vec<Value> {
    let objects = &found.seen.source.objects;
    assessment.rows().filter_map(|row| objects.get(kind::VM, &row.name)).map(|vm| vm.value().into_owned()).collect()
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
