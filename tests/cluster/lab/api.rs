//! What tests say to the API server: objects as JSON, kinds by their name.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::Lab;
use super::wait::{Look, PATIENCE, closely, until};

/// The kinds of the core group.
const CORE: &[&str] = &[
    "ConfigMap",
    "Event",
    "LimitRange",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "ResourceQuota",
    "Secret",
    "Service",
    "ServiceAccount",
];

/// The other kinds, with their apiVersion.
const KINDS: &[(&str, &str)] = &[
    ("CDI", "cdi.kubevirt.io/v1beta1"),
    ("CDIConfig", "cdi.kubevirt.io/v1beta1"),
    ("DataSource", "cdi.kubevirt.io/v1beta1"),
    ("DataVolume", "cdi.kubevirt.io/v1beta1"),
    ("StorageProfile", "cdi.kubevirt.io/v1beta1"),
    ("KubeVirt", "kubevirt.io/v1"),
    ("VirtualMachine", "kubevirt.io/v1"),
    ("VirtualMachineInstance", "kubevirt.io/v1"),
    ("VirtualMachineInstanceMigration", "kubevirt.io/v1"),
    ("VirtualMachineInstancetype", "instancetype.kubevirt.io/v1beta1"),
    ("VirtualMachinePreference", "instancetype.kubevirt.io/v1beta1"),
    ("VirtualMachineClusterInstancetype", "instancetype.kubevirt.io/v1beta1"),
    ("VirtualMachineClusterPreference", "instancetype.kubevirt.io/v1beta1"),
    ("VirtualMachinePool", "pool.kubevirt.io/v1beta1"),
    ("VirtualMachineExport", "export.kubevirt.io/v1beta1"),
    ("VirtualMachineRestore", "snapshot.kubevirt.io/v1beta1"),
    ("VirtualMachineSnapshot", "snapshot.kubevirt.io/v1beta1"),
    ("VolumeSnapshot", "snapshot.storage.k8s.io/v1"),
    ("VolumeSnapshotClass", "snapshot.storage.k8s.io/v1"),
    ("VolumeSnapshotContent", "snapshot.storage.k8s.io/v1"),
    ("VolumeAttachment", "storage.k8s.io/v1"),
    ("APIService", "apiregistration.k8s.io/v1"),
    ("ControllerRevision", "apps/v1"),
    ("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
    ("Job", "batch/v1"),
    ("IPAMClaim", "k8s.cni.cncf.io/v1alpha1"),
    ("Lease", "coordination.k8s.io/v1"),
    ("Ingress", "networking.k8s.io/v1"),
    ("NetworkPolicy", "networking.k8s.io/v1"),
    ("PodDisruptionBudget", "policy/v1"),
    ("ClusterRole", "rbac.authorization.k8s.io/v1"),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1"),
    ("Role", "rbac.authorization.k8s.io/v1"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1"),
    ("StorageClass", "storage.k8s.io/v1"),
    ("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
    ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
];

/// An API of any kind; an empty namespace stands for all of them, or for a kind that has none.
pub fn api(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let listed = KINDS.iter().find(|(name, _)| *name == kind);
    // Of a kind that is served nowhere nothing is ever found, and everything counts as deleted.
    assert!(listed.is_some() || CORE.contains(&kind), "the laboratory does not know what version {kind} has");
    let version = listed.map_or("v1", |(_, version)| version);
    typed_api(client, version, kind, namespace)
}

fn typed_api(client: &Client, version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match namespace {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}

/// Creates objects, sixteen at a time and in no order.
pub async fn create_all(client: &Client, objects: &[Value]) -> Result<()> {
    stream::iter(objects).map(|object| create(client, object)).buffer_unordered(16).try_collect().await
}

async fn create(client: &Client, object: &Value) -> Result<()> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    let api = typed_api(client, version, kind, text("/metadata/namespace"));
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let made = api.create(&PostParams::default(), &object).await;
    made.with_context(|| format!("cannot create {kind} {name}"))?;
    Ok(())
}

impl Lab {
    /// Creates objects, one after the other. Each needs its apiVersion, kind, name and, where it has one, namespace.
    pub async fn create(&self, objects: &[Value]) -> Result<()> {
        for object in objects {
            create(&self.client, object).await?;
        }
        Ok(())
    }

    /// An API for what the other calls do not offer. An empty namespace: all of them, or a kind without.
    pub fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        api(&self.client, kind, namespace)
    }

    /// The object, or nothing.
    pub async fn find(&self, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>> {
        let found = self.api(kind, namespace).get_opt(name).await?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    /// The object, which must be there.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value> {
        let found = self.find(kind, namespace, name).await?;
        found.with_context(|| format!("there is no {kind} {namespace}/{name}"))
    }

    /// All objects of a kind in a namespace.
    pub async fn list(&self, kind: &str, namespace: &str) -> Result<Vec<Value>> {
        let all = self.api(kind, namespace).list(&ListParams::default()).await?;
        all.items.into_iter().map(|each| Ok(serde_json::to_value(each)?)).collect()
    }

    /// A JSON merge patch.
    pub async fn patch(&self, kind: &str, namespace: &str, name: &str, patch: Value) -> Result<()> {
        let patch = Patch::Merge(patch);
        self.api(kind, namespace).patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Asks for an object's deletion, and is content when it is not there.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<()> {
        match self.api(kind, namespace).delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }

    /// Waits until the condition holds; a minute at most. An error of the condition counts as "not yet", since a test may
    /// have stopped the API server, and is quoted at the end. A component that ended by itself ends the wait at once.
    pub async fn wait(&self, what: &str, condition: impl AsyncFn() -> Result<bool>) -> Result<()> {
        self.wait_within(PATIENCE, what, condition).await
    }

    /// [`wait`](Self::wait) with another patience.
    pub async fn wait_within(&self, limit: Duration, what: &str, condition: impl AsyncFn() -> Result<bool>) -> Result<()> {
        until(what, limit, async || self.look(&condition).await).await
    }

    /// Waits for what should never be, and looks closely: it may be so for a moment only.
    pub async fn wait_for_the_worst(&self, what: &str, condition: impl AsyncFn() -> Result<bool>) -> Result<()> {
        closely(what, Duration::from_secs(3600), async || self.look(&condition).await).await
    }

    async fn look(&self, condition: &impl AsyncFn() -> Result<bool>) -> Result<Look<()>> {
        self.check()?;
        Ok(match condition().await {
            Ok(true) => Look::Done(()),
            Ok(false) => Look::NotYet("not so".into()),
            Err(error) => Look::NotYet(format!("{error:#}")),
        })
    }

    /// Waits until a field of an object, given as JSON pointer, has this value.
    pub async fn wait_field(&self, of: (&str, &str, &str), pointer: &str, value: impl Into<Value>) -> Result<()> {
        let (kind, namespace, name) = of;
        let value = value.into();
        let what = format!("{kind} {namespace}/{name}: {pointer} is {value}");
        self.wait(&what, async || {
            let object = self.get(kind, namespace, name).await?;
            match object.pointer(pointer) {
                Some(seen) if *seen == value => Ok(true),
                seen => bail!("{}", seen.unwrap_or(&Value::Null)),
            }
        })
        .await
    }

    /// Waits until an object is gone.
    pub async fn wait_gone(&self, kind: &str, namespace: &str, name: &str) -> Result<()> {
        let what = format!("{kind} {namespace}/{name} is gone");
        self.wait(&what, async || Ok(self.find(kind, namespace, name).await?.is_none())).await
    }
}
