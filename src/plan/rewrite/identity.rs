//! What makes the guest believe it is the same machine, read before it stops.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::model::json::Json;
use crate::model::manifest::Manifest;
use crate::model::vm::{InstanceSpec, Vm, Vmi};
use crate::plan::document::Identity;

/// The namespace of the UUIDs that KubeVirt derives from names: what a machine without an explicit UUID shows its guest.
/// Source: kubevirt/kubevirt `pkg/virt-controller/watch/vm/firmware.go` (1.6), `watch/vm/vm.go` before.
const LEGACY_NAMESPACE: Uuid = Uuid::from_u128(0x6a1a_24a1_4061_4607_8bf4_a396_3d0c_5895);

/// Template annotations that fix where devices sit on the guest's PCI bus; KubeVirt may write them on the instance only.
/// Source: kubevirt/kubevirt `docs/pci-topology.md` (1.8).
const PCI_ANNOTATIONS: [&str; 2] = ["kubevirt.io/pci-topology-version", "kubevirt.io/pci-interface-slot-count"];

/// Reads the identity of a machine, from its instance where that knows more. What only an ended instance knew is over: the next
/// start gives the guest another address in its own namespace, too.
pub fn identity(vm: &Manifest, vmi: Option<&Manifest>) -> Identity {
    let vmi = vmi.filter(|vmi| !Vmi(vmi).is_final());
    let (asked, running) = (Vm(vm).instance(), vmi.map(|vmi| Vmi(vmi).instance()));
    let uuid = running.and_then(InstanceSpec::firmware_uuid).or_else(|| asked.firmware_uuid());
    let serial = asked.firmware_serial().or_else(|| running.and_then(InstanceSpec::firmware_serial));
    let actual = || vmi.and_then(|vmi| vmi.text("/status/machine/type"));
    let machine_type = asked.machine_type().or_else(actual).or_else(|| running.and_then(InstanceSpec::machine_type));
    let lost = |key: &&str| asked.annotation(key).is_none();
    let pci = PCI_ANNOTATIONS.into_iter().filter(lost).filter_map(|key| Some((key.to_owned(), running?.annotation(key)?.to_owned())));
    Identity {
        firmware_uuid: uuid.map_or_else(|| legacy_uuid(vm.name()), str::to_owned),
        firmware_serial: serial.map(str::to_owned),
        machine_type: machine_type.map(str::to_owned),
        macs: macs(vm, vmi),
        pci: pci.collect(),
        agent: vmi.is_some_and(|vmi| Vmi(vmi).condition("AgentConnected")),
    }
}

/// The UUID that KubeVirt gives to a machine of this name that has none of its own.
pub fn legacy_uuid(name: &str) -> String {
    Uuid::new_v5(&LEGACY_NAMESPACE, name.as_bytes()).to_string()
}

fn macs(vm: &Manifest, vmi: Option<&Manifest>) -> BTreeMap<String, String> {
    let asked = Vm(vm).instance().interfaces().filter_map(|interface| Some((interface.name.to_owned(), interface.mac?.to_owned())));
    let reported = vmi.into_iter().flat_map(|vmi| Vmi(vmi).reported_interfaces()).filter_map(|interface| {
        let text = |key: &str| interface.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
        Some((text("name")?.to_owned(), text("mac")?.to_owned()))
    });
    asked.chain(reported).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_machine_without_a_uuid_keeps_the_one_its_name_gave_it() {
        let vm = Manifest::from(json!({"metadata": {"name": "testvm"}, "spec": {"template": {"spec": {"domain": {}}}}}));
        let identity = identity(&vm, None);
        // What KubeVirt's own quick start shows in its guest `testvm`.
        assert_eq!(identity.firmware_uuid, "5a9fc181-957e-5c32-9e5a-2de5e9673531");
        assert_eq!((identity.firmware_serial, identity.machine_type, identity.agent), (None, None, false));
    }

    #[test]
    fn the_running_instance_knows_more() {
        let vm = Manifest::from(
            json!({"metadata": {"name": "db-1"}, "spec": {"template": {"spec": {"domain": {"devices": {"interfaces": [{"name": "default"}]}}}}}}),
        );
        let vmi = Manifest::from(json!({
            "metadata": {"annotations": {"kubevirt.io/pci-topology-version": "v2"}},
            "spec": {"domain": {"firmware": {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223"}}},
            "status": {
                "machine": {"type": "pc-q35-rhel9.4.0"},
                "interfaces": [{"name": "default", "mac": "02:00:00:00:00:01"}, {"mac": "02:00:00:00:00:02", "interfaceName": "docker0"}],
                "conditions": [{"type": "AgentConnected", "status": "True"}]
            }
        }));
        let identity = identity(&vm, Some(&vmi));
        assert_eq!(identity.firmware_uuid, "5d307ca9-b3ef-428c-8861-06e72d69f223");
        assert_eq!(identity.machine_type.as_deref(), Some("pc-q35-rhel9.4.0"));
        assert_eq!(identity.macs, BTreeMap::from([("default".to_owned(), "02:00:00:00:00:01".to_owned())]));
        assert_eq!(identity.pci, BTreeMap::from([("kubevirt.io/pci-topology-version".to_owned(), "v2".to_owned())]));
        assert!(identity.agent);
    }

    #[test]
    fn an_ended_instance_may_go_at_any_time_and_changes_nothing() {
        let vm = Manifest::from(json!({"metadata": {"name": "db-1"}, "spec": {"template": {"spec": {"domain": {}}}}}));
        let ended = Manifest::from(json!({"status": {"phase": "Succeeded", "interfaces": [{"name": "default", "mac": "02:00:00:00:00:01"}]}}));
        assert_eq!(identity(&vm, Some(&ended)), identity(&vm, None));
    }
}
