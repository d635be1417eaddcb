//! Which virtual machines are meant: names, patterns, labels, all of them, or a file.

use std::path::PathBuf;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::machine::MachineName;
use super::selector::Selector;
use crate::verbs::completion::values;

/// Virtual machines, as named on the command line.
#[derive(Args, Clone, Debug, Default)]
pub struct Selection {
    /// Virtual machines: NAME, vm/NAME or a quoted pattern such as 'db-*'
    #[arg(value_name = "VM", conflicts_with_all = ["selector", "all"], add = ArgValueCompleter::new(values::machines))]
    pub machines: Vec<MachineName>,
    /// Label selector such as app=db; supports '=', '==', '!=', 'in', 'notin'. Matching objects must satisfy all of it
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<Selector>,
    /// All virtual machines of the namespace
    #[arg(long, conflicts_with = "selector")]
    pub all: bool,
    /// A file: a MoveList, a MovePlan, VirtualMachine objects, or one name per line; - is standard input
    #[arg(short, long, value_name = "FILE", add = ArgValueCompleter::new(values::files), conflicts_with_all = ["machines", "selector", "all"])]
    pub filename: Option<PathBuf>,
}

impl Selection {
    /// Whether nothing at all was named.
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty() && self.selector.is_none() && !self.all && self.filename.is_none()
    }
}
