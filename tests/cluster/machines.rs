//! Virtual machines of the tests, and what must be true of them before and after a move.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::lab::Lab;

/// The disks of a new machine are filled within this time, unless its claims are fought over.
const SOON: Duration = Duration::from_secs(25);

/// A machine of one or more disks, being described.
pub struct Machine {
    pub name: String,
    pub namespace: String,
    strategy: Value,
    disks: Vec<Disk>,
    secrets: Vec<String>,
    annotations: Value,
    edits: Vec<Edit>,
}

/// A change to the VirtualMachine as it would be without it.
enum Edit {
    Merge(Value),
    Push(&'static str, Value),
}

struct Disk {
    claim: String,
    class: String,
    origin: Origin,
}

/// Where a disk comes from.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    Claim,
    /// A template of the machine, over a claim that is there.
    Adopted,
    /// A template of the machine, filled by CDI.
    Filled,
}

impl Disk {
    fn is_templated(&self) -> bool {
        self.origin != Origin::Claim
    }
}

impl Machine {
    /// A machine without disks that always runs.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            strategy: json!({"runStrategy": "Always"}),
            disks: Vec::new(),
            secrets: Vec::new(),
            annotations: json!({}),
            edits: Vec::new(),
        }
    }

    /// Lays a merge patch over the VirtualMachine.
    pub fn with(mut self, patch: Value) -> Self {
        self.edits.push(Edit::Merge(patch));
        self
    }

    /// Adds a volume, and a disk of the same name to show it to the guest.
    pub fn volume(mut self, volume: Value) -> Self {
        let disk = json!({"name": volume["name"], "disk": {"bus": "virtio"}});
        self.edits.push(Edit::Push("/spec/template/spec/domain/devices/disks", disk));
        self.edits.push(Edit::Push("/spec/template/spec/volumes", volume));
        self
    }

    /// `{"runStrategy": ...}` or `{"running": ...}`.
    pub fn strategy(mut self, strategy: Value) -> Self {
        self.strategy = strategy;
        self
    }

    /// An annotation of the template, which steers the pretended guest (see `modules/stages.yaml`).
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations[key] = value.into();
        self
    }

    /// A disk that a DataVolume template makes and CDI fills, with an importer and a second claim: some three hundred requests.
    pub fn filled(self, claim: &str, class: &str) -> Self {
        self.disk(claim, class, Origin::Filled)
    }

    /// A disk of a DataVolume template whose claim is there before the machine. CDI adopts it, which takes a tenth of the time.
    pub fn template(self, claim: &str, class: &str) -> Self {
        self.disk(claim, class, Origin::Adopted)
    }

    /// A disk that is a claim of its own.
    pub fn claim(self, claim: &str, class: &str) -> Self {
        self.disk(claim, class, Origin::Claim)
    }

    fn disk(mut self, claim: &str, class: &str, origin: Origin) -> Self {
        self.disks.push(Disk { claim: claim.to_owned(), class: class.to_owned(), origin });
        self
    }

    /// A Secret that the guest sees as a disk.
    pub fn secret(mut self, name: &str) -> Self {
        self.secrets.push(name.to_owned());
        self
    }

    /// The objects, claims first.
    pub fn objects(&self) -> Vec<Value> {
        let mut objects: Vec<Value> =
            self.disks.iter().filter(|disk| disk.origin != Origin::Filled).map(|disk| claim(&self.namespace, &disk.claim, &disk.class)).collect();
        objects.extend(self.secrets.iter().map(|name| secret(&self.namespace, name)));
        objects.push(self.vm());
        objects
    }

    /// The VirtualMachine alone.
    pub fn vm(&self) -> Value {
        let templates: Vec<Value> = self.disks.iter().filter(|disk| disk.is_templated()).map(|disk| json!({
            "metadata": {"name": disk.claim},
            "spec": {"source": {"blank": {}}, "pvc": {"storageClassName": disk.class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}},
        })).collect();
        let names = self.disks.iter().map(|disk| &disk.claim).chain(&self.secrets);
        let disks: Vec<Value> = names.map(|name| json!({"name": name, "disk": {"bus": "virtio"}})).collect();
        let of_disk = |disk: &Disk| {
            let source = if disk.is_templated() { "dataVolume" } else { "persistentVolumeClaim" };
            let key = if disk.is_templated() { "name" } else { "claimName" };
            json!({"name": disk.claim, source: {key: disk.claim}})
        };
        let of_secret = |name: &String| json!({"name": name, "secret": {"secretName": name}});
        let volumes: Vec<Value> = self.disks.iter().map(of_disk).chain(self.secrets.iter().map(of_secret)).collect();
        let mac = format!(
            "02:00:00:{:02x}:{:02x}:{:02x}",
            self.name.len(),
            self.name.bytes().map(u32::from).sum::<u32>() % 256,
            self.namespace.bytes().map(u32::from).sum::<u32>() % 256
        );
        let mut spec = json!({
            "dataVolumeTemplates": templates,
            "template": {
                "metadata": {"labels": {"app": self.name}, "annotations": self.annotations},
                "spec": {
                    "domain": {"devices": {"disks": disks, "interfaces": [{"name": "default", "masquerade": {}, "macAddress": mac}]}, "resources": {"requests": {"memory": "64Mi"}}},
                    "networks": [{"name": "default", "pod": {}}],
                    "terminationGracePeriodSeconds": 30,
                    "volumes": volumes,
                },
            },
        });
        for (key, value) in self.strategy.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let mut vm = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
            "metadata": {"name": self.name, "namespace": self.namespace}, "spec": spec});
        for edit in &self.edits {
            match edit {
                Edit::Merge(patch) => json_patch::merge(&mut vm, patch),
                Edit::Push(list, value) => vm.pointer_mut(list).and_then(Value::as_array_mut).into_iter().for_each(|list| list.push(value.clone())),
            }
        }
        vm
    }

    /// Creates everything and waits until the machine runs (or is stopped) with its disks filled; then writes a marker into each disk.
    pub async fn bring_up(&self, lab: &Lab) -> Result<()> {
        lab.create(&self.objects()).await?;
        self.fill(lab).await?;
        let runs = ["Always", "RerunOnFailure", "Once"].iter().any(|name| self.strategy["runStrategy"] == *name) || self.strategy["running"] == true;
        if runs {
            self.wait_status(lab, "Running").await?;
        }
        for disk in &self.disks {
            lab.wait_field(("PersistentVolumeClaim", &self.namespace, &disk.claim), "/status/phase", "Bound").await?;
            if disk.is_templated() {
                lab.wait_field(("DataVolume", &self.namespace, &disk.claim), "/status/phase", "Succeeded").await?;
            }
            lab.write_marker(&self.namespace, &disk.claim, marker(&self.name, &disk.claim).as_bytes()).await?;
        }
        if !runs {
            self.wait_status(lab, "Stopped").await?;
        }
        Ok(())
    }

    /// Waits until the templates' disks are filled. On a busy machine CDI may write a claim more often than the volume controller can keep up
    /// with, which then loses each race for it: such a machine is made again.
    async fn fill(&self, lab: &Lab) -> Result<()> {
        let filled = async || {
            for disk in self.disks.iter().filter(|disk| disk.origin == Origin::Filled) {
                if lab.get("DataVolume", &self.namespace, &disk.claim).await?["status"]["phase"] != "Succeeded" {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        for _ in 0..2 {
            if lab.wait_within(SOON, "its disks are filled", filled).await.is_ok() {
                return Ok(());
            }
            lab.delete("VirtualMachine", &self.namespace, &self.name).await?;
            for kind in ["VirtualMachine", "VirtualMachineInstance"] {
                lab.wait_gone(kind, &self.namespace, &self.name).await?;
            }
            for disk in self.disks.iter().filter(|disk| disk.origin == Origin::Filled) {
                lab.wait_gone("DataVolume", &self.namespace, &disk.claim).await?;
                lab.wait_gone("PersistentVolumeClaim", &self.namespace, &disk.claim).await?;
            }
            lab.create(&[self.vm()]).await?;
        }
        lab.wait("its disks are filled", filled).await
    }

    pub async fn wait_status(&self, lab: &Lab, status: &str) -> Result<()> {
        lab.wait_field(("VirtualMachine", &self.namespace, &self.name), "/status/printableStatus", status).await
    }

    /// The markers are on the disks of these claims in a namespace.
    pub async fn has_its_bytes(&self, lab: &Lab, namespace: &str) -> Result<()> {
        for disk in &self.disks {
            let bytes = lab.read_marker(namespace, &disk.claim).await?;
            ensure!(bytes.starts_with(marker(&self.name, &disk.claim).as_bytes()), "claim {} in {namespace} has other bytes", disk.claim);
        }
        Ok(())
    }

    /// The handles of its volumes in a namespace, in order.
    pub async fn handles(&self, lab: &Lab, namespace: &str) -> Result<Vec<String>> {
        let mut handles = Vec::new();
        for disk in &self.disks {
            handles.push(lab.handle(namespace, &disk.claim).await?);
        }
        Ok(handles)
    }

    /// All that a rollback must give back: specifications and metadata of the machine, its DataVolumes and claims.
    pub async fn picture(&self, lab: &Lab) -> Result<Value> {
        let mut picture = json!({"vm": bare(lab.get("VirtualMachine", &self.namespace, &self.name).await?)});
        for disk in &self.disks {
            picture["claims"][&disk.claim] = bare(lab.get("PersistentVolumeClaim", &self.namespace, &disk.claim).await?);
            if disk.is_templated() {
                picture["dataVolumes"][&disk.claim] = bare(lab.get("DataVolume", &self.namespace, &disk.claim).await?);
            }
            let volume = picture["claims"][&disk.claim]["spec"]["volumeName"].as_str().context("no volume")?.to_owned();
            picture["volumes"][&disk.claim] = bare(lab.get("PersistentVolume", "", &volume).await?);
        }
        Ok(picture)
    }

    /// Nothing of a move is left in either namespace: no marked objects, no machine of this name in the target.
    pub async fn is_back(&self, lab: &Lab, target: &str, before: &Value) -> Result<()> {
        let now = self.picture(lab).await?;
        ensure!(now == *before, "the source is not what it was\n--- before\n{before:#}\n--- now\n{now:#}");
        for namespace in [self.namespace.as_str(), target] {
            for kind in ["VirtualMachine", "DataVolume", "PersistentVolumeClaim", "Secret", "Service"] {
                for object in lab.list(kind, namespace).await? {
                    let marked = object["metadata"]["labels"]["vmmove.io/move"].is_string();
                    ensure!(!marked, "{kind} {} is left in {namespace}", object["metadata"]["name"]);
                }
            }
        }
        ensure!(lab.find("VirtualMachine", target, &self.name).await?.is_none(), "the machine is left in the target");
        Ok(())
    }
}

/// A machine with one small disk, of this run strategy.
pub fn one(namespace: &str, name: &str, strategy: Value) -> Machine {
    Machine::new(namespace, name).template(&format!("{name}-root"), "fast").strategy(strategy)
}

/// A virtual machine that must be there.
pub async fn vm(lab: &Lab, namespace: &str, name: &str) -> Result<Value> {
    lab.get("VirtualMachine", namespace, name).await
}

/// What invariant 4 of the design exempts is taken out: server-written fields, status, finalizers of controllers.
pub fn bare(mut object: Value) -> Value {
    object.as_object_mut().map(|object| object.remove("status"));
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["resourceVersion", "generation", "managedFields", "creationTimestamp", "finalizers"] {
            metadata.remove(field);
        }
    }
    // The version that a binding was made at is bookkeeping of the volume controller.
    if let Some(reference) = object["spec"]["claimRef"].as_object_mut() {
        reference.remove("resourceVersion");
    }
    object
}

/// What is written into a disk before a move.
pub fn marker(machine: &str, claim: &str) -> String {
    format!("bytes of {claim} of {machine}")
}

/// A claim of 64Mi.
pub fn claim(namespace: &str, name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    })
}

/// A Secret that nobody must see anywhere but in its copy.
pub fn secret(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
        "stringData": {"password": "correct horse battery staple"},
    })
}
