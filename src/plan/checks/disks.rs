//! The disks of the chosen machines as the checks see them, and who else uses a claim.

use super::machines::{Machine, machines};
use crate::model::disk::{Claim, DataVolume};
use crate::model::finding::Finding;
use crate::model::inventory::Inventory;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::ObjectRef;
use crate::plan::relations::{INSTANCES_OF_CLAIM, MACHINES_OF_CLAIM, PODS_OF_CLAIM};
use crate::plan::request::MoveRequest;

/// A volume of a chosen machine whose bytes are a claim's.
#[derive(Clone, Copy)]
pub struct Disk<'a> {
    pub machine: Machine<'a>,
    /// The volume's name in the machine.
    pub volume: &'a str,
    /// The claim's name.
    pub name: &'a str,
}

impl<'a> Disk<'a> {
    pub fn claim(&self) -> Option<Claim<'a>> {
        self.machine.seen.source.objects.get(kind::CLAIM, self.name).map(Claim)
    }

    /// The DataVolume of the claim's name, if there is one (CDI may have removed it when it was done).
    pub fn data_volume(&self) -> Option<DataVolume<'a>> {
        self.machine.seen.source.objects.get(kind::DATA_VOLUME, self.name).map(DataVolume)
    }

    /// The PersistentVolume that the claim is bound to, if it was seen.
    pub fn persistent_volume(&self) -> Option<&'a Manifest> {
        self.machine.seen.source.cluster.objects.get(kind::VOLUME, self.claim()?.volume_name()?)
    }

    pub fn reference(&self) -> ObjectRef {
        self.machine.seen.source.reference(kind::CLAIM, self.name)
    }
}

/// The disks of one machine, in the machine's order.
pub fn disks_of(machine: Machine<'_>) -> impl Iterator<Item = Disk<'_>> {
    machine.lens().instance().volumes().filter_map(move |volume| Some(Disk { machine, volume: volume.name, name: volume.claim()? }))
}

/// The disks of all chosen machines.
pub fn disks<'a>(seen: &'a Inventory, ask: &'a MoveRequest) -> impl Iterator<Item = Disk<'a>> {
    machines(seen, ask).flat_map(disks_of)
}

/// Runs a check of one disk over all disks of the chosen machines.
pub fn each_disk(seen: &Inventory, ask: &MoveRequest, check: fn(&Disk, &MoveRequest) -> Option<Finding>) -> Vec<Finding> {
    disks(seen, ask).filter_map(|disk| check(&disk, ask)).collect()
}

/// Names of the virtual machines in the source, and of instances without one, that use the disk's claim in any way.
pub fn machines_using<'a>(disk: &Disk<'a>) -> Vec<&'a str> {
    let objects = &disk.machine.seen.source.objects;
    let mut names: Vec<&str> =
        [&MACHINES_OF_CLAIM, &INSTANCES_OF_CLAIM].into_iter().flat_map(|users| objects.naming(users, disk.name)).map(Manifest::name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Names of the pods in the source that have not ended, mount the disk's claim and do not belong to the instance of a chosen machine.
pub fn pods_using<'a>(disk: &Disk<'a>, ask: &MoveRequest) -> Vec<&'a str> {
    let seen = disk.machine.seen;
    let chosen = |name: &str| is_chosen(disk, ask, name);
    seen.source.objects.naming(&PODS_OF_CLAIM, disk.name).filter(|pod| !has_ended(pod) && !belongs(seen, pod, chosen)).map(Manifest::name).collect()
}

/// Whether a machine is moved too. Most often it is the disk's own, which is asked first: there may be thousands.
pub fn is_chosen(disk: &Disk, ask: &MoveRequest, name: &str) -> bool {
    disk.machine.name() == name || ask.machines.iter().any(|chosen| chosen == name)
}

fn has_ended(pod: &Manifest) -> bool {
    matches!(pod.text("/status/phase"), Some("Succeeded" | "Failed"))
}

/// A launcher belongs to its instance; a pod that plugs disks in (`hp-volume-*`) belongs to the launcher.
fn belongs(seen: &Inventory, pod: &Manifest, chosen: impl Fn(&str) -> bool) -> bool {
    let launcher = |pod: &Manifest| pod.owners().any(|owner| owner.kind == "VirtualMachineInstance" && chosen(owner.name));
    let plugs = || pod.owners().filter(|owner| owner.kind == "Pod").filter_map(|owner| seen.source.objects.get(kind::POD, owner.name));
    launcher(pod) || plugs().any(launcher)
}
