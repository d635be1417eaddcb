//! Dumps of real clusters: what has to be in one so that it stands by itself, and what in it is somebody else's.
//!
//! A controller that finds half of a pair does what it does in a real cluster when the other half is gone: claims are lost, guests end,
//! what is owned by nothing is deleted. A dump that was taken too narrowly is refused instead, with what it lacks.

use std::collections::HashSet;

use serde_json::Value;

use super::at::At;
use super::catalog::{self, CLAIM, POD, VMI, VOLUME};
use super::load_error::Lack;
use super::reading::Written;
use super::store::{Key, text};

/// Takes the volumes out that are bound to claims that are not there: who dumps a namespace dumps the volumes of all.
pub fn narrow(objects: &mut Vec<Written>) {
    let claims: HashSet<Key> = objects.iter().filter(|written| written.resource == &CLAIM).map(Written::key).collect();
    objects.retain(|written| {
        let claim = written.object.at("/spec/claimRef").filter(|_| written.resource == &VOLUME && written.comes_from_a_cluster());
        let bound = text(&written.object, "/status/phase") == "Bound";
        claim.is_none_or(|claim| !bound || claims.contains(&Key::new(&CLAIM, text(claim, "/namespace"), text(claim, "/name"))))
    });
}

/// What is not there and would have to be, in the order of the file.
pub fn lacking(objects: &[Written]) -> Vec<Lack> {
    let keys: HashSet<Key> = objects.iter().map(Written::key).collect();
    let uids: HashSet<&str> = objects.iter().map(|written| text(&written.object, "/metadata/uid")).collect();
    let launched: HashSet<&str> =
        objects.iter().filter(|written| written.resource == &POD).flat_map(|pod| owners(&pod.object)).map(|owner| text(owner, "/uid")).collect();
    let mut all = Vec::new();
    for written in objects.iter().filter(|written| written.is_as_it_is()) {
        let lack = |missing: String, plural: String| Lack { missing, plural, of: told(written) };
        let volume = text(&written.object, "/spec/volumeName");
        let phase = text(&written.object, "/status/phase");
        if written.resource == &CLAIM && phase == "Bound" && !keys.contains(&Key::new(&VOLUME, "", volume)) {
            all.push(lack(format!("persistentvolume/{volume}"), VOLUME.full_name()));
        }
        let guest = written.resource == &VMI && matches!(phase, "Scheduled" | "Running");
        if guest && !launched.contains(text(&written.object, "/metadata/uid")) {
            all.push(lack("the launcher pod".to_owned(), POD.full_name()));
        }
        let known = |owner: &Value| catalog::of(text(owner, "/apiVersion"), text(owner, "/kind"));
        let gone = |owner: &Value| known(owner).is_some() && !uids.contains(text(owner, "/uid"));
        let named = owners(&written.object);
        if let Some((owner, kind)) = named.first().and_then(|owner| Some((owner, known(owner)?))).filter(|_| named.iter().all(gone)) {
            all.push(lack(format!("the owner {}/{}", kind.singular(), text(owner, "/name")), kind.full_name()));
        }
    }
    all
}

fn owners(object: &Value) -> &[Value] {
    object.at("/metadata/ownerReferences").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn told(written: &Written) -> String {
    let key = written.key();
    let place = if key.namespace.is_empty() { key.name.clone() } else { format!("{}/{}", key.namespace, key.name) };
    format!("{} {place}", key.resource.singular())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sandbox::reading::read;

    const DUMP: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {name: root, namespace: shop, uid: c1, ownerReferences: [{apiVersion: cdi.kubevirt.io/v1beta1, kind: DataVolume, name: root, uid: d1}]}
  spec: {volumeName: pv-1}
  status: {phase: Bound}
- apiVersion: kubevirt.io/v1
  kind: VirtualMachineInstance
  metadata: {name: db, namespace: shop, uid: i1, ownerReferences: [{apiVersion: x.io/v1, kind: Strange, name: s, uid: s1}]}
  status: {phase: Running}
";

    #[test]
    fn a_dump_that_was_taken_too_narrowly_says_what_it_lacks() {
        let told: Vec<String> = lacking(&read(DUMP).unwrap().objects).iter().map(|lack| format!("{} of {}", lack.missing, lack.of)).collect();
        assert_eq!(
            told,
            [
                "persistentvolume/pv-1 of persistentvolumeclaim shop/root",
                "the owner datavolume/root of persistentvolumeclaim shop/root",
                "the launcher pod of virtualmachineinstance shop/db"
            ]
        );
    }

    #[test]
    fn the_volumes_of_others_are_left_out() {
        let text = "
{apiVersion: v1, kind: PersistentVolume, metadata: {name: theirs, uid: v1}, spec: {claimRef: {namespace: x, name: y, uid: z}}, status: {phase: Bound}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: kept, uid: v2}, spec: {claimRef: {namespace: x, name: y, uid: z}}, status: {phase: Released}}
";
        let mut objects = read(text).unwrap().objects;
        narrow(&mut objects);
        assert_eq!(objects.iter().map(|written| written.key().name).collect::<Vec<_>>(), ["kept"]);
    }
}
