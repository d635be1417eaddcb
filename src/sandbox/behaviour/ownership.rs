//! Ownership: what has no owner left goes, what is to be orphaned is let go first.
//! Source: kubernetes 1.36 `pkg/controller/garbagecollector/garbagecollector.go`.
//!
//! Cases: `ownership/what-is-owned-goes-with-its-owner`, `ownership/an-orphan-stays`, `ownership/an-owner-waits-for-what-it-owns`,
//! `ownership/an-owner-of-another-namespace-is-no-owner`.

use std::time::Duration;

use serde_json::Value;

use super::{Controller, Rule, Subject, Verb, is_deleting};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{self, ANYTHING};
use crate::sandbox::delete::{FOREGROUND, ORPHAN};
use crate::sandbox::index::OWNED_BY;
use crate::sandbox::status::{Cause, Status};
use crate::sandbox::store::{Change, Key, What, text};
use crate::sandbox::world::World;
use crate::sandbox::write::{Attempt, User};

pub const SUBJECT: Subject = Subject {
    rules: &[Rule { resource: &ANYTHING, subresource: "", verbs: &[Verb::Create, Verb::Update], run: are_owners }],
    controllers: &[Controller { name: "garbagecollector", watches: &[(&ANYTHING, concerned)], reconcile: collect }],
};

/// Owners have names and identities, and one of them at most is the controller (kubernetes/apimachinery `pkg/api/validation/objectmeta.go`).
fn are_owners(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let all = owners(&attempt.object);
    let mut causes = Vec::new();
    for owner in all {
        for (field, name) in [("apiVersion", "apiVersion"), ("kind", "kind"), ("name", "name"), ("uid", "uid")] {
            if text(owner, &format!("/{field}")).is_empty() {
                causes.push(Cause::invalid(&format!("metadata.ownerReferences.{name}"), &"".into(), "must not be empty"));
            }
        }
    }
    let controllers: Vec<String> =
        all.iter().filter(|owner| owner["controller"] == true).map(|owner| format!("{}/{}", text(owner, "/kind"), text(owner, "/name"))).collect();
    if let [one, other, ..] = controllers.as_slice() {
        let why = format!("Only one reference can have Controller set to true. Found \"true\" in references for {one} and {other}");
        causes.push(Cause::invalid("metadata.ownerReferences", &all.into(), &why));
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(attempt.resource, attempt.name(), &causes)) }
}

/// An owner that goes concerns what it owns, and an owned object itself; an object that is going with one of our finalizers too.
fn concerned(world: &World, change: &Change) -> Vec<Key> {
    let mut keys = Vec::new();
    let owned = change.object.at("/metadata/ownerReferences").is_some();
    if change.what != What::Deleted && (owned || holds(&change.object, ORPHAN) || holds(&change.object, FOREGROUND)) {
        keys.push(change.key.clone());
    }
    if change.what == What::Deleted {
        keys.extend(dependents(world, &change.key, &change.object));
        // What blocked its owner's deletion may have been this.
        let owners = change.object.at("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
        keys.extend(owners.filter_map(|owner| key_of(owner, &change.key.namespace)).filter(|owner| world.store.get(owner).is_some()));
    }
    keys
}

/// The kind and place of an owner. One without a namespace owns objects everywhere.
fn key_of(owner: &Value, namespace: &str) -> Option<Key> {
    let resource = catalog::of(text(owner, "/apiVersion"), text(owner, "/kind"))?;
    Some(Key::new(resource, if resource.namespaced { namespace } else { "" }, text(owner, "/name")))
}

fn owners(object: &Value) -> &[Value] {
    object.at("/metadata/ownerReferences").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn holds(object: &Value, finalizer: &str) -> bool {
    let all = object.at("/metadata/finalizers").and_then(Value::as_array);
    is_deleting(object) && all.is_some_and(|all| all.iter().any(|one| one == finalizer))
}

/// What names this object as its owner, and may.
fn dependents(world: &World, key: &Key, object: &Value) -> Vec<Key> {
    let near = |dependent: &&Key| !key.resource.namespaced || dependent.namespace == key.namespace;
    world.store.find(&OWNED_BY, text(object, "/metadata/uid")).map(|(key, _)| key).filter(near).cloned().collect()
}

fn collect(world: &mut World, key: &Key) -> Option<Duration> {
    let object = world.store.get(key)?.clone();
    if holds(&object, ORPHAN) {
        let mut held = false;
        for dependent in dependents(world, key, &object) {
            let freed = |dependent: &mut Value| let_go(dependent, text(&object, "/metadata/uid"));
            held |= world.change_as(User::garbage_collector(), &dependent, freed).is_err();
        }
        if held {
            return Some(Duration::from_secs(1));
        }
        drop(world.change(key, |object| drop_finalizer(object, ORPHAN)));
        return None;
    }
    if holds(&object, FOREGROUND) {
        let waiting = dependents(world, key, &object);
        for dependent in &waiting {
            if world.store.get(dependent).is_some_and(|object| !is_deleting(object)) {
                drop(world.delete(dependent));
            }
        }
        if dependents(world, key, &object).is_empty() {
            drop(world.change(key, |object| drop_finalizer(object, FOREGROUND)));
        }
        return None;
    }
    if owners(&object).is_empty() || is_deleting(&object) {
        return None;
    }
    let stands = |owner: &&Value| key_of(owner, &key.namespace).is_none_or(|at| world.same(&at, text(owner, "/uid")).is_some());
    let (there, gone): (Vec<&Value>, Vec<&Value>) = owners(&object).iter().partition(stands);
    if !there.is_empty() {
        // One owner holds it; those that are gone are struck out.
        drop(world.change_as(User::garbage_collector(), key, |object| {
            for owner in &gone {
                let_go(object, text(owner, "/uid"));
            }
        }));
        return None;
    }
    drop(world.delete(key));
    None
}

/// Takes an owner off an object.
fn let_go(object: &mut Value, uid: &str) {
    if let Some(owners) = object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut) {
        owners.retain(|owner| text(owner, "/uid") != uid);
        if owners.is_empty() {
            object["metadata"].as_object_mut().map(|metadata| metadata.remove("ownerReferences"));
        }
    }
}

fn drop_finalizer(object: &mut Value, name: &str) {
    if let Some(finalizers) = object.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
        finalizers.retain(|finalizer| finalizer != name);
        if finalizers.is_empty() {
            object["metadata"].as_object_mut().map(|metadata| metadata.remove("finalizers"));
        }
    }
}
