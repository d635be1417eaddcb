//! Scenario files read: YAML or JSON as kubectl prints it, lists taken apart, repeated groups written out.
//!
//! Beside manifests a file may hold two kinds of our own. `Scenario` (at most one) says what differs from the usual cluster:
//!
//! ```yaml
//! apiVersion: vmmove.io/v1alpha1
//! kind: Scenario
//! without: [VolumeSnapshotClass]              # kinds that the cluster has and this one has not
//! notInstalled: [snapshot.storage.k8s.io]     # groups of the API that are not served, with those below them
//! user: {name: alice, groups: [developers]}   # whom the kubeconfig speaks for, instead of an administrator
//! atRest: true                                # nobody looks at what says itself how it is, until it changes: quick for huge clusters
//! ```
//!
//! `Repeat` is a group of manifests so many times. `{i}` in their texts is the number from 1 on, `{i:04}` the same with zeros before
//! it; a group in a group says by `as` what its own number is called. In place of `count` there may be `values`, for a group that is
//! there once for each of some words:
//!
//! ```yaml
//! apiVersion: vmmove.io/v1alpha1
//! kind: Repeat
//! values: [shop, prod]
//! as: team
//! templates:
//! - {apiVersion: v1, kind: Namespace, metadata: {name: "{team}"}}
//! - apiVersion: vmmove.io/v1alpha1
//!   kind: Repeat
//!   count: 200
//!   templates:
//!   - {apiVersion: v1, kind: ConfigMap, metadata: {name: "settings-{i:03}", namespace: "{team}"}}
//! ```

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::catalog::{self, Res};
use super::load_error::{LoadError, MOST, Place, Unknown};
use super::repeat::Repeat;
use super::store::{Key, text};
use super::write::User;

/// The version of our own documents.
const OURS: &str = "vmmove.io/v1alpha1";

/// What differs from the usual cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    #[serde(default, rename = "apiVersion")]
    _api_version: String,
    #[serde(default, rename = "kind")]
    _kind: String,
    /// Kinds that the cluster has and this one has not.
    #[serde(default)]
    pub without: Vec<String>,
    /// Groups of the API that are not served, with those below them.
    #[serde(default, rename = "notInstalled")]
    pub not_installed: Vec<String>,
    #[serde(default)]
    user: Option<Person>,
    /// Nobody looks at what says itself how it is, until it changes.
    #[serde(default, rename = "atRest")]
    pub at_rest: bool,
}

impl Header {
    /// Whom the kubeconfig speaks for, unless it is an administrator.
    pub fn user(&self) -> Option<User> {
        let person = self.user.as_ref()?;
        let groups = person.groups.iter().cloned().chain(["system:authenticated".to_owned()]).collect();
        Some(User { name: person.name.clone(), groups })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    #[serde(default)]
    groups: Vec<String>,
}

/// An object as somebody wrote it down.
#[derive(Clone, Debug)]
pub struct Written {
    pub place: Place,
    pub resource: Res,
    pub object: Value,
}

impl Written {
    pub fn key(&self) -> Key {
        Key::of(self.resource, &self.object)
    }

    /// Whether it says itself how it is: it comes from a cluster, or somebody wrote its status down.
    pub fn is_as_it_is(&self) -> bool {
        self.object.get("status").is_some() || self.comes_from_a_cluster()
    }

    pub fn comes_from_a_cluster(&self) -> bool {
        !text(&self.object, "/metadata/uid").is_empty()
    }
}

/// What a file says.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub header: Header,
    pub objects: Vec<Written>,
    /// Objects of kinds that nobody here knows, which are not among the others.
    pub unknown: Vec<Unknown>,
}

/// Reads a file. It is for the caller to say whether unknown kinds matter.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read(text: &str) -> Result<Reading, LoadError> {
    let mut reading = Reading::default();
    for (document, value) in (1..).zip(documents(text)?) {
        let items = match value {
            Value::Null => continue,
            Value::Object(mut list) if list.get("items").is_some_and(Value::is_array) => match list.remove("items") {
                Some(Value::Array(items)) => (1..).zip(items).map(|(item, object)| (Place { document, item: Some(item) }, object)).collect(),
                _ => Vec::new(),
            },
            one => vec![(Place { document, item: None }, one)],
        };
        for (place, object) in items {
            take(&mut reading, place, object)?;
        }
    }
    let mut seen = std::collections::HashSet::new();
    match reading.objects.iter().find(|written| !seen.insert(written.key())) {
        Some(second) => {
            let (kind, name) = (second.resource.kind.to_owned(), second.key().name);
            Err(LoadError::Twice { place: second.place, kind, name })
        }
        None => Ok(reading),
    }
}

/// The documents of a YAML stream, or of JSON, which is read much faster as such.
fn documents(text: &str) -> Result<Vec<Value>, LoadError> {
    if text.trim_start().starts_with('{')
        && let Ok(one) = serde_json::from_str(text)
    {
        return Ok(vec![one]);
    }
    // Limits are for what strangers send; a dump of a big cluster is larger than the reader's own.
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_events: 100_000_000, max_nodes: 50_000_000, max_documents: 100_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000 },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let why = error.to_string();
        let why = why.lines().next().unwrap_or_default().split(" at line ").next().unwrap_or_default();
        LoadError::Yaml { line: error.location().map(|at| at.line()), why: why.trim_start_matches("error: ").to_owned() }
    })
}

fn take(reading: &mut Reading, place: Place, object: Value) -> Result<(), LoadError> {
    if !object.is_object() {
        return Err(LoadError::NoObject { place });
    }
    let (api_version, kind) = (text(&object, "/apiVersion").to_owned(), text(&object, "/kind").to_owned());
    match (api_version.as_str(), kind.as_str()) {
        (OURS, "Scenario") => {
            reading.header = ours(place, &kind, object)?;
            let strange = reading.header.without.iter().find(|kind| catalog::ALL.iter().all(|known| known.kind != **kind));
            strange.map_or(Ok(()), |strange| Err(LoadError::Ours { place, kind, why: format!("there is no kind \"{strange}\" to be without") }))
        }
        (OURS, "Repeat") => repeat(reading, place, ours(place, &kind, object)?),
        _ => match catalog::of(&api_version, &kind) {
            Some(_) if text(&object, "/metadata/name").is_empty() => Err(LoadError::NoName { place, kind }),
            Some(resource) => {
                let mut written = Written { place, resource, object };
                if resource.namespaced && text(&written.object, "/metadata/namespace").is_empty() {
                    written.object["metadata"]["namespace"] = "default".into();
                }
                reading.objects.push(written);
                if reading.objects.len() > MOST { Err(LoadError::TooMany) } else { Ok(()) }
            }
            None => {
                match reading.unknown.iter_mut().find(|known| known.kind == kind && known.api_version == api_version) {
                    Some(known) => known.count += 1,
                    None => reading.unknown.push(Unknown { kind, api_version, first: place, count: 1 }),
                }
                Ok(())
            }
        },
    }
}

fn ours<T: DeserializeOwned>(place: Place, kind: &str, object: Value) -> Result<T, LoadError> {
    serde_json::from_value(object).map_err(|error| LoadError::Ours { place, kind: kind.to_owned(), why: error.to_string() })
}

fn repeat(reading: &mut Reading, place: Place, group: Repeat) -> Result<(), LoadError> {
    for word in group.words().map_err(|why| LoadError::Ours { place, kind: "Repeat".to_owned(), why })? {
        for (item, template) in (1..).zip(group.templates()) {
            take(reading, Place { item: Some(place.item.unwrap_or(item)), ..place }, group.filled(template, &word))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn groups_are_written_out_also_groups_in_groups() {
        let text = "
apiVersion: vmmove.io/v1alpha1
kind: Repeat
values: [shop-1, shop-2]
as: ns
templates:
- {apiVersion: v1, kind: Namespace, metadata: {name: '{ns}'}}
- apiVersion: vmmove.io/v1alpha1
  kind: Repeat
  count: 2
  templates:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: 'map-{i:03}', namespace: '{ns}'}, data: {text: '{\"a\": {}} {j} {i}'}}
";
        let reading = read(text).unwrap();
        let names: Vec<String> = reading.objects.iter().map(|written| format!("{} {}", written.key().namespace, written.key().name)).collect();
        assert_eq!(names, [" shop-1", "shop-1 map-001", "shop-1 map-002", " shop-2", "shop-2 map-001", "shop-2 map-002"]);
        assert_eq!(reading.objects[2].object["data"]["text"], "{\"a\": {}} {j} 2");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let scenario = |rest: &str| format!("apiVersion: vmmove.io/v1alpha1\nkind: {rest}");
        for (text, words) in [
            ("a: [".to_owned(), "line 1: it is no YAML"),
            ("- a\n".to_owned(), "document 1: it is no object"),
            ("kind: Namespace\napiVersion: v1\n".to_owned(), "document 1: Namespace has no name"),
            (
                "kind: Namespace\napiVersion: v1\nmetadata: {name: a}\n---\nkind: Namespace\napiVersion: v1\nmetadata: {name: a}\n".to_owned(),
                "document 2: Namespace \"a\" is there a second time",
            ),
            (scenario("Repeat\ncount: 3\n"), "document 1: Repeat: missing field `templates`"),
            (scenario("Repeat\ntemplates: []\n"), "document 1: Repeat: it needs either count or values"),
            (scenario("Scenario\nwithou: []\n"), "document 1: Scenario: unknown field `withou`, expected one of"),
            (scenario("Scenario\nwithout: [Pot]\n"), "document 1: Scenario: there is no kind \"Pot\" to be without"),
            (
                scenario("Repeat\ncount: 9000000\ntemplates: [{kind: Namespace, apiVersion: v1, metadata: {name: 'a{i}'}}]\n"),
                "there are more than 1000000 objects in it",
            ),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }

    #[test]
    fn json_is_read_and_unknown_kinds_are_counted() {
        let text = r#"{"kind": "List", "apiVersion": "v1", "items": [
            {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "a"}},
            {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "b"}},
            {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "c"}}]}"#;
        let reading = read(text).unwrap();
        assert_eq!(reading.objects[0].key().namespace, "default");
        let told: Vec<String> = reading.unknown.iter().map(Unknown::to_string).collect();
        assert_eq!(told, ["document 1, item 1: kind \"Deployment\" of version \"apps/v1\" is not served here (2 of them)"]);
    }
}
