//! What the user asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How one disk travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub enum Strategy {
    /// A CSI clone beside the source, whose volume is then handed to the target's claim. The source keeps its own disk.
    CloneRebind,
    /// The volume itself changes hands: nothing is copied.
    Rebind,
    /// A DataVolume in the target namespace that CDI clones across namespaces, and across classes.
    CdiClone,
}

impl Strategy {
    pub const ALL: [Self; 3] = [Self::CloneRebind, Self::Rebind, Self::CdiClone];

    /// The name that flags, plans and `explain` use.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloneRebind => "CloneRebind",
            Self::Rebind => "Rebind",
            Self::CdiClone => "CdiClone",
        }
    }

    /// The strategy of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name().eq_ignore_ascii_case(name))
    }
}

/// Whether the source keeps its disks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Volumes {
    #[default]
    Copy,
    Move,
}

/// The power state in the target.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartPolicy {
    #[default]
    AsBefore,
    Always,
    Never,
}

/// What happens to a virtual machine that fails, and to the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Keep it as it is for a look; begin no others.
    #[default]
    Stop,
    /// Put it back, never across its start; begin no others.
    Undo,
    /// Keep it as it is and go on with the others.
    Continue,
}

/// How deep to look after the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyDepth {
    None,
    Objects,
    #[default]
    Boot,
}

/// What holds for the whole move and does not follow from what was seen. Part of the plan.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    pub volumes: Volumes,
    pub start: StartPolicy,
    pub on_failure: OnFailure,
    pub verify: VerifyDepth,
    /// Virtual machines in flight.
    pub parallel: usize,
    /// How long a guest may take to shut down; absent: its own grace period plus a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_timeout_seconds: Option<u64>,
    /// Cut the power when the guest does not shut down in time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force_stop: bool,
    /// Go on with disks of a guest that was cut off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accept_unclean: bool,
    /// Put a virtual machine back that has not come up in the target by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_downtime_seconds: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            volumes: Volumes::default(),
            start: StartPolicy::default(),
            on_failure: OnFailure::default(),
            verify: VerifyDepth::default(),
            parallel: 4,
            shutdown_timeout_seconds: None,
            force_stop: false,
            accept_unclean: false,
            max_downtime_seconds: None,
        }
    }
}

/// What the user asked for: which machines, where to, and how.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MoveRequest {
    /// Names of virtual machines in the source namespace, in the user's order.
    pub machines: Vec<String>,
    pub target_namespace: String,
    pub create_namespace: bool,
    pub options: Options,
    /// A strategy for all disks.
    pub strategy: Option<Strategy>,
    /// A strategy for one claim, by its name in the source.
    pub claim_strategies: BTreeMap<String, Strategy>,
    /// The target's storage class for all disks.
    pub storage_class: Option<String>,
    /// The target's storage class for one claim, by its name in the source.
    pub claim_classes: BTreeMap<String, String>,
    /// The target's storage class for disks that are on another one.
    pub class_map: BTreeMap<String, String>,
    /// Names in the target, by names in the source.
    pub rename: BTreeMap<String, String>,
    /// Networks in the target, by networks in the source.
    pub network_map: BTreeMap<String, String>,
    /// Machines that something else manages (GitOps) may be moved all the same.
    pub force: bool,
}
