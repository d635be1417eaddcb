//! Who else decides about a machine: pools and other controllers, and tools that keep a cluster equal to a repository.

use super::Check;
use super::machines::{Machine, each, machines};
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::Inventory;
use crate::model::manifest::Manifest;
use crate::plan::request::MoveRequest;

pub const CHECKS: &[Check] = &[
    Check { code: "O001", title: "no machine belongs to a pool", run: |seen, ask| each(seen, ask, pooled) },
    Check { code: "O002", title: "no GitOps tool manages a machine", run: |seen, ask| managed("O002", seen, ask, tracker) },
    Check { code: "O003", title: "no other controller owns a machine", run: |seen, ask| managed("O003", seen, ask, controller) },
];

/// Marks that tools leave on what they manage: tool, label or annotation (a prefix when it ends in `/`).
const TRACKERS: &[(&str, &str)] = &[
    ("Argo CD", "argocd.argoproj.io/"),
    ("Flux", "kustomize.toolkit.fluxcd.io/"),
    ("Flux", "helm.toolkit.fluxcd.io/"),
    ("Helm", "meta.helm.sh/release-name"),
    ("Advanced Cluster Management", "apps.open-cluster-management.io/"),
];

/// Finalizer and owner of a machine in a pool (KubeVirt `api/pool/v1beta1`).
const POOL_FINALIZER: &str = "pool.kubevirt.io/finalizer";
const POOL_KIND: &str = "VirtualMachinePool";

fn pooled(machine: &Machine) -> Option<Finding> {
    let owner = machine.vm.owners().find(|owner| owner.kind == POOL_KIND).map(|owner| owner.name);
    let finalizer = machine.vm.list("/metadata/finalizers").any(|finalizer| finalizer.as_str() == Some(POOL_FINALIZER));
    if owner.is_none() && !finalizer {
        return None;
    }
    let pool = owner.map_or_else(|| "a pool".to_owned(), |name| format!("pool {name}"));
    Some(
        Finding::blocking("O001", machine.reference(), format!("it belongs to {pool}, which would make another in its place"))
            .hint("detach it from the pool first"),
    )
}

/// A machine that something else manages; `--force` lets it be moved all the same.
fn managed(code: &str, seen: &Inventory, ask: &MoveRequest, manager: fn(&Manifest) -> Option<String>) -> Vec<Finding> {
    let severity = if ask.force { Severity::Warning } else { Severity::Blocking };
    machines(seen, ask)
        .filter_map(|machine| {
            let manager = manager(machine.vm)?;
            let message =
                format!("{manager} manages it and may undo the move: start the source again, or make it anew with empty disks after cleanup");
            let hint = if ask.force {
                "take it out of there before you clean up the source"
            } else {
                "take it out of there first, or move it all the same with --force"
            };
            Some(Finding::new(severity, code, machine.reference(), message).hint(hint))
        })
        .collect()
}

/// The tool whose mark an object carries. Argo CD in its label mode leaves only a common label, so its field manager counts too.
fn tracker(vm: &Manifest) -> Option<String> {
    let matches = |key: &str, mark: &str| if mark.ends_with('/') { key.starts_with(mark) } else { key == mark };
    let keys: Vec<&str> = vm.labels().into_keys().chain(vm.annotations().into_keys()).collect();
    let marked = TRACKERS.iter().find(|(_, mark)| keys.iter().any(|key| matches(key, mark))).map(|(tool, _)| *tool);
    let applied = || {
        let mut managers = vm.list("/metadata/managedFields").filter_map(|entry| entry.text("/manager"));
        managers.any(|manager| manager.starts_with("argocd")).then_some("Argo CD")
    };
    marked.or_else(applied).map(str::to_owned)
}

/// A controller other than a pool.
fn controller(vm: &Manifest) -> Option<String> {
    vm.owners().find(|owner| owner.controller && owner.kind != POOL_KIND).map(|owner| format!("{} {}", owner.kind, owner.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::fixtures::{World, ask, vm};

    fn of(vm: Manifest, force: bool) -> Vec<(String, Severity)> {
        let ask = MoveRequest { force, ..ask(&["db-1"]) };
        let seen = World::new().source(vm).seen();
        CHECKS.iter().flat_map(|check| (check.run)(&seen, &ask)).map(|finding| (finding.code, finding.severity)).collect()
    }

    #[test]
    fn a_pool_never_gives_a_machine_away() {
        let mut db = vm("db-1", &[]);
        db.set("/metadata/ownerReferences", json!([{"kind": POOL_KIND, "name": "workers", "controller": true}]));
        assert_eq!(of(db.clone(), true), [("O001".to_owned(), Severity::Blocking)]);
        assert_eq!(of(db, false), [("O001".to_owned(), Severity::Blocking)]);
    }

    #[test]
    fn git_ops_is_respected_unless_forced() {
        let mut stories = Vec::new();
        for key in ["argocd.argoproj.io/tracking-id", "meta.helm.sh/release-name", "apps.open-cluster-management.io/hosting-subscription"] {
            let mut db = vm("db-1", &[]);
            db.set_annotation(key, "x");
            stories.push((db, "O002"));
        }
        let mut db = vm("db-1", &[]);
        db.set_label("kustomize.toolkit.fluxcd.io/name", "x");
        stories.push((db.clone(), "O002"));
        db.remove("/metadata/labels");
        db.set("/metadata/managedFields", json!([{"manager": "argocd-controller"}]));
        stories.push((db.clone(), "O002"));
        db.remove("/metadata/managedFields");
        db.set("/metadata/ownerReferences", json!([{"kind": "KubevirtMachine", "name": "worker", "controller": true}]));
        stories.push((db, "O003"));
        for (db, code) in stories {
            assert_eq!(of(db.clone(), false), [(code.to_owned(), Severity::Blocking)]);
            assert_eq!(of(db, true), [(code.to_owned(), Severity::Warning)]);
        }
    }
}
