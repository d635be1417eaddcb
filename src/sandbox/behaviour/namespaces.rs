//! Namespaces: nothing is made in one that is not there or is going, and one that goes takes everything in it along.
//! Source: kubernetes 1.36 `plugin/pkg/admission/namespace/lifecycle/admission.go`, `pkg/controller/namespace/deletion`.
//!
//! Cases: `namespaces/a-namespace-takes-everything-with-it`, `namespaces/a-namespace-that-goes-takes-nothing-new`,
//! `namespaces/a-namespace-gets-its-account-and-its-authority`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{list, state};
use super::{Controller, Rule, Subject, Verb, is_deleting, itself};
use crate::sandbox::catalog::{self, ANYTHING, NAMESPACE};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &ANYTHING, subresource: "", verbs: &[Verb::Create], run: may_be_made },
        Rule { resource: &NAMESPACE, subresource: "", verbs: &[Verb::Create], run: born },
        Rule { resource: &NAMESPACE, subresource: "", verbs: &[Verb::Delete], run: stays },
    ],
    controllers: &[
        Controller { name: "namespace", watches: &[(&NAMESPACE, itself)], reconcile: empty },
        Controller { name: "serviceaccount", watches: &[(&NAMESPACE, itself)], reconcile: furnish },
    ],
};

/// The finalizer stands in the specification, as nowhere else.
const FINALIZER: &str = "kubernetes";

/// What a cluster cannot do without.
const ETERNAL: [&str; 3] = ["default", "kube-system", "kube-public"];
/// Who trusts this cluster's certificate finds this; nobody in the process needs to.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\nc2FuZGJveA==\n-----END CERTIFICATE-----\n";

fn stays(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let eternal = ETERNAL.contains(&attempt.name());
    if eternal { Err(Status::forbidden(&NAMESPACE, attempt.name(), "this namespace may not be deleted")) } else { Ok(()) }
}

fn born(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let object = &mut attempt.object;
    object["spec"]["finalizers"] = json!([FINALIZER]);
    object["status"] = json!({"phase": "Active"});
    let name = object["metadata"]["name"].clone();
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    Ok(())
}

/// Refuses what is to be made in a namespace that is not there or is going, in the words of the admission plugin.
fn may_be_made(world: &World, attempt: &mut Attempt) -> Result<(), Status> {
    if !attempt.resource.namespaced {
        return Ok(());
    }
    let namespace = text(&attempt.object, "/metadata/namespace");
    let Some(found) = world.get(&NAMESPACE, "", namespace) else { return Err(Status::not_found(&NAMESPACE, namespace)) };
    if !is_deleting(&found) {
        return Ok(());
    }
    let name = text(&attempt.object, "/metadata/name");
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut status = Status::forbidden(attempt.resource, name, &why);
    let cause =
        json!({"reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"), "field": "metadata.namespace"});
    status.0["details"]["causes"] = json!([cause]);
    Err(status)
}

fn empty(world: &mut World, key: &Key) -> Option<Duration> {
    let namespace = world.store.get(key).filter(|namespace| is_deleting(namespace))?.clone();
    let inside = |world: &World| -> Vec<Key> {
        let kinds = catalog::ALL.iter().filter(|kind| kind.namespaced);
        kinds.flat_map(|kind| world.store.list(kind, Some(&key.name)).map(|(key, _)| key.clone())).collect()
    };
    for one in inside(world) {
        if world.store.get(&one).is_some_and(|object| !is_deleting(object)) {
            drop(world.delete(&one));
        }
    }
    let left: Vec<Arc<Value>> = inside(world).iter().filter_map(|key| world.store.get(key).cloned()).collect();
    if left.is_empty() {
        drop(world.change(&Key::of(&NAMESPACE, &namespace), |namespace: &mut Value| namespace["spec"] = json!({})));
        return None;
    }
    let now = world.stamp();
    drop(world.change(key, |namespace| tell_of(namespace, &now, &left)));
    Some(Duration::from_millis(100))
}

/// Says what is left in a namespace (kubernetes 1.36 `pkg/controller/namespace/deletion/status_condition_utils.go`).
fn tell_of(namespace: &mut Value, now: &Value, left: &[Arc<Value>]) {
    let (mut kinds, mut finalizers) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
    for object in left {
        if let Some(kind) = catalog::of(text(object, "/apiVersion"), text(object, "/kind")) {
            *kinds.entry(format!("{}.{}", kind.plural, kind.group)).or_default() += 1;
        }
        for finalizer in list(object, "/metadata/finalizers").iter().filter_map(Value::as_str) {
            *finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }
    let told = |all: &BTreeMap<String, usize>, verb: &str| {
        all.iter().map(|(name, count)| format!("{name} {verb} {count} resource instances")).collect::<Vec<_>>().join(", ")
    };
    for (kind, reason, message) in [
        ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
        ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ("NamespaceDeletionContentFailure", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    ] {
        state(namespace, now, kind, "False", (reason, message));
    }
    let words = format!("Some resources are remaining: {}", told(&kinds, "has"));
    state(namespace, now, "NamespaceContentRemaining", "True", ("SomeResourcesRemain", &words));
    if finalizers.is_empty() {
        let (reason, words) = ("ContentHasNoFinalizers", "All content-preserving finalizers finished");
        state(namespace, now, "NamespaceFinalizersRemaining", "False", (reason, words));
    } else {
        let words = format!("Some content in the namespace has finalizers remaining: {}", told(&finalizers, "in"));
        state(namespace, now, "NamespaceFinalizersRemaining", "True", ("SomeFinalizersRemain", &words));
    }
}

/// What everybody finds in a new namespace (kubernetes 1.36 `pkg/controller/serviceaccount/serviceaccounts_controller.go`,
/// `pkg/controller/certificates/rootcacertpublisher/publisher.go`).
fn furnish(world: &mut World, key: &Key) -> Option<Duration> {
    world.store.get(key).filter(|namespace| !is_deleting(namespace))?;
    let metadata = |name: &str| json!({"name": name, "namespace": key.name});
    for object in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default")}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("kube-root-ca.crt"), "data": {"ca.crt": AUTHORITY}}),
    ] {
        // It may be there already.
        drop(world.create(object));
    }
    None
}
