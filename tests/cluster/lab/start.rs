//! The order in which a control plane comes up. Each step says which wait it saves.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::access::{self, Credentials, write_kubeconfig};
use super::api::{api, create_all};
use super::build::{Binaries, Generated, build};
use super::certificates::Certificates;
use super::launchers::Launchers;
use super::layout::Layout;
use super::process::{Component, Keeper, Program};
use super::programs::{ACCOUNTS, ADMIN, Programs};
use super::wait::{Look, PATIENCE, until};
use super::{CLASSES, DRIVER, Lab, OTHER_DRIVER, Options, objects};

/// The programs that wait for nothing but the API server, their objects and the drivers.
const AT_ONCE: &[&str] = &[
    "kube-controller-manager",
    "kube-scheduler",
    "csi-provisioner",
    "csi-resizer",
    "csi-snapshotter",
    "snapshot-controller",
    "other-provisioner",
    "cdi-apiserver",
    "cdi-controller",
    "virt-api",
    "virt-controller",
];

impl Lab {
    /// Builds what is not built yet and starts a control plane on an empty state. Returns when every webhook, API service and
    /// node is ready.
    pub async fn start(options: Options) -> Result<Self> {
        let binaries = tokio::task::spawn_blocking(build).await??;
        let dir = tempfile::Builder::new().prefix("vmmove-lab-").tempdir()?;
        let mut lab = Self::prepare(dir.path(), &binaries).await?;
        let started = lab.bring_up(&binaries, &options).await;
        lab.dir = Some(dir);
        if let Err(error) = started {
            let kept = lab.keep().display().to_string();
            return Err(error.context(format!("the lab did not start; its logs are in {kept}/logs")));
        }
        Ok(lab)
    }

    async fn prepare(dir: &Path, binaries: &Binaries) -> Result<Self> {
        let layout = Layout::new(dir)?;
        let certificates = Certificates::make(&layout)?;
        for (who, user, group) in [
            (ADMIN, "lab-admin", Some("system:masters")),
            ("kube-controller-manager", "system:kube-controller-manager", None),
            ("kube-scheduler", "system:kube-scheduler", None),
        ] {
            let identity = Credentials::Certificate(certificates.user(user, group)?);
            write_kubeconfig(&layout.kubeconfig(who), &layout.server(), certificates.cluster_ca(), &identity)?;
        }
        for authority in ["exportca", "backupca"] {
            let to = layout.dir.join("etc/virt-controller").join(authority);
            fs::create_dir_all(&to)?;
            fs::copy(layout.pki("webhook-ca.crt"), to.join("tls.crt"))?;
            fs::copy(layout.pki("webhook-ca.key"), to.join("tls.key"))?;
        }
        let admin = layout.kubeconfig(ADMIN);
        Ok(Self {
            components: Vec::new(),
            client: access::client(&admin).await?,
            launchers: None,
            kubectl: binaries.path("kubectl")?.into(),
            certificates,
            layout,
            admin,
            pairs: AtomicUsize::new(0),
            kept: AtomicBool::new(false),
            dir: None,
        })
    }

    async fn bring_up(&mut self, binaries: &Binaries, options: &Options) -> Result<()> {
        let keeper = Keeper::new()?;
        let Generated { crds, objects, webhooks, apiservices } = binaries.generated()?;
        for program in self.programs(binaries, options)? {
            let log = self.layout.log(program.name);
            self.components.push(Component::new(program, log, keeper.clone()));
        }
        self.launch(&["etcd"]).await?;
        self.launch(&["kube-apiserver"]).await?;
        // The garbage collector looks for new kinds only every 30 s: it must find all of them when it starts.
        self.install(&crds).await?;
        let (namespaces, rest): (Vec<Value>, Vec<Value>) = objects.into_iter().partition(|object| object["kind"] == "Namespace");
        create_all(&self.client, &namespaces).await?;
        create_all(&self.client, &[rest, objects::storage(), objects::proxy()].concat()).await?;
        self.configure().await?;
        self.launch(&["lab-csi", "other-csi"]).await?;
        self.launch(AT_ONCE).await?;
        self.connect(apiservices, webhooks).await?;
        // A stage whose patch a webhook could not judge is not tried again: KWOK comes after them.
        create_all(&self.client, &objects::nodes()).await?;
        self.launchers = Some(Launchers::play(self.client()));
        tokio::try_join!(self.launch(&["kwok"]), self.finish_storage())?;
        self.each_ready("Node", "Ready", &["node1", "node2"]).await
    }

    /// All programs, in the order in which they are stopped last to first.
    fn programs(&self, binaries: &Binaries, options: &Options) -> Result<Vec<Program>> {
        let of = Programs { layout: &self.layout, binaries, options };
        for driver in [DRIVER, OTHER_DRIVER] {
            fs::create_dir_all(self.layout.csi(driver))?;
        }
        Ok(vec![
            of.etcd()?,
            of.apiserver()?,
            of.controller_manager()?,
            of.scheduler()?,
            of.csi_driver("lab-csi", DRIVER)?,
            of.csi_driver("other-csi", OTHER_DRIVER)?,
            of.csi_provisioner("csi-provisioner", DRIVER)?,
            of.csi_provisioner("other-provisioner", OTHER_DRIVER)?,
            of.csi_sidecar("csi-resizer", DRIVER)?,
            of.csi_sidecar("csi-snapshotter", DRIVER)?,
            of.snapshot_controller()?,
            of.cdi_apiserver()?,
            of.cdi_controller()?,
            of.virt_api()?,
            of.virt_controller()?,
            of.kwok()?,
        ])
    }

    async fn launch(&self, names: &[&str]) -> Result<()> {
        try_join_all(names.iter().map(async |name| self.component(name)?.start().await)).await?;
        Ok(())
    }

    /// Creates the definitions and waits until all of their kinds can be discovered.
    async fn install(&self, crds: &[Value]) -> Result<()> {
        create_all(&self.client, crds).await?;
        let mut missing: Vec<(String, String)> = crds.iter().map(served).collect::<Option<_>>().context("not a definition")?;
        until("all kinds are served", PATIENCE, async || {
            self.check()?;
            while let Some((version, plural)) = missing.last() {
                let list = self.client.list_api_group_resources(version).await;
                if !list.is_ok_and(|list| list.resources.iter().any(|each| each.name == *plural)) {
                    return Ok(Look::NotYet(format!("no {plural} in {version}")));
                }
                missing.pop();
            }
            Ok(Look::Done(()))
        })
        .await
    }

    /// What KubeVirt's and CDI's programs find when they start: the resources of their operators, and their credentials.
    async fn configure(&self) -> Result<()> {
        create_all(&self.client, &objects::cdi(&self.layout)?).await?;
        create_all(&self.client, &objects::kubevirt(&self.certificates)).await?;
        let kubevirt = api(&self.client, "KubeVirt", "kubevirt");
        let status = Patch::Merge(objects::kubevirt_status());
        kubevirt.patch_status("kubevirt", &PatchParams::default(), &status).await?;
        self.wait("the controllers can learn how to trust aggregated requests", async || {
            let found = self.find("ConfigMap", "kube-system", "extension-apiserver-authentication").await?;
            let data = found.unwrap_or_default();
            Ok(!data["data"]["requestheader-client-ca-file"].is_null())
        })
        .await?;
        for (namespace, account) in ACCOUNTS {
            let token = Credentials::Token(self.token(namespace, account).await?);
            let path = self.layout.kubeconfig(account);
            write_kubeconfig(&path, &self.layout.server(), self.certificates.cluster_ca(), &token)?;
        }
        Ok(())
    }

    async fn connect(&self, mut apiservices: Vec<Value>, mut webhooks: Vec<Value>) -> Result<()> {
        for object in apiservices.iter_mut().chain(&mut webhooks) {
            objects::connect(object, &self.layout, &self.certificates)?;
        }
        create_all(&self.client, &apiservices).await?;
        create_all(&self.client, &webhooks).await?;
        self.each_ready("APIService", "Available", &names(&apiservices)).await
    }

    /// What CDI has to be told about drivers it does not know.
    async fn finish_storage(&self) -> Result<()> {
        let gates = json!({"spec": {"featureGates": ["HonorWaitForFirstConsumer"]}});
        let config = api(&self.client, "CDIConfig", "");
        self.patch_when_there(&config, "config", gates).await?;
        let profiles = api(&self.client, "StorageProfile", "");
        for class in CLASSES {
            self.patch_when_there(&profiles, class, objects::storage_profile()).await?;
        }
        Ok(())
    }

    async fn patch_when_there(&self, api: &Api<DynamicObject>, name: &str, patch: Value) -> Result<()> {
        let patch = Patch::Merge(patch);
        self.wait(&format!("CDI makes {name}"), async || {
            api.patch(name, &PatchParams::default(), &patch).await?;
            Ok(true)
        })
        .await
    }

    /// Waits until all named objects of a kind without namespace report a condition.
    pub(super) async fn each_ready(&self, kind: &str, condition: &str, names: &[impl AsRef<str>]) -> Result<()> {
        until(&format!("every {kind} is {condition}"), PATIENCE, async || {
            self.check()?;
            let all = self.list(kind, "").await?;
            let ready = |name: &str| all.iter().any(|each| each["metadata"]["name"] == name && reports(each, condition));
            Ok(match names.iter().find(|name| !ready(name.as_ref())) {
                None => Look::Done(()),
                Some(name) => Look::NotYet(format!("{} is not", name.as_ref())),
            })
        })
        .await
    }
}

/// Under which apiVersion and plural a definition's kind is served.
fn served(crd: &Value) -> Option<(String, String)> {
    let spec = &crd["spec"];
    let version = spec["versions"].as_array()?.iter().find(|version| version["served"] == true)?;
    Some((format!("{}/{}", spec["group"].as_str()?, version["name"].as_str()?), spec["names"]["plural"].as_str()?.to_owned()))
}

fn reports(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|each| each["type"] == condition && each["status"] == "True"))
}

pub(super) fn names(objects: &[Value]) -> Vec<String> {
    objects.iter().filter_map(|object| object["metadata"]["name"].as_str().map(String::from)).collect()
}
