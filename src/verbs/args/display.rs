//! Flags that say what output looks like.

use clap::Args;
use clap_complete::ArgValueCompleter;

use crate::output::colour::Paint;
use crate::output::format::Format;
use crate::output::io::Io;
use crate::output::order::SortBy;
use crate::output::table::Style;
use crate::verbs::completion::values;

/// The format of whatever a verb prints.
#[derive(Args, Clone, Debug, Default)]
pub struct Output {
    /// Output format: json, yaml, name, wide, jsonpath=TEMPLATE, jsonpath-as-json=TEMPLATE, jsonpath-file=FILE, custom-columns=SPEC
    /// or custom-columns-file=FILE; a table if not given
    #[arg(short = 'o', long = "output", value_name = "FORMAT", add = ArgValueCompleter::new(values::formats))]
    pub format: Option<Format>,
}

impl Output {
    /// The format, a table unless another was asked for.
    pub fn format(&self) -> Format {
        self.format.clone().unwrap_or_default()
    }
}

/// What tables add to it.
#[derive(Args, Clone, Debug, Default)]
pub struct Table {
    #[command(flatten)]
    pub output: Output,
    /// Leave out the header line
    #[arg(long)]
    pub no_headers: bool,
}

impl Table {
    /// What tables on standard output look like.
    pub fn style(&self, io: &Io) -> Style {
        let wide = self.output.format() == Format::Wide;
        Style { wide, headers: !self.no_headers, paint: Paint::for_stream(io.stdout_is_terminal, io.env) }
    }
}

/// The order of objects, and columns for their labels.
#[derive(Args, Clone, Debug, Default)]
pub struct Rows {
    /// Show all labels in a last column
    #[arg(long)]
    pub show_labels: bool,
    /// Labels that are to be columns, separated by commas
    #[arg(short = 'L', long, value_name = "LABELS", value_delimiter = ',')]
    pub label_columns: Vec<String>,
    /// Sort by what is at this path of each object, such as .metadata.creationTimestamp
    #[arg(long, value_name = "PATH")]
    pub sort_by: Option<SortBy>,
}

/// What tables on standard error look like.
pub fn on_stderr(io: &Io) -> Style {
    Style { paint: Paint::for_stream(io.stderr_is_terminal, io.env), ..Style::default() }
}
