//! Which fields each kind has: what a kind does not know is dropped when somebody writes it, and he is told, or refused.
//!
//! `fields.txt` says it for all kinds (`tests/conformance/fields.rs` makes it, and says how it is to be read).
//! Source: kubernetes 1.36 `staging/src/k8s.io/apimachinery/pkg/runtime/serializer/json/json.go`,
//! `staging/src/k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning/algorithm.go`.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::catalog::Res;

const TEXT: &str = include_str!("fields.txt");

/// How a field holds what is in it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    One,
    List,
    Map,
}

/// A field: how it holds which shape; nothing is known of others.
type Field = Option<(Holds, usize)>;

/// All shapes, and which the kinds have.
#[derive(Default)]
struct Fields {
    shapes: Vec<HashMap<&'static str, Field>>,
    /// By version and kind.
    kinds: HashMap<(&'static str, &'static str), usize>,
}

/// Reads one word: a field, and what it holds.
fn field(word: &'static str) -> (&'static str, Field) {
    let digits = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let held = |name: &'static str, holds| (name, word[digits.len()..].parse().ok().map(|shape| (holds, shape)));
    if let Some(name) = digits.strip_suffix('=') {
        held(name, Holds::One)
    } else if let Some(name) = digits.strip_suffix("[]") {
        held(name, Holds::List)
    } else if let Some(name) = digits.strip_suffix("{}") {
        held(name, Holds::Map)
    } else {
        (word, None)
    }
}

fn fields() -> &'static Fields {
    static FIELDS: OnceLock<Fields> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let mut fields = Fields::default();
        for line in TEXT.lines() {
            match line.strip_prefix('=') {
                None => fields.shapes.push(line.split(' ').map(field).collect()),
                Some(kind) => {
                    let mut words = kind.split(' ');
                    if let (Some(version), Some(kind), Some(shape)) = (words.next(), words.next(), words.next().and_then(|shape| shape.parse().ok()))
                    {
                        fields.kinds.insert((version, kind), shape);
                    }
                }
            }
        }
        fields
    })
}

impl Fields {
    fn drop_unknown(&self, object: &mut Value, shape: usize, path: &str, unknown: &mut Vec<String>) {
        let (Some(shape), Some(object)) = (self.shapes.get(shape), object.as_object_mut()) else { return };
        let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        object.retain(|name, value| {
            match shape.get(name.as_str()) {
                None => {
                    unknown.push(at(name));
                    return false;
                }
                Some(None) => {}
                Some(Some((Holds::One, shape))) => self.drop_unknown(value, *shape, &at(name), unknown),
                Some(Some((Holds::List, shape))) => {
                    for (index, item) in value.as_array_mut().into_iter().flatten().enumerate() {
                        self.drop_unknown(item, *shape, &format!("{}[{index}]", at(name)), unknown);
                    }
                }
                Some(Some((Holds::Map, shape))) => {
                    for (key, item) in value.as_object_mut().into_iter().flatten() {
                        self.drop_unknown(item, *shape, &format!("{}.{key}", at(name)), unknown);
                    }
                }
            }
            true
        });
    }
}

/// Drops from an object what its kind does not know; says where that was.
pub fn drop_unknown(resource: Res, object: &mut Value) -> Vec<String> {
    let (fields, mut unknown) = (fields(), Vec::new());
    if let Some(shape) = fields.kinds.get(&(resource.api_version().as_str(), resource.kind)) {
        fields.drop_unknown(object, *shape, "", &mut unknown);
    }
    unknown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::catalog::{ALL, CLAIM, CRD, NETWORK_ATTACHMENT, VM};

    #[test]
    fn every_kind_has_its_fields_and_every_shape_is_there() {
        let all = fields();
        for kind in ALL.iter().filter(|kind| ![&CRD, &NETWORK_ATTACHMENT].contains(kind)) {
            assert!(all.kinds.contains_key(&(kind.api_version().as_str(), kind.kind)), "{}", kind.full_name());
        }
        let held = all.shapes.iter().flat_map(|shape| shape.values()).flatten();
        assert!(held.map(|(_, shape)| *shape).chain(all.kinds.values().copied()).all(|shape| shape < all.shapes.len()));
    }

    #[test]
    fn what_a_kind_does_not_know_is_dropped_wherever_it_stands() {
        let mut claim = json!({"metadata": {"labels": {"any": "name"}, "x": 1}, "spec": {"dataSource": {"kind": "a", "namespace": "b"}}, "y": 2});
        let mut dropped = drop_unknown(&CLAIM, &mut claim);
        dropped.sort();
        assert_eq!(dropped, ["metadata.x", "spec.dataSource.namespace", "y"]);
        assert_eq!(claim, json!({"metadata": {"labels": {"any": "name"}}, "spec": {"dataSource": {"kind": "a"}}}));
        let disk = json!({"name": "root", "disk": {"bus": "virtio"}, "spin": 1});
        let mut vm = json!({"spec": {"template": {"metadata": {"anything": 1}, "spec": {"domain": {"devices": {"disks": [disk]}}}}}});
        assert_eq!(drop_unknown(&VM, &mut vm), ["spec.template.spec.domain.devices.disks[0].spin"]);
    }
}
