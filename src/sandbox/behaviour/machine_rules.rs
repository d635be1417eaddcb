//! What may be written about a VirtualMachine, and what is filled in.
//! Sources: kubevirt 1.8 `pkg/virt-api/webhooks/mutating-webhook/mutators/vm-mutator.go`,
//! `pkg/virt-api/webhooks/validating-webhook/admitters/vms-admitter.go`, `pkg/storage/admitters/{data-volume-template,vm-storage-status}.go`,
//! `pkg/instancetype/webhooks/vm/{mutator,admitter}.go`, `pkg/defaults/defaults.go`.
//!
//! Cases: `virtualmachines/a-machine-has-one-strategy`, `virtualmachines/defaults-of-a-machine-are-stored`,
//! `virtualmachines/a-feature-that-is-off-is-refused`, `virtualmachines/a-template-of-a-disk-is-of-the-machines-namespace`.

use serde_json::Value;

use super::instance_rules;
use super::objects::{default, list};
use super::refusals::{self, cause, invalid};
use super::{Rule, Verb, instancetypes, is_deleting};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{KUBEVIRT, VM};
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::{Attempt, User};

pub const RULES: &[Rule] = &[
    Rule { resource: &VM, subresource: "", verbs: &[Verb::Create, Verb::Update], run: fill_in },
    Rule { resource: &VM, subresource: "", verbs: &[Verb::Create, Verb::Update], run: validate },
];

const MUTATOR: &str = "virtualmachines-mutator.kubevirt.io";
const VALIDATOR: &str = "virtualmachine-validator.kubevirt.io";
const STRATEGIES: &[&str] = &["Halted", "Manual", "Always", "RerunOnFailure", "Once"];

/// Which strategy a machine follows, in whichever of the two fields it is written.
pub fn strategy(vm: &Value) -> Option<&str> {
    match vm.at("/spec/running").and_then(Value::as_bool) {
        Some(true) => Some("Always"),
        Some(false) => Some("Halted"),
        None => vm.at("/spec/runStrategy").and_then(Value::as_str),
    }
}

fn fill_in(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if is_deleting(&attempt.object) {
        return Ok(());
    }
    let matchers = matchers(attempt);
    refusals::kubevirt(MUTATOR, &matchers)?;
    let preference = instancetypes::preference_of(world, &attempt.object);
    let vm = &mut attempt.object;
    if !vm.at("/spec/template").is_some_and(Value::is_object) {
        return refusals::kubevirt(MUTATOR, &[cause("FieldValueRequired", "spec.template", "spec.template in body is required")]);
    }
    if attempt.verb == Verb::Create {
        let uid = text(vm, "/metadata/uid").to_owned();
        default(vm, "/spec/template/spec/domain/firmware/uuid", derived(&uid, "uuid"));
        default(vm, "/spec/template/spec/domain/firmware/serial", derived(&uid, "serial"));
        default(vm, "/spec/template/metadata/annotations/kubevirt.io~1pci-topology-version", "v3");
    }
    let machine = preference.as_ref().map(|preference| text(preference, "/machine/preferredMachineType")).unwrap_or_default();
    default(vm, "/spec/template/spec/domain/machine/type", if machine.is_empty() { "q35" } else { machine });
    default(vm, "/spec/template/spec/architecture", "amd64");
    without_empties(&mut vm["spec"]);
    Ok(())
}

/// The webhook writes the specification anew, and leaves out the lists and texts that are empty.
fn without_empties(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !(field.is_null() || field == "" || field.as_array().is_some_and(Vec::is_empty)));
            fields.values_mut().for_each(without_empties);
        }
        Value::Array(items) => items.iter_mut().for_each(without_empties),
        _ => {}
    }
}

/// An identity that follows from another: rules have no dice of their own.
fn derived(uid: &str, what: &str) -> String {
    let name = format!("{uid}/{what}");
    uuid::Builder::from_bytes(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).into_bytes())
        .with_version(uuid::Version::Random)
        .into_uuid()
        .to_string()
}

fn matchers(attempt: &Attempt) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (field, word) in [("instancetype", "InstancetypeMatcher"), ("preference", "PreferenceMatcher")] {
        let at = |vm: &Value, name: &str| text(vm, &format!("/spec/{field}/{name}")).to_owned();
        let vm = &attempt.object;
        if !vm.at(&format!("/spec/{field}")).is_some_and(Value::is_object) {
            continue;
        }
        let (name, infer, kind) = (at(vm, "name"), at(vm, "inferFromVolume"), at(vm, "kind"));
        if let Some(old) = &attempt.old {
            let same = !at(old, "revisionName").is_empty() && at(old, "revisionName") == at(vm, "revisionName");
            if same && at(old, "name") != name {
                let message = "the Matcher Name has been updated without updating the RevisionName";
                return vec![invalid(&format!("spec.{field}.revisionName"), message)];
            }
        }
        if name.is_empty() && infer.is_empty() {
            let message = format!("Either Name or InferFromVolume should be provided within the {word}");
            causes.push(cause("FieldValueNotFound", &format!("spec.{field}"), message));
        }
        for (given, value, title) in [("name", &name, "Name"), ("kind", &kind, "Kind")] {
            if !infer.is_empty() && !value.is_empty() {
                let message = format!("{title} already set, should be cleared before setting inferFromVolume");
                causes.push(cause("FieldValueNotSupported", &format!("spec.{field}.{given}"), message));
            }
        }
    }
    causes
}

fn validate(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if is_deleting(&attempt.object) {
        return Ok(());
    }
    let vm = &attempt.object;
    refusals::kubevirt(VALIDATOR, &instancetypes::conflicts(world, vm))?;
    let mut causes = Vec::new();
    if attempt.user != User::controller() {
        causes.extend(instance_rules::reserved_labels(vm.at("/spec/template"), "spec.template.metadata.labels"));
    }
    if let Some(spec) = vm.at("/spec/template/spec") {
        causes.extend(instance_rules::spec(spec, "spec.template.spec"));
        causes.extend(gated(world, spec, "spec.template.spec"));
    }
    causes.extend(templates(vm));
    causes.extend(run_field(vm));
    refusals::kubevirt(VALIDATOR, &causes)?;
    refusals::kubevirt(VALIDATOR, &template_namespaces(attempt))?;
    refusals::kubevirt(VALIDATOR, &in_progress(attempt))?;
    if vm.at("/spec/running").is_some_and(Value::is_boolean) {
        attempt.warnings.push("spec.running is deprecated, please use spec.runStrategy instead.".to_owned());
    }
    Ok(())
}

/// What needs a feature that is switched off.
fn gated(world: &World, spec: &Value, field: &str) -> Vec<Cause> {
    let hosts: Vec<usize> =
        (0..).zip(list(spec, "/volumes")).filter(|(_, volume)| volume.get("hostDisk").is_some()).map(|(index, _)| index).collect();
    if hosts.is_empty() {
        return Vec::new();
    }
    let gates = "/spec/configuration/developerConfiguration/featureGates";
    let on = world.store.list(&KUBEVIRT, None).any(|(_, config)| list(config, gates).iter().any(|gate| gate == "HostDisk"));
    let refused = |index: &usize| invalid(&format!("{field}.volumes[{index}]"), "HostDisk feature gate is not enabled");
    if on { Vec::new() } else { hosts.iter().map(refused).collect() }
}

fn run_field(vm: &Value) -> Vec<Cause> {
    let running = vm.at("/spec/running").is_some_and(Value::is_boolean);
    let given = vm.at("/spec/runStrategy").and_then(Value::as_str);
    let mut causes = Vec::new();
    if running && given.is_some() {
        let message = "Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use RunStrategy instead";
        causes.push(invalid("spec.running", message));
    }
    match given {
        None if !running => causes.push(invalid("spec.running", "RunStrategy must be specified")),
        Some("WaitAsReceiver") => {
            let message = "Invalid RunStrategy (WaitAsReceiver), DecentralizedLiveMigration feature gate is not enabled in kubevirt resource";
            causes.push(invalid("spec.runStrategy", message));
        }
        Some(other) if !STRATEGIES.contains(&other) => causes.push(invalid("spec.runStrategy", format!("Invalid RunStrategy ({other})"))),
        _ => {}
    }
    causes
}

/// The claim that a volume of an instance shows to the guest (kubevirt 1.8 `pkg/storage/types/volume.go` PVCNameFromVirtVolume).
pub fn claim_of(volume: &Value) -> Option<&str> {
    let names = ["/dataVolume/name", "/persistentVolumeClaim/claimName", "/memoryDump/claimName"];
    names.iter().find_map(|pointer| volume.at(pointer)?.as_str())
}

fn templates(vm: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, template) in list(vm, "/spec/dataVolumeTemplates").iter().enumerate() {
        let field = format!("spec.dataVolumeTemplate[{index}]");
        let name = text(template, "/metadata/name");
        let (claim, storage) = (template.at("/spec/pvc"), template.at("/spec/storage"));
        let source = |field: &str| claim.or(storage).is_some_and(|wish| wish.get(field).is_some_and(|value| !value.is_null()));
        let outside = source("dataSource") || source("dataSourceRef");
        let inside = template.at("/spec/source").is_some() || template.at("/spec/sourceRef").is_some();
        if name.is_empty() {
            let message = format!("'name' field must not be empty for DataVolumeTemplate entry {field}.name.");
            causes.push(cause("FieldValueRequired", &format!("{field}.name"), message));
        } else if claim.is_none() && storage.is_none() {
            causes.push(invalid(&format!("{field}.PVC.Storage"), "Missing Data volume PVC or Storage"));
        } else if claim.is_some() && storage.is_some() {
            let message = "Duplicate storage definition, both target storage and target pvc defined";
            causes.push(invalid(&format!("{field}.PVC.Storage"), message));
        } else if outside && inside {
            causes.push(invalid(&format!("{field}.source"), "External population is incompatible with Source and SourceRef"));
        } else if !outside && !inside {
            let message = "Data volume should have either Source, SourceRef, or be externally populated";
            causes.push(invalid(&format!("{field}.source"), message));
        } else if !list(vm, "/spec/template/spec/volumes").iter().any(|volume| claim_of(volume) == Some(name)) {
            let message = format!("DataVolumeTemplate entry {field} must be referenced in the VMI template's 'volumes' list");
            causes.push(cause("FieldValueRequired", &field, message));
        }
    }
    causes
}

fn template_namespaces(attempt: &Attempt) -> Vec<Cause> {
    let (vm, own) = (&attempt.object, text(&attempt.object, "/metadata/namespace"));
    let all = list(vm, "/spec/dataVolumeTemplates");
    if attempt.old.as_ref().is_some_and(|old| list(old, "/spec/dataVolumeTemplates") == all) {
        return Vec::new();
    }
    let differs = |(index, template): (usize, &Value)| {
        let namespace = text(template, "/metadata/namespace");
        let message = format!("Embedded DataVolume namespace {namespace} differs from VM namespace {own}");
        (!namespace.is_empty() && namespace != own).then(|| invalid(&format!("spec.dataVolumeTemplates[{index}]"), message))
    };
    all.iter().enumerate().filter_map(differs).collect()
}

/// What a snapshot or a restore that is under way forbids.
fn in_progress(attempt: &Attempt) -> Vec<Cause> {
    let Some(old) = &attempt.old else { return Vec::new() };
    let vm = &attempt.object;
    let refused = |message: String| vec![cause("FieldValueNotSupported", "spec", message)];
    if let Some(snapshot) = vm.at("/status/snapshotInProgress").and_then(Value::as_str) {
        let volumes = "/spec/template/spec/volumes";
        if list(old, volumes) != list(vm, volumes) {
            return refused(format!("Cannot update vm disks or volumes until snapshot \"{snapshot}\" completes"));
        }
        let run = |vm: &Value| [vm.at("/spec/running").cloned(), vm.at("/spec/runStrategy").cloned()];
        if run(old) != run(vm) {
            return refused(format!("Cannot update vm running state until snapshot \"{snapshot}\" completes"));
        }
    }
    if let Some(restore) = vm.at("/status/restoreInProgress").and_then(Value::as_str)
        && strategy(old) != strategy(vm)
    {
        return refused(format!("Cannot update VM runStrategy until restore \"{restore}\" completes"));
    }
    Vec::new()
}
