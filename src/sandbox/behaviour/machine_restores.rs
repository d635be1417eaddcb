//! Restores: a machine that is off gets the disks and the specification of a snapshot.
//! Source: kubevirt 1.8 `pkg/storage/snapshot/{restore,restore_base}.go`.
//!
//! Cases: `snapshots/a-machine-is-restored-with-new-disks`.

use std::time::Duration;

use serde_json::{Value, json};

use super::machine_rules::strategy;
use super::machine_status::instance;
use super::objects::{add_finalizer, annotate, controlled_by, drop_finalizer, is, list, put, remove, state};
use super::{Controller, Subject, is_deleting, itself};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, DATA_VOLUME, SNAPSHOT, VM, VM_RESTORE, VM_SNAPSHOT, VM_SNAPSHOT_CONTENT};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject =
    Subject { rules: &[], controllers: &[Controller { name: "restore-controller", watches: &[(&VM_RESTORE, itself)], reconcile }] };

const FINALIZER: &str = "snapshot.kubevirt.io/vmrestore-protection";
const LAST: &str = "restore.kubevirt.io/lastRestoreUID";
/// How often a restore that waits looks again.
const AGAIN: Duration = Duration::from_secs(1);

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let restore = world.store.get(key)?.clone();
    if is_deleting(&restore) {
        drop(world.change(key, |restore| drop_finalizer(restore, FINALIZER)));
        return None;
    }
    if is(&restore, "Ready", "True") {
        return None;
    }
    let vm_key = Key::new(&VM, &key.namespace, text(&restore, "/spec/target/name"));
    let waits = |world: &mut World, why: &str| {
        let now = world.stamp();
        drop(world.change(key, |restore| {
            add_finalizer(restore, FINALIZER);
            put(restore, "/status/complete", false);
            state(restore, &now, "Progressing", "False", (why, ""));
            state(restore, &now, "Ready", "False", (why, ""));
        }));
        Some(AGAIN)
    };
    let Some(vm) = world.store.get(&vm_key).cloned() else { return waits(world, "Waiting for target to be ready") };
    if instance(world, &vm).is_some() {
        return waits(world, "Waiting for target to be ready");
    }
    let snapshot = world.get(&VM_SNAPSHOT, &key.namespace, text(&restore, "/spec/virtualMachineSnapshotName")).unwrap_or_default();
    let content = text(&snapshot, "/status/virtualMachineSnapshotContentName").to_owned();
    let Some(content) = world.get(&VM_SNAPSHOT_CONTENT, &key.namespace, &content) else { return waits(world, "Waiting for snapshot to be ready") };
    let uid = text(&restore, "/metadata/uid").to_owned();
    let mut done = Vec::new();
    for backup in list(&content, "/spec/volumeBackups") {
        let name = format!("restore-{uid}-{}", text(backup, "/volumeName"));
        if world.get(&CLAIM, &key.namespace, &name).is_none() {
            drop(world.create(disk(&restore, backup, &name)));
        }
        done.push(json!({"volumeName": backup["volumeName"], "volumeSnapshotName": backup["volumeSnapshotName"], "persistentVolumeClaim": name}));
    }
    let mark = format!("{}-{uid}", key.name);
    let (wanted, replaced) = restored(&vm, &content, &done, &mark);
    if world.change(&vm_key, |vm| *vm = wanted).is_err() {
        return Some(AGAIN);
    }
    for name in &replaced {
        drop(world.delete(&Key::new(&DATA_VOLUME, &key.namespace, name)));
    }
    let now = world.stamp();
    let owner = controlled_by(&VM, &vm);
    drop(world.change(key, |restore| {
        put(restore, "/metadata/ownerReferences", json!([owner]));
        add_finalizer(restore, FINALIZER);
        put(restore, "/status/restores", done);
        if !replaced.is_empty() {
            put(restore, "/status/deletedDataVolumes", replaced);
        }
        put(restore, "/status/restoreTime", now.clone());
        put(restore, "/status/complete", true);
        state(restore, &now, "Progressing", "False", ("Operation complete", ""));
        state(restore, &now, "Ready", "True", ("Operation complete", ""));
    }));
    None
}

/// A claim with what was on a disk when the snapshot was taken.
fn disk(restore: &Value, backup: &Value, name: &str) -> Value {
    let was = &backup["persistentVolumeClaim"];
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": restore["metadata"]["namespace"], "labels": was["metadata"]["labels"]}, "spec": was["spec"],
    });
    for field in ["volumeName", "dataSource", "dataSourceRef"] {
        remove(&mut claim, "/spec", field);
    }
    put(&mut claim, "/spec/dataSource", json!({"apiGroup": SNAPSHOT.group, "kind": SNAPSHOT.kind, "name": backup["volumeSnapshotName"]}));
    annotate(&mut claim, "restore.kubevirt.io/name", text(restore, "/metadata/name"));
    // So that a DataVolume of this name takes it as filled.
    annotate(&mut claim, "cdi.kubevirt.io/storage.populatedFor", name);
    claim
}

/// The machine as it is to be, and the names of the DataVolumes that it no longer has.
fn restored(vm: &Value, content: &Value, done: &[Value], mark: &str) -> (Value, Vec<String>) {
    let mut wanted = vm.clone();
    let mut spec = content.at("/spec/source/virtualMachine/spec").cloned().unwrap_or_else(|| vm["spec"].clone());
    remove(&mut spec, "", "running");
    put(&mut spec, "/runStrategy", strategy(vm).unwrap_or("Halted"));
    let new_name = |volume: &Value| done.iter().find(|one| one["volumeName"] == volume["name"]).map(|one| one["persistentVolumeClaim"].clone());
    let (mut volumes, mut templates) = (list(&spec, "/template/spec/volumes").to_vec(), list(&spec, "/dataVolumeTemplates").to_vec());
    let mut replaced = Vec::new();
    for volume in &mut volumes {
        let Some(name) = new_name(volume) else { continue };
        let old = text(volume, "/dataVolume/name").to_owned();
        let template = templates.iter_mut().find(|template| !old.is_empty() && text(template, "/metadata/name") == old);
        if let Some(template) = template {
            put(template, "/metadata/name", name.clone());
            put(volume, "/dataVolume/name", name);
            replaced.push(old);
        } else {
            remove(volume, "", "dataVolume");
            put(volume, "/persistentVolumeClaim/claimName", name);
        }
    }
    put(&mut spec, "/template/spec/volumes", volumes);
    if !templates.is_empty() {
        put(&mut spec, "/dataVolumeTemplates", templates);
    }
    wanted["spec"] = spec;
    annotate(&mut wanted, LAST, mark);
    (wanted, replaced)
}
