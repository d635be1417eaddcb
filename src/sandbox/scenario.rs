//! What a sandbox begins with: manifests in YAML, as kubectl prints them. They are put there as they are, status included.

use serde_json::{Value, json};
use thiserror::Error;

use super::catalog::{self, Res};
use super::store::{Key, text};
use super::world::World;

/// The cluster without any machine.
const PLAIN: &str = include_str!("scenarios/plain.yaml");

/// Why manifests could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("it is no YAML: {0}")]
    Yaml(String),
    #[error("document {number}: kind \"{kind}\" of version \"{api_version}\" is not served here")]
    UnknownKind { number: usize, kind: String, api_version: String },
    #[error("document {number}: {kind} has no name")]
    NoName { number: usize, kind: String },
}

/// Fills a cluster with what every scenario begins with.
///
/// # Errors
/// None, as long as that is well-formed, which a test says.
pub fn begin(world: &mut World) -> Result<(), LoadError> {
    load(world, PLAIN)?;
    for kind in catalog::ALL.iter().filter(|kind| kind.custom) {
        put(world, &catalog::CRD, definition(kind));
    }
    Ok(())
}

/// Puts the manifests of a YAML stream into a cluster; lists are taken apart. Nothing is put when one of them is wrong.
///
/// # Errors
/// The first thing that is wrong, with the number of its document.
pub fn load(world: &mut World, text: &str) -> Result<(), LoadError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| LoadError::Yaml(error.to_string()))?;
    let mut all = Vec::new();
    for (number, document) in (1..).zip(documents) {
        let items = match document {
            Value::Null => Vec::new(),
            Value::Object(mut list) if list.get("items").is_some_and(Value::is_array) => match list.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            },
            one => vec![one],
        };
        for object in items {
            all.push((resource(number, &object)?, object));
        }
    }
    for (resource, object) in all {
        put(world, resource, object);
    }
    Ok(())
}

fn resource(number: usize, object: &Value) -> Result<Res, LoadError> {
    let (api_version, kind) = (text(object, "/apiVersion").to_owned(), text(object, "/kind").to_owned());
    let Some(resource) = catalog::of(&api_version, &kind) else { return Err(LoadError::UnknownKind { number, kind, api_version }) };
    if text(object, "/metadata/name").is_empty() {
        return Err(LoadError::NoName { number, kind });
    }
    Ok(resource)
}

/// Puts an object there as it is, with the marks that every object has.
fn put(world: &mut World, resource: Res, mut object: Value) {
    let (uid, stamp) = (world.uid(), world.stamp());
    object["apiVersion"] = resource.api_version().into();
    if resource.namespaced && text(&object, "/metadata/namespace").is_empty() {
        object["metadata"]["namespace"] = "default".into();
    }
    for (field, value) in [("uid", Value::from(uid)), ("creationTimestamp", stamp)] {
        if object["metadata"].get(field).is_none_or(Value::is_null) {
            object["metadata"][field] = value;
        }
    }
    if resource == &catalog::NAMESPACE {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
        object["spec"] = json!({"finalizers": ["kubernetes"]});
        object["status"] = json!({"phase": "Active"});
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sandbox::behaviour::SUBJECTS;

    #[test]
    fn the_plain_cluster_is_well_formed_and_what_is_not_is_named() {
        let mut world = World::new(1, jiff::Timestamp::UNIX_EPOCH, SUBJECTS);
        begin(&mut world).unwrap();
        assert_eq!(world.list(&catalog::NODE, None).len(), 2);
        assert_eq!(world.list(&catalog::STORAGE_CLASS, None).len(), 4);
        let before = world.store.version();
        for (text, words) in [
            (
                "kind: Namespace\napiVersion: v1\nmetadata: {name: a}\n---\nkind: Pot\napiVersion: v1\n",
                "document 2: kind \"Pot\" of version \"v1\" is not served here",
            ),
            ("kind: Namespace\napiVersion: v1\n", "document 1: Namespace has no name"),
        ] {
            assert_eq!(load(&mut world, text).unwrap_err().to_string(), words);
        }
        assert!(matches!(load(&mut world, "a: [").unwrap_err(), LoadError::Yaml(_)));
        assert_eq!(world.store.version(), before);
    }
}
