//! A plan as a person reviews it: what it amounts to, how each disk travels, what changes, what speaks against it.

use std::fmt::Write;

use jiff::Timestamp;

use super::columns::{changes, disks, findings};
use super::escape;
use super::table::{self, Style};
use crate::model::finding::Finding;
use crate::model::quantity;
use crate::plan::document::{DiskPlan, Plan};
use crate::plan::request::Strategy;

/// How much of a digest people read.
const SHORT_DIGEST: usize = 6;

/// What going back does to volumes that were handed over.
const BACK: &str = "; a rollback hands it back with what was written meanwhile";

/// The text of `plan`; with `-o wide` also what is copied beside the machines and every changed field.
pub fn plan(plan: &Plan, found: &[Finding], style: Style, now: Timestamp) -> String {
    let mut sections = vec![headline(plan), table::render(&disks::rows(plan), style, now)];
    if style.wide {
        sections.push(table::render(&plan.spec.dependents, style, now));
        sections.push(table::render(&changes::rows(plan), style, now));
    }
    sections.push(table::render(&findings::sorted(found), style, now));
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

/// `plan shop-to-prod, digest 3f9ac1: 2 virtual machines, 3 disks, 140Gi; copies 140Gi`, with its line end.
pub fn headline(plan: &Plan) -> String {
    let disks = || plan.spec.machines.iter().flat_map(|machine| &machine.disks);
    let bytes = |wanted: &dyn Fn(&DiskPlan) -> bool| disks().filter(|disk| wanted(disk)).map(|disk| disk.capacity).sum::<u64>();
    let digest: String = plan.metadata.digest.chars().take(SHORT_DIGEST).collect();
    let machines = counted(plan.spec.machines.len(), "virtual machine");
    let mut text = format!("plan {}, digest {digest}: {machines}, {}", escape::terminal(&plan.metadata.name), counted(disks().count(), "disk"));
    if disks().count() > 0 {
        let copied = bytes(&|disk| matches!(disk.strategy, Strategy::CloneRebind | Strategy::CdiClone));
        let moved = bytes(&|disk| disk.strategy == Strategy::Rebind);
        let _ = write!(text, ", {}; ", quantity::human(bytes(&|_| true)));
        let _ = match (copied, moved) {
            (0, 0) => write!(text, "nothing is copied"),
            (copied, 0) => write!(text, "copies {} inside the storage system", quantity::human(copied)),
            (0, moved) => write!(text, "hands over {} without copying{BACK}", quantity::human(moved)),
            (copied, moved) => write!(text, "copies {} and hands over {}{BACK}", quantity::human(copied), quantity::human(moved)),
        };
    }
    text + "\n"
}

/// `1 disk`, `2 disks`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::kind;
    use crate::model::names::{End, ObjectRef};
    use serde_json::{Value, json};

    fn disk(claim: &str, gi: u64, strategy: &str, why: &str, ownership: &Value) -> Value {
        json!({
            "volume": claim, "claim": claim, "claimUid": "u", "targetClaim": claim, "request": format!("{gi}Gi"), "capacity": gi << 30,
            "class": "fast", "targetClass": "archive", "volumeMode": "Block", "accessModes": ["ReadWriteOnce"],
            "ownership": ownership, "strategy": strategy, "why": why,
        })
    }

    fn machine(name: &str, disks: &[Value]) -> Value {
        json!({
            "name": name, "uid": "u", "generation": 1, "target": name, "identity": {"firmwareUuid": "f"},
            "power": {"running": true, "field": "running", "value": true, "start": true}, "disks": disks,
            "changes": [{"path": "/metadata/namespace", "from": "shop", "to": "prod", "why": "the target"}],
        })
    }

    fn shop_to_prod() -> Plan {
        let template = json!({"by": "dataVolume", "name": "db-1-root", "uid": "d", "template": true});
        let bytes = "class changes fast -> archive, so bytes must be copied";
        serde_json::from_value(json!({
            "apiVersion": "vmmove.io/v1alpha1", "kind": "MovePlan", "metadata": {"name": "shop-to-prod", "digest": "3f9ac1d2e3"},
            "spec": {
                "source": {"namespace": "shop"}, "target": {"namespace": "prod"}, "options": {"parallel": 4},
                "machines": [
                    machine("db-1", &[
                        disk("db-1-root", 20, "CloneRebind", "class fast clones", &template),
                        disk("db-1-data", 100, "CdiClone", bytes, &json!({"by": "nobody"})),
                    ]),
                    machine("web-1", &[disk("web-1", 20, "Rebind", "asked for with --volumes move", &json!({"by": "machine"}))]),
                ],
                "dependents": [
                    {"kind": "secrets", "name": "login", "uid": "s", "resourceVersion": "1", "usedBy": ["db-1", "web-1"], "exists": true},
                    {"kind": "configmaps", "name": "motd", "uid": "c", "resourceVersion": "1", "usedBy": ["db-1"]},
                ],
            },
        }))
        .unwrap()
    }

    fn found() -> Vec<Finding> {
        let vm = |name: &str| ObjectRef::namespaced(End::Source, kind::VM, "shop", name);
        let claim = ObjectRef::namespaced(End::Target, kind::CLAIM, "prod", "web-1");
        vec![
            Finding::warning("N012", vm("db-1"), "network vlan10 exists in prod with another configuration")
                .hint("compare them with --diff\nor map it"),
            Finding::blocking("T004", claim, "a claim of this name is there already"),
        ]
    }

    #[test]
    fn a_plan_reads_from_the_whole_to_the_parts() {
        insta::assert_snapshot!(plan(&shop_to_prod(), &found(), Style::default(), Timestamp::UNIX_EPOCH), @r#"
        plan shop-to-prod, digest 3f9ac1: 2 virtual machines, 3 disks, 140Gi; copies 120Gi and hands over 20Gi; a rollback hands it back with what was written meanwhile

        VM      DISK        SIZE    STRATEGY      WHY
        db-1    db-1-root   20Gi    CloneRebind   class fast clones
        db-1    db-1-data   100Gi   CdiClone      class changes fast -> archive, so bytes must be copied
        web-1   web-1       20Gi    Rebind        asked for with --volumes move

        SEVERITY   CODE   OBJECT      MESSAGE
        Blocking   T004   pvc/web-1   a claim of this name is there already
        Warning    N012   vm/db-1     network vlan10 exists in prod with another configuration
                   hint: compare them with --diff
                         or map it
        "#);
    }

    #[test]
    fn wide_shows_dependents_and_every_changed_field() {
        insta::assert_snapshot!(plan(&shop_to_prod(), &[], Style { wide: true, ..Style::default() }, Timestamp::UNIX_EPOCH), @r#"
        plan shop-to-prod, digest 3f9ac1: 2 virtual machines, 3 disks, 140Gi; copies 120Gi and hands over 20Gi; a rollback hands it back with what was written meanwhile

        VM      DISK        SIZE    STRATEGY      CLASS   TARGET-CLASS   TARGET-DISK   OWNER          VOLUME   WHY
        db-1    db-1-root   20Gi    CloneRebind   fast    archive        db-1-root     dv/db-1-root   <none>   class fast clones
        db-1    db-1-data   100Gi   CdiClone      fast    archive        db-1-data     <none>         <none>   class changes fast -> archive, so bytes must be copied
        web-1   web-1       20Gi    Rebind        fast    archive        web-1         vm/web-1       <none>   asked for with --volumes move

        OBJECT         USED-BY      IN-TARGET
        secret/login   db-1,web-1   there, compared before anything is touched
        cm/motd        db-1         copied

        VM      FIELD                 FROM   TO     WHY
        db-1    /metadata/namespace   shop   prod   the target
        web-1   /metadata/namespace   shop   prod   the target
        "#);
    }
}
