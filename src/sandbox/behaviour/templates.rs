//! A machine's DataVolume templates: DataVolumes that are not there are made, those that nobody controls are adopted.
//! Sources: kubevirt 1.8 `pkg/virt-controller/watch/vm/vm.go` handleDataVolumes, `pkg/storage/types/dv.go`, `pkg/controller/controller_ref_manager.go`.
//!
//! Cases: `virtualmachines/a-template-makes-a-disk-though-the-machine-is-off`,
//! `virtualmachines/a-machine-takes-the-disk-of-its-template-that-is-there`.

use serde_json::{Value, json};

use super::objects::{adopt, annotate, controlled_by, controller, list, mark, put, remove};
use super::{clone_rights, is_deleting};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, DATA_SOURCE, DATA_VOLUME, VM};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

/// Takes the DataVolumes of a machine's templates that nobody controls; another one's are left alone.
pub fn claim(world: &mut World, vm: &Value) {
    if is_deleting(vm) {
        return;
    }
    let namespace = text(vm, "/metadata/namespace");
    for template in list(vm, "/spec/dataVolumeTemplates") {
        let key = Key::new(&DATA_VOLUME, namespace, text(template, "/metadata/name"));
        let orphan = world.store.get(&key).is_some_and(|found| controller(found).is_none() && !is_deleting(found));
        if orphan {
            drop(world.change(&key, |found| _ = adopt(found, &VM, vm)));
        }
    }
}

/// Makes the DataVolumes that are missing. Says whether all are there and filled.
///
/// # Errors
/// Why one cannot be made; the machine starts no guest before it can.
pub fn ensure(world: &mut World, vm: &Value) -> Result<bool, String> {
    let namespace = text(vm, "/metadata/namespace").to_owned();
    let mut ready = true;
    for template in list(vm, "/spec/dataVolumeTemplates") {
        let name = text(template, "/metadata/name");
        let Some(found) = world.get(&DATA_VOLUME, &namespace, name) else {
            ready = false;
            make(world, vm, template)?;
            continue;
        };
        let (fails, words) = match text(&found, "/status/phase") {
            "Succeeded" | "WaitForFirstConsumer" | "PendingPopulation" => continue,
            "Failed" => (true, format!("DataVolume {name} failed to import disk image")),
            "Pending" => match quota(&found) {
                Some(words) => {
                    world.tell(
                        vm,
                        "virtualmachine-controller",
                        "Warning",
                        "FailedDataVolumeImport",
                        &format!("DataVolume {name} exceeds quota limits"),
                    );
                    return Err(words);
                }
                None => (false, String::new()),
            },
            _ => (false, String::new()),
        };
        if fails {
            world.tell(vm, "virtualmachine-controller", "Warning", "FailedDataVolumeImport", &words);
        }
        ready = false;
    }
    Ok(ready)
}

fn quota(volume: &Value) -> Option<String> {
    let of = |condition: &&Value| text(condition, "/reason") == "ErrExceededQuota";
    let condition = list(volume, "/status/conditions").iter().find(of)?;
    Some(format!("DataVolume {} importer is not running due to an error: {}", text(volume, "/metadata/name"), text(condition, "/message")))
}

fn make(world: &mut World, vm: &Value, template: &Value) -> Result<(), String> {
    let made = manifest(world, vm, template).map_err(|words| format!("unable to create DataVolume manifest: {words}"))?;
    let name = text(&made, "/metadata/name").to_owned();
    may_clone(world, vm, &made)?;
    match world.create(made) {
        Ok(_) => {
            world.tell(vm, "virtualmachine-controller", "Normal", "SuccessfulDataVolumeCreate", &format!("Created DataVolume {name}"));
            Ok(())
        }
        Err(status) => {
            let words = format!("Error creating DataVolume {name}: {}", status.message());
            world.tell(vm, "virtualmachine-controller", "Warning", "FailedDataVolumeCreate", &words);
            Err(format!("failed to create DataVolume: {}", status.message()))
        }
    }
}

fn manifest(world: &World, vm: &Value, template: &Value) -> Result<Value, String> {
    let mut made = json!({"apiVersion": DATA_VOLUME.api_version(), "kind": "DataVolume", "spec": template["spec"]});
    made["metadata"] = template["metadata"].clone();
    for dropped in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        remove(&mut made, "/metadata", dropped);
    }
    put(&mut made, "/metadata/namespace", vm["metadata"]["namespace"].clone());
    annotate(&mut made, "cdi.kubevirt.io/allowClaimAdoption", "true");
    mark(&mut made, "kubevirt.io/created-by", text(vm, "/metadata/uid"));
    put(&mut made, "/metadata/ownerReferences", json!([controlled_by(&VM, vm)]));
    let own = text(vm, "/metadata/namespace").to_owned();
    if text(&made, "/spec/sourceRef/kind") == "DataSource" {
        let namespace = Some(text(&made, "/spec/sourceRef/namespace")).filter(|named| !named.is_empty()).unwrap_or(&own).to_owned();
        let source = resolved(world, &namespace, text(&made, "/spec/sourceRef/name"))?;
        remove(&mut made, "/spec", "sourceRef");
        put(&mut made, "/spec/source", source);
        for kind in ["pvc", "snapshot"] {
            if made.at(&format!("/spec/source/{kind}")).is_some() {
                super::objects::default(&mut made, &format!("/spec/source/{kind}/namespace"), namespace.as_str());
            }
        }
    }
    for kind in ["pvc", "snapshot"] {
        if made.at(&format!("/spec/source/{kind}")).is_some_and(Value::is_object) {
            super::objects::default(&mut made, &format!("/spec/source/{kind}/namespace"), own.as_str());
        }
    }
    Ok(made)
}

/// What a DataSource points at.
fn resolved(world: &World, namespace: &str, name: &str) -> Result<Value, String> {
    let missing = || Status::not_found(&DATA_SOURCE, name).message().to_owned();
    let found = world.get(&DATA_SOURCE, namespace, name).ok_or_else(missing)?;
    let through = found.at("/spec/source/dataSource").is_some();
    let source = found.at(if through { "/status/source" } else { "/spec/source" }).cloned().unwrap_or_else(|| json!({}));
    let kind = ["pvc", "snapshot"].into_iter().find(|kind| source.get(*kind).is_some());
    Ok(kind.map_or_else(|| json!({}), |kind| json!({kind: source[kind]})))
}

/// A template is cloned in the name of the machine's service account.
fn may_clone(world: &mut World, vm: &Value, made: &Value) -> Result<(), String> {
    if let Some(name) = made.at("/spec/source/pvc/name").and_then(Value::as_str)
        && world.get(&CLAIM, text(made, "/spec/source/pvc/namespace"), name).is_none()
    {
        let words =
            format!("Source PVC {name} not available: Target PVC {} will remain unpopulated until source is created", text(made, "/metadata/name"));
        world.tell(vm, "virtualmachine-controller", "Warning", "SourcePVCNotAvailabe", &words);
    }
    let account = |volume: &Value| volume.at("/serviceAccount/serviceAccountName").and_then(Value::as_str).map(str::to_owned);
    let account = list(vm, "/spec/template/spec/volumes").iter().find_map(account).unwrap_or_else(|| "default".to_owned());
    let user = clone_rights::service_account(text(vm, "/metadata/namespace"), &account);
    let denied = clone_rights::refusal(world, &user, made);
    let Some(why) = denied else { return Ok(()) };
    let words = format!("Not authorized to create DataVolume {}: {why}", text(made, "/metadata/name"));
    world.tell(vm, "virtualmachine-controller", "Warning", "UnauthorizedDataVolumeCreate", &words);
    Err(format!("not authorized to create DataVolume: {why}"))
}
