//! The kinds of objects the tool knows, one line each: where the API serves them and what kubectl calls them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of object: its API group and version, its names, and whether it lives in a namespace.
///
/// Two kinds are equal when group and plural are: a kind has one version here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Kind {
    pub group: &'static str,
    pub plural: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub namespaced: bool,
}

macro_rules! kinds {
    ($($name:ident = $group:literal $version:literal $kind:literal $plural:literal $namespaced:literal;)*) => {
        $(pub const $name: Kind = Kind { group: $group, version: $version, kind: $kind, plural: $plural, namespaced: $namespaced };)*
        /// Every kind there is a name for.
        pub const ALL: &[Kind] = &[$($name),*];
    };
}

kinds! {
    NAMESPACE = "" "v1" "Namespace" "namespaces" false;
    NODE = "" "v1" "Node" "nodes" false;
    POD = "" "v1" "Pod" "pods" true;
    EVENT = "" "v1" "Event" "events" true;
    SECRET = "" "v1" "Secret" "secrets" true;
    CONFIG_MAP = "" "v1" "ConfigMap" "configmaps" true;
    SERVICE = "" "v1" "Service" "services" true;
    SERVICE_ACCOUNT = "" "v1" "ServiceAccount" "serviceaccounts" true;
    CLAIM = "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" true;
    VOLUME = "" "v1" "PersistentVolume" "persistentvolumes" false;
    QUOTA = "" "v1" "ResourceQuota" "resourcequotas" true;
    LIMIT_RANGE = "" "v1" "LimitRange" "limitranges" true;
    CONTROLLER_REVISION = "apps" "v1" "ControllerRevision" "controllerrevisions" true;
    LEASE = "coordination.k8s.io" "v1" "Lease" "leases" true;
    CRD = "apiextensions.k8s.io" "v1" "CustomResourceDefinition" "customresourcedefinitions" false;
    STORAGE_CLASS = "storage.k8s.io" "v1" "StorageClass" "storageclasses" false;
    CSI_DRIVER = "storage.k8s.io" "v1" "CSIDriver" "csidrivers" false;
    ATTACHMENT = "storage.k8s.io" "v1" "VolumeAttachment" "volumeattachments" false;
    SNAPSHOT_CLASS = "snapshot.storage.k8s.io" "v1" "VolumeSnapshotClass" "volumesnapshotclasses" false;
    VOLUME_SNAPSHOT = "snapshot.storage.k8s.io" "v1" "VolumeSnapshot" "volumesnapshots" true;
    VM = "kubevirt.io" "v1" "VirtualMachine" "virtualmachines" true;
    VMI = "kubevirt.io" "v1" "VirtualMachineInstance" "virtualmachineinstances" true;
    VMIM = "kubevirt.io" "v1" "VirtualMachineInstanceMigration" "virtualmachineinstancemigrations" true;
    PRESET = "kubevirt.io" "v1" "VirtualMachineInstancePreset" "virtualmachineinstancepresets" true;
    KUBEVIRT = "kubevirt.io" "v1" "KubeVirt" "kubevirts" true;
    INSTANCETYPE = "instancetype.kubevirt.io" "v1beta1" "VirtualMachineInstancetype" "virtualmachineinstancetypes" true;
    PREFERENCE = "instancetype.kubevirt.io" "v1beta1" "VirtualMachinePreference" "virtualmachinepreferences" true;
    CLUSTER_INSTANCETYPE = "instancetype.kubevirt.io" "v1beta1" "VirtualMachineClusterInstancetype" "virtualmachineclusterinstancetypes" false;
    CLUSTER_PREFERENCE = "instancetype.kubevirt.io" "v1beta1" "VirtualMachineClusterPreference" "virtualmachineclusterpreferences" false;
    VM_SNAPSHOT = "snapshot.kubevirt.io" "v1beta1" "VirtualMachineSnapshot" "virtualmachinesnapshots" true;
    VM_EXPORT = "export.kubevirt.io" "v1beta1" "VirtualMachineExport" "virtualmachineexports" true;
    VM_CLONE = "clone.kubevirt.io" "v1beta1" "VirtualMachineClone" "virtualmachineclones" true;
    DATA_VOLUME = "cdi.kubevirt.io" "v1beta1" "DataVolume" "datavolumes" true;
    DATA_SOURCE = "cdi.kubevirt.io" "v1beta1" "DataSource" "datasources" true;
    STORAGE_PROFILE = "cdi.kubevirt.io" "v1beta1" "StorageProfile" "storageprofiles" false;
    CDI = "cdi.kubevirt.io" "v1beta1" "CDI" "cdis" false;
    CDI_CONFIG = "cdi.kubevirt.io" "v1beta1" "CDIConfig" "cdiconfigs" false;
    NETWORK_ATTACHMENT = "k8s.cni.cncf.io" "v1" "NetworkAttachmentDefinition" "network-attachment-definitions" true;
    IP_CLAIM = "k8s.cni.cncf.io" "v1alpha1" "IPAMClaim" "ipamclaims" true;
    INGRESS = "networking.k8s.io" "v1" "Ingress" "ingresses" true;
    ROUTE = "route.openshift.io" "v1" "Route" "routes" true;
    HTTP_ROUTE = "gateway.networking.k8s.io" "v1" "HTTPRoute" "httproutes" true;
    NETWORK_POLICY = "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" true;
    MULTI_NETWORK_POLICY = "k8s.cni.cncf.io" "v1beta1" "MultiNetworkPolicy" "multi-networkpolicies" true;
    EGRESS_FIREWALL = "k8s.ovn.org" "v1" "EgressFirewall" "egressfirewalls" true;
    EGRESS_IP = "k8s.ovn.org" "v1" "EgressIP" "egressips" false;
    ADMIN_NETWORK_POLICY = "policy.networking.k8s.io" "v1alpha1" "AdminNetworkPolicy" "adminnetworkpolicies" false;
    BASELINE_ADMIN_NETWORK_POLICY = "policy.networking.k8s.io" "v1alpha1" "BaselineAdminNetworkPolicy" "baselineadminnetworkpolicies" false;
    DISRUPTION_BUDGET = "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets" true;
    SERVICE_MONITOR = "monitoring.coreos.com" "v1" "ServiceMonitor" "servicemonitors" true;
    BACKUP_SCHEDULE = "velero.io" "v1" "Schedule" "schedules" true;
    MIGRATION_POLICY = "migrations.kubevirt.io" "v1alpha1" "MigrationPolicy" "migrationpolicies" false;
    POD_MONITOR = "monitoring.coreos.com" "v1" "PodMonitor" "podmonitors" true;
    ROLE = "rbac.authorization.k8s.io" "v1" "Role" "roles" true;
    CLUSTER_ROLE = "rbac.authorization.k8s.io" "v1" "ClusterRole" "clusterroles" false;
    PROJECT_REQUEST = "project.openshift.io" "v1" "ProjectRequest" "projectrequests" false;
}

impl Kind {
    /// `group/version` as in a manifest's `apiVersion`; the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// What `kubectl -o name` puts before the slash: the kind in lower case with its group, unless that is core.
    pub fn singular(&self) -> String {
        let kind = self.kind.to_lowercase();
        if self.group.is_empty() { kind } else { format!("{kind}.{}", self.group) }
    }

    /// What error messages and RBAC call it: `virtualmachines.kubevirt.io`.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The kind with this `plural[.group]`, as written by [`Kind::resource`].
    pub fn from_resource(resource: &str) -> Option<Kind> {
        ALL.iter().copied().find(|kind| kind.resource() == resource)
    }

    /// The kind of a manifest, by its `apiVersion` (any version of the group) and `kind`.
    pub fn of(api_version: &str, kind: &str) -> Option<Kind> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        ALL.iter().copied().find(|known| known.group == group && known.kind == kind)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.resource())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let resource = String::deserialize(deserializer)?;
        Kind::from_resource(&resource).ok_or_else(|| serde::de::Error::custom(format!("unknown kind {resource:?}")))
    }
}
