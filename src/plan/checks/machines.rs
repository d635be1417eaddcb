//! The machines of a request as the checks see them: the object and, while there is one, its instance.

use crate::model::finding::Finding;
use crate::model::inventory::Inventory;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::ObjectRef;
use crate::model::relation::Relation;
use crate::model::vm::{Vm, Vmi};
use crate::plan::request::MoveRequest;

/// A chosen virtual machine that exists.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    pub seen: &'a Inventory,
    pub vm: &'a Manifest,
    /// Its instance, also a final one.
    pub vmi: Option<&'a Manifest>,
}

impl<'a> Machine<'a> {
    /// The machine of this name in the source, if it was seen.
    pub fn find(seen: &'a Inventory, name: &str) -> Option<Self> {
        let objects = &seen.source.objects;
        Some(Self { seen, vm: objects.get(kind::VM, name)?, vmi: objects.get(kind::VMI, name) })
    }

    pub fn name(&self) -> &'a str {
        self.vm.name()
    }

    pub fn reference(&self) -> ObjectRef {
        self.seen.source.reference(kind::VM, self.name())
    }

    /// The virtual machine through its lens.
    pub fn lens(&self) -> Vm<'a> {
        Vm(self.vm)
    }

    /// The instance while a guest is up or may come up.
    pub fn active(&self) -> Option<Vmi<'a>> {
        self.vmi.map(Vmi).filter(|vmi| !vmi.is_final())
    }

    /// Objects in the source namespace that name a thing.
    pub fn naming(&self, relation: &'static Relation, thing: &str) -> impl Iterator<Item = &'a Manifest> + use<'a> {
        self.seen.source.objects.naming(relation, thing)
    }

    /// Objects of a kind in the source namespace.
    pub fn beside(&self, kind: kind::Kind) -> impl Iterator<Item = &'a Manifest> + use<'a> {
        self.seen.source.objects.all(kind)
    }
}

/// The chosen machines that exist, in the user's order.
pub fn machines<'a>(seen: &'a Inventory, ask: &'a MoveRequest) -> impl Iterator<Item = Machine<'a>> {
    ask.machines.iter().filter_map(|name| Machine::find(seen, name))
}

/// Runs a check of one machine over all chosen ones.
pub fn each(seen: &Inventory, ask: &MoveRequest, check: fn(&Machine) -> Option<Finding>) -> Vec<Finding> {
    machines(seen, ask).filter_map(|machine| check(&machine)).collect()
}

/// The name a machine gets in the target.
pub fn target_name<'a>(ask: &'a MoveRequest, name: &'a str) -> &'a str {
    ask.rename.get(name).map_or(name, String::as_str)
}

/// The condition of this type.
pub fn condition_at<'a>(object: &'a Manifest, kind: &str) -> Option<Json<'a>> {
    object.list("/status/conditions").find(|condition| condition.text("/type") == Some(kind))
}

/// The name nearest to a mistyped one, if any is near.
pub fn nearest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    among
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
