//! `sandbox scenarios`: what there is to begin with.

use clap_complete::ArgValueCompleter;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::story::unknown;
use crate::exit::Code;
use crate::model::failure::Failure;
use crate::output::table::{self, Column, Tabular};
use crate::sandbox::scenarios::{ALL, Scenario};
use crate::verbs::Context;
use crate::verbs::args::display::Table;
use crate::verbs::completion::values;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # What there is
  kubectl vmmove sandbox scenarios

  # Begin one of your own with one that is there
  kubectl vmmove sandbox scenarios plain > mine.yaml
  kubectl vmmove sandbox start --scenario mine.yaml")]
pub struct Args {
    /// Print the manifests of this one
    #[arg(value_name = "NAME", conflicts_with = "format", add = ArgValueCompleter::new(values::scenarios))]
    name: Option<String>,
    #[command(flatten)]
    table: Table,
}

impl Tabular for Scenario {
    const COLUMNS: &'static [Column] = &[Column::new("NAME"), Column::new("ABOUT")];

    fn cells(&self, _: Timestamp) -> Vec<String> {
        vec![self.name.to_owned(), self.about.to_owned()]
    }
}

/// Prints them.
///
/// # Errors
/// There is none of that name.
#[allow(clippy::unused_async)] // Every action is called alike.
pub async fn run(cx: &mut Context, args: &Args) -> Result<Code, Failure> {
    let format = args.table.output.format();
    let text = match &args.name {
        Some(name) => Scenario::named(name).ok_or_else(|| unknown(cx, name))?.text.to_owned(),
        None if format.is_table() => table::render(ALL, args.table.style(&cx.io), cx.clock.now()),
        None => format.many_without_headers(&ALL.iter().map(object).collect::<Vec<_>>())?,
    };
    cx.io.print(&text)?;
    Ok(Code::DONE)
}

fn object(scenario: &Scenario) -> Value {
    json!({"apiVersion": "vmmove.io/v1alpha1", "kind": "Scenario", "metadata": {"name": scenario.name}, "about": scenario.about})
}
