//! Who owns what in the source, and the same in the target with the new UIDs.
//!
//! Owners are never copied: one that is not in the object's namespace counts as absent, and the garbage collector deletes what it
//! owned (kubernetes `pkg/controller/garbagecollector`). They are set once the new owner is there.

use serde_json::{Value, json};

use crate::model::disk::{Claim, DataVolume};
use crate::model::json::Json;
use crate::model::manifest::Manifest;
use crate::model::patch::PatchOp;
use crate::model::vm::Vm;
use crate::plan::document::Ownership;

const OWNERS: &str = "/metadata/ownerReferences";

/// Who owns a claim of this machine.
pub fn ownership(claim: &Manifest, vm: &Manifest) -> Ownership {
    if let Some(owner) = Claim(claim).data_volume_owner() {
        return Ownership::DataVolume { name: owner.name.to_owned(), uid: owner.uid.to_owned(), template: Vm(vm).has_template(owner.name) };
    }
    match Claim(claim).vm_owner() {
        Some(owner) if owner.uid == vm.uid() => Ownership::Machine,
        _ => Ownership::Nobody,
    }
}

/// Whether a DataVolume belongs to this machine; one that a template made is owned again by KubeVirt itself in the target.
pub fn is_owned_by(data_volume: &Manifest, vm: &Manifest) -> bool {
    DataVolume(data_volume).vm_owner().is_some_and(|owner| owner.uid == vm.uid())
}

/// The patch that makes `owner` an owner of an object, as its controller or beside it. Empty when it is one already. It does not hold the
/// owner back from deletion: that would need a right on the owner's finalizers.
pub fn own(object: &Manifest, owner: &Manifest, controller: bool) -> Vec<PatchOp> {
    if object.is_owned_by(owner.uid()) {
        return Vec::new();
    }
    let reference = json!({
        "apiVersion": owner.api_version(), "kind": owner.kind_name(), "name": owner.name(), "uid": owner.uid(),
        "controller": controller, "blockOwnerDeletion": false,
    });
    let owners: Vec<Value> = object.list(OWNERS).map(Json::to_value).chain([reference]).collect();
    vec![PatchOp::unchanged(object), PatchOp::Add(OWNERS.to_owned(), owners.into())]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::patch::apply;
    use crate::plan::fixtures::{claim, fixture};

    fn owned(name: &str, api_version: &str, kind: &str, owner: &str, uid: &str) -> Manifest {
        let mut claim = claim(name, 20);
        claim.set(OWNERS, json!([{"apiVersion": api_version, "kind": kind, "name": owner, "uid": uid, "controller": true}]));
        claim
    }

    #[test]
    fn a_claim_belongs_to_a_data_volume_to_the_machine_or_to_nobody() {
        let vm = fixture("db-1");
        let of = |name: &str| ownership(&owned(name, "cdi.kubevirt.io/v1beta1", "DataVolume", name, "dv"), &vm);
        assert_eq!(of("db-1-root"), Ownership::DataVolume { name: "db-1-root".into(), uid: "dv".into(), template: true });
        assert_eq!(of("db-1-data"), Ownership::DataVolume { name: "db-1-data".into(), uid: "dv".into(), template: false });
        assert_eq!(ownership(&owned("x", "kubevirt.io/v1", "VirtualMachine", "db-1", vm.uid()), &vm), Ownership::Machine);
        assert_eq!(ownership(&owned("x", "kubevirt.io/v1", "VirtualMachine", "db-1", "an earlier one"), &vm), Ownership::Nobody);
        assert_eq!(ownership(&claim("x", 20), &vm), Ownership::Nobody);
    }

    #[test]
    fn the_new_machine_owns_what_the_old_one_owned() {
        let mut vm = fixture("db-1");
        vm.set("/metadata/uid", "new".into());
        let bare = claim("db-1-data", 20);
        let now = apply(&own(&bare, &vm, true), &bare).unwrap();
        let owner = now.owners().next().unwrap();
        assert_eq!((owner.kind, owner.name, owner.uid, owner.controller), ("VirtualMachine", "db-1", "new", true));
        assert_eq!(own(&now, &vm, true), []);
        let kept = owned("x", "v1", "ConfigMap", "other", "o");
        assert_eq!(apply(&own(&kept, &vm, false), &kept).unwrap().owners().count(), 2);
    }
}
