//! How things are called: ends of a move, objects, moves, and the marks the tool leaves on objects.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::Kind;

/// One end of a move. Two of them even when both are in one cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    Source,
    Target,
}

/// An object's address: at which end, what kind, in which namespace (`None` when cluster-scoped), under which name.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    pub end: End,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
}

impl ObjectRef {
    /// An object in a namespace.
    pub fn namespaced(end: End, kind: Kind, namespace: &str, name: &str) -> Self {
        Self { end, kind, namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }

    /// A cluster-scoped object.
    pub fn cluster(end: End, kind: Kind, name: &str) -> Self {
        Self { end, kind, namespace: None, name: name.to_owned() }
    }
}

impl fmt::Display for ObjectRef {
    /// `virtualmachine.kubevirt.io/db-1`, as kubectl names objects.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.singular(), self.name)
    }
}

/// The name of a move in the cluster, such as `shop-to-prod-7k2fq`: label, journal key, and what later verbs take.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MoveId(pub String);

impl MoveId {
    /// Builds the name from both namespaces and a random tail. Long namespaces are cut so that the result is a valid
    /// label value with room for suffixes (at most 50 characters).
    pub fn mint(source: &str, target: &str, tail: &str) -> Self {
        let cut = |text: &str| text.chars().take(18).collect::<String>().trim_end_matches('-').to_owned();
        Self(format!("{}-to-{}-{tail}", cut(source), cut(target)))
    }
}

impl fmt::Display for MoveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Label of everything a move made, and of its ledger: the move's name.
pub const LABEL_MOVE: &str = "vmmove.io/move";
/// Annotation of everything a move made: the UID of the source object it stands for.
pub const ANNOTATION_SOURCE_UID: &str = "vmmove.io/source-uid";
/// Annotation of everything a move made: the digest of the plan.
pub const ANNOTATION_PLAN: &str = "vmmove.io/plan-digest";
/// Annotation of everything a move made: what it is for (`staging`, `target`, `dependent`).
pub const ANNOTATION_ROLE: &str = "vmmove.io/role";
/// Annotation of a copied disk: the epoch in which it was made (see [`super::journal::Epoch`]).
pub const ANNOTATION_EPOCH: &str = "vmmove.io/epoch";
/// Annotation of a fenced virtual machine: the fence, as JSON.
pub const ANNOTATION_FENCE: &str = "vmmove.io/fence";
/// Annotation of a volume in a move's hands: its reclaim policy before.
pub const ANNOTATION_RECLAIM_POLICY: &str = "vmmove.io/original-reclaim-policy";
/// Annotation that wakes the volume controller for a claim.
pub const ANNOTATION_TOUCH: &str = "vmmove.io/touch";
/// The node label that the fence asks for and that no node carries.
pub const FENCE_NODE_LABEL: &str = "vmmove.io/fenced";

/// Says whether a label or annotation key is one of the tool's own.
pub fn is_own_key(key: &str) -> bool {
    key.starts_with("vmmove.io/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_named_after_both_namespaces() {
        assert_eq!(MoveId::mint("shop", "prod", "7k2fq").0, "shop-to-prod-7k2fq");
        let long = "a-very-long-namespace-name-indeed";
        assert!(MoveId::mint(long, long, "7k2fq").0.len() <= 50);
    }
}
