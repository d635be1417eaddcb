//! Stories of storage: claims, volumes and their drivers in a small cluster.
#![allow(clippy::unwrap_used)]

mod asking;
mod binding;
mod copying;
mod keeping;
mod running;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sandbox::behaviour::SUBJECTS;
use crate::sandbox::catalog::{CLAIM, EVENT, Res, STORAGE_CLASS, VOLUME};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

pub const SECOND: Duration = Duration::from_secs(1);

/// A cluster with the laboratory's classes and two namespaces.
pub fn world() -> World {
    let mut world = World::new(7, Timestamp::UNIX_EPOCH, SUBJECTS);
    for name in ["shop", "store"] {
        world.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).unwrap();
    }
    for (name, driver, policy, binding) in [
        ("fast", "lab.vmmove.io", "Delete", "Immediate"),
        ("wait", "lab.vmmove.io", "Delete", "WaitForFirstConsumer"),
        ("keep", "lab.vmmove.io", "Retain", "Immediate"),
        ("other", "other.vmmove.io", "Delete", "Immediate"),
    ] {
        let default = (name == "fast").to_string();
        let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}},
            "provisioner": driver, "reclaimPolicy": policy, "volumeBindingMode": binding, "allowVolumeExpansion": true});
        world.create(class).unwrap();
    }
    world.let_pass(SECOND);
    world
}

/// A claim of 1 Gi.
pub fn claim(namespace: &str, name: &str, more: &Value) -> Value {
    let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    for (field, value) in more.as_object().into_iter().flatten() {
        claim["spec"][field] = value.clone();
    }
    claim
}

pub fn clone_of(name: &str) -> Value {
    json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": name}})
}

impl World {
    /// The claim, as it is now.
    pub(super) fn claim(&self, namespace: &str, name: &str) -> Arc<Value> {
        self.get(&CLAIM, namespace, name).unwrap()
    }

    /// A claim that has its volume: the claim and the volume.
    pub(super) fn bound(&mut self, namespace: &str, name: &str, more: &Value) -> (Arc<Value>, Arc<Value>) {
        self.create(claim(namespace, name, more)).unwrap();
        self.let_pass(SECOND);
        let claim = self.claim(namespace, name);
        assert_eq!(text(&claim, "/status/phase"), "Bound", "{claim:#}");
        let volume = self.get(&VOLUME, "", text(&claim, "/spec/volumeName")).unwrap();
        (claim, volume)
    }

    pub(super) fn phase(&self, resource: Res, namespace: &str, name: &str) -> String {
        self.get(resource, namespace, name).map_or("gone".to_owned(), |object| text(&object, "/status/phase").to_owned())
    }

    pub(super) fn edit(&mut self, resource: Res, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) -> Result<(), Status> {
        self.change(&Key::new(resource, namespace, name), change)
    }

    /// What was told about an object of this name, as `Reason: message`.
    pub(super) fn told(&self, namespace: &str, name: &str) -> Vec<String> {
        let about = self.store.list(&EVENT, Some(namespace)).filter(|(_, event)| text(event, "/involvedObject/name") == name);
        about.map(|(_, event)| format!("{}: {}", text(event, "/reason"), text(event, "/message"))).collect()
    }

    pub(super) fn swap(&mut self, volume: &str, to: &Value) {
        let reference = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": to["metadata"]["namespace"],
            "name": to["metadata"]["name"], "uid": to["metadata"]["uid"]});
        self.edit(&VOLUME, "", volume, |volume| volume["spec"]["claimRef"] = reference).unwrap();
    }
}
