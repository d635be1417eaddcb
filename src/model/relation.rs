//! Which objects name another thing, looked up by what they name: ten thousand machines are not searched once for each of their disks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::kind::Kind;
use super::manifest::Manifest;

/// Objects of a kind, by what they name. Each is a `static`: it is known by its place.
pub struct Relation {
    pub kind: Kind,
    pub names: fn(&Manifest) -> Vec<String>,
}

/// The names of the objects that name a thing, by that thing.
type Index = HashMap<String, Vec<String>>;

/// What was looked up already, of objects that do not change.
#[derive(Default)]
pub(super) struct Relations(Mutex<HashMap<usize, Arc<Index>>>);

impl Relations {
    /// The names of the objects that name this thing, in their order; `all` are those of the relation's kind.
    pub fn naming<'o>(&self, relation: &'static Relation, all: impl Iterator<Item = &'o Manifest>, thing: &str) -> Vec<String> {
        let place = std::ptr::from_ref(relation).addr();
        let index = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(place).or_insert_with(|| Arc::new(index(relation, all))).clone()
        };
        index.get(thing).cloned().unwrap_or_default()
    }
}

fn index<'o>(relation: &Relation, all: impl Iterator<Item = &'o Manifest>) -> Index {
    let mut index = Index::new();
    for object in all {
        for thing in (relation.names)(object) {
            let naming = index.entry(thing).or_default();
            if naming.last().is_none_or(|last| last != object.name()) {
                naming.push(object.name().to_owned());
            }
        }
    }
    index
}
