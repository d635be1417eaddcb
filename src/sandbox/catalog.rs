//! Which kinds of objects the sandbox serves, one line each.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A kind of object as the API serves it.
#[derive(Debug)]
pub struct Resource {
    /// Its place in the list: tells it from all others, and orders them.
    place: u8,
    pub group: &'static str,
    /// The versions it is served in; the first is the one discovery prefers. Objects are the same in all of them.
    pub versions: &'static [&'static str],
    pub kind: &'static str,
    pub plural: &'static str,
    /// What kubectl may call it as well.
    pub short: &'static [&'static str],
    pub namespaced: bool,
    /// Whether `status` is written by a request of its own, which writes nothing else.
    pub has_status: bool,
    /// Served from a CustomResourceDefinition: JSON only, with other words in some errors.
    pub custom: bool,
    /// Whether `kubectl get all` shows it.
    pub common: bool,
}

/// A row of the catalog. Two are the same if group and plural are.
pub type Res = &'static Resource;

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Resource {}

impl Hash for Resource {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place.hash(state);
    }
}

impl PartialOrd for Resource {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Resource {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }
}

impl Resource {
    pub fn version(&self) -> &'static str {
        self.versions[0]
    }

    /// `group/version`, or the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version().to_owned() } else { format!("{}/{}", self.group, self.version()) }
    }

    /// `plural.group`, or the plural alone for the core group: what messages call it.
    pub fn full_name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub fn singular(&self) -> String {
        self.kind.to_lowercase()
    }
}

const fn kind(group: &'static str, versions: &'static [&'static str], kind: &'static str, plural: &'static str) -> Resource {
    Resource { place: 0, group, versions, kind, plural, short: &[], namespaced: true, has_status: false, custom: false, common: false }
}

impl Resource {
    /// What refusals are about and that is no row of the list, by a number of its own from 3 on.
    pub(super) const fn named(number: u8, group: &'static str, versions: &'static [&'static str], name: &'static str) -> Self {
        Self { place: OTHERS + number, namespaced: false, ..kind(group, versions, name, "") }
    }

    const fn cluster(self) -> Self {
        Self { namespaced: false, ..self }
    }

    const fn status(self) -> Self {
        Self { has_status: true, ..self }
    }

    const fn custom(self) -> Self {
        Self { custom: true, ..self }
    }

    const fn common(self) -> Self {
        Self { common: true, ..self }
    }

    const fn short(self, short: &'static [&'static str]) -> Self {
        Self { short, ..self }
    }
}

macro_rules! resources {
    ($($name:ident = $row:expr;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "they are called as the rows are")]
        enum Place { $($name),* }
        $(pub static $name: Resource = Resource { place: Place::$name as u8, ..$row };)*
        /// Everything there is.
        pub const ALL: &[Res] = &[$(&$name),*];
    };
}

/// The places of what is no row of the list.
const OTHERS: u8 = 200;

/// Stands for every kind where something holds for all of them; it is none itself.
pub static ANYTHING: Resource = Resource { place: OTHERS, ..kind("", &[], "", "") };

/// As refusals name a machine or an instance about which KubeVirt is asked something; objects of these there are none.
pub static VM_REQUEST: Resource = Resource { place: OTHERS + 1, group: "subresources.kubevirt.io", ..VM };
pub static VMI_REQUEST: Resource = Resource { place: OTHERS + 2, group: "subresources.kubevirt.io", ..VMI };

const V1: &[&str] = &["v1"];
const KUBEVIRT_IO: &[&str] = &["v1", "v1alpha3"];
const BETA: &[&str] = &["v1beta1"];

resources! {
    NAMESPACE = kind("", V1, "Namespace", "namespaces").cluster().status().short(&["ns"]);
    NODE = kind("", V1, "Node", "nodes").cluster().status().short(&["no"]);
    POD = kind("", V1, "Pod", "pods").status().short(&["po"]).common();
    EVENT = kind("", V1, "Event", "events").short(&["ev"]);
    SECRET = kind("", V1, "Secret", "secrets");
    CONFIG_MAP = kind("", V1, "ConfigMap", "configmaps").short(&["cm"]);
    SERVICE = kind("", V1, "Service", "services").status().short(&["svc"]).common();
    SERVICE_ACCOUNT = kind("", V1, "ServiceAccount", "serviceaccounts").short(&["sa"]);
    CLAIM = kind("", V1, "PersistentVolumeClaim", "persistentvolumeclaims").status().short(&["pvc"]);
    VOLUME = kind("", V1, "PersistentVolume", "persistentvolumes").cluster().status().short(&["pv"]);
    QUOTA = kind("", V1, "ResourceQuota", "resourcequotas").status().short(&["quota"]);
    LIMIT_RANGE = kind("", V1, "LimitRange", "limitranges").short(&["limits"]);
    JOB = kind("batch", V1, "Job", "jobs").status().common();
    CONTROLLER_REVISION = kind("apps", V1, "ControllerRevision", "controllerrevisions");
    LEASE = kind("coordination.k8s.io", V1, "Lease", "leases");
    INGRESS = kind("networking.k8s.io", V1, "Ingress", "ingresses").status().short(&["ing"]);
    NETWORK_POLICY = kind("networking.k8s.io", V1, "NetworkPolicy", "networkpolicies").short(&["netpol"]);
    DISRUPTION_BUDGET = kind("policy", V1, "PodDisruptionBudget", "poddisruptionbudgets").status().short(&["pdb"]);
    CRD = kind("apiextensions.k8s.io", V1, "CustomResourceDefinition", "customresourcedefinitions").cluster().status().short(&["crd", "crds"]);
    ROLE = kind("rbac.authorization.k8s.io", V1, "Role", "roles");
    ROLE_BINDING = kind("rbac.authorization.k8s.io", V1, "RoleBinding", "rolebindings");
    CLUSTER_ROLE = kind("rbac.authorization.k8s.io", V1, "ClusterRole", "clusterroles").cluster();
    CLUSTER_ROLE_BINDING = kind("rbac.authorization.k8s.io", V1, "ClusterRoleBinding", "clusterrolebindings").cluster();
    STORAGE_CLASS = kind("storage.k8s.io", V1, "StorageClass", "storageclasses").cluster().short(&["sc"]);
    CSI_DRIVER = kind("storage.k8s.io", V1, "CSIDriver", "csidrivers").cluster();
    ATTACHMENT = kind("storage.k8s.io", V1, "VolumeAttachment", "volumeattachments").cluster().status();
    SNAPSHOT_CLASS = kind("snapshot.storage.k8s.io", V1, "VolumeSnapshotClass", "volumesnapshotclasses").cluster().custom().short(&["vsclass", "vsclasses"]);
    SNAPSHOT = kind("snapshot.storage.k8s.io", V1, "VolumeSnapshot", "volumesnapshots").status().custom().short(&["vs"]);
    SNAPSHOT_CONTENT = kind("snapshot.storage.k8s.io", V1, "VolumeSnapshotContent", "volumesnapshotcontents").cluster().status().custom().short(&["vsc", "vscs"]);
    VM = kind("kubevirt.io", KUBEVIRT_IO, "VirtualMachine", "virtualmachines").status().custom().short(&["vm", "vms"]).common();
    VMI = kind("kubevirt.io", KUBEVIRT_IO, "VirtualMachineInstance", "virtualmachineinstances").custom().short(&["vmi", "vmis"]).common();
    VMIM = kind("kubevirt.io", KUBEVIRT_IO, "VirtualMachineInstanceMigration", "virtualmachineinstancemigrations").status().custom().short(&["vmim", "vmims"]).common();
    VMI_PRESET = kind("kubevirt.io", KUBEVIRT_IO, "VirtualMachineInstancePreset", "virtualmachineinstancepresets").custom().short(&["vmipreset", "vmipresets"]).common();
    VM_POOL = kind("pool.kubevirt.io", BETA, "VirtualMachinePool", "virtualmachinepools").status().custom().short(&["vmpool", "vmpools"]).common();
    KUBEVIRT = kind("kubevirt.io", KUBEVIRT_IO, "KubeVirt", "kubevirts").status().custom().short(&["kv", "kvs"]).common();
    INSTANCETYPE = kind("instancetype.kubevirt.io", BETA, "VirtualMachineInstancetype", "virtualmachineinstancetypes").custom().short(&["vminstancetype", "vminstancetypes", "vmf", "vmfs"]).common();
    PREFERENCE = kind("instancetype.kubevirt.io", BETA, "VirtualMachinePreference", "virtualmachinepreferences").custom().short(&["vmpref", "vmprefs", "vmp", "vmps"]).common();
    CLUSTER_INSTANCETYPE = kind("instancetype.kubevirt.io", BETA, "VirtualMachineClusterInstancetype", "virtualmachineclusterinstancetypes").cluster().custom().short(&["vmclusterinstancetype", "vmclusterinstancetypes", "vmcf", "vmcfs"]).common();
    CLUSTER_PREFERENCE = kind("instancetype.kubevirt.io", BETA, "VirtualMachineClusterPreference", "virtualmachineclusterpreferences").cluster().custom().short(&["vmcp", "vmcps"]).common();
    VM_SNAPSHOT = kind("snapshot.kubevirt.io", BETA, "VirtualMachineSnapshot", "virtualmachinesnapshots").status().custom().short(&["vmsnapshot", "vmsnapshots"]).common();
    VM_SNAPSHOT_CONTENT = kind("snapshot.kubevirt.io", BETA, "VirtualMachineSnapshotContent", "virtualmachinesnapshotcontents").status().custom().short(&["vmsnapshotcontent", "vmsnapshotcontents"]).common();
    VM_RESTORE = kind("snapshot.kubevirt.io", BETA, "VirtualMachineRestore", "virtualmachinerestores").status().custom().short(&["vmrestore", "vmrestores"]).common();
    VM_EXPORT = kind("export.kubevirt.io", BETA, "VirtualMachineExport", "virtualmachineexports").status().custom().short(&["vmexport", "vmexports"]).common();
    VM_CLONE = kind("clone.kubevirt.io", BETA, "VirtualMachineClone", "virtualmachineclones").status().custom().short(&["vmclone", "vmclones"]).common();
    DATA_VOLUME = kind("cdi.kubevirt.io", BETA, "DataVolume", "datavolumes").status().custom().short(&["dv", "dvs"]).common();
    DATA_SOURCE = kind("cdi.kubevirt.io", BETA, "DataSource", "datasources").status().custom().short(&["das"]).common();
    STORAGE_PROFILE = kind("cdi.kubevirt.io", BETA, "StorageProfile", "storageprofiles").cluster().status().custom();
    CDI = kind("cdi.kubevirt.io", BETA, "CDI", "cdis").cluster().status().custom().short(&["cdi", "cdis"]);
    CDI_CONFIG = kind("cdi.kubevirt.io", BETA, "CDIConfig", "cdiconfigs").cluster().status().custom();
    NETWORK_ATTACHMENT = kind("k8s.cni.cncf.io", V1, "NetworkAttachmentDefinition", "network-attachment-definitions").custom().short(&["net-attach-def"]);
}

/// The kind served under this group, version and plural.
pub fn served(group: &str, version: &str, plural: &str) -> Option<Res> {
    ALL.iter().copied().find(|row| row.group == group && row.plural == plural && row.versions.contains(&version))
}

/// The kind of a manifest.
pub fn of(api_version: &str, kind: &str) -> Option<Res> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    ALL.iter().copied().find(|row| row.group == group && row.kind == kind && row.versions.contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_are_the_same_and_kinds_are_found_again() {
        for (index, row) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other != row), "{} stands there twice", row.full_name());
            assert_eq!(of(&row.api_version(), row.kind), Some(*row));
            assert_eq!(served(row.group, row.version(), row.plural), Some(*row));
        }
    }
}
