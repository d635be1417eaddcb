//! A cluster with a story: what every sandbox begins with, and what a scenario puts into it.
//!
//! What a file tells only wishes of is made as by `kubectl create`, with all rules. What says itself how it is (it has a status, or the
//! identity that a cluster gave it) is put there as it is. Then the cluster lives for some minutes by itself, before anybody sees it; where the
//! scenario says that it is at rest, what is put there as it is comes only after that, and no controller looks at it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::behaviour::SUBJECTS;
use super::catalog::{self, Res};
use super::dump;
use super::load_error::LoadError;
use super::reading::{self, Reading, Written};
use super::store::{Key, text};
use super::world::World;

/// The cluster without any machine.
const CLUSTER: &str = include_str!("scenarios/cluster.yaml");
/// So long ago everything was made that does not say when.
const AGE: Duration = Duration::from_secs(41 * 24 * 3600);
/// In this time everything comes to rest: volumes are made and bound, images imported, guests up.
const REST: Duration = Duration::from_secs(600);
/// Of these a dump brings its own, instead of the usual cluster's.
const OWN: &[Res] = &[
    &catalog::NODE,
    &catalog::STORAGE_CLASS,
    &catalog::CSI_DRIVER,
    &catalog::SNAPSHOT_CLASS,
    &catalog::STORAGE_PROFILE,
    &catalog::KUBEVIRT,
    &catalog::CDI,
];

/// A cluster as a scenario tells, at rest, at a time. The same seed gives the same one.
///
/// # Errors
/// What is wrong with the scenario.
pub fn play(seed: u64, now: Timestamp, scenario: Reading) -> Result<World, LoadError> {
    let mut world = World::new(seed, now - AGE, SUBJECTS);
    world.not_installed.clone_from(&scenario.header.not_installed);
    begin(&mut world)?;
    without(&mut world, &scenario);
    let rests = scenario.header.at_rest;
    let (there, looked_at): (Vec<Written>, Vec<Written>) = whole(scenario.objects)?.into_iter().partition(|written| rests && written.is_as_it_is());
    put_all(&mut world, looked_at)?;
    world.let_pass(REST);
    put_all(&mut world, there)?;
    if rests {
        world.overlook();
    }
    world.advance(now);
    world.store.compact(world.store.version());
    Ok(world)
}

/// Fills a cluster with what every scenario begins with.
///
/// # Errors
/// None, as long as that is well-formed, which a test says.
pub fn begin(world: &mut World) -> Result<(), LoadError> {
    for written in reading::read(CLUSTER)?.objects {
        put(world, written.resource, written.object);
    }
    for kind in catalog::ALL.iter().filter(|kind| kind.custom && world.serves(kind.group)).collect::<Vec<_>>() {
        put(world, &catalog::CRD, definition(kind));
    }
    Ok(())
}

/// Puts the manifests of a YAML stream into a cluster, beside what is there. Kinds that are not served are refused.
///
/// # Errors
/// The first thing that is wrong, with the number of its document.
pub fn load(world: &mut World, text: &str) -> Result<(), LoadError> {
    let reading = reading::read(text)?;
    if reading.unknown.is_empty() { put_all(world, whole(reading.objects)?) } else { Err(LoadError::UnknownKinds(reading.unknown)) }
}

/// Takes away what the scenario says there is not, and what it brings its own of.
fn without(world: &mut World, scenario: &Reading) {
    let brought = |kind: Res| scenario.objects.iter().any(|written| written.resource == kind && written.comes_from_a_cluster());
    let own = |kind: Res| OWN.contains(&kind) && (brought(kind) || kind == &catalog::STORAGE_PROFILE && brought(&catalog::STORAGE_CLASS));
    let goes = |kind: Res| scenario.header.without.iter().any(|name| name == kind.kind) || own(kind) || !world.serves(kind.group);
    for kind in catalog::ALL.iter().filter(|kind| goes(kind)).collect::<Vec<_>>() {
        let keys: Vec<Key> = world.store.list(kind, None).map(|(key, _)| key.clone()).collect();
        for key in keys {
            world.store.remove(&key);
        }
    }
}

/// What of it stands by itself.
fn whole(mut objects: Vec<Written>) -> Result<Vec<Written>, LoadError> {
    dump::narrow(&mut objects);
    let lacking = dump::lacking(&objects);
    if lacking.is_empty() { Ok(objects) } else { Err(LoadError::Incomplete(lacking)) }
}

fn put_all(world: &mut World, objects: Vec<Written>) -> Result<(), LoadError> {
    let (namespaces, others): (Vec<Written>, Vec<Written>) = objects.into_iter().partition(|written| written.resource == &catalog::NAMESPACE);
    for written in namespaces {
        put(world, &catalog::NAMESPACE, written.object);
    }
    for written in others {
        let home = Key::new(&catalog::NAMESPACE, "", text(&written.object, "/metadata/namespace"));
        if written.resource.namespaced && world.store.get(&home).is_none() {
            put(world, &catalog::NAMESPACE, json!({"kind": "Namespace", "metadata": {"name": home.name}}));
        }
        if written.is_as_it_is() {
            put(world, written.resource, written.object);
            continue;
        }
        let name = written.key().name;
        let refused = |why: String| LoadError::Refused { place: written.place, kind: written.resource.kind.to_owned(), name, why };
        world.create(written.object).map_err(|status| refused(status.message().to_owned()))?;
    }
    Ok(())
}

/// Puts an object there as it is, with the marks that every object has.
fn put(world: &mut World, resource: Res, mut object: Value) {
    object["apiVersion"] = resource.api_version().into();
    if object["metadata"].get("uid").is_none_or(Value::is_null) {
        object["metadata"]["uid"] = world.uid().into();
    }
    if object["metadata"].get("creationTimestamp").is_none_or(Value::is_null) {
        object["metadata"]["creationTimestamp"] = world.stamp();
    }
    if resource == &catalog::NAMESPACE {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
        object["spec"] = json!({"finalizers": ["kubernetes"]});
        if object.get("status").is_none_or(Value::is_null) {
            object["status"] = json!({"phase": "Active"});
        }
    }
    world.store.put(Key::of(resource, &object), object);
}

/// The definition of a custom kind, as far as anybody looks at it.
fn definition(kind: Res) -> Value {
    let version = |version: &&str| json!({"name": version, "served": true, "storage": *version == kind.version()});
    let scope = if kind.namespaced { "Namespaced" } else { "Cluster" };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": kind.full_name()},
        "spec": {
            "group": kind.group, "scope": scope, "versions": kind.versions.iter().map(version).collect::<Vec<_>>(),
            "names": {"kind": kind.kind, "listKind": format!("{}List", kind.kind), "plural": kind.plural, "singular": kind.singular(), "shortNames": kind.short},
        },
        "status": {"conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]},
    })
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;
