//! What could not be looked at, and so could not be checked.

use std::collections::BTreeSet;

use super::Check;
use super::machines::machines;
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::{Inventory, Look, Objects, Place};
use crate::model::kind::{self, Kind};
use crate::model::names::End;
use crate::plan::pointers::{POINTERS, POLICIES};
use crate::plan::references::references;
use crate::plan::request::MoveRequest;

pub const CHECKS: &[Check] = &[
    Check { code: "R002", title: "what safety depends on can be read", run: needed },
    Check { code: "R003", title: "what warnings depend on can be read", run: |seen, _| forbidden("R003", Severity::Warning, &useful(), seen) },
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
    let mut found = forbidden("R002", Severity::Blocking, NEEDED, seen);
    found.extend(forbidden("R002", Severity::Blocking, &referred, seen));
    found
}

fn forbidden(code: &str, severity: Severity, rows: &[Row], seen: &Inventory) -> Vec<Finding> {
    rows.iter()
        .filter_map(|(end, kind, why)| {
            let place = place(seen, *end)?;
            let Some(Look::Forbidden(words)) = objects(place, *kind).look(*kind) else { return None };
            let scope = if kind.namespaced { format!("in namespace {}", place.namespace) } else { "in the cluster".to_owned() };
            let message = format!("you may not list {} {scope}, so it cannot be known {why}: {words}", kind.resource());
            Some(Finding::new(severity, code, place.reference(*kind, "*"), message).hint(format!("ask for 'list' on {} {scope}", kind.resource())))
        })
        .collect()
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
    fn secrets_that_cannot_be_seen_block_only_machines_that_need_one() {
        let mut db = vm("db-1", &[]);
        db.set("/spec/template/spec/volumes", json!([{"name": "login", "secret": {"secretName": "login"}}]));
        let seen = World::new().source(db).source(vm("web-1", &[])).look(End::Source, kind::SECRET, Look::Forbidden("no".into())).seen();
        let codes = |name| needed(&seen, &ask(&[name])).into_iter().map(|finding| finding.code).collect::<Vec<_>>();
        assert_eq!((codes("db-1"), codes("web-1")), (vec!["R002".to_owned()], vec![]));
    }
}
