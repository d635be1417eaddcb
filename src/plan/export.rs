//! Manifests as people keep them: what a machine, its disks and what it refers to are, without what a server or a controller wrote.

use std::collections::BTreeSet;

use super::checks::disks::disks_of;
use super::checks::machines::Machine;
use super::references::references;
use super::rewrite::dependent::bare;
use super::rewrite::metadata::{DISK, EVERYWHERE, MACHINE, fresh};
use crate::model::inventory::Inventory;
use crate::model::json::Json;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::ObjectRef;

/// What belongs to these machines: themselves, their claims and DataVolumes, and what they refer to, as far as it was seen; each once.
pub fn belongings(seen: &Inventory, machines: &[String]) -> BTreeSet<ObjectRef> {
    let mut all = BTreeSet::new();
    for machine in machines.iter().filter_map(|name| Machine::find(seen, name)) {
        all.insert(machine.reference());
        for disk in disks_of(machine) {
            all.extend(disk.claim().map(|_| disk.reference()));
            all.extend(disk.data_volume().map(|_| seen.source.reference(kind::DATA_VOLUME, disk.name)));
        }
        let references = references(machine.vm, &seen.source).into_iter().filter(|reference| reference.exists);
        all.extend(references.map(|reference| seen.source.reference(reference.kind, &reference.name)));
    }
    all
}

/// An object that could be applied again: no status, owners, server's metadata or ties to what is there now.
pub fn clean(object: &Manifest) -> Manifest {
    let namespace = object.namespace().unwrap_or_default();
    let rules = match object.kind() {
        Some(kind::VM) => MACHINE,
        Some(kind::CLAIM | kind::DATA_VOLUME) => DISK,
        _ => return bare(object, namespace),
    };
    let mut clean = object.clone();
    clean.set("/metadata", fresh(object, namespace, object.name(), &[EVERYWHERE, rules]));
    for map in ["/metadata/labels", "/metadata/annotations"] {
        if clean.at(map).is_some_and(Json::is_empty) {
            clean.remove(map);
        }
    }
    clean.remove("/status");
    if object.kind() == Some(kind::CLAIM) {
        // What it was bound to and filled from are of that one claim.
        for tie in ["/spec/volumeName", "/spec/dataSource", "/spec/dataSourceRef"] {
            clean.remove(tie);
        }
    }
    clean
}

/// `virtualmachine.db-1.yaml`: kinds have no dots, so no two objects of a namespace share a name but those of one kind in two groups, and
/// a machine has none such.
pub fn file_name(object: &ObjectRef) -> String {
    format!("{}.{}.yaml", object.kind.kind.to_lowercase(), object.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::fixtures::{World, claim, fixture, object, vm};

    #[test]
    fn a_machine_comes_with_its_disks_and_what_it_refers_to() {
        let mut db = vm("db-1", &["data"]);
        let volumes = db.value_mut().pointer_mut("/spec/template/spec/volumes").and_then(serde_json::Value::as_array_mut);
        volumes.unwrap().push(json!({"name": "s", "secret": {"secretName": "login"}}));
        let secret = |name| object(kind::SECRET, name, json!({}));
        let world = World::new().source(db).source(claim("data", 20)).source(object(kind::DATA_VOLUME, "data", json!({})));
        let seen = world.source(secret("login")).source(secret("other")).source(vm("web-1", &[])).seen_source();
        let mut files: Vec<String> = belongings(&seen, &["db-1".to_owned()]).iter().map(file_name).collect();
        files.sort();
        assert_eq!(files, ["datavolume.data.yaml", "persistentvolumeclaim.data.yaml", "secret.login.yaml", "virtualmachine.db-1.yaml"]);
    }

    #[test]
    fn what_a_server_wrote_is_gone_and_what_a_user_wrote_stays() {
        let source = fixture("db-1");
        let clean = clean(&source);
        for pointer in ["/status", "/metadata/uid", "/metadata/resourceVersion", "/metadata/managedFields", "/metadata/ownerReferences"] {
            assert!(clean.at(pointer).is_none(), "{pointer}");
        }
        assert_eq!(clean.at("/spec"), source.at("/spec"));
        let mut filled = claim("data", 20);
        filled.set_annotation("pv.kubernetes.io/bind-completed", "yes");
        filled.set("/spec/dataSourceRef", json!({"kind": "VolumeImportSource"}));
        let claim = super::clean(&filled);
        assert_eq!((claim.at("/spec/volumeName"), claim.at("/spec/dataSourceRef"), claim.at("/metadata/annotations")), (None, None, None));
        assert_eq!(claim.text("/spec/storageClassName"), Some("fast"));
    }
}
