//! Objects as they travel: lossless JSON behind small readers.
//!
//! An object is never decoded into a struct and sent back: a field that a newer server knows and we do not must survive.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::kind::Kind;
use super::names::{End, ObjectRef};

/// One object of the API, as JSON.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Manifest(pub Value);

/// The value at a JSON pointer, if there is one and it is not null. The library makes a new text of each part; this is asked so often that
/// it shows.
pub(super) fn found_at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    let step = |value: &'v Value, part: &str| match value {
        Value::Object(fields) => fields.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    };
    let found = if pointer.contains('~') { value.pointer(pointer) } else { pointer.split('/').skip(1).try_fold(value, step) };
    found.filter(|value| !value.is_null())
}

impl Manifest {
    /// A new object of a kind, with metadata `name` and (if the kind has one) `namespace`.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let mut manifest = Self(serde_json::json!({
            "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": name},
        }));
        if kind.namespaced {
            manifest.set("/metadata/namespace", namespace.into());
        }
        manifest
    }

    /// The value at a JSON pointer, if there is one and it is not null.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        found_at(&self.0, pointer)
    }

    /// The string at a JSON pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str)
    }

    /// The boolean at a JSON pointer; absent is false.
    pub fn flag(&self, pointer: &str) -> bool {
        self.at(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The list at a JSON pointer; absent is empty.
    pub fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Sets the value at a JSON pointer of object keys, making the objects on the way. List indexes must exist.
    pub fn set(&mut self, pointer: &str, value: Value) {
        let mut place = &mut self.0;
        for key in pointer.split('/').skip(1).map(unescape) {
            if place.is_array() {
                let Some(item) = key.parse::<usize>().ok().and_then(|index| place.get_mut(index)) else { return };
                place = item;
                continue;
            }
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Some(object) = place.as_object_mut() else { return };
            place = object.entry(key).or_insert(Value::Null);
        }
        *place = value;
    }

    /// Takes the value at a JSON pointer out and gives it back, if there was one.
    pub fn remove(&mut self, pointer: &str) -> Option<Value> {
        let (parent, key) = pointer.rsplit_once('/')?;
        let key = unescape(key);
        match self.0.pointer_mut(parent)? {
            Value::Object(object) => object.remove(&key),
            Value::Array(list) => key.parse::<usize>().ok().filter(|index| *index < list.len()).map(|index| list.remove(index)),
            _ => None,
        }
    }

    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    pub fn namespace(&self) -> Option<&str> {
        self.text("/metadata/namespace")
    }

    pub fn uid(&self) -> &str {
        self.text("/metadata/uid").unwrap_or_default()
    }

    pub fn resource_version(&self) -> &str {
        self.text("/metadata/resourceVersion").unwrap_or_default()
    }

    /// The generation of the spec; 0 where the kind has none.
    pub fn generation(&self) -> i64 {
        self.at("/metadata/generation").and_then(Value::as_i64).unwrap_or(0)
    }

    pub fn api_version(&self) -> &str {
        self.text("/apiVersion").unwrap_or_default()
    }

    /// The kind as the manifest spells it.
    pub fn kind_name(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// The known kind of this manifest.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(self.api_version(), self.kind_name())
    }

    /// Whether deletion has begun.
    pub fn is_deleting(&self) -> bool {
        self.at("/metadata/deletionTimestamp").is_some()
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.at("/metadata/labels").and_then(|labels| labels.get(key)).and_then(Value::as_str)
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.at("/metadata/annotations").and_then(|all| all.get(key)).and_then(Value::as_str)
    }

    pub fn set_label(&mut self, key: &str, value: &str) {
        self.set(&format!("/metadata/labels/{}", escape(key)), value.into());
    }

    pub fn set_annotation(&mut self, key: &str, value: &str) {
        self.set(&format!("/metadata/annotations/{}", escape(key)), value.into());
    }

    /// All labels, sorted.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        text_map(self.at("/metadata/labels"))
    }

    /// All annotations, sorted.
    pub fn annotations(&self) -> BTreeMap<&str, &str> {
        text_map(self.at("/metadata/annotations"))
    }

    /// The owners, as `(kind, name, uid, is the controller)`.
    pub fn owners(&self) -> impl Iterator<Item = Owner<'_>> {
        self.list("/metadata/ownerReferences").iter().map(|owner| {
            let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
            Owner {
                api_version: text("apiVersion"),
                kind: text("kind"),
                name: text("name"),
                uid: text("uid"),
                controller: owner.get("controller").and_then(Value::as_bool).unwrap_or(false),
            }
        })
    }

    /// This object's address at an end; `None` for a kind without a name here.
    pub fn reference(&self, end: End) -> Option<ObjectRef> {
        Some(ObjectRef { end, kind: self.kind()?, namespace: self.namespace().map(str::to_owned), name: self.name().to_owned() })
    }
}

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Owner<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
    pub controller: bool,
}

/// Escapes a key for use in a JSON pointer (RFC 6901).
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescape(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

fn text_map(value: Option<&Value>) -> BTreeMap<&str, &str> {
    value
        .and_then(Value::as_object)
        .map(|map| map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kind;

    #[test]
    fn setting_makes_the_way_and_removing_gives_back() {
        let mut vm = Manifest::new(kind::VM, "shop", "db-1");
        vm.set_annotation("vmmove.io/fence", "x");
        assert_eq!(vm.annotation("vmmove.io/fence"), Some("x"));
        assert_eq!(vm.remove("/metadata/annotations/vmmove.io~1fence"), Some("x".into()));
        assert_eq!(vm.reference(End::Source).map(|vm| vm.to_string()), Some("virtualmachine.kubevirt.io/db-1".to_owned()));
    }
}
