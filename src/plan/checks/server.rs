//! Whether the cluster has what virtual machines and their disks need.

use super::Check;
use crate::model::finding::Finding;
use crate::model::inventory::{Inventory, Look, Place};
use crate::model::kind::{self, Kind};
use crate::model::names::ObjectRef;

pub const CHECKS: &[Check] = &[
    Check { code: "K001", title: "KubeVirt is installed", run: |seen, _| lacking(seen, kind::VM, no_kubevirt) },
    Check { code: "K002", title: "CDI is installed", run: |seen, _| lacking(seen, kind::DATA_VOLUME, no_cdi) },
];

fn lacking(seen: &Inventory, kind: Kind, finding: fn(&Place) -> Finding) -> Vec<Finding> {
    let places = [Some(&seen.source), seen.target.as_ref()].into_iter().flatten();
    let mut found: Vec<Finding> = places.filter(|place| place.objects.look(kind) == Some(&Look::Missing)).map(finding).collect();
    found.dedup_by(|a, b| a.message == b.message);
    found
}

fn no_kubevirt(place: &Place) -> Finding {
    let server = &place.cluster.server;
    Finding::blocking(
        "K001",
        ObjectRef::cluster(place.end, kind::CRD, &kind::VM.resource()),
        format!("KubeVirt is not installed on {server}: the server knows no virtual machines"),
    )
    .hint("check --context: is this the right cluster?")
}

fn no_cdi(place: &Place) -> Finding {
    let message = format!("CDI is not installed on {}: disks cannot be copied across namespaces by it", place.cluster.server);
    Finding::warning("K002", ObjectRef::cluster(place.end, kind::CRD, &kind::DATA_VOLUME.resource()), message)
        .hint("disks can still travel with CloneRebind or, with --volumes move, Rebind, if you may patch volumes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::End;
    use crate::plan::fixtures::{World, ask};

    #[test]
    fn a_cluster_without_kubevirt_is_told_once() {
        let seen = World::new().look(End::Source, kind::VM, Look::Missing).look(End::Target, kind::VM, Look::Missing).seen();
        let found = super::super::findings(&seen, &ask(&["db-1"]));
        assert_eq!(crate::plan::fixtures::codes(&found), ["K001"]);
    }

    #[test]
    fn a_cluster_without_cdi_is_a_warning() {
        let seen = World::new().look(End::Source, kind::DATA_VOLUME, Look::Missing).look(End::Target, kind::DATA_VOLUME, Look::Missing).seen();
        assert_eq!(crate::plan::fixtures::codes(&super::super::findings(&seen, &ask(&[]))), ["K002"]);
    }
}
