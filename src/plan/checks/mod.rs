//! What speaks against a move, seen before anything is touched: one row per check, one file per subject.
//!
//! Every check is a function of what was seen and asked. Where only the source was looked at (`assess`), checks of the target find nothing.

pub mod access;
pub mod classes;
pub mod disks;
pub mod machines;
pub mod names;
pub mod namespace;
pub mod network;
pub mod nodes;
pub mod ownership;
pub mod server;
pub mod storage;
pub mod vms;

use super::carry;
use super::request::MoveRequest;
use super::share::{MANY, shared_out};
use crate::model::finding::Finding;
use crate::model::inventory::Inventory;

/// One check. Every finding of it carries its code; `explain` has a text for each.
pub struct Check {
    pub code: &'static str,
    /// What it looks for, in a few words.
    pub title: &'static str,
    pub run: fn(&Inventory, &MoveRequest) -> Vec<Finding>,
}

/// Every check of this folder, grouped by subject. What is not carried has its rows in [`carry`].
const HERE: &[&[Check]] = &[
    server::CHECKS,
    access::CHECKS,
    namespace::CHECKS,
    names::CHECKS,
    vms::CHECKS,
    storage::CHECKS,
    classes::CHECKS,
    network::CHECKS,
    ownership::CHECKS,
    nodes::CHECKS,
];

/// Every check there is; `explain` has a text for each.
pub fn all() -> impl Iterator<Item = &'static Check> {
    HERE.iter().chain(carry::CHECKS).copied().flatten()
}

/// Runs every check: the worst findings first, then by object and code.
pub fn findings(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let checks: Vec<&Check> = all().collect();
    let mut found = shared_out(&checks, ask.machines.len() >= MANY, |check| (check.run)(seen, ask)).concat();
    sort(&mut found);
    found
}

/// Puts findings in the order in which people read them, and drops repetitions.
pub fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| (b.severity, &a.object, &a.code, &a.message).cmp(&(a.severity, &b.object, &b.code, &b.message)));
    findings.dedup();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::kind;
    use crate::model::names::End;
    use crate::plan::fixtures::{World, ask, claim, codes, running, vm, vmi, volume};

    #[test]
    fn an_ordinary_running_machine_has_nothing_against_it() {
        let db = running(vm("db-1", &["db-1"]));
        let disk = claim("db-1", 20);
        let seen = World::new().source(vmi(&db)).source(db).cluster(volume(&disk)).source(disk).seen();
        let found: Vec<_> =
            findings(&seen, &ask(&["db-1"])).into_iter().filter(|finding| finding.severity > crate::model::finding::Severity::Info).collect();
        assert_eq!(found, []);
    }

    #[test]
    fn each_check_has_its_own_code() {
        let all: Vec<_> = all().map(|check| check.code).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_worst_comes_first() {
        let reference = |name: &str| crate::model::names::ObjectRef::namespaced(End::Source, kind::VM, "shop", name);
        let mut found = vec![
            Finding::info("V014", reference("a"), "x"),
            Finding::warning("V012", reference("b"), "x"),
            Finding::blocking("V001", reference("c"), "x"),
            Finding::blocking("V001", reference("b"), "x"),
            Finding::blocking("V001", reference("b"), "x"),
        ];
        sort(&mut found);
        assert_eq!(codes(&found), ["V001", "V001", "V012", "V014"]);
        assert_eq!(found[0].object.name, "b");
    }
}
