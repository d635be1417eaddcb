//! Flags that say what output looks like.

use clap::Args;

use crate::output::format::Format;

/// The format of whatever a verb prints.
#[derive(Args, Clone, Debug, Default)]
pub struct Output {
    /// Output format: json, yaml, name, wide, jsonpath=TEMPLATE, jsonpath-as-json=TEMPLATE, jsonpath-file=FILE, custom-columns=SPEC
    /// or custom-columns-file=FILE; a table if not given
    #[arg(short, long = "output", value_name = "FORMAT")]
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
