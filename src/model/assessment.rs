//! What an assessment says about one virtual machine.

use serde::{Deserialize, Serialize};

/// One virtual machine as `assess` shows it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssessmentRow {
    pub name: String,
    /// KubeVirt's printable status: `Running`, `Stopped`, `Paused`.
    pub status: String,
    pub disks: usize,
    /// Bytes of all disks.
    pub size: u64,
    /// Networks by their name; `pod` for the pod network.
    pub networks: Vec<String>,
    /// How many objects of the namespace it refers to.
    pub dependents: usize,
    /// How many findings of each severity.
    pub blocking: usize,
    pub warnings: usize,
    /// When the machine was created, as the server says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Where its guest runs, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    pub run_strategy: String,
    pub claims: Vec<String>,
    pub classes: Vec<String>,
}
