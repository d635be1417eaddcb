//! The plan: the reviewable document of decisions. Same inventory and request, same bytes, same digest.
//!
//! A plan never holds contents of Secrets nor inline cloud-init: a virtual machine's manifest is rewritten again from the
//! source when it is recreated, and the plan lists which fields change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::{Options, Strategy};
use crate::model::kind::Kind;

/// `apiVersion` of every document of ours.
pub const API_VERSION: &str = "vmmove.io/v1alpha1";

/// A `MovePlan` as written to files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    pub api_version: String,
    pub kind: String,
    pub metadata: PlanMeta,
    pub spec: PlanSpec,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanMeta {
    /// `shop-to-prod`.
    pub name: String,
    /// SHA-256 of the spec's canonical JSON, in hex.
    pub digest: String,
}

/// One end of a plan.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanEnd {
    /// UID of namespace kube-system; empty when it could not be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    pub namespace: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanSpec {
    pub source: PlanEnd,
    pub target: PlanEnd,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create_namespace: bool,
    pub options: Options,
    /// Machines that something else manages are moved all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Network attachments in the target, by what the source calls them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, String>,
    /// Sorted by name.
    pub machines: Vec<MachinePlan>,
    /// What the machines refer to and the target needs; sorted by kind and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<DependentPlan>,
}

/// What is decided about one virtual machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachinePlan {
    pub name: String,
    pub uid: String,
    /// Generation of the spec that the plan was made from.
    pub generation: i64,
    /// Name in the target.
    pub target: String,
    pub power: Power,
    pub identity: Identity,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<DiskPlan>,
    /// ControllerRevisions to own in the target, by their names in the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<String>,
    /// Every field of the manifest that changes on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// How a virtual machine was powered, and will be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Power {
    /// A guest was up (or coming up) when the plan was made.
    pub running: bool,
    /// The run strategy's field and value, exactly as the source has them: `running: true` or `runStrategy: Manual`.
    pub field: RunField,
    pub value: Value,
    /// The target is started.
    pub start: bool,
}

/// Which of the two exclusive fields says whether a machine runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunField {
    Running,
    RunStrategy,
}

impl RunField {
    /// The JSON pointer of the field in a VirtualMachine.
    pub fn pointer(self) -> &'static str {
        match self {
            Self::Running => "/spec/running",
            Self::RunStrategy => "/spec/runStrategy",
        }
    }
}

/// What makes the guest believe it is the same machine. Read from the instance before it stops.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    pub firmware_uuid: String,
    /// Absent when the source has none: the target then must not get one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware_serial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_type: Option<String>,
    /// MAC addresses of running interfaces by interface name, for verification.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub macs: BTreeMap<String, String>,
    /// PCI annotations that only the instance carries and the target's template needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pci: BTreeMap<String, String>,
    /// The guest agent was connected when the plan was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agent: bool,
}

/// What is decided about one disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskPlan {
    /// Name of the volume in the virtual machine.
    pub volume: String,
    pub claim: String,
    pub claim_uid: String,
    /// Name of the claim in the target.
    pub target_claim: String,
    /// What the source claim asks for, as it says it.
    pub request: String,
    /// Bytes the source claim has.
    pub capacity: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_class: Option<String>,
    pub volume_mode: String,
    pub access_modes: Vec<String>,
    /// The PersistentVolume of the source claim; absent while it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume: Option<String>,
    pub ownership: Ownership,
    pub strategy: Strategy,
    pub why: String,
    /// Why each strategy that would have come first was not taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// Who owns a claim in the source, and so in the target.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "by")]
pub enum Ownership {
    /// Nobody: it outlives the machine.
    Nobody,
    /// The virtual machine itself.
    Machine,
    /// A DataVolume, which a template of the machine made (and adopts again) or which stands alone.
    #[serde(rename_all = "camelCase")]
    DataVolume { name: String, uid: String, template: bool },
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rejected {
    pub strategy: Strategy,
    pub why: String,
}

/// One changed field of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// JSON pointer.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    pub why: String,
}

/// What is decided about an object that machines refer to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DependentPlan {
    pub kind: Kind,
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    /// The machines that refer to it, sorted.
    pub used_by: Vec<String>,
    /// An object of this name is in the target already; its content is compared before anything is touched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exists: bool,
}
