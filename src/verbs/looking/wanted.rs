//! Which machines a command line or a file means: first as said, then as names among those that were seen.

use std::collections::BTreeSet;

use super::documents::{self, Document};
use crate::model::failure::Failure;
use crate::model::inventory::Place;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::output::io::Io;
use crate::plan::document::Plan;
use crate::plan::request::MoveRequest;
use crate::verbs::args::machine::MachineName;
use crate::verbs::args::selection::Selection;
use crate::verbs::args::selector::Selector;

/// What was named: machines to plan for, or a plan that is already made.
#[derive(Clone, Debug)]
pub enum Named {
    Plan(Box<Plan>),
    Wanted(Box<Wanted>),
}

/// Machines as said, before anything was seen.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub who: Who,
    /// What the document says besides; its machines are in `who`.
    pub base: MoveRequest,
    /// The source namespace that the document names.
    pub namespace: Option<String>,
}

/// The machines that are meant.
#[derive(Clone, Debug)]
pub enum Who {
    All,
    Labelled(Selector),
    Named(Vec<MachineName>),
    /// Names from a document, to the letter.
    Listed(Vec<String>),
}

/// Reads what a command line names, with the file of `-f`. Naming nothing means all: who must not read it so asks [`required`] first.
///
/// # Errors
/// As [`documents::read`].
pub fn named(selection: &Selection, io: &mut Io) -> Result<Named, Failure> {
    let wanted = |who| Wanted { who, base: MoveRequest::default(), namespace: None };
    let who = match (&selection.filename, &selection.selector) {
        (Some(path), _) => match documents::read(path, io)? {
            Document::Plan(plan) => return Ok(Named::Plan(plan)),
            Document::List(list) if list.spec.machines.is_empty() => {
                return Err(Failure::error(format!("{} lists no virtual machine", path.display())).hint("take the '# ' away in front of some"));
            }
            Document::List(list) => {
                let mut base = list.request();
                let who = Who::Listed(std::mem::take(&mut base.machines));
                return Ok(Named::Wanted(Box::new(Wanted { who, base, namespace: list.spec.source })));
            }
            Document::Machines(namespace, names) => {
                return Ok(Named::Wanted(Box::new(Wanted { namespace, ..wanted(Who::Listed(names)) })));
            }
            Document::Names(names) => Who::Named(names),
        },
        (None, Some(selector)) => Who::Labelled(selector.clone()),
        (None, None) if selection.machines.is_empty() => Who::All,
        (None, None) => Who::Named(selection.machines.clone()),
    };
    Ok(Named::Wanted(Box::new(wanted(who))))
}

/// Refuses a command line that names no machine in any way.
///
/// # Errors
/// What to type.
pub fn required(selection: &Selection) -> Result<(), Failure> {
    if selection.is_empty() {
        return Err(Failure::usage("no virtual machine is named").hint("name some, or say -l SELECTOR, -f FILE or --all"));
    }
    Ok(())
}

impl Wanted {
    /// The names that are meant: in the order said, each once. A plain name stays even if nothing has it, so that the check of names can
    /// tell the nearest one.
    ///
    /// # Errors
    /// A pattern that matches nothing, where the machines were seen.
    pub fn names(&self, seen: &Place) -> Result<Vec<String>, Failure> {
        let all = || seen.objects.all(kind::VM);
        let names: Vec<String> = match &self.who {
            Who::All => all().map(|vm| vm.name().to_owned()).collect(),
            Who::Labelled(selector) => all().filter(|vm| selector.matches(&vm.labels())).map(|vm| vm.name().to_owned()).collect(),
            Who::Listed(names) => names.clone(),
            Who::Named(names) => {
                let matching = names.iter().map(|name| matching(name, seen)).collect::<Result<Vec<_>, _>>()?;
                matching.concat()
            }
        };
        let mut once = BTreeSet::new();
        Ok(names.into_iter().filter(|name| once.insert(name.clone())).collect())
    }
}

fn matching(name: &MachineName, seen: &Place) -> Result<Vec<String>, Failure> {
    let Some(pattern) = name.pattern() else { return Ok(vec![name.text.clone()]) };
    let names = seen.objects.all(kind::VM).map(Manifest::name);
    let found: Vec<String> = names.filter(|known| pattern.is_match(known)).map(str::to_owned).collect();
    if found.is_empty() && seen.objects.is_listed(kind::VM) {
        return Err(Failure::error(format!("no virtual machine in namespace {} matches '{}'", seen.namespace, name.text)));
    }
    Ok(found)
}
