//! Which virtual machines are meant: names, patterns, labels, all of them, or a file.

use std::path::PathBuf;

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::machine::MachineName;
use super::selector::Selector;
use crate::model::failure::Failure;
use crate::model::inventory::Place;
use crate::model::kind::VM;
use crate::model::manifest::Manifest;
use crate::plan::checks::machines::nearest;
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
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["machines", "selector", "all"])]
    pub filename: Option<PathBuf>,
}

impl Selection {
    /// Whether nothing at all was named.
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty() && self.selector.is_none() && !self.all && self.filename.is_none()
    }

    /// The names of the machines that are meant among those that were seen: in the order typed, each once.
    /// Naming none means all; verbs that must not read it so ask [`Self::is_empty`] first.
    ///
    /// # Errors
    /// A name or pattern that nothing in the namespace has, with the nearest name there is.
    pub fn choose(&self, seen: &Place) -> Result<Vec<String>, Failure> {
        if self.machines.is_empty() {
            let wanted = |vm: &&Manifest| self.selector.as_ref().is_none_or(|selector| selector.matches(&vm.labels()));
            return Ok(seen.objects.all(VM).filter(wanted).map(|vm| vm.name().to_owned()).collect());
        }
        choose(&self.machines, seen)
    }
}

/// The names that these names and patterns stand for.
///
/// # Errors
/// As [`Selection::choose`].
pub fn choose(names: &[MachineName], seen: &Place) -> Result<Vec<String>, Failure> {
    let known: Vec<&str> = seen.objects.all(VM).map(Manifest::name).collect();
    let mut chosen: Vec<String> = Vec::new();
    for name in names {
        let matching: Vec<&str> = known
            .iter()
            .copied()
            .filter(|known| match name.pattern() {
                Some(pattern) => pattern.is_match(known),
                None => *known == name.text,
            })
            .collect();
        if matching.is_empty() {
            return Err(unknown(name, &known, &seen.namespace));
        }
        for found in matching {
            if !chosen.iter().any(|name| name == found) {
                chosen.push(found.to_owned());
            }
        }
    }
    Ok(chosen)
}

fn unknown(name: &MachineName, known: &[&str], namespace: &str) -> Failure {
    if name.pattern().is_some() {
        return Failure::error(format!("no virtual machine in namespace {namespace} matches '{}'", name.text));
    }
    let failure = Failure::error(format!("virtualmachines.kubevirt.io \"{}\" not found in namespace {namespace}", name.text));
    match nearest(&name.text, known.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::inventory::{Look, Objects, Rights};
    use crate::model::names::End;

    fn shop() -> Place {
        let machines = [("db-1", "db"), ("db-2", "db"), ("web-1", "web")].map(|(name, app)| {
            let mut vm = Manifest::new(VM, "shop", name);
            vm.set("/metadata/labels/app", app.into());
            (name.to_owned(), vm)
        });
        Place {
            end: End::Source,
            namespace: "shop".to_owned(),
            namespace_look: Look::Missing,
            objects: Objects([(VM, Look::Listed(machines.into()))].into()),
            rights: Rights::default(),
            cluster: Arc::default(),
        }
    }

    fn named(names: &[&str]) -> Selection {
        Selection { machines: names.iter().map(|name| name.parse().unwrap()).collect(), ..Selection::default() }
    }

    #[test]
    fn names_keep_their_order_and_patterns_add_what_is_missing() {
        assert_eq!(named(&["web-1", "vm/db-2", "db-*"]).choose(&shop()).unwrap(), ["web-1", "db-2", "db-1"]);
    }

    #[test]
    fn labels_choose_and_nothing_means_all() {
        let labelled = Selection { selector: Some("app=web".parse().unwrap()), ..Selection::default() };
        assert_eq!(labelled.choose(&shop()).unwrap(), ["web-1"]);
        assert_eq!(Selection::default().choose(&shop()).unwrap(), ["db-1", "db-2", "web-1"]);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let failure = named(&["bd-1"]).choose(&shop()).unwrap_err();
        assert_eq!(failure.message, "virtualmachines.kubevirt.io \"bd-1\" not found in namespace shop");
        assert_eq!(failure.hints, ["did you mean db-1?"]);
        assert!(named(&["mail"]).choose(&shop()).unwrap_err().hints.is_empty());
        assert_eq!(named(&["x-*"]).choose(&shop()).unwrap_err().message, "no virtual machine in namespace shop matches 'x-*'");
    }
}
