//! Where the API serves what the cases talk about: `persistentvolumeclaims/data` becomes a path, a kind gets its apiVersion.

use anyhow::{Context, Result, ensure};

/// One resource of the API.
pub struct Kind {
    pub name: &'static str,
    pub plural: &'static str,
    pub api_version: &'static str,
    pub namespaced: bool,
}

macro_rules! kinds {
    ($($api_version:literal { $($kind:ident $plural:ident $namespaced:literal;)* })*) => {
        const KINDS: &[Kind] = &[$($(
            Kind { name: stringify!($kind), plural: stringify!($plural), api_version: $api_version, namespaced: $namespaced },
        )*)*];
    };
}

kinds! {
    "v1" {
        ConfigMap configmaps true;
        Event events true;
        LimitRange limitranges true;
        Namespace namespaces false;
        Node nodes false;
        PersistentVolume persistentvolumes false;
        PersistentVolumeClaim persistentvolumeclaims true;
        Pod pods true;
        ResourceQuota resourcequotas true;
        Secret secrets true;
        Service services true;
        ServiceAccount serviceaccounts true;
    }
    "apps/v1" { ControllerRevision controllerrevisions true; }
    "batch/v1" { Job jobs true; }
    "coordination.k8s.io/v1" { Lease leases true; }
    "apiextensions.k8s.io/v1" { CustomResourceDefinition customresourcedefinitions false; }
    "authorization.k8s.io/v1" {
        LocalSubjectAccessReview localsubjectaccessreviews true;
        SelfSubjectAccessReview selfsubjectaccessreviews false;
        SelfSubjectRulesReview selfsubjectrulesreviews false;
        SubjectAccessReview subjectaccessreviews false;
    }
    "authentication.k8s.io/v1" { SelfSubjectReview selfsubjectreviews false; }
    "networking.k8s.io/v1" {
        Ingress ingresses true;
        NetworkPolicy networkpolicies true;
    }
    "policy/v1" { PodDisruptionBudget poddisruptionbudgets true; }
    "rbac.authorization.k8s.io/v1" {
        ClusterRole clusterroles false;
        ClusterRoleBinding clusterrolebindings false;
        Role roles true;
        RoleBinding rolebindings true;
    }
    "storage.k8s.io/v1" {
        CSIDriver csidrivers false;
        StorageClass storageclasses false;
        VolumeAttachment volumeattachments false;
    }
    "snapshot.storage.k8s.io/v1" {
        VolumeSnapshot volumesnapshots true;
        VolumeSnapshotClass volumesnapshotclasses false;
        VolumeSnapshotContent volumesnapshotcontents false;
    }
    "cdi.kubevirt.io/v1beta1" {
        CDI cdis false;
        CDIConfig cdiconfigs false;
        DataSource datasources true;
        DataVolume datavolumes true;
        StorageProfile storageprofiles false;
    }
    "kubevirt.io/v1" {
        KubeVirt kubevirts true;
        VirtualMachine virtualmachines true;
        VirtualMachineInstance virtualmachineinstances true;
        VirtualMachineInstanceMigration virtualmachineinstancemigrations true;
    }
    "instancetype.kubevirt.io/v1beta1" {
        VirtualMachineClusterInstancetype virtualmachineclusterinstancetypes false;
        VirtualMachineClusterPreference virtualmachineclusterpreferences false;
        VirtualMachineInstancetype virtualmachineinstancetypes true;
        VirtualMachinePreference virtualmachinepreferences true;
    }
    "snapshot.kubevirt.io/v1beta1" {
        VirtualMachineRestore virtualmachinerestores true;
        VirtualMachineSnapshot virtualmachinesnapshots true;
    }
    "export.kubevirt.io/v1beta1" { VirtualMachineExport virtualmachineexports true; }
}

/// A kind by its name.
pub fn named(kind: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|each| each.name == kind)
}

/// The path of `plural`, `plural/name` or `plural/name/subresource`. An address that begins with `/` is a path already; of a namespace
/// `*` all of them are meant.
pub fn path(address: &str, namespace: &str) -> Result<String> {
    if address.starts_with('/') {
        return Ok(address.to_owned());
    }
    let (plural, rest) = address.split_once('/').map_or((address, String::new()), |(plural, rest)| (plural, format!("/{rest}")));
    let kind = KINDS.iter().find(|each| each.plural == plural).with_context(|| format!("the runner knows no {plural}"))?;
    let subresource = rest.splitn(3, '/').nth(2);
    let version = match subresource {
        Some(name) if name != "status" && kind.api_version == "kubevirt.io/v1" => "subresources.kubevirt.io/v1",
        _ => kind.api_version,
    };
    let root = if version.contains('/') { "apis" } else { "api" };
    let scope = if kind.namespaced && namespace != "*" { format!("/namespaces/{namespace}") } else { String::new() };
    Ok(format!("/{root}/{version}{scope}/{plural}{rest}"))
}

pub fn addresses_become_paths() -> Result<()> {
    for (address, expected) in [
        ("configmaps/a", "/api/v1/namespaces/shop/configmaps/a"),
        ("virtualmachines/web/start", "/apis/subresources.kubevirt.io/v1/namespaces/shop/virtualmachines/web/start"),
        ("persistentvolumes", "/api/v1/persistentvolumes"),
    ] {
        let seen = path(address, "shop")?;
        ensure!(seen == expected, "{address} became {seen}");
    }
    Ok(())
}
