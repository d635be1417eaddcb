//! Which move is meant: one that the cluster knows by name, or a plan that is to become one.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::machine::MachineName;
use crate::model::names::MoveId;
use crate::verbs::completion::values;

/// A move's name as typed: `shop-to-prod-7k2fq` or `move/shop-to-prod-7k2fq`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MoveName(pub MoveId);

impl FromStr for MoveName {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let name = typed.strip_prefix("move/").or_else(|| typed.strip_prefix("moves/")).unwrap_or(typed);
        if name.is_empty() || name.contains('/') {
            return Err("the name of a move is needed, as 'status' lists them".to_owned());
        }
        Ok(Self(MoveId(name.to_owned())))
    }
}

/// A move, or a plan for one, and which of its machines.
#[derive(Args, Clone, Debug, Default)]
pub struct MoveChoice {
    /// The move's name
    #[arg(value_name = "MOVE", required_unless_present = "filename", conflicts_with = "filename", add = ArgValueCompleter::new(values::moves))]
    pub name: Option<MoveName>,
    /// A plan; the first verb that acts on it starts the move and prints its name. - is standard input
    #[arg(short, long, value_name = "PLAN", add = ArgValueCompleter::new(values::files))]
    pub filename: Option<PathBuf>,
    /// Only this virtual machine of the move; can be repeated
    #[arg(long = "vm", value_name = "VM", add = ArgValueCompleter::new(values::machines))]
    pub machines: Vec<MachineName>,
}
