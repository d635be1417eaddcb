//! The cluster as a whole: which one it is, who asks, what it is made of.

use futures::try_join;
use serde_json::Value;

use super::eyes::{Eyes, Row};
use super::{lists, network, storage};
use crate::cluster::Access;
use crate::model::failure::Failure;
use crate::model::inventory::{ClusterSeen, Look, Objects, Stack};
use crate::model::kind::{self, Kind};

const ROWS: &[Row] =
    &[Row::whole(kind::NODE), Row::whole(kind::CLUSTER_INSTANCETYPE), Row::whole(kind::CLUSTER_PREFERENCE), Row::whole(kind::KUBEVIRT)];

/// Everything that is asked once per cluster.
pub(super) async fn seen(eyes: &Eyes<'_>) -> Result<ClusterSeen, Failure> {
    let rows: Vec<Row> = [ROWS, storage::CLUSTER_ROWS].concat().into_iter().chain(network::cluster_rows()).collect();
    let patch_volumes = Access { verb: "patch".to_owned(), resource: kind::VOLUME.plural.to_owned(), ..Access::default() };
    let (system, user, (objects, stack), may_patch_volumes) = try_join!(
        eyes.one(kind::NAMESPACE, "kube-system"),
        eyes.ask_if_any(eyes.cluster.who_am_i()),
        objects_and_stack(eyes, &rows),
        eyes.may(&patch_volumes),
    )?;
    let id = match &system {
        Look::Listed(found) => found.values().next().map(|system| system.uid().to_owned()),
        _ => None,
    };
    Ok(ClusterSeen {
        id: id.unwrap_or_default(),
        server: eyes.cluster.server().to_owned(),
        user: user.unwrap_or_default(),
        stack,
        kubevirt_gates: gates(&objects),
        may_patch_volumes,
        objects,
    })
}

/// What the server's parts say they are.
pub(super) async fn stack(eyes: &Eyes<'_>) -> Result<Stack, Failure> {
    Ok(objects_and_stack(eyes, &[Row::whole(kind::KUBEVIRT), Row::whole(kind::CDI)]).await?.1)
}

async fn objects_and_stack(eyes: &Eyes<'_>, rows: &[Row]) -> Result<(Objects, Stack), Failure> {
    let (objects, kubernetes, snapshots) = try_join!(
        lists(eyes, rows, None),
        text(eyes, "/version", "/gitVersion"),
        text(eyes, "/apis/snapshot.storage.k8s.io", "/preferredVersion/version"),
    )?;
    let observed = |kind: Kind, pointer: &str| objects.all(kind).find_map(|object| object.text(pointer).map(str::to_owned));
    let kubevirt = match observed(kind::KUBEVIRT, "/status/observedKubeVirtVersion") {
        // Who may not read the CR is told by KubeVirt's API server; one that is down must not end the survey.
        None if matches!(objects.look(kind::KUBEVIRT), Some(Look::Forbidden(_))) => {
            text(eyes, "/apis/subresources.kubevirt.io/v1/version", "/gitVersion").await.ok().flatten()
        }
        version => version,
    };
    let stack = Stack { kubernetes, kubevirt, cdi: observed(kind::CDI, "/status/observedVersion"), snapshots };
    Ok((objects, stack))
}

async fn text(eyes: &Eyes<'_>, path: &str, pointer: &str) -> Result<Option<String>, Failure> {
    let answer = eyes.ask_if_any(eyes.cluster.raw(path)).await?;
    Ok(answer.and_then(|answer| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned)))
}

/// Source of the field: kubevirt/kubevirt `staging/src/kubevirt.io/api/core/v1/types.go`, DeveloperConfiguration.
fn gates(objects: &Objects) -> Vec<String> {
    let listed = objects.all(kind::KUBEVIRT).flat_map(|kubevirt| kubevirt.list("/spec/configuration/developerConfiguration/featureGates"));
    listed.filter_map(|gate| gate.as_str().map(str::to_owned)).collect()
}
