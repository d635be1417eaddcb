//! StorageProfiles: one for each class, with what is known of its driver, or what somebody says about it.
//! Sources: containerized-data-importer 1.65 `pkg/controller/storageprofile-controller.go`, `pkg/storagecapabilities/storagecapabilities.go`.
//!
//! Cases: `datavolumes/a-storage-profile-stands-beside-each-class`.

use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{annotation, list, put, remove};
use super::{Controller, Subject, is_deleting};
use crate::sandbox::catalog::{SNAPSHOT_CLASS, STORAGE_CLASS, STORAGE_PROFILE};
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: &[],
    controllers: &[Controller {
        name: "storageprofile-controller",
        watches: &[(&STORAGE_CLASS, of_class), (&STORAGE_PROFILE, of_class), (&SNAPSHOT_CLASS, of_all)],
        reconcile,
    }],
};

/// A driver, the access and volume modes of its claims, and how they are cloned best.
type Driver = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// Drivers of which CDI knows what their claims can be; the last word is how they are cloned best.
const KNOWN: &[Driver] = &[
    ("rbd.csi.ceph.com", &[("ReadWriteMany", "Block"), ("ReadWriteOnce", "Block"), ("ReadWriteOnce", "Filesystem")], "csi-clone"),
    ("openshift-storage.rbd.csi.ceph.com", &[("ReadWriteMany", "Block"), ("ReadWriteOnce", "Block"), ("ReadWriteOnce", "Filesystem")], "csi-clone"),
    ("cephfs.csi.ceph.com", &[("ReadWriteMany", "Filesystem")], "csi-clone"),
    ("openshift-storage.cephfs.csi.ceph.com", &[("ReadWriteMany", "Filesystem")], "csi-clone"),
    ("hostpath.csi.kubevirt.io", &[("ReadWriteOnce", "Filesystem")], ""),
    ("kubernetes.io/no-provisioner", &[("ReadWriteOnce", "Block"), ("ReadWriteOnce", "Filesystem")], ""),
];

fn of_class(_: &World, change: &Change) -> Vec<Key> {
    vec![Key::new(&STORAGE_CLASS, "", &change.key.name)]
}

fn of_all(world: &World, _: &Change) -> Vec<Key> {
    world.store.list(&STORAGE_CLASS, None).map(|(key, _)| key.clone()).collect()
}

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let class = world.store.get(key)?.clone();
    let at = Key::new(&STORAGE_PROFILE, "", &key.name);
    if world.store.get(&at).is_none() && !is_deleting(&class) {
        let profile = json!({
            "apiVersion": STORAGE_PROFILE.api_version(), "kind": "StorageProfile",
            "metadata": {"name": key.name, "labels": {"app": "containerized-data-importer", "cdi.kubevirt.io": ""}}, "spec": {},
        });
        drop(world.create(profile));
    }
    let driver = text(&class, "/provisioner");
    let snapshots = world.store.list(&SNAPSHOT_CLASS, None).find(|(_, one)| text(one, "/driver") == driver).map(|(key, _)| key.name.clone());
    let said = |profile: &mut Value| {
        let known = KNOWN.iter().find(|(name, ..)| *name == driver);
        let own = list(profile, "/spec/claimPropertySets").to_vec();
        let of_driver = |(mode, volume): &(&str, &str)| json!({"accessModes": [mode], "volumeMode": volume});
        let sets = if own.is_empty() { known.map(|(_, sets, _)| sets.iter().map(of_driver).collect()).unwrap_or_default() } else { own };
        let advice = known.map(|(.., advice)| *advice).filter(|advice| !advice.is_empty());
        let usual = if snapshots.is_some() { "snapshot" } else { "copy" };
        let wish = text(profile, "/spec/cloneStrategy").to_owned();
        let strategy = Some(wish.as_str()).filter(|wish| !wish.is_empty());
        let strategy = strategy.or(annotation(&class, "cdi.kubevirt.io/clone-strategy")).or(advice).unwrap_or(usual).to_owned();
        put(profile, "/status/storageClass", key.name.as_str());
        put(profile, "/status/provisioner", driver);
        put(profile, "/status/cloneStrategy", strategy);
        put(profile, "/status/dataImportCronSourceFormat", "pvc");
        match &snapshots {
            Some(name) => put(profile, "/status/snapshotClass", name.as_str()),
            None => remove(profile, "/status", "snapshotClass"),
        }
        if sets.is_empty() {
            remove(profile, "/status", "claimPropertySets");
        } else {
            put(profile, "/status/claimPropertySets", sets);
        }
    };
    drop(world.change(&at, said));
    None
}
