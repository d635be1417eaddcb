//! The claim in which KubeVirt keeps what a guest's TPM and firmware remember: it stands in no specification.
//! Source: kubevirt 1.8 `pkg/storage/backend-storage/backend-storage.go`.
//!
//! Cases: `virtualmachines/a-machine-with-a-tpm-keeps-its-state-in-a-claim`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::claims::default_class;
use super::launchers;
use super::objects::{controlled_by, controller, label, list};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{CLAIM, KUBEVIRT, STORAGE_PROFILE, VMI};
use crate::sandbox::status::Status;
use crate::sandbox::store::text;
use crate::sandbox::world::World;

/// Whose state a claim keeps.
const LABEL: &str = "persistent-state-for";
const SIZE: &str = "10Mi";

/// Whether a guest remembers something beside its disks.
pub fn needed(vmi: &Value) -> bool {
    let is = |pointer: &str| vmi.at(&format!("/spec/domain/{pointer}")) == Some(&true.into());
    let off = vmi.at("/spec/domain/devices/tpm/enabled") == Some(&false.into());
    (is("devices/tpm/persistent") && !off) || is("firmware/bootloader/efi/persistent")
}

/// The claim of a guest, if it is there.
pub fn claim_of(world: &World, vmi: &Value) -> Option<Arc<Value>> {
    let (namespace, name) = (text(vmi, "/metadata/namespace"), text(vmi, "/metadata/name"));
    world.store.list(&CLAIM, Some(namespace)).find(|(_, claim)| label(claim, LABEL) == Some(name)).map(|(_, claim)| claim.clone())
}

/// Makes sure that a guest has its claim, if it needs one.
///
/// # Errors
/// What the API server said.
pub fn ensure(world: &mut World, vmi: &Value) -> Result<Option<Arc<Value>>, Status> {
    if !needed(vmi) {
        return Ok(None);
    }
    if let Some(found) = claim_of(world, vmi) {
        return Ok(Some(found));
    }
    let name = text(vmi, "/metadata/name");
    let class = class(world);
    let owner = controller(vmi).cloned().unwrap_or_else(|| controlled_by(&VMI, vmi));
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "generateName": format!("{LABEL}-{name}-"), "namespace": vmi["metadata"]["namespace"], "ownerReferences": [owner],
            "labels": {LABEL: name, "cdi.kubevirt.io/applyStorageProfile": "true"},
        },
        "spec": {"accessModes": [mode(world, class.as_deref())], "volumeMode": "Filesystem", "resources": {"requests": {"storage": SIZE}}},
    });
    if let Some(class) = class {
        claim["spec"]["storageClassName"] = class.into();
    }
    world.create(claim).map(Some)
}

/// The class that KubeVirt is told to use, or the usual one.
fn class(world: &World) -> Option<String> {
    let config = world.get(&KUBEVIRT, "kubevirt", "kubevirt");
    let named = config.as_deref().map(|config| text(config, "/spec/configuration/vmStateStorageClass").to_owned());
    named.filter(|named| !named.is_empty()).or_else(|| default_class(world))
}

/// How the claim may be used: by several nodes where the class can do that.
fn mode(world: &World, class: Option<&str>) -> &'static str {
    let profile = class.and_then(|class| world.get(&STORAGE_PROFILE, "", class)).unwrap_or_default();
    let files = list(&profile, "/status/claimPropertySets").iter().filter(|set| text(set, "/volumeMode") == "Filesystem");
    let shared = files.flat_map(|set| list(set, "/accessModes")).any(|mode| mode == "ReadWriteMany");
    if shared { "ReadWriteMany" } else { "ReadWriteOnce" }
}

/// The launcher of a guest, with that claim.
pub fn launcher(vmi: &Value, claim: Option<&Value>) -> Value {
    let mut pod = launchers::manifest(vmi);
    if let (Some(claim), Some(volumes)) = (claim, pod.pointer_mut("/spec/volumes").and_then(Value::as_array_mut)) {
        volumes.push(json!({"name": "vm-state", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}));
    }
    pod
}
