//! Nodes of one trial's own, whose kubelets can fall silent.

use anyhow::Result;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Lab, objects};

const TAINT: &str = "lab/lonely";

impl Lab {
    /// Makes a node that no pod goes to but those of machines with this patch to their VirtualMachine.
    pub async fn lonely_node(&self, name: &str) -> Result<Value> {
        let mut node = objects::node(name);
        node["spec"] = json!({"taints": [{"key": TAINT, "effect": "NoSchedule"}]});
        self.create(&[node]).await?;
        self.each_ready("Node", "Ready", &[name]).await?;
        Ok(json!({"spec": {"template": {"spec": {
            "nodeSelector": {"kubernetes.io/hostname": name}, "tolerations": [{"key": TAINT, "operator": "Exists"}]}}}}))
    }

    /// The node's kubelet is not heard of any more, and the node controller has found out.
    pub async fn silence(&self, node: &str) -> Result<()> {
        self.patch("Node", "", node, json!({"metadata": {"annotations": {"lab/silent": "true"}}})).await?;
        let unknown = json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]}});
        self.api("Node", "").patch_status(node, &PatchParams::default(), &Patch::Strategic(unknown)).await?;
        Ok(())
    }

    /// It is heard of again.
    pub async fn wake(&self, node: &str) -> Result<()> {
        self.patch("Node", "", node, json!({"metadata": {"annotations": {"lab/silent": null}}})).await?;
        self.each_ready("Node", "Ready", &[node]).await
    }
}
