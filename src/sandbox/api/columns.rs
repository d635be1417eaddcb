//! The columns of the tables that kubectl prints, by kind (kubernetes 1.36 `pkg/printers/internalversion/printers.go`; custom resources have those
//! of their CustomResourceDefinitions).

use serde_json::Value;

use super::cells::{
    address, amount, condition, containers, controller, count, hosts, is_going, modes, or, or_none, pod_selector, ports, ready, selector, shares,
};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{self, Res};
use crate::sandbox::store::text;

/// What stands in a cell.
#[derive(Clone, Copy)]
pub enum Cell {
    /// What is there, or nothing.
    At(&'static str),
    /// How long ago the time there is.
    Ago(&'static str),
    /// The status of a condition of this type.
    Condition(&'static str),
    By(fn(&Value) -> Value),
}

/// A column: its name, its type, whether only `-o wide` shows it, and its cells.
#[derive(Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub kind: &'static str,
    pub wide: bool,
    pub cell: Cell,
}

const fn at(name: &'static str, pointer: &'static str) -> Column {
    Column { name, kind: "string", wide: false, cell: Cell::At(pointer) }
}

const fn by(name: &'static str, cell: fn(&Value) -> Value) -> Column {
    Column { name, kind: "string", wide: false, cell: Cell::By(cell) }
}

const fn is(name: &'static str, condition: &'static str) -> Column {
    Column { name, kind: "string", wide: false, cell: Cell::Condition(condition) }
}

const fn ago(name: &'static str, pointer: &'static str) -> Column {
    Column { name, kind: "string", wide: false, cell: Cell::Ago(pointer) }
}

impl Column {
    const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }

    const fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }
}

const NAME: Column = at("Name", "/metadata/name");
const AGE: Column = ago("Age", "/metadata/creationTimestamp");
/// As custom resources have it.
const DATE: Column = AGE.kind("date");

/// The columns by kind. Others have name and age.
const TABLES: &[(Res, &[Column])] = &[
    (&catalog::NAMESPACE, &[NAME, at("Status", "/status/phase"), AGE]),
    (
        &catalog::NODE,
        &[
            NAME,
            by("Status", |node| if condition(node, "Ready") == Some("True") { "Ready" } else { "NotReady" }.into()),
            by("Roles", |_| "<none>".into()),
            AGE,
            at("Version", "/status/nodeInfo/kubeletVersion"),
            by("Internal-IP", |node| address(node, "InternalIP")).wide(),
            by("External-IP", |node| address(node, "ExternalIP")).wide(),
            at("OS-Image", "/status/nodeInfo/osImage").wide(),
            at("Kernel-Version", "/status/nodeInfo/kernelVersion").wide(),
            at("Container-Runtime", "/status/nodeInfo/containerRuntimeVersion").wide(),
        ],
    ),
    (
        &catalog::POD,
        &[
            NAME,
            by("Ready", ready),
            by("Status", |pod| if is_going(pod) { "Terminating".into() } else { pod["status"]["phase"].clone() }),
            by("Restarts", |_| "0".into()),
            AGE,
            by("IP", |pod| or_none(pod, "/status/podIP")).wide(),
            by("Node", |pod| or_none(pod, "/spec/nodeName")).wide(),
            by("Nominated Node", |pod| or_none(pod, "/status/nominatedNodeName")).wide(),
            by("Readiness Gates", |_| "<none>".into()).wide(),
        ],
    ),
    (
        &catalog::EVENT,
        &[
            ago("Last Seen", "/lastTimestamp"),
            at("Type", "/type"),
            at("Reason", "/reason"),
            by("Object", |event| format!("{}/{}", text(event, "/involvedObject/kind").to_lowercase(), text(event, "/involvedObject/name")).into()),
            at("Subobject", "/involvedObject/fieldPath").wide(),
            at("Source", "/source/component").wide(),
            at("Message", "/message"),
            ago("First Seen", "/firstTimestamp").wide(),
            by("Count", |event| event["count"].to_string().into()).wide(),
            NAME.wide(),
        ],
    ),
    (&catalog::SECRET, &[NAME, at("Type", "/type"), by("Data", |secret| count(secret, &["/data"])), AGE]),
    (&catalog::CONFIG_MAP, &[NAME, by("Data", |map| count(map, &["/data", "/binaryData"])), AGE]),
    (&catalog::SERVICE_ACCOUNT, &[NAME, AGE]),
    (
        &catalog::SERVICE,
        &[
            NAME,
            at("Type", "/spec/type"),
            by("Cluster-IP", |service| or_none(service, "/spec/clusterIP")),
            by("External-IP", |_| "<none>".into()),
            by("Port(s)", ports),
            AGE,
            by("Selector", selector).wide(),
        ],
    ),
    (
        &catalog::CLAIM,
        &[
            NAME,
            by("Status", |claim| if is_going(claim) { "Terminating".into() } else { claim["status"]["phase"].clone() }),
            at("Volume", "/spec/volumeName"),
            by("Capacity", |claim| if text(claim, "/spec/volumeName").is_empty() { "" } else { text(claim, "/status/capacity/storage") }.into()),
            by("Access Modes", |claim| if text(claim, "/spec/volumeName").is_empty() { "".into() } else { modes(claim, "/status/accessModes") }),
            at("StorageClass", "/spec/storageClassName"),
            by("VolumeAttributesClass", |claim| or(claim, "/spec/volumeAttributesClassName", "<unset>")),
            AGE,
            by("VolumeMode", |claim| or(claim, "/spec/volumeMode", "<unset>")).wide(),
        ],
    ),
    (
        &catalog::VOLUME,
        &[
            NAME,
            at("Capacity", "/spec/capacity/storage"),
            by("Access Modes", |volume| modes(volume, "/spec/accessModes")),
            at("Reclaim Policy", "/spec/persistentVolumeReclaimPolicy"),
            by("Status", |volume| if is_going(volume) { "Terminating".into() } else { volume["status"]["phase"].clone() }),
            by("Claim", |volume| match volume.at("/spec/claimRef") {
                Some(claim) => format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")).into(),
                None => "".into(),
            }),
            at("StorageClass", "/spec/storageClassName"),
            by("VolumeAttributesClass", |volume| or(volume, "/spec/volumeAttributesClassName", "<unset>")),
            at("Reason", "/status/reason"),
            AGE,
            by("VolumeMode", |volume| or(volume, "/spec/volumeMode", "<unset>")).wide(),
        ],
    ),
    (
        &catalog::STORAGE_CLASS,
        &[
            by("Name", |class| {
                let default = class.at("/metadata/annotations/storageclass.kubernetes.io~1is-default-class");
                let mark = if default.is_some_and(|default| default == "true") { " (default)" } else { "" };
                format!("{}{mark}", text(class, "/metadata/name")).into()
            }),
            at("Provisioner", "/provisioner"),
            at("ReclaimPolicy", "/reclaimPolicy"),
            at("VolumeBindingMode", "/volumeBindingMode"),
            by("AllowVolumeExpansion", |class| class["allowVolumeExpansion"].as_bool().unwrap_or(false).into()),
            AGE,
        ],
    ),
    (&catalog::QUOTA, &[NAME, by("Request", |quota| shares(quota, false)), by("Limit", |quota| shares(quota, true)), AGE]),
    (&catalog::LIMIT_RANGE, &[NAME, at("Created At", "/metadata/creationTimestamp").kind("date")]),
    (
        &catalog::JOB,
        &[
            NAME,
            by("Status", |job| if condition(job, "Complete") == Some("True") { "Complete" } else { "Running" }.into()),
            by("Completions", |job| {
                format!("{}/{}", job["status"]["succeeded"].as_u64().unwrap_or(0), job["spec"]["completions"].as_u64().unwrap_or(1)).into()
            }),
            by("Duration", |_| "".into()),
            AGE,
            by("Containers", |job| containers(job, "name")).wide(),
            by("Images", |job| containers(job, "image")).wide(),
            by("Selector", selector).wide(),
        ],
    ),
    (&catalog::NETWORK_POLICY, &[NAME, by("Pod-Selector", pod_selector), AGE]),
    (
        &catalog::INGRESS,
        &[
            NAME,
            by("Class", |ingress| or_none(ingress, "/spec/ingressClassName")),
            by("Hosts", hosts),
            by("Address", |ingress| or(ingress, "/status/loadBalancer/ingress/0/ip", "")),
            by("Ports", |ingress| if ingress.at("/spec/tls").is_some() { "80, 443" } else { "80" }.into()),
            AGE,
        ],
    ),
    (
        &catalog::DISRUPTION_BUDGET,
        &[
            NAME,
            by("Min Available", |budget| amount(budget, "/spec/minAvailable")),
            by("Max Unavailable", |budget| amount(budget, "/spec/maxUnavailable")),
            by("Allowed Disruptions", |budget| budget["status"]["disruptionsAllowed"].as_u64().unwrap_or(0).into()).kind("integer"),
            AGE,
        ],
    ),
    (&catalog::LEASE, &[NAME, at("Holder", "/spec/holderIdentity"), AGE]),
    (
        &catalog::CONTROLLER_REVISION,
        &[
            NAME,
            by("Controller", |revision| {
                let owners = revision.at("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
                let controller = owners.filter(|owner| owner["controller"] == true).map(controller).next();
                controller.unwrap_or("<none>".into())
            }),
            by("Revision", |revision| revision["revision"].to_string().into()),
            AGE,
        ],
    ),
    (
        &catalog::SNAPSHOT,
        &[
            NAME,
            at("ReadyToUse", "/status/readyToUse").kind("boolean"),
            at("SourcePVC", "/spec/source/persistentVolumeClaimName"),
            at("SourceSnapshotContent", "/spec/source/volumeSnapshotContentName"),
            at("RestoreSize", "/status/restoreSize"),
            at("SnapshotClass", "/spec/volumeSnapshotClassName"),
            at("SnapshotContent", "/status/boundVolumeSnapshotContentName"),
            ago("CreationTime", "/status/creationTime").kind("date"),
            DATE,
        ],
    ),
    (&catalog::VM, &[NAME, DATE, at("Status", "/status/printableStatus"), is("Ready", "Ready")]),
    (
        &catalog::VMI,
        &[
            NAME,
            DATE,
            at("Phase", "/status/phase"),
            at("IP", "/status/interfaces/0/ipAddress"),
            at("NodeName", "/status/nodeName"),
            is("Ready", "Ready"),
            is("Live-Migratable", "LiveMigratable").wide(),
            is("Paused", "Paused").wide(),
        ],
    ),
    (&catalog::VMIM, &[NAME, at("Phase", "/status/phase"), at("VMI", "/spec/vmiName")]),
    (
        &catalog::VM_SNAPSHOT,
        &[
            NAME,
            at("SourceKind", "/spec/source/kind"),
            at("SourceName", "/spec/source/name"),
            at("Phase", "/status/phase"),
            at("ReadyToUse", "/status/readyToUse").kind("boolean"),
            ago("CreationTime", "/status/creationTime").kind("date"),
            at("Error", "/status/error/message"),
        ],
    ),
    (
        &catalog::VM_RESTORE,
        &[
            NAME,
            at("TargetKind", "/spec/target/kind"),
            at("TargetName", "/spec/target/name"),
            at("Complete", "/status/complete").kind("boolean"),
            ago("RestoreTime", "/status/restoreTime").kind("date"),
            at("Error", "/status/error/message"),
        ],
    ),
    (
        &catalog::DATA_VOLUME,
        &[NAME, at("Phase", "/status/phase"), at("Progress", "/status/progress"), at("Restarts", "/status/restartCount").kind("integer"), DATE],
    ),
];

pub fn columns(resource: Res) -> &'static [Column] {
    let plain: &[Column] = if resource.custom { &[NAME, DATE] } else { &[NAME, AGE] };
    TABLES.iter().find(|(kind, _)| *kind == resource).map_or(plain, |(_, columns)| columns)
}
