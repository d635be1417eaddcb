//! Everything one look saw, as plain values. What could not be seen is a fact too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::kind::Kind;
use super::manifest::Manifest;
use super::names::{End, ObjectRef};
use super::relation::{Relation, Relations};

/// What listing one kind gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// The objects by name.
    Listed(BTreeMap<String, Manifest>),
    /// The server does not serve this kind.
    Missing,
    /// The user may not list it; the server's words.
    Forbidden(String),
}

/// The objects of several kinds. Secrets and ConfigMaps carry metadata only.
#[derive(Default)]
pub struct Objects {
    looks: BTreeMap<Kind, Look>,
    relations: Relations,
}

impl Clone for Objects {
    fn clone(&self) -> Self {
        Self::of(self.looks.clone())
    }
}

impl PartialEq for Objects {
    fn eq(&self, other: &Self) -> bool {
        self.looks == other.looks
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.looks.fmt(f)
    }
}

impl Objects {
    pub fn of(looks: BTreeMap<Kind, Look>) -> Self {
        Self { looks, relations: Relations::default() }
    }

    /// What listing a kind gave, if it was asked.
    pub fn look(&self, kind: Kind) -> Option<&Look> {
        self.looks.get(&kind)
    }

    pub fn looks(&self) -> impl Iterator<Item = (Kind, &Look)> {
        self.looks.iter().map(|(kind, look)| (*kind, look))
    }

    /// Says what listing a kind gave.
    pub fn put(&mut self, kind: Kind, look: Look) {
        self.looks.insert(kind, look);
        self.relations = Relations::default();
    }

    /// The objects that name a thing, by name.
    pub fn naming<'o>(&'o self, relation: &'static Relation, thing: &str) -> impl Iterator<Item = &'o Manifest> + use<'o> {
        let names = self.relations.naming(relation, self.all(relation.kind), thing);
        names.into_iter().filter_map(|name| self.get(relation.kind, &name))
    }

    /// The object of this name, if it was seen.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Manifest> {
        match self.looks.get(&kind) {
            Some(Look::Listed(objects)) => objects.get(name),
            _ => None,
        }
    }

    /// All objects of a kind that were seen, by name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Manifest> {
        match self.looks.get(&kind) {
            Some(Look::Listed(objects)) => Some(objects.values()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    /// Whether the kind was listed at all: absence of an object then means that there is none.
    pub fn is_listed(&self, kind: Kind) -> bool {
        matches!(self.looks.get(&kind), Some(Look::Listed(_)))
    }
}

/// What the server's parts say they are; `None` where absent or not readable.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    pub kubernetes: Option<String>,
    pub kubevirt: Option<String>,
    pub cdi: Option<String>,
    /// The served version of the snapshot API, such as `v1`.
    pub snapshots: Option<String>,
}

/// What was seen of a cluster as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSeen {
    /// The UID of namespace kube-system, which identifies a cluster; empty when not readable.
    pub id: String,
    /// The server's address, for messages.
    pub server: String,
    /// The user as the server knows it.
    pub user: String,
    pub stack: Stack,
    /// Feature gates of KubeVirt, as its CR lists them.
    pub kubevirt_gates: Vec<String>,
    /// Whether the user may patch PersistentVolumes (asked by access review).
    pub may_patch_volumes: bool,
    /// Cluster-scoped objects: volumes, classes, drivers, nodes, ...
    pub objects: Objects,
}

/// A rule of a SelfSubjectRulesReview.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    pub verbs: Vec<String>,
    pub groups: Vec<String>,
    pub resources: Vec<String>,
    pub names: Vec<String>,
}

/// What the user may do in one namespace. When `incomplete`, absence of a rule proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    pub rules: Vec<Rule>,
    pub incomplete: bool,
}

impl Rights {
    /// Whether a rule grants this verb on `resource` (`plural` or `plural/subresource`) of a group, for any name.
    pub fn allow(&self, verb: &str, group: &str, resource: &str) -> bool {
        let has = |list: &[String], item: &str| list.iter().any(|entry| entry == "*" || entry == item);
        self.rules.iter().any(|rule| rule.names.is_empty() && has(&rule.verbs, verb) && has(&rule.groups, group) && has(&rule.resources, resource))
    }
}

/// What was seen at one end of a move.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub end: End,
    pub namespace: String,
    /// The namespace itself: `Listed` with one entry or none, or not readable.
    pub namespace_look: Look,
    pub objects: Objects,
    pub rights: Rights,
    pub cluster: Arc<ClusterSeen>,
}

impl Place {
    /// The namespace object, if it exists and may be read.
    pub fn namespace_object(&self) -> Option<&Manifest> {
        match &self.namespace_look {
            Look::Listed(objects) => objects.get(&self.namespace),
            _ => None,
        }
    }

    /// The address of a namespaced object here.
    pub fn reference(&self, kind: Kind, name: &str) -> ObjectRef {
        ObjectRef { end: self.end, kind, namespace: kind.namespaced.then(|| self.namespace.clone()), name: name.to_owned() }
    }
}

/// One look at both ends. `target` is absent where only the source was asked about (`assess`, `select`).
#[derive(Clone, Debug, PartialEq)]
pub struct Inventory {
    pub source: Place,
    pub target: Option<Place>,
    /// What names the source's namespace from anywhere in its cluster, under `namespace/name`.
    pub elsewhere: Objects,
}
