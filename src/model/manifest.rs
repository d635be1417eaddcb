//! Objects as they travel: lossless JSON behind small readers.
//!
//! An object is never decoded into a struct and sent back: a field that a newer server knows and we do not must survive.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

pub use super::json::escape;
use super::json::{Json, List, unescape};
use super::kind::Kind;
use super::names::{End, ObjectRef};
use super::packed::Packed;

/// One object of the API, as JSON.
#[derive(Clone)]
pub struct Manifest(Form);

/// What is only looked at is kept packed; what is made or changed is a tree.
#[derive(Clone)]
enum Form {
    Tree(Value),
    Packed(Packed),
}

impl Manifest {
    /// A new object of a kind, with metadata `name` and (if the kind has one) `namespace`.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let mut manifest = Self::from(serde_json::json!({
            "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": name},
        }));
        if kind.namespaced {
            manifest.set("/metadata/namespace", namespace.into());
        }
        manifest
    }

    /// The whole of it.
    pub fn json(&self) -> Json<'_> {
        match &self.0 {
            Form::Tree(value) => value.into(),
            Form::Packed(packed) => packed.root().into(),
        }
    }

    /// The whole of it as a tree, made where there is none.
    pub fn value(&self) -> Cow<'_, Value> {
        match &self.0 {
            Form::Tree(value) => Cow::Borrowed(value),
            Form::Packed(packed) => Cow::Owned(packed.root().to_value()),
        }
    }

    /// The tree to be changed.
    pub fn value_mut(&mut self) -> &mut Value {
        if let Form::Packed(packed) = &self.0 {
            self.0 = Form::Tree(packed.root().to_value());
        }
        match &mut self.0 {
            Form::Tree(value) => value,
            Form::Packed(_) => unreachable!("it was made a tree"),
        }
    }

    pub fn into_value(self) -> Value {
        match self.0 {
            Form::Tree(value) => value,
            Form::Packed(packed) => packed.root().to_value(),
        }
    }

    /// The value at a JSON pointer, if there is one and it is not null.
    pub fn at(&self, pointer: &str) -> Option<Json<'_>> {
        self.json().at(pointer)
    }

    /// The string at a JSON pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.json().text(pointer)
    }

    /// The boolean at a JSON pointer; absent is false.
    pub fn flag(&self, pointer: &str) -> bool {
        self.json().flag(pointer)
    }

    /// The list at a JSON pointer; absent is empty.
    pub fn list(&self, pointer: &str) -> List<'_> {
        self.json().list(pointer)
    }

    /// Sets the value at a JSON pointer of object keys, making the objects on the way. List indexes must exist.
    pub fn set(&mut self, pointer: &str, value: Value) {
        let mut place = self.value_mut();
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
        match self.value_mut().pointer_mut(parent)? {
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
        self.at("/metadata/generation").and_then(Json::as_i64).unwrap_or(0)
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
        self.at("/metadata/labels")?.get(key)?.as_str()
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.at("/metadata/annotations")?.get(key)?.as_str()
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
        self.list("/metadata/ownerReferences").map(|owner| {
            let text = |key: &str| owner.get(key).and_then(Json::as_str).unwrap_or_default();
            Owner { api_version: text("apiVersion"), kind: text("kind"), name: text("name"), uid: text("uid"), controller: owner.flag("/controller") }
        })
    }

    /// Whether the object of this UID is one of its owners.
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.owners().any(|owner| owner.uid == uid)
    }

    /// This object's address at an end; `None` for a kind without a name here.
    pub fn reference(&self, end: End) -> Option<ObjectRef> {
        Some(ObjectRef { end, kind: self.kind()?, namespace: self.namespace().map(str::to_owned), name: self.name().to_owned() })
    }
}

impl From<Value> for Manifest {
    fn from(value: Value) -> Self {
        Self(Form::Tree(value))
    }
}

impl Default for Manifest {
    fn default() -> Self {
        Value::Null.into()
    }
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Packed(one), Form::Packed(other)) => one == other,
            _ => self.json() == other.json(),
        }
    }
}

impl Eq for Manifest {}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Manifest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Packed::deserialize(from).map(|packed| Self(Form::Packed(packed)))
    }
}

/// An item of a list as it came from a server, which does not say what it is.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Item(Packed);

impl Item {
    pub fn of_kind(&self, kind: Kind) -> Manifest {
        Manifest(Form::Packed(self.0.with(&[("apiVersion", &kind.api_version()), ("kind", kind.kind)])))
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

fn text_map(value: Option<Json<'_>>) -> BTreeMap<&str, &str> {
    value.into_iter().flat_map(Json::fields).filter_map(|(key, value)| Some((key, value.as_str()?))).collect()
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
