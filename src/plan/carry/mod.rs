//! What a machine has that the tool does not carry. The world is closed: whatever is not known to survive the move blocks it.
//!
//! One row per thing, one file per subject. A row says what it found in words; codes are stable, and `explain` has a text for each.

mod dependents;
mod devices;
mod elsewhere;
mod networks;
mod pointers;
mod state;
mod volumes;

use super::checks::Check;
use super::checks::machines::{Machine, machines};
use super::request::MoveRequest;
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::Inventory;
use crate::model::kind::Kind;
use crate::model::manifest::Manifest;

/// Every row, grouped by subject.
pub const CHECKS: &[&[Check]] =
    &[state::CHECKS, volumes::CHECKS, devices::CHECKS, networks::CHECKS, dependents::CHECKS, pointers::CHECKS, elsewhere::CHECKS];

/// What speaks against moving this machine because the tool does not carry it, or not whole.
pub fn not_carried(vm: &Manifest, seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let alone = MoveRequest { machines: vec![vm.name().to_owned()], ..ask.clone() };
    CHECKS.iter().flat_map(|group| group.iter()).flat_map(|check| (check.run)(seen, &alone)).collect()
}

/// What a row looks for in one machine: the things it found, as they are told.
type Look = fn(&Machine, &MoveRequest) -> Vec<String>;

/// A row that blocks: one finding for each machine with something to tell. `what` begins the sentence.
fn block(code: &str, seen: &Inventory, ask: &MoveRequest, look: Look, what: &str, hint: &str) -> Vec<Finding> {
    tell(Severity::Blocking, code, seen, ask, look, what, hint)
}

/// A row that warns.
fn warn(code: &str, seen: &Inventory, ask: &MoveRequest, look: Look, what: &str, hint: &str) -> Vec<Finding> {
    tell(Severity::Warning, code, seen, ask, look, what, hint)
}

fn tell(severity: Severity, code: &str, seen: &Inventory, ask: &MoveRequest, look: Look, what: &str, hint: &str) -> Vec<Finding> {
    let finding = |machine: Machine| {
        let found = look(&machine, ask);
        (!found.is_empty()).then(|| Finding::new(severity, code, machine.reference(), format!("{what}: {}", found.join(", "))).hint(hint))
    };
    machines(seen, ask).filter_map(finding).collect()
}

/// An object as kubectl names it.
fn told(kind: Kind, object: &Manifest) -> String {
    format!("{}/{}", kind.singular(), object.name())
}

#[cfg(test)]
mod tests;
