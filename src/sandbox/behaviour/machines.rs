//! VirtualMachines: each has the guest that its run strategy asks for.
//! Source: kubevirt 1.8 `pkg/virt-controller/watch/vm/vm.go` (execute, sync, startVMI, stopVMI, syncRestartRequired), `firmware.go`.
//!
//! Cases: `virtualmachines/a-machine-is-switched-off`, `virtualmachines/a-fence-is-one-change`,
//! `virtualmachines/a-changed-template-waits-for-a-restart`, `virtualmachines/events-tell-of-a-start-and-a-stop`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::instance_rules::is_final;
use super::machine_rules::{self, strategy};
use super::machine_status::{self, Trouble};
use super::objects::{
    add_finalizer, adopt, annotate, annotation, controlled_by, controller, default, drop_finalizer, has_finalizer, is, put, remove,
};
use super::{Controller, Subject, instancetypes, is_deleting, itself, run_strategies, templates, volume_updates};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CONTROLLER_REVISION, DATA_VOLUME, KUBEVIRT, VM, VMI};
use crate::sandbox::delete::ORPHAN;
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;

pub const SUBJECT: Subject = Subject {
    rules: machine_rules::RULES,
    controllers: &[Controller {
        name: "virtualmachine-controller",
        watches: &[(&VM, itself), (&VMI, of_instance), (&DATA_VOLUME, of_owned)],
        reconcile,
    }],
};

/// Held on a machine until its guest is gone, and on a guest until its machine has seen the end.
pub const FINALIZER: &str = "kubevirt.io/virtualMachineControllerFinalize";
const GENERATION: &str = "kubevirt.io/vm-generation";
const OBSERVED: &[&str] = &["kubevirt.io/latest-observed-api-version", "kubevirt.io/storage-observed-api-version"];
/// The namespace of the identities that older versions derived from a machine's name.
const LEGACY: uuid::Uuid = uuid::uuid!("6a1a24a1-4061-4607-8bf4-a3963d0c5895");
pub const COMPONENT: &str = "virtualmachine-controller";

/// A guest has its machine's name.
fn of_instance(_: &World, change: &Change) -> Vec<Key> {
    vec![Key::new(&VM, &change.key.namespace, &change.key.name)]
}

fn of_owned(_: &World, change: &Change) -> Vec<Key> {
    let owner = controller(&change.object).filter(|owner| text(owner, "/kind") == "VirtualMachine");
    owner.map(|owner| Key::new(&VM, &change.key.namespace, text(owner, "/name"))).into_iter().collect()
}

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let vm = world.store.get(key)?.clone();
    if OBSERVED.iter().any(|observed| annotation(&vm, observed).is_none()) {
        drop(world.change(key, |vm| OBSERVED.iter().for_each(|observed| annotate(vm, observed, "v1"))));
        return None;
    }
    if !vm.at("/spec/template").is_some_and(Value::is_object) {
        return None;
    }
    let mut vmi = instance(world, &vm);
    templates::claim(world, &vm);
    let trouble = sync(world, key, &vm, &mut vmi).err();
    machine_status::update(world, key, trouble.as_ref());
    let left = vmi.filter(|vmi| is_final(vmi) && has_finalizer(vmi, FINALIZER));
    if left.is_some() {
        drop(world.change(&Key::new(&VMI, &key.namespace, &key.name), |vmi| drop_finalizer(vmi, FINALIZER)));
    }
    let again = machine_status::look_again(world, key);
    if trouble.is_some() { again.or(Some(Duration::from_secs(1))) } else { again }
}

/// The machine's guest: the instance of its name, adopted when nobody controls it.
fn instance(world: &mut World, vm: &Value) -> Option<Arc<Value>> {
    let key = Key::new(&VMI, text(vm, "/metadata/namespace"), text(vm, "/metadata/name"));
    let found = world.store.get(&key)?.clone();
    if controller(&found).is_none() && !is_deleting(&found) && !is_deleting(vm) {
        drop(world.change(&key, |found| _ = adopt(found, &VM, vm)));
    }
    machine_status::instance(world, vm)
}

fn sync(world: &mut World, key: &Key, vm: &Arc<Value>, vmi: &mut Option<Arc<Value>>) -> Result<(), Trouble> {
    if is_deleting(vm) {
        if vmi.is_none() || has_finalizer(vm, ORPHAN) {
            drop(world.change(key, |vm| drop_finalizer(vm, FINALIZER)));
        } else if let Some(vmi) = vmi {
            stop(world, vm, vmi)?;
        }
        return Ok(());
    }
    if !has_finalizer(vm, FINALIZER) {
        drop(world.change(key, |vm| add_finalizer(vm, FINALIZER)));
    }
    if let Some(vmi) = vmi {
        follow_generation(world, vm, vmi);
    }
    instancetypes::sync(world, key, vm)?;
    let Some(vm) = world.store.get(key).cloned() else { return Ok(()) };
    let strategy = strategy(&vm).ok_or_else(|| ("FailedCreate", "Error fetching RunStrategy: RunStrategy must be specified".to_owned()))?.to_owned();
    if annotation(&vm, "kubevirt.io/immediate-data-volume-creation") != Some("false") {
        let words = |error| ("FailedCreate", format!("Error encountered while creating DataVolumes: {error}"));
        let ready = templates::ensure(world, &vm).map_err(words)?;
        if !ready && strategy != "Halted" {
            return Ok(());
        }
    }
    run_strategies::follow(world, &vm, vmi.as_deref(), &strategy)?;
    if let Some(vmi) = vmi {
        follow_template(world, key, vmi)?;
    }
    identify(world, key);
    Ok(())
}

/// A machine of before 1.6 gets the identity that its guest always had.
fn identify(world: &mut World, key: &Key) {
    let known = |vm: &Arc<Value>| vm.at("/spec/template/spec/domain/firmware/uuid").is_some();
    if world.store.get(key).is_some_and(known) {
        return;
    }
    let legacy = legacy(&key.name);
    drop(world.change(key, |vm| default(vm, "/spec/template/spec/domain/firmware/uuid", legacy)));
}

fn legacy(name: &str) -> String {
    uuid::Uuid::new_v5(&LEGACY, name.as_bytes()).to_string()
}

/// Makes the machine's guest, if its disks are there.
///
/// # Errors
/// Why it cannot be made.
pub fn start(world: &mut World, vm: &Value) -> Result<(), Trouble> {
    let failed = |words: String| ("FailedCreate", format!("Failure while starting VMI: {words}"));
    if !templates::ensure(world, vm).map_err(failed)? || is(vm, "ManualRecoveryRequired", "True") {
        return Ok(());
    }
    let key = Key::of(&VM, vm);
    drop(world.change(&key, |vm| super::objects::forget(vm, RESTART)));
    let revision = keep_revision(world, vm).map_err(failed)?;
    let mut vmi = json!({"apiVersion": VMI.api_version(), "kind": "VirtualMachineInstance", "spec": vm["spec"]["template"]["spec"]});
    for kept in ["labels", "annotations"] {
        if let Some(kept_as) = vm.at(&format!("/spec/template/metadata/{kept}")) {
            vmi["metadata"][kept] = kept_as.clone();
        }
    }
    put(&mut vmi, "/metadata/name", key.name.as_str());
    put(&mut vmi, "/metadata/namespace", key.namespace.as_str());
    put(&mut vmi, "/metadata/ownerReferences", json!([controlled_by(&VM, vm)]));
    annotate(&mut vmi, GENERATION, &vm["metadata"]["generation"].as_i64().unwrap_or(1).to_string());
    add_finalizer(&mut vmi, FINALIZER);
    put(&mut vmi, "/status/virtualMachineRevisionName", revision);
    default(&mut vmi, "/spec/domain/firmware/uuid", legacy(&key.name));
    if run_strategies::asked(vm).is_some_and(|request| text(request, "/data/paused") == "true") {
        put(&mut vmi, "/spec/startStrategy", "Paused");
    }
    let applied = instancetypes::apply(world, vm, &mut vmi);
    let made = applied.and_then(|()| world.create(vmi).map_err(|status| status.message().to_owned()));
    if let Err(words) = made {
        world.tell(vm, COMPONENT, "Warning", "FailedCreate", &format!("Error creating virtual machine instance: {words}"));
        return Err(failed(words));
    }
    let words = format!("Started the virtual machine by creating the new virtual machine instance {}", key.name);
    world.tell(vm, COMPONENT, "Normal", "SuccessfulCreate", &words);
    Ok(())
}

/// Ends the machine's guest.
///
/// # Errors
/// Why that is refused.
pub fn stop(world: &mut World, vm: &Value, vmi: &Value) -> Result<(), Trouble> {
    if is_deleting(vmi) {
        return Ok(());
    }
    if let Err(status) = world.delete(&Key::of(&VMI, vmi)) {
        let words = format!("Error deleting virtual machine instance {}: {}", text(vmi, "/metadata/name"), status.message());
        world.tell(vm, COMPONENT, "Warning", "FailedDelete", &words);
        return Err(("FailedDelete", format!("Failure attempting to delete VMI: {}", status.message())));
    }
    drop(world.change(&Key::of(&VM, vm), |vm| super::objects::forget(vm, RESTART)));
    let words = format!("Stopped the virtual machine by deleting the virtual machine instance {}", text(vmi, "/metadata/uid"));
    world.tell(vm, COMPONENT, "Normal", "SuccessfulDelete", &words);
    Ok(())
}

/// Keeps the specification that a guest starts with; older ones go.
fn keep_revision(world: &mut World, vm: &Value) -> Result<String, String> {
    let (uid, namespace) = (text(vm, "/metadata/uid"), text(vm, "/metadata/namespace"));
    let generation = vm["metadata"]["generation"].as_i64().unwrap_or(1);
    let prefix = format!("revision-start-vm-{uid}-");
    let name = format!("{prefix}{generation}");
    let from = std::ops::Bound::Included(Key::new(&CONTROLLER_REVISION, namespace, &prefix));
    let all = world.store.list_after(from, Some(namespace)).map(|(key, _)| key.clone());
    let kept: Vec<Key> = all.take_while(|key| key.name.starts_with(&prefix)).collect();
    for old in kept.iter().filter(|key| key.name != name) {
        drop(world.delete(old));
    }
    if kept.iter().any(|key| key.name == name) {
        return Ok(name);
    }
    let revision = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": [controlled_by(&VM, vm)]},
        "data": {"spec": vm["spec"]}, "revision": generation,
    });
    world.create(revision).map_err(|status| status.message().to_owned())?;
    Ok(name)
}

fn revision(world: &World, vmi: &Value) -> Option<Arc<Value>> {
    world.get(&CONTROLLER_REVISION, text(vmi, "/metadata/namespace"), text(vmi, "/status/virtualMachineRevisionName"))
}

/// A change that leaves the template alone concerns no guest: it counts as seen.
fn follow_generation(world: &mut World, vm: &Value, vmi: &Value) {
    let generation = vm["metadata"]["generation"].as_i64().unwrap_or(1).to_string();
    let same = revision(world, vmi).is_some_and(|revision| revision.at("/data/spec/template") == vm.at("/spec/template"));
    if same && annotation(vmi, GENERATION) != Some(generation.as_str()) {
        drop(world.change(&Key::of(&VMI, vmi), |vmi| annotate(vmi, GENERATION, &generation)));
    }
}

/// Whether changes reach a running guest where they can (kubevirt 1.8 `pkg/virt-config/virt-config.go` IsVMRolloutStrategyLiveUpdate).
fn live(world: &World) -> bool {
    world.list(&KUBEVIRT, None).first().is_none_or(|kubevirt| text(kubevirt, "/spec/configuration/vmRolloutStrategy") != "Stage")
}

const RESTART: &str = "RestartRequired";
/// What a running guest takes over while it runs.
const LIVE: &[&str] = &["nodeSelector", "affinity", "tolerations"];

/// Tells the guest what it can take over, and says on the machine when it would have to start anew for the rest.
fn follow_template(world: &mut World, key: &Key, vmi: &Value) -> Result<(), Trouble> {
    let (Some(vm), Some(revision)) = (world.store.get(key).cloned(), revision(world, vmi)) else { return Ok(()) };
    if is_deleting(vmi) || is_final(vmi) {
        return Ok(());
    }
    let live_volumes = volume_updates::are_live(&vm, &revision["data"]);
    let template = |spec: Option<&Value>| {
        let mut spec = spec.cloned().unwrap_or_default();
        if live(world) {
            for field in LIVE {
                remove(&mut spec, "", field);
            }
            remove(&mut spec, "/domain/cpu", "sockets");
            remove(&mut spec, "/domain/memory", "guest");
        }
        if live_volumes {
            remove(&mut spec, "", "volumes");
        }
        remove(&mut spec, "/domain/firmware", "uuid");
        spec
    };
    let (before, wished) = (revision.at("/data/spec/template/spec"), vm.at("/spec/template/spec"));
    let differs = before != wished && template(before) != template(wished);
    let against = match differs {
        true => Some("a non-live-updatable field was changed in the template spec".to_owned()),
        false if live(world) => volume_updates::follow(world, key, vmi)?,
        false => None,
    };
    if against.is_some() || super::objects::condition(&vm, RESTART).is_some() {
        let now = world.stamp();
        let said = world.change(key, |vm| match &against {
            Some(message) => super::objects::state(vm, &now, RESTART, "True", ("", message)),
            None => super::objects::forget(vm, RESTART),
        });
        drop(said);
    }
    let follows = |field: &&'static str| vm.at(&format!("/spec/template/spec/{field}")) == vmi.at(&format!("/spec/{field}"));
    if !differs && live(world) && !LIVE.iter().all(follows) {
        let taken = |vmi: &mut Value| {
            for field in LIVE {
                match vm.at(&format!("/spec/template/spec/{field}")) {
                    Some(value) => put(vmi, &format!("/spec/{field}"), value.clone()),
                    None => remove(vmi, "/spec", field),
                }
            }
        };
        drop(world.change(&Key::of(&VMI, vmi), taken));
    }
    Ok(())
}

#[cfg(test)]
#[path = "machines_tests.rs"]
mod tests;
