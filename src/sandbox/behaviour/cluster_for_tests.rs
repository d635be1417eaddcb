//! A small cluster for the stories of machines and disks.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{is_controlled_by, list};
use crate::sandbox::behaviour::SUBJECTS;
use crate::sandbox::catalog::{CLAIM, POD, Res, VM, VMI};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

pub struct Cluster {
    pub world: World,
}

pub fn cluster() -> Cluster {
    let mut world = World::new(11, Timestamp::UNIX_EPOCH, SUBJECTS);
    for namespace in ["shop", "prod"] {
        world.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})).unwrap();
    }
    world
        .create(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "lab.vmmove.io",
        "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", "allowVolumeExpansion": true}))
        .unwrap();
    world.create(json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "lab.vmmove.io"}})).unwrap();
    world.create(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", "labels": {"zone": "a"}}})).unwrap();
    Cluster { world }
}

/// A machine with one disk from a template that is imported.
pub fn machine(namespace: &str, strategy: &str) -> Value {
    json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "db", "namespace": namespace},
        "spec": {
            "runStrategy": strategy,
            "dataVolumeTemplates": [{
                "metadata": {"name": "db-root"},
                "spec": {
                    "source": {"http": {"url": "http://images/fedora"}},
                    "pvc": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
                },
            }],
            "template": {"metadata": {"annotations": {}}, "spec": {
                "domain": {"devices": {"disks": [{"name": "root", "disk": {"bus": "virtio"}}]}, "memory": {"guest": "1Gi"}},
                "volumes": [{"name": "root", "dataVolume": {"name": "db-root"}}],
            }},
        },
    })
}

impl Cluster {
    pub fn get(&self, resource: Res, namespace: &str, name: &str) -> Value {
        self.world.get(resource, namespace, name).map(|found| Value::clone(&found)).unwrap_or_default()
    }

    pub fn vm(&self, namespace: &str) -> Value {
        self.get(&VM, namespace, "db")
    }

    pub fn vmi(&self, namespace: &str) -> Value {
        self.get(&VMI, namespace, "db")
    }

    pub fn word(&self, namespace: &str) -> String {
        text(&self.vm(namespace), "/status/printableStatus").to_owned()
    }

    pub fn edit(&mut self, resource: Res, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.world.change(&Key::new(resource, namespace, name), change).unwrap();
    }

    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.world.let_pass(Duration::from_millis(100));
        }
    }

    /// The launchers of the guest in a namespace.
    pub fn launchers(&self, namespace: &str) -> Vec<Value> {
        let vmi = self.vmi(namespace);
        let all = self.world.list(&POD, Some(namespace)).into_iter().filter(|pod| is_controlled_by(pod, &vmi));
        all.map(|pod| Value::clone(&pod)).collect()
    }

    /// Reasons of all events about an object of this name.
    pub fn events(&self, namespace: &str, name: &str) -> Vec<String> {
        let about = |event: &&std::sync::Arc<Value>| text(event, "/involvedObject/name") == name;
        let all = self.world.list(&crate::sandbox::catalog::EVENT, Some(namespace));
        all.iter().filter(about).map(|event| format!("{} {}", text(event, "/reason"), text(event, "/message"))).collect()
    }
}

/// Sets a claim that is filled already, so that a machine's disk needs no import.
pub fn filled_claim(cluster: &mut Cluster, namespace: &str, name: &str) {
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
    });
    cluster.world.create(claim).unwrap();
    cluster.pass(1);
    assert!(!list(&cluster.get(&CLAIM, namespace, name), "/spec/accessModes").is_empty());
}
