//! What could not be looked at, and so could not be checked.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use super::machines::machines;
use crate::model::finding::Finding;
use crate::model::inventory::{Inventory, Look, Objects, Place};
use crate::model::kind::{self, Kind};
use crate::model::names::End;
use crate::plan::elsewhere::ELSEWHERE;
use crate::plan::pointers::{POINTERS, POLICIES};
use crate::plan::references::references;
use crate::plan::request::MoveRequest;

pub const CHECKS: &[Check] = &[
    Check { code: "R002", title: "what safety depends on can be read", run: needed },
    Check { code: "R003", title: "what warnings depend on can be read", run: |seen, _| useful_unseen(seen) },
];

/// A kind at an end and what cannot be known without it.
pub type Row = (End, Kind, &'static str);

const NEEDED: &[Row] = &[
    (End::Source, kind::VM, "which virtual machines there are"),
    (End::Source, kind::VMI, "which guests are running"),
    (End::Source, kind::CLAIM, "which disks there are"),
    (End::Source, kind::POD, "who uses the disks"),
    (End::Source, kind::DATA_VOLUME, "which disks are still being filled"),
    (End::Source, kind::SERVICE, "which Services lead to the guests and would be left behind"),
    (End::Target, kind::VM, "whether names are taken in the target"),
    (End::Target, kind::CLAIM, "whether names of disks are taken in the target"),
    (End::Target, kind::DATA_VOLUME, "whether names of disks are taken in the target"),
];

/// What is only said less about without a look at it.
const USEFUL: &[Row] = &[
    (End::Source, kind::VMIM, "whether a guest is being migrated between nodes"),
    (End::Source, kind::VM_EXPORT, "whether an export reads the disks"),
    (End::Source, kind::VM_CLONE, "whether a clone is under way"),
    (End::Source, kind::VM_SNAPSHOT, "which snapshots stay behind"),
    (End::Source, kind::VOLUME_SNAPSHOT, "which snapshots hang on a disk"),
    (End::Source, kind::DATA_SOURCE, "whether a disk is a golden image"),
    (End::Source, kind::PRESET, "whether presets change a guest"),
    (End::Target, kind::NETWORK_ATTACHMENT, "whether the networks of the machines are there"),
    (End::Source, kind::NETWORK_ATTACHMENT, "whether the networks of both namespaces are the same"),
    (End::Source, kind::IP_CLAIM, "whether addresses are kept for a guest"),
    (End::Source, kind::QUOTA, "whether the copies fit into the source's quota"),
    (End::Target, kind::QUOTA, "whether the machines fit into the target's quota"),
    (End::Target, kind::LIMIT_RANGE, "whether the target's limits admit the disks"),
    (End::Source, kind::VOLUME, "which volumes the disks are, so that only CDI can copy them and cleanup cannot prove a copy complete"),
    (End::Source, kind::STORAGE_CLASS, "how classes bind and which driver they have"),
    (End::Source, kind::NODE, "whether the node under a guest answers"),
    (End::Source, kind::ATTACHMENT, "whether a disk is still attached to a node"),
];

/// What is only said less about without a look at it, and all that may point at a machine.
pub fn useful() -> Vec<Row> {
    let pointers = POINTERS.iter().map(|pointer| (End::Source, pointer.kind, pointer.why));
    let policies = POLICIES.iter().map(|policies| (End::Source, policies.kind, policies.why));
    USEFUL.iter().copied().chain(pointers).chain(policies).collect()
}

/// What always must be seen, and the kinds of objects that a chosen machine cannot do without.
fn needed(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let wanted: BTreeSet<Kind> = machines(seen, ask)
        .flat_map(|machine| references(machine.vm, &seen.source))
        .filter(|reference| reference.is_copied() && !reference.optional)
        .map(|reference| reference.kind)
        .collect();
    let referred: Vec<Row> = wanted.into_iter().map(|kind| (End::Source, kind, "what machines refer to")).collect();
    let told = |unseen: Unseen| {
        let Unseen { place, kind, why, words, .. } = unseen;
        let (resource, scope) = (kind.resource(), unseen.scope());
        let message = format!("you may not list {resource} {scope}, so it cannot be known {why}: {words}");
        Finding::blocking("R002", place.reference(kind, "*"), message).hint(format!("ask for 'list' on {resource} {scope}"))
    };
    [NEEDED, &referred].into_iter().flat_map(|rows| unseen(rows, seen)).map(told).collect()
}

/// One finding for all that cannot be seen in a place: who may only use namespaces sees little of the cluster.
fn useful_unseen(seen: &Inventory) -> Vec<Finding> {
    let anywhere = ELSEWHERE.iter().filter_map(|row| match seen.elsewhere.look(row.kind) {
        Some(Look::Forbidden(words)) => Some(Unseen { place: &seen.source, whole: true, kind: row.kind, why: row.why, words }),
        _ => None,
    });
    let mut by_scope: BTreeMap<String, Vec<Unseen>> = BTreeMap::new();
    for unseen in unseen(&useful(), seen).into_iter().chain(anywhere) {
        by_scope.entry(unseen.scope()).or_default().push(unseen);
    }
    let told = |(scope, unseen): (String, Vec<Unseen>)| {
        let first = unseen.first()?;
        let kinds: BTreeSet<String> = unseen.iter().map(|unseen| unseen.kind.resource()).collect();
        let kinds = Vec::from_iter(kinds).join(", ");
        let mut whys: Vec<&str> = unseen.iter().map(|unseen| unseen.why).collect();
        whys.dedup();
        let message = format!("you may not list {kinds} {scope}, so it cannot be known {}", whys.join("; "));
        Some(Finding::warning("R003", first.place.reference(first.kind, "*"), message).hint(format!("ask for 'list' on them {scope}")))
    };
    by_scope.into_iter().filter_map(told).collect()
}

/// A kind that may not be listed.
struct Unseen<'a> {
    place: &'a Place,
    /// In the whole cluster, also of a kind that lives in namespaces.
    whole: bool,
    kind: Kind,
    why: &'static str,
    /// The server's.
    words: &'a str,
}

impl Unseen<'_> {
    fn scope(&self) -> String {
        if self.whole { "in the cluster".to_owned() } else { format!("in namespace {}", self.place.namespace) }
    }
}

fn unseen<'a>(rows: &[Row], seen: &'a Inventory) -> Vec<Unseen<'a>> {
    let unseen = |(end, kind, why): &Row| {
        let place = place(seen, *end)?;
        let Some(Look::Forbidden(words)) = objects(place, *kind).look(*kind) else { return None };
        Some(Unseen { place, whole: !kind.namespaced, kind: *kind, why, words })
    };
    rows.iter().filter_map(unseen).collect()
}

fn place(seen: &Inventory, end: End) -> Option<&Place> {
    match end {
        End::Source => Some(&seen.source),
        End::Target => seen.target.as_ref(),
    }
}

fn objects(place: &Place, kind: Kind) -> &Objects {
    if kind.namespaced { &place.objects } else { &place.cluster.objects }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::finding::Severity;
    use crate::plan::fixtures::{World, ask, vm};

    #[test]
    fn blindness_blocks_where_safety_depends_on_sight() {
        let blind = |end, kind| {
            let seen = World::new().look(end, kind, Look::Forbidden("pods is forbidden".into())).seen();
            let found = super::super::findings(&seen, &ask(&[]));
            found.into_iter().map(|finding| (finding.code, finding.severity)).collect::<Vec<_>>()
        };
        assert_eq!(blind(End::Source, kind::POD), [("R002".to_owned(), Severity::Blocking)]);
        assert_eq!(blind(End::Target, kind::CLAIM), [("R002".to_owned(), Severity::Blocking)]);
        assert_eq!(blind(End::Source, kind::NODE), [("R003".to_owned(), Severity::Warning)]);
    }

    #[test]
    fn what_cannot_be_seen_of_the_cluster_is_told_once() {
        let forbidden = || Look::Forbidden("no".into());
        let world = World::new().look(End::Source, kind::NODE, forbidden()).look(End::Source, kind::ATTACHMENT, forbidden());
        let world = world.look_elsewhere(kind::NETWORK_POLICY, forbidden()).look(End::Source, kind::QUOTA, forbidden());
        let messages: Vec<String> = useful_unseen(&world.seen()).into_iter().map(|finding| finding.message).collect();
        assert_eq!(
            messages,
            [
                "you may not list resourcequotas in namespace shop, so it cannot be known whether the copies fit into the source's quota",
                "you may not list networkpolicies.networking.k8s.io, nodes, volumeattachments.storage.k8s.io in the cluster, so it cannot be known \
                 whether the node under a guest answers; whether a disk is still attached to a node; which network policies elsewhere name the \
                 guest's namespace",
            ]
        );
    }

    #[test]
    fn secrets_that_cannot_be_seen_block_only_machines_that_need_one() {
        let mut db = vm("db-1", &[]);
        db.set("/spec/template/spec/volumes", json!([{"name": "login", "secret": {"secretName": "login"}}]));
        let seen = World::new().source(db).source(vm("web-1", &[])).look(End::Source, kind::SECRET, Look::Forbidden("no".into())).seen();
        let codes = |name| needed(&seen, &ask(&[name])).into_iter().map(|finding| finding.code).collect::<Vec<_>>();
        assert_eq!((codes("db-1"), codes("web-1")), (vec!["R002".to_owned()], vec![]));
    }
}
