//! Namespaces: nothing is made in one that is not there or is going, and one that goes takes everything in it along.
//! Source: kubernetes 1.36 `plugin/pkg/admission/namespace/lifecycle/admission.go`, `pkg/controller/namespace/deletion`.

use std::time::Duration;

use serde_json::{Value, json};

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
    ],
    controllers: &[
        Controller { name: "namespace", watches: &[(&NAMESPACE, itself)], reconcile: empty },
        Controller { name: "serviceaccount", watches: &[(&NAMESPACE, itself)], reconcile: furnish },
    ],
};

/// The finalizer stands in the specification, as nowhere else.
const FINALIZER: &str = "kubernetes";

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
    if inside(world).is_empty() {
        drop(world.change(&Key::of(&NAMESPACE, &namespace), |namespace: &mut Value| namespace["spec"] = json!({})));
        return None;
    }
    Some(Duration::from_millis(100))
}

/// What everybody finds in a new namespace (kubernetes 1.36 `pkg/controller/serviceaccount/serviceaccounts_controller.go`,
/// `pkg/controller/certificates/rootcacertpublisher/publisher.go`).
fn furnish(world: &mut World, key: &Key) -> Option<Duration> {
    world.store.get(key).filter(|namespace| !is_deleting(namespace))?;
    let metadata = |name: &str| json!({"name": name, "namespace": key.name});
    for object in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default")}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("kube-root-ca.crt"), "data": {"ca.crt": ""}}),
    ] {
        // It may be there already.
        drop(world.create(object));
    }
    None
}
