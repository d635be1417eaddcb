//! Small inventories for tests: namespace `shop` moves to `prod` in one cluster. Everything is listed and nearly empty until a story adds to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::document::{DiskPlan, Identity, MachinePlan, Ownership, PlanEnd, PlanSpec, Power, RunField};
use super::request::{MoveRequest, Options, Strategy};
use crate::model::inventory::{ClusterSeen, Inventory, Look, Objects, Place, Rights, Rule, Stack};
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::names::End;

/// An inventory under construction.
#[must_use]
pub struct World {
    source: Place,
    target: Place,
    cluster: ClusterSeen,
}

impl World {
    /// Both namespaces, one class `fast` of a driver that is installed, one ready node; no virtual machines.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let rights = || Rights {
            rules: vec![Rule { verbs: vec!["*".into()], groups: vec!["*".into()], resources: vec!["*".into()], names: Vec::new() }],
            incomplete: false,
        };
        let place = |end, namespace: &str| Place {
            end,
            namespace: namespace.to_owned(),
            namespace_look: Look::Listed(BTreeMap::from([(namespace.to_owned(), Manifest::new(kind::NAMESPACE, "", namespace))])),
            objects: Objects(kind::ALL.iter().filter(|kind| kind.namespaced).map(|kind| (*kind, Look::Listed(BTreeMap::new()))).collect()),
            rights: rights(),
            cluster: Arc::default(),
        };
        let cluster = ClusterSeen {
            id: "cluster-1".to_owned(),
            server: "https://cluster".to_owned(),
            user: "admin".to_owned(),
            stack: Stack {
                kubernetes: Some("v1.33.0".to_owned()),
                kubevirt: Some("v1.8.0".to_owned()),
                cdi: Some("v1.65.0".to_owned()),
                snapshots: Some("v1".to_owned()),
            },
            kubevirt_gates: Vec::new(),
            may_patch_volumes: true,
            objects: Objects(kind::ALL.iter().filter(|kind| !kind.namespaced).map(|kind| (*kind, Look::Listed(BTreeMap::new()))).collect()),
        };
        Self { source: place(End::Source, "shop"), target: place(End::Target, "prod"), cluster }
            .cluster(class("fast"))
            .cluster(Manifest::new(kind::CSI_DRIVER, "", DRIVER))
            .cluster(node("node-1", true))
    }

    /// Adds an object to the source namespace.
    pub fn source(mut self, object: Manifest) -> Self {
        insert(&mut self.source.objects, object);
        self
    }

    /// Adds an object to the target namespace.
    pub fn target(mut self, mut object: Manifest) -> Self {
        object.set("/metadata/namespace", "prod".into());
        insert(&mut self.target.objects, object);
        self
    }

    /// Adds a cluster-scoped object.
    pub fn cluster(mut self, object: Manifest) -> Self {
        insert(&mut self.cluster.objects, object);
        self
    }

    /// Says what looking at a kind gave, wherever the kind lives.
    pub fn look(mut self, end: End, kind: Kind, look: Look) -> Self {
        match (kind.namespaced, end) {
            (false, _) => self.cluster.objects.0.insert(kind, look),
            (true, End::Source) => self.source.objects.0.insert(kind, look),
            (true, End::Target) => self.target.objects.0.insert(kind, look),
        };
        self
    }

    /// Says what looking at the target namespace gave.
    pub fn target_namespace(mut self, look: Look) -> Self {
        self.target.namespace_look = look;
        self
    }

    /// Renames the target namespace.
    pub fn target_named(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.target.namespace);
        self
    }

    /// Changes what is known of the cluster.
    pub fn known(mut self, change: impl FnOnce(&mut ClusterSeen)) -> Self {
        change(&mut self.cluster);
        self
    }

    /// The look at both ends.
    pub fn seen(self) -> Inventory {
        let cluster = Arc::new(self.cluster);
        let place = |place: Place| Place { cluster: Arc::clone(&cluster), ..place };
        Inventory { source: place(self.source), target: Some(place(self.target)) }
    }

    /// The look at the source alone, as `assess` takes it.
    pub fn seen_source(self) -> Inventory {
        Inventory { target: None, ..self.seen() }
    }
}

fn insert(objects: &mut Objects, object: Manifest) {
    let kind = object.kind().expect("a known kind");
    let look = objects.0.entry(kind).or_insert_with(|| Look::Listed(BTreeMap::new()));
    if let Look::Listed(all) = look {
        all.insert(object.name().to_owned(), object);
    }
}

/// The driver of class `fast`.
pub const DRIVER: &str = "csi.example.org";

/// A request to move these machines from `shop` to `prod`.
pub fn ask(machines: &[&str]) -> MoveRequest {
    MoveRequest { machines: machines.iter().map(|name| (*name).to_owned()).collect(), target_namespace: "prod".to_owned(), ..MoveRequest::default() }
}

/// A manifest of a kind in `shop` with these fields on top of its metadata; `uid` is `<plural>-<name>`.
pub fn object(kind: Kind, name: &str, fields: Value) -> Manifest {
    let mut manifest = Manifest::new(kind, "shop", name);
    manifest.set("/metadata/uid", format!("{}-{name}", kind.plural).into());
    manifest.set("/metadata/resourceVersion", "7".into());
    for (key, value) in fields.as_object().into_iter().flatten() {
        manifest.set(&format!("/{key}"), value.clone());
    }
    manifest
}

/// A machine as a real server would give it: `tests/fixtures/vms/<name>.json`.
pub fn fixture(name: &str) -> Manifest {
    let path = format!("{}/tests/fixtures/vms/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A stopped virtual machine whose volumes are these claims.
pub fn vm(name: &str, claims: &[&str]) -> Manifest {
    let volumes: Vec<Value> = claims.iter().map(|claim| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}})).collect();
    let disks: Vec<Value> = claims.iter().map(|claim| json!({"name": claim, "disk": {"bus": "virtio"}})).collect();
    let mut vm = object(
        kind::VM,
        name,
        json!({
            "spec": {"runStrategy": "Halted", "template": {"metadata": {}, "spec": {
                "domain": {"devices": {"disks": disks}, "resources": {"requests": {"memory": "1Gi"}}},
                "volumes": volumes,
            }}},
            "status": {"printableStatus": "Stopped"},
        }),
    );
    vm.set("/metadata/generation", 3.into());
    vm.set("/metadata/creationTimestamp", "2026-01-01T00:00:00Z".into());
    vm
}

/// The same machine, switched on: its VirtualMachine, to be added together with [`vmi`].
pub fn running(mut vm: Manifest) -> Manifest {
    vm.set("/spec/runStrategy", "Always".into());
    vm.set("/status/printableStatus", "Running".into());
    vm
}

/// The instance of a running machine on `node-1`.
pub fn vmi(vm: &Manifest) -> Manifest {
    let mut spec = vm.at("/spec/template/spec").cloned().unwrap_or_default();
    spec["domain"]["firmware"] = json!({"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"});
    object(kind::VMI, vm.name(), json!({"spec": spec, "status": {"phase": "Running", "nodeName": "node-1"}}))
}

/// A bound claim of class `fast`, in whole gibibytes.
pub fn claim(name: &str, gibibytes: u64) -> Manifest {
    let size = format!("{gibibytes}Gi");
    object(
        kind::CLAIM,
        name,
        json!({
            "spec": {"storageClassName": "fast", "volumeMode": "Block", "accessModes": ["ReadWriteOnce"],
                "volumeName": format!("pv-{name}"), "resources": {"requests": {"storage": size}}},
            "status": {"phase": "Bound", "capacity": {"storage": size}},
        }),
    )
}

/// The volume of a bound claim.
pub fn volume(claim: &Manifest) -> Manifest {
    let mut volume = Manifest::new(kind::VOLUME, "", claim.text("/spec/volumeName").unwrap_or_default());
    volume.set(
        "/spec",
        json!({
            "capacity": claim.at("/status/capacity"), "accessModes": claim.at("/spec/accessModes"), "volumeMode": claim.at("/spec/volumeMode"),
            "storageClassName": claim.at("/spec/storageClassName"), "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": claim.namespace(), "name": claim.name(), "uid": claim.uid()},
            "csi": {"driver": DRIVER, "volumeHandle": format!("handle-{}", claim.name())},
        }),
    );
    volume.set("/status/phase", "Bound".into());
    volume
}

/// A class of [`DRIVER`] that binds at once.
pub fn class(name: &str) -> Manifest {
    let mut class = Manifest::new(kind::STORAGE_CLASS, "", name);
    class.set("/provisioner", DRIVER.into());
    class.set("/volumeBindingMode", "Immediate".into());
    class.set("/reclaimPolicy", "Delete".into());
    class
}

/// A pod in `shop` that mounts these claims.
pub fn pod(name: &str, claims: &[&str]) -> Manifest {
    let volumes: Vec<Value> = claims.iter().map(|claim| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}})).collect();
    object(kind::POD, name, json!({"spec": {"volumes": volumes}, "status": {"phase": "Running"}}))
}

/// A node.
pub fn node(name: &str, ready: bool) -> Manifest {
    let mut node = Manifest::new(kind::NODE, "", name);
    node.set("/status/conditions", json!([{"type": "Ready", "status": if ready { "True" } else { "Unknown" }}]));
    node
}

/// Codes of findings, for short assertions.
pub fn codes(findings: &[crate::model::finding::Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// A plan's specification for these machines, from `shop` to `prod`.
pub fn plan_spec(machines: Vec<MachinePlan>) -> PlanSpec {
    let end = |namespace: &str| PlanEnd { cluster: "cluster-1".to_owned(), namespace: namespace.to_owned() };
    PlanSpec {
        source: end("shop"),
        target: end("prod"),
        create_namespace: false,
        options: Options::default(),
        force: false,
        networks: BTreeMap::new(),
        machines,
        dependents: Vec::new(),
    }
}

/// A machine that was running under `Always` and will again.
pub fn machine_plan(name: &str, disks: Vec<DiskPlan>) -> MachinePlan {
    MachinePlan {
        name: name.to_owned(),
        uid: format!("virtualmachines-{name}"),
        generation: 3,
        target: name.to_owned(),
        power: Power { running: true, field: RunField::RunStrategy, value: "Always".into(), start: true },
        identity: Identity::default(),
        disks,
        revisions: Vec::new(),
        changes: Vec::new(),
    }
}

/// A block disk of class `fast` that nobody owns, in whole gibibytes.
pub fn disk_plan(claim: &str, gibibytes: u64, strategy: Strategy) -> DiskPlan {
    DiskPlan {
        volume: claim.to_owned(),
        claim: claim.to_owned(),
        claim_uid: format!("persistentvolumeclaims-{claim}"),
        target_claim: claim.to_owned(),
        request: format!("{gibibytes}Gi"),
        capacity: gibibytes << 30,
        class: Some("fast".to_owned()),
        target_class: Some("fast".to_owned()),
        volume_mode: "Block".to_owned(),
        access_modes: vec!["ReadWriteOnce".to_owned()],
        persistent_volume: Some(format!("pv-{claim}")),
        ownership: Ownership::Nobody,
        strategy,
        why: "because".to_owned(),
        rejected: Vec::new(),
    }
}

/// One running machine with a templated disk that is copied, a plain one that changes hands, a Secret and a frozen instancetype.
pub fn plan() -> PlanSpec {
    let mut root = disk_plan("root", 20, Strategy::CloneRebind);
    root.ownership = Ownership::DataVolume { name: "root".to_owned(), uid: "datavolumes-root".to_owned(), template: true };
    let data = disk_plan("data", 100, Strategy::Rebind);
    let mut machine = machine_plan("db-1", vec![root, data]);
    machine.revisions = vec!["db-1-small".to_owned()];
    let mut plan = plan_spec(vec![machine]);
    plan.dependents = vec![super::document::DependentPlan {
        kind: kind::SECRET,
        name: "login".to_owned(),
        uid: "secrets-login".to_owned(),
        resource_version: "1".to_owned(),
        used_by: vec!["db-1".to_owned()],
        exists: false,
    }];
    plan
}
