//! Reading virtual machines and their instances: lenses over the lossless manifest, for what decisions need.
//!
//! Source of the fields: kubevirt/kubevirt `staging/src/kubevirt.io/api/core/v1/{types,schema}.go`.

use super::json::{Json, List};
use super::manifest::Manifest;
use super::volume::{Interface, Network, Volume};

/// A VirtualMachine.
#[derive(Clone, Copy, Debug)]
pub struct Vm<'a>(pub &'a Manifest);

/// A VirtualMachineInstance: what runs.
#[derive(Clone, Copy, Debug)]
pub struct Vmi<'a>(pub &'a Manifest);

/// What a machine's template and an instance have in common: `spec` and the metadata that goes with it.
#[derive(Clone, Copy, Debug)]
pub struct InstanceSpec<'a> {
    spec: Option<Json<'a>>,
    metadata: Option<Json<'a>>,
}

/// `spec.instancetype` or `spec.preference`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Matcher<'a> {
    /// As the manifest spells it; cluster-wide when absent.
    pub kind: Option<&'a str>,
    pub name: Option<&'a str>,
    /// The volume that names it, when the name is not known yet.
    pub infer_from_volume: Option<&'a str>,
    /// The ControllerRevision that froze it, from the status (KubeVirt 1.5 and later) or the spec.
    pub revision: Option<&'a str>,
    /// The name that the controller found, where the spec has none.
    pub resolved_kind: Option<&'a str>,
    pub resolved_name: Option<&'a str>,
}

impl Matcher<'_> {
    /// Whether it names an object of the machine's namespace. KubeVirt reads the kind in any case, singular or plural.
    pub fn is_namespaced(&self) -> bool {
        let kind = self.kind.or(self.resolved_kind).unwrap_or_default().to_lowercase();
        ["virtualmachineinstancetype", "virtualmachineinstancetypes", "virtualmachinepreference", "virtualmachinepreferences"]
            .contains(&kind.as_str())
    }
}

impl<'a> Vm<'a> {
    /// What runs when the machine runs.
    pub fn instance(self) -> InstanceSpec<'a> {
        InstanceSpec { spec: self.0.at("/spec/template/spec"), metadata: self.0.at("/spec/template/metadata") }
    }

    /// `spec.running`, the older of the two exclusive fields that say whether the machine runs.
    pub fn running(self) -> Option<Json<'a>> {
        self.0.at("/spec/running")
    }

    /// `spec.runStrategy`, the other one.
    pub fn run_strategy(self) -> Option<Json<'a>> {
        self.0.at("/spec/runStrategy")
    }

    /// The run strategy in one word, whichever field says it: `running: true` is `Always`.
    pub fn strategy(self) -> &'a str {
        match (self.run_strategy().and_then(Json::as_str), self.running().and_then(Json::as_bool)) {
            (Some(strategy), _) => strategy,
            (None, Some(true)) => "Always",
            (None, _) => "Halted",
        }
    }

    /// The templates of DataVolumes that the machine makes and owns.
    pub fn data_volume_templates(self) -> List<'a> {
        self.0.list("/spec/dataVolumeTemplates")
    }

    /// Whether a template makes the DataVolume of this name.
    pub fn has_template(self, name: &str) -> bool {
        self.data_volume_templates().any(|template| template.text("/metadata/name") == Some(name))
    }

    pub fn instancetype(self) -> Option<Matcher<'a>> {
        self.matcher("/spec/instancetype", "/status/instancetypeRef")
    }

    pub fn preference(self) -> Option<Matcher<'a>> {
        self.matcher("/spec/preference", "/status/preferenceRef")
    }

    fn matcher(self, spec: &str, status: &str) -> Option<Matcher<'a>> {
        self.0.at(spec)?;
        let asked = |key: &str| self.0.text(&format!("{spec}/{key}")).filter(|text| !text.is_empty());
        let found = |key: &str| self.0.text(&format!("{status}/{key}")).filter(|text| !text.is_empty());
        Some(Matcher {
            kind: asked("kind"),
            name: asked("name"),
            infer_from_volume: asked("inferFromVolume"),
            revision: found("controllerRevisionRef/name").or_else(|| asked("revisionName")),
            resolved_kind: found("kind"),
            resolved_name: found("name"),
        })
    }

    /// KubeVirt's one word for how the machine is: `Running`, `Stopped`, `Paused`, ...
    pub fn printable_status(self) -> &'a str {
        self.0.text("/status/printableStatus").unwrap_or("Unknown")
    }

    /// An instance exists.
    pub fn is_created(self) -> bool {
        self.0.flag("/status/created")
    }

    /// The snapshot that is being taken; the run state and the volumes are frozen meanwhile.
    pub fn snapshot_in_progress(self) -> Option<&'a str> {
        self.0.text("/status/snapshotInProgress")
    }

    /// The restore that is being made; the run strategy is frozen meanwhile.
    pub fn restore_in_progress(self) -> Option<&'a str> {
        self.0.text("/status/restoreInProgress")
    }

    /// A start or stop is queued that the controller has not carried out.
    pub fn has_state_change_requests(self) -> bool {
        !self.0.list("/status/stateChangeRequests").is_empty()
    }

    /// Whether a condition of the status is true.
    pub fn condition(self, kind: &str) -> bool {
        condition(self.0, kind)
    }
}

impl<'a> Vmi<'a> {
    /// What runs.
    pub fn instance(self) -> InstanceSpec<'a> {
        InstanceSpec { spec: self.0.at("/spec"), metadata: self.0.at("/metadata") }
    }

    /// `Pending`, `Scheduling`, `Scheduled`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub fn phase(self) -> &'a str {
        self.0.text("/status/phase").unwrap_or_default()
    }

    /// Nothing runs any more, though the object is there.
    pub fn is_final(self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    /// The guest ended with a failure. An instance that never had a node fails, too, when it is deleted, but no guest ran in it.
    /// Source: kubevirt/kubevirt `pkg/virt-controller/watch/vmi/lifecycle.go` (1.8): its launcher is gone before the hand-over to a node.
    pub fn ended_uncleanly(self) -> bool {
        self.phase() == "Failed" && self.node().is_some()
    }

    pub fn node(self) -> Option<&'a str> {
        self.0.text("/status/nodeName").filter(|name| !name.is_empty())
    }

    /// A live migration has begun and has not ended.
    pub fn is_migrating(self) -> bool {
        let ended = self.0.flag("/status/migrationState/completed") || self.0.flag("/status/migrationState/failed");
        self.0.at("/status/migrationState").is_some() && !ended
    }

    /// What the instance reports of its interfaces.
    pub fn reported_interfaces(self) -> List<'a> {
        self.0.list("/status/interfaces")
    }

    /// Whether a condition of the status is true: `AgentConnected`, `Paused`, ...
    pub fn condition(self, kind: &str) -> bool {
        condition(self.0, kind)
    }
}

impl<'a> InstanceSpec<'a> {
    /// The value at a JSON pointer below `spec`, if there is one and it is not null.
    pub fn at(self, pointer: &str) -> Option<Json<'a>> {
        self.spec?.at(pointer)
    }

    /// The string at a JSON pointer below `spec`, unless empty.
    pub fn text(self, pointer: &str) -> Option<&'a str> {
        self.at(pointer)?.as_str().filter(|text| !text.is_empty())
    }

    /// The boolean at a JSON pointer below `spec`; absent is false.
    pub fn flag(self, pointer: &str) -> bool {
        self.spec.is_some_and(|spec| spec.flag(pointer))
    }

    /// The list at a JSON pointer below `spec`; absent is empty.
    pub fn list(self, pointer: &str) -> List<'a> {
        self.spec.map_or_else(List::default, |spec| spec.list(pointer))
    }

    /// The labels of the template or the instance.
    pub fn labels(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let labels = self.metadata.and_then(|metadata| metadata.get("labels"));
        labels.into_iter().flat_map(Json::fields).filter_map(|(key, value)| Some((key, value.as_str()?)))
    }

    /// An annotation of the template or the instance.
    pub fn annotation(self, key: &str) -> Option<&'a str> {
        self.metadata?.get("annotations")?.get(key)?.as_str()
    }

    pub fn volumes(self) -> impl Iterator<Item = Volume<'a>> {
        self.list("/volumes").map(Volume::read)
    }

    pub fn networks(self) -> impl Iterator<Item = Network<'a>> {
        self.list("/networks").map(Network::read)
    }

    pub fn interfaces(self) -> impl Iterator<Item = Interface<'a>> {
        self.list("/domain/devices/interfaces").map(Interface::read)
    }

    /// The disks as the guest sees them; each is named after its volume.
    pub fn disks(self) -> List<'a> {
        self.list("/domain/devices/disks")
    }

    /// The volumes whose disks several machines may use at once.
    pub fn shareable_disks(self) -> impl Iterator<Item = &'a str> {
        self.disks().filter(|disk| disk.flag("/shareable")).filter_map(|disk| disk.text("/name"))
    }

    pub fn firmware_uuid(self) -> Option<&'a str> {
        self.text("/domain/firmware/uuid")
    }

    pub fn firmware_serial(self) -> Option<&'a str> {
        self.text("/domain/firmware/serial")
    }

    pub fn machine_type(self) -> Option<&'a str> {
        self.text("/domain/machine/type")
    }

    /// The TPM's state outlives the guest.
    pub fn has_persistent_tpm(self) -> bool {
        self.flag("/domain/devices/tpm/persistent")
    }

    /// The EFI variables outlive the guest.
    pub fn has_persistent_efi(self) -> bool {
        self.flag("/domain/firmware/bootloader/efi/persistent")
    }

    /// Seconds that the guest has for shutting down; KubeVirt's API default is 30.
    pub fn grace_period(self) -> u64 {
        self.at("/terminationGracePeriodSeconds").and_then(Json::as_u64).unwrap_or(30)
    }
}

fn condition(object: &Manifest, kind: &str) -> bool {
    object.list("/status/conditions").any(|entry| entry.text("/type") == Some(kind) && entry.text("/status") == Some("True"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_ways_to_say_run_are_read() {
        let old = Manifest::from(json!({"spec": {"running": true}}));
        assert_eq!(Vm(&old).strategy(), "Always");
        let new = Manifest::from(json!({"spec": {"runStrategy": "Manual"}}));
        assert_eq!(Vm(&new).strategy(), "Manual");
    }

    #[test]
    fn a_template_and_an_instance_are_read_alike() {
        let spec = json!({"volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": "c"}}], "domain": {"firmware": {"uuid": "u"}}});
        let vm = Manifest::from(json!({"spec": {"template": {"spec": spec, "metadata": {"labels": {"app": "db"}}}}}));
        let vmi = Manifest::from(json!({"spec": spec, "metadata": {"labels": {"app": "db"}}}));
        for instance in [Vm(&vm).instance(), Vmi(&vmi).instance()] {
            assert_eq!(instance.volumes().filter_map(|volume| volume.claim()).collect::<Vec<_>>(), ["c"]);
            assert_eq!((instance.firmware_uuid(), instance.labels().collect::<Vec<_>>()), (Some("u"), vec![("app", "db")]));
        }
    }

    #[test]
    fn the_frozen_revision_is_found_in_the_status_or_the_spec() {
        let asked = json!({"kind": "VirtualMachineInstancetype", "name": "small", "revisionName": "old"});
        let mut vm = Manifest::from(json!({"spec": {"instancetype": asked}}));
        assert_eq!(Vm(&vm).instancetype().and_then(|matcher| matcher.revision), Some("old"));
        vm.set("/status/instancetypeRef/controllerRevisionRef/name", "new".into());
        assert_eq!(Vm(&vm).instancetype().map(|matcher| (matcher.revision, matcher.is_namespaced())), Some((Some("new"), true)));
        assert_eq!(Vm(&vm).preference(), None);
    }
}
