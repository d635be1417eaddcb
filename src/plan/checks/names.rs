//! Whether the names that a move needs are free in the target.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use super::disks::disks;
use super::machines::{machines, nearest, target_name};
use crate::model::finding::Finding;
use crate::model::inventory::Inventory;
use crate::model::kind;
use crate::model::names::LABEL_MOVE;
use crate::plan::request::MoveRequest;

pub const CHECKS: &[Check] = &[
    Check { code: "T005", title: "no virtual machine of the name is in the target", run: |seen, ask| taken("T005", kind::VM, seen, ask) },
    Check { code: "T006", title: "no instance of the name is in the target", run: |seen, ask| taken("T006", kind::VMI, seen, ask) },
    Check { code: "T007", title: "no claim of a disk's name is in the target", run: |seen, ask| disk_taken("T007", kind::CLAIM, seen, ask) },
    Check {
        code: "T008",
        title: "no DataVolume of a disk's name is in the target",
        run: |seen, ask| disk_taken("T008", kind::DATA_VOLUME, seen, ask),
    },
    Check { code: "T009", title: "no two machines get one name", run: collision },
    Check { code: "T010", title: "names in the target are valid", run: invalid },
    Check { code: "T011", title: "renames name chosen machines", run: unknown_rename },
];

fn taken(code: &str, kind: kind::Kind, seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let Some(target) = &seen.target else { return Vec::new() };
    machines(seen, ask)
        .filter_map(|machine| target.objects.get(kind, target_name(ask, machine.name())))
        .map(|object| {
            let whose = object.label(LABEL_MOVE).map_or_else(String::new, |name| format!(", made by move {name}"));
            let message = format!("{}/{} exists in {} already{whose}", kind.singular(), object.name(), target.namespace);
            Finding::blocking(code, target.reference(kind, object.name()), message).hint(format!(
                "move it under another name with --rename {}=NEW, or remove the one in {}",
                object.name(),
                target.namespace
            ))
        })
        .collect()
}

/// Claims and DataVolumes keep their names in the target.
fn disk_taken(code: &str, kind: kind::Kind, seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let Some(target) = &seen.target else { return Vec::new() };
    disks(seen, ask)
        .filter_map(|disk| Some((disk, target.objects.get(kind, disk.name)?)))
        .map(|(disk, object)| {
            let whose = object.label(LABEL_MOVE).map_or_else(String::new, |name| format!(", made by move {name}"));
            let message = format!(
                "{}/{} exists in {} already{whose}; it would be the disk of {}",
                kind.singular(),
                object.name(),
                target.namespace,
                target_name(ask, disk.machine.name())
            );
            Finding::blocking(code, target.reference(kind, object.name()), message).hint("nothing is overwritten: remove it or give it another name")
        })
        .collect()
}

fn collision(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let mut by_target: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in &ask.machines {
        let claimants = by_target.entry(target_name(ask, name)).or_default();
        if !claimants.contains(&name.as_str()) {
            claimants.push(name);
        }
    }
    let doubled = by_target.into_iter().filter(|(_, names)| names.len() > 1);
    doubled
        .map(|(target, names)| {
            Finding::blocking(
                "T009",
                seen.source.reference(kind::VM, names[1]),
                format!("{} would all be called \"{target}\" in the target", names.join(", ")),
            )
            .hint("give each another name with --rename")
        })
        .collect()
}

fn invalid(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let wrong = ask.rename.iter().filter(|(_, new)| !is_label(new));
    wrong
        .map(|(old, new)| {
            Finding::blocking("T010", seen.source.reference(kind::VM, old), format!("\"{new}\" cannot be the name of a virtual machine"))
                .hint("use at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit")
        })
        .collect()
}

fn unknown_rename(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let chosen: BTreeSet<&String> = ask.machines.iter().collect();
    let stray = ask.rename.keys().filter(|old| !chosen.contains(old));
    stray
        .map(|old| {
            let finding = Finding::blocking(
                "T011",
                seen.source.reference(kind::VM, old),
                format!("--rename speaks of \"{old}\", which is not among the chosen machines"),
            );
            match nearest(old, ask.machines.iter().map(String::as_str)) {
                Some(near) => finding.hint(format!("did you mean \"{near}\"?")),
                None => finding,
            }
        })
        .collect()
}

/// An RFC 1123 label: safe as a virtual machine's name and as the label values and host names that KubeVirt makes of it.
fn is_label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 63 && edge(name.chars().next()) && edge(name.chars().last()) && name.chars().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::plan::fixtures::{World, ask, claim, codes, object, vm};

    fn of(world: World, ask: &MoveRequest) -> Vec<Finding> {
        let seen = world.seen();
        CHECKS.iter().flat_map(|check| (check.run)(&seen, ask)).collect()
    }

    fn renamed(machines: &[&str], pairs: &[(&str, &str)]) -> MoveRequest {
        MoveRequest { rename: pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect(), ..ask(machines) }
    }

    #[test]
    fn a_machine_of_the_name_in_the_target_is_never_overwritten() {
        let world = || World::new().source(vm("db-1", &[])).target(vm("db-1", &[]));
        assert_eq!(codes(&of(world(), &ask(&["db-1"]))), ["T005"]);
        assert!(of(world(), &renamed(&["db-1"], &[("db-1", "db-2")])).is_empty());
    }

    #[test]
    fn renames_must_make_sense() {
        let world = || World::new().source(vm("db-1", &[])).source(vm("web-1", &[]));
        assert_eq!(codes(&of(world(), &renamed(&["db-1", "web-1"], &[("db-1", "web-1")]))), ["T009"]);
        assert_eq!(codes(&of(world(), &renamed(&["db-1"], &[("db-1", "DB")]))), ["T010"]);
        let stray = of(world(), &renamed(&["db-1"], &[("db1", "db-2")]));
        assert_eq!(stray[0].hint.as_deref(), Some("did you mean \"db-1\"?"));
    }

    #[test]
    fn names_of_disks_must_be_free_in_the_target() {
        let taken = World::new().source(vm("db-1", &["data"])).source(claim("data", 20)).target(claim("data", 20)).target(object(
            kind::DATA_VOLUME,
            "data",
            json!({}),
        ));
        assert_eq!(codes(&of(taken, &ask(&["db-1"]))), ["T007", "T008"]);
    }
}
