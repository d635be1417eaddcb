//! Whether a guest can be stopped for certain: its node must answer.

use super::Check;
use super::machines::{Machine, condition_at, each};
use crate::model::finding::Finding;
use crate::model::kind;

pub const CHECKS: &[Check] = &[
    Check { code: "H001", title: "the node under each guest is ready", run: |seen, ask| each(seen, ask, node_not_ready) },
    Check { code: "H002", title: "the state of each guest is known", run: |seen, ask| each(seen, ask, state_unknown) },
];

fn node_not_ready(machine: &Machine) -> Option<Finding> {
    let nodes = &machine.seen.source.cluster.objects;
    let name = machine.active()?.node()?;
    if !nodes.is_listed(kind::NODE) {
        return None;
    }
    let what = match nodes.get(kind::NODE, name) {
        Some(node) if condition_at(node, "Ready").is_some_and(|ready| ready.text("/status") == Some("True")) => return None,
        Some(_) => "does not answer (NotReady)",
        None => "is gone from the cluster",
    };
    Some(
        Finding::blocking(
            "H001",
            machine.reference(),
            format!("its node {name} {what}: whether the guest still writes to its disks cannot be known"),
        )
        .hint("bring the node back, or make sure that it is off and take it out of service as Kubernetes documents, then plan again"),
    )
}

fn state_unknown(machine: &Machine) -> Option<Finding> {
    machine.active().is_some_and(|vmi| vmi.phase() == "Unknown").then(|| {
        Finding::blocking("H002", machine.reference(), "KubeVirt does not know whether the guest runs (phase Unknown)")
            .hint("bring its node back, then plan again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures::{World, ask, node, running, vm, vmi};

    #[test]
    fn a_guest_on_a_silent_node_is_not_moved() {
        let db = running(vm("db-1", &[]));
        let world = || World::new().source(vmi(&db)).source(db.clone());
        let found = |world: World| {
            let seen = world.seen();
            CHECKS.iter().flat_map(|check| (check.run)(&seen, &ask(&["db-1"]))).map(|finding| finding.code).collect::<Vec<_>>()
        };
        assert!(found(world()).is_empty());
        assert_eq!(found(world().cluster(node("node-1", false))), ["H001"]);
        let mut lost = vmi(&db);
        lost.set("/status/phase", "Unknown".into());
        lost.set("/status/nodeName", "node-9".into());
        assert_eq!(found(world().source(lost)), ["H001", "H002"]);
    }
}
