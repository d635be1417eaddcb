//! Instance types and preferences: what they give to a machine, and the ControllerRevisions that keep what they said at first.
//! Sources: kubevirt 1.8 `pkg/instancetype/{revision/store,find/spec,find/revision,apply/cpu,apply/memory,controller/vm/controller}.go`.
//!
//! Cases: `instancetypes/what-a-machine-was-made-of-is-kept`, `instancetypes/a-revision-can-be-named`, `instancetypes/a-size-is-said-once`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::objects::{annotate, controlled_by, label, put, remove};
use super::refusals::invalid;
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLUSTER_INSTANCETYPE, CLUSTER_PREFERENCE, CONTROLLER_REVISION, INSTANCETYPE, PREFERENCE, Res, VM};
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;

const OBJECT_NAME: &str = "instancetype.kubevirt.io/object-name";

/// One of the two: where a machine names it, where it is kept, and which kinds it may be.
struct Matcher {
    field: &'static str,
    reference: &'static str,
    own: Res,
    cluster: Res,
    annotations: [&'static str; 2],
}

const TYPE: Matcher = Matcher {
    field: "instancetype",
    reference: "/status/instancetypeRef",
    own: &INSTANCETYPE,
    cluster: &CLUSTER_INSTANCETYPE,
    annotations: ["kubevirt.io/instancetype-name", "kubevirt.io/cluster-instancetype-name"],
};
const WISH: Matcher = Matcher {
    field: "preference",
    reference: "/status/preferenceRef",
    own: &PREFERENCE,
    cluster: &CLUSTER_PREFERENCE,
    annotations: ["kubevirt.io/preference-name", "kubevirt.io/cluster-preference-name"],
};

impl Matcher {
    fn at<'v>(&self, vm: &'v Value, name: &str) -> &'v str {
        text(vm, &format!("/spec/{}/{name}", self.field))
    }

    fn is_asked_for(&self, vm: &Value) -> bool {
        vm.at(&format!("/spec/{}", self.field)).is_some_and(Value::is_object)
    }

    fn kind(&self, vm: &Value) -> Option<Res> {
        let kind = self.at(vm, "kind").to_lowercase();
        let is = |resource: Res| kind == resource.singular() || kind == resource.plural;
        if kind.is_empty() || is(self.cluster) { Some(self.cluster) } else { is(self.own).then_some(self.own) }
    }

    /// The object that is named now, whatever was kept.
    fn object(&self, world: &World, vm: &Value) -> Result<Arc<Value>, String> {
        let kind = self.kind(vm).ok_or_else(|| format!("got unexpected kind in {}: {}", self.word(), self.at(vm, "kind")))?;
        let namespace = if kind.namespaced { text(vm, "/metadata/namespace") } else { "" };
        let name = self.at(vm, "name");
        world.get(kind, namespace, name).ok_or_else(|| Status::not_found(kind, name).message().to_owned())
    }

    fn word(&self) -> &'static str {
        if self.field == "instancetype" { "InstancetypeMatcher" } else { "PreferenceMatcher" }
    }

    /// What holds for a machine: what was kept for it, else what the object says now.
    fn spec(&self, world: &World, vm: &Value) -> Result<Option<Value>, String> {
        if !self.is_asked_for(vm) {
            return Ok(None);
        }
        let namespace = text(vm, "/metadata/namespace");
        let revision = |name: &str| {
            let found = world.get(&CONTROLLER_REVISION, namespace, name);
            found.ok_or_else(|| Status::not_found(&CONTROLLER_REVISION, name).message().to_owned())
        };
        let (pinned, kept) = (self.at(vm, "revisionName"), text(vm, &format!("{}/controllerRevisionRef/name", self.reference)));
        let kept = match (pinned, kept) {
            ("", "") => None,
            ("", kept) => Some(revision(kept)?).filter(|kept| label(kept, OBJECT_NAME).is_some_and(|name| name == self.at(vm, "name"))),
            (pinned, _) => Some(revision(pinned)?),
        };
        match kept {
            Some(kept) => Ok(kept.at("/data/spec").cloned()),
            None => Ok(self.object(world, vm)?.get("spec").cloned()),
        }
    }

    /// Keeps what the object says now for this machine. Says the name of the revision.
    fn keep(&self, world: &mut World, vm: &Value) -> Result<String, String> {
        let object = self.object(world, vm)?;
        let field = |pointer: &str| text(&object, pointer).to_owned();
        let (version, uid) =
            (field("/apiVersion").rsplit_once('/').map(|(_, version)| version.to_owned()).unwrap_or_default(), field("/metadata/uid"));
        let generation = object["metadata"]["generation"].as_i64().unwrap_or(1).to_string();
        let name = format!("{}-{}-{version}-{uid}-{generation}", text(vm, "/metadata/name"), field("/metadata/name"));
        let mut data = Value::clone(&object);
        for dropped in ["labels", "annotations", "finalizers", "ownerReferences", "managedFields"] {
            remove(&mut data, "/metadata", dropped);
        }
        let revision = json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision",
            "metadata": {
                "name": name, "namespace": vm["metadata"]["namespace"], "ownerReferences": [controlled_by(&VM, vm)],
                "labels": {
                    "instancetype.kubevirt.io/object-generation": generation, "instancetype.kubevirt.io/object-kind": object["kind"],
                    OBJECT_NAME: object["metadata"]["name"], "instancetype.kubevirt.io/object-uid": uid,
                    "instancetype.kubevirt.io/object-version": version,
                },
            },
            "data": data, "revision": 0,
        });
        match world.create(revision) {
            Ok(_) => Ok(name),
            Err(status) if status.code() == 409 => {
                let there = world.get(&CONTROLLER_REVISION, text(vm, "/metadata/namespace"), &name);
                let same = there.is_some_and(|there| there.at("/data/spec") == object.get("spec"));
                if same { Ok(name) } else { Err(format!("found existing ControllerRevision with unexpected data: {name}")) }
            }
            Err(status) => Err(format!("failed to create ControllerRevision: {}", status.message())),
        }
    }

    /// The reference in the machine's status as it must be.
    fn reference(&self, world: &mut World, vm: &Value) -> Result<Option<Value>, String> {
        if !self.is_asked_for(vm) {
            return Ok(None);
        }
        let mut reference = vm.at(self.reference).cloned().unwrap_or_else(|| json!({}));
        let mut renewed = false;
        for field in ["name", "kind"] {
            let wanted = self.at(vm, field);
            if !wanted.is_empty() && text(&reference, &format!("/{field}")) != wanted {
                put(&mut reference, &format!("/{field}"), wanted);
                renewed = true;
            }
        }
        if renewed {
            remove(&mut reference, "", "controllerRevisionRef");
        }
        let pinned = self.at(vm, "revisionName");
        if !pinned.is_empty() {
            put(&mut reference, "/controllerRevisionRef/name", pinned);
        } else if text(&reference, "/controllerRevisionRef/name").is_empty() {
            let name = self.keep(world, vm)?;
            put(&mut reference, "/controllerRevisionRef/name", name);
        }
        Ok(Some(reference))
    }
}

/// Keeps what a machine's instance type and preference say, and names that in its status.
///
/// # Errors
/// Reason and message, as they stand in the machine's condition.
pub fn sync(world: &mut World, key: &Key, vm: &Value) -> Result<(), (&'static str, String)> {
    for (matcher, reason) in [(&TYPE, "FailedFindInstancetype"), (&WISH, "FailedFindPreference")] {
        matcher.spec(world, vm).map_err(|words| (reason, words))?;
    }
    for matcher in [&TYPE, &WISH] {
        let stored = matcher.reference(world, vm);
        let words =
            |error: String| ("FailedCreate", format!("error encountered while storing instancetype.kubevirt.io controllerRevisions: {error}"));
        let Some(reference) = stored.map_err(words)? else { continue };
        let written = world.change(key, |vm| put(vm, matcher.reference, reference));
        written.map_err(|status| words(status.message().to_owned()))?;
    }
    Ok(())
}

/// What a machine's preference says, if it is to be found.
pub fn preference_of(world: &World, vm: &Value) -> Option<Value> {
    WISH.spec(world, vm).ok().flatten()
}

/// What a machine asks for in so many words although its instance type says it.
pub fn conflicts(world: &World, vm: &Value) -> Vec<Cause> {
    let Ok(Some(kind)) = TYPE.spec(world, vm) else { return Vec::new() };
    let taken = |path: &&str| vm.at(&format!("/spec/template/spec/{path}")).is_some_and(|value| !value.is_null() && *value != 0);
    let cpu = ["domain/resources/requests/cpu", "domain/resources/limits/cpu", "domain/cpu/sockets", "domain/cpu/cores", "domain/cpu/threads"];
    let memory = ["domain/memory/guest", "domain/resources/requests/memory", "domain/resources/limits/memory"];
    let told = |path: &str| {
        let field = format!("spec.template.spec.{}", path.replace('/', "."));
        invalid(&field, format!("VM field(s) {field} conflicts with selected instance type"))
    };
    let model = (kind.at("/cpu/model").is_some()).then_some("domain/cpu/model");
    let all = cpu.into_iter().chain(model).chain(memory.into_iter().filter(taken).take(1));
    all.filter(taken).map(told).collect()
}

/// A machine as if it had no instance type and no preference: with everything they give it written out.
///
/// # Errors
/// Why that cannot be known.
pub fn expanded(world: &World, vm: &Value) -> Result<Value, String> {
    let mut guest = json!({"spec": vm["spec"]["template"]["spec"]});
    apply(world, vm, &mut guest)?;
    let mut vm = vm.clone();
    for matcher in [&TYPE, &WISH] {
        remove(&mut vm, "/spec", matcher.field);
    }
    put(&mut vm, "/spec/template/spec", guest["spec"].take());
    Ok(vm)
}

/// Gives an instance what its machine's instance type and preference say.
///
/// # Errors
/// Why that cannot be known.
pub fn apply(world: &World, vm: &Value, vmi: &mut Value) -> Result<(), String> {
    let (kind, wish) = (TYPE.spec(world, vm)?, WISH.spec(world, vm)?);
    for (matcher, found) in [(&TYPE, &kind), (&WISH, &wish)] {
        if found.is_some() {
            let cluster = usize::from(matcher.kind(vm) == Some(matcher.cluster));
            annotate(vmi, matcher.annotations[cluster], matcher.at(vm, "name"));
        }
    }
    let Some(kind) = kind else { return Ok(()) };
    let guests = kind.at("/cpu/guest").and_then(Value::as_u64).unwrap_or(1);
    let preferred = wish.as_ref().map(|wish| text(wish, "/cpu/preferredCPUTopology")).unwrap_or_default();
    let many = match preferred {
        "cores" | "preferCores" => "cores",
        "threads" | "preferThreads" => "threads",
        _ => "sockets",
    };
    for part in ["sockets", "cores", "threads"] {
        put(vmi, &format!("/spec/domain/cpu/{part}"), if part == many { guests } else { 1 });
    }
    for (from, to) in [
        ("/memory/guest", "/spec/domain/memory/guest"),
        ("/memory/hugepages", "/spec/domain/memory/hugepages"),
        ("/memory/maxGuest", "/spec/domain/memory/maxGuest"),
        ("/cpu/model", "/spec/domain/cpu/model"),
        ("/cpu/maxSockets", "/spec/domain/cpu/maxSockets"),
        ("/cpu/dedicatedCPUPlacement", "/spec/domain/cpu/dedicatedCpuPlacement"),
        ("/gpus", "/spec/domain/devices/gpus"),
        ("/hostDevices", "/spec/domain/devices/hostDevices"),
        ("/ioThreadsPolicy", "/spec/domain/ioThreadsPolicy"),
        ("/launchSecurity", "/spec/domain/launchSecurity"),
        ("/nodeSelector", "/spec/nodeSelector"),
        ("/schedulerName", "/spec/schedulerName"),
    ] {
        if let Some(value) = kind.at(from) {
            put(vmi, to, value.clone());
        }
    }
    Ok(())
}
