//! A real control plane as a test fixture: etcd, Kubernetes, CSI, CDI and KubeVirt, as processes of an ordinary user on
//! loopback. There is no kubelet and no guest: KWOK plays both. Volumes are files that tests can read and write.
//!
//! It needs Linux, Go to build the programs once, `openssl`, and util-linux's `setpriv` and `unshare`.

#![allow(clippy::disallowed_methods, reason = "the lab waits for real processes, by the real clock")]

pub mod access;
pub mod api;
pub mod build;
pub mod certificates;
mod disks;
mod faults;
mod launchers;
mod layout;
mod nodes;
mod objects;
pub mod process;
mod programs;
pub mod proxy;
pub mod ready;
mod start;
pub mod wait;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;

use certificates::Certificates;
use layout::Layout;
pub use objects::{CLASSES, DRIVER, OTHER_DRIVER};
use process::Component;

/// Returns when the terminal or the system asks the test run to end.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let asked = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(|kind| async move {
        match signal(kind) {
            Ok(mut signal) => drop(signal.recv().await),
            // Without a handler the signal ends the process, and the kernel its children.
            Err(_) => std::future::pending().await,
        }
    });
    futures::future::select_all(asked.map(Box::pin)).await;
}

/// What can differ between labs.
pub struct Options {
    /// How often the volume controller looks at all claims again. Kubernetes' own value is 15 s; with 1 s a swapped claim is
    /// bound sooner.
    pub resync: Duration,
    /// Requests per second of the controller manager, the scheduler and the storage sidecars. Kubernetes' own values are 20, 50 and 5.
    pub qps: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { resync: Duration::from_secs(1), qps: 500 }
    }
}

/// A running control plane. Dropping it stops everything and removes its files.
pub struct Lab {
    components: Vec<Component>,
    layout: Layout,
    certificates: Certificates,
    client: kube::Client,
    launchers: Option<launchers::Launchers>,
    admin: PathBuf,
    kubectl: PathBuf,
    pairs: AtomicUsize,
    kept: AtomicBool,
    dir: Option<TempDir>,
}

impl Lab {
    /// The kubeconfig of an administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// An administrator's client.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// A kubectl of the server's version.
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    /// The folder with the programs' logs.
    pub fn logs(&self) -> PathBuf {
        self.layout.dir.join("logs")
    }

    /// One program by its name: `etcd`, `kube-apiserver`, `kube-controller-manager`, `kube-scheduler`, `lab-csi`,
    /// `csi-provisioner`, `csi-resizer`, `csi-snapshotter`, `snapshot-controller`, `other-csi`, `other-provisioner`,
    /// `cdi-apiserver`, `cdi-controller`, `virt-api`, `virt-controller`, `kwok`.
    pub fn component(&self, name: &str) -> Result<&Component> {
        let found = self.components.iter().find(|each| each.name() == name);
        found.with_context(|| format!("the lab has no component {name}"))
    }

    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Resident memory of all programs, in bytes.
    pub fn memory(&self) -> u64 {
        self.components.iter().map(Component::memory).sum()
    }

    /// An error with the end of the log if a program ended by itself.
    pub fn check(&self) -> Result<()> {
        self.components.iter().try_for_each(Component::check)
    }

    /// Two namespaces that nobody else uses, ready for pods.
    pub async fn namespaces(&self, prefix: &str) -> Result<(String, String)> {
        let number = self.pairs.fetch_add(1, Ordering::Relaxed) + 1;
        let pair = (format!("{prefix}-{number}-source"), format!("{prefix}-{number}-target"));
        for name in [&pair.0, &pair.1] {
            self.create(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})]).await?;
        }
        for name in [&pair.0, &pair.1] {
            self.wait(&format!("{name} has its service account"), async || Ok(self.find("ServiceAccount", name, "default").await?.is_some())).await?;
        }
        Ok(pair)
    }

    /// A folder for the files of tests; it goes with the lab.
    pub fn scratch(&self) -> &Path {
        &self.layout.dir
    }

    /// Lets the logs and the volumes outlive the lab, and tells where they are.
    pub fn keep(&self) -> &Path {
        self.kept.store(true, Ordering::Relaxed);
        &self.layout.dir
    }

    /// Gives back what a test took away: all programs run, and the drivers have no faults.
    pub async fn restore(&self) -> Result<()> {
        for driver in [DRIVER, OTHER_DRIVER] {
            self.heal(driver)?;
        }
        for component in self.components.iter().filter(|each| each.running()) {
            component.resume()?;
        }
        for component in &self.components {
            component.start().await?;
        }
        // A server that was started anew has not asked the aggregated ones yet.
        let apis = start::names(&self.list("APIService", "").await?);
        self.each_ready("APIService", "Available", &apis).await
    }

    /// Stops every program, in the reverse order of the start. A lab that was stopped stays stopped.
    pub fn stop(&self) {
        self.components.iter().rev().for_each(Component::stop);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop();
        if self.kept.load(Ordering::Relaxed) {
            // etcd's files say nothing to a reader, and are most of the bytes.
            let _ = std::fs::remove_dir_all(self.layout.dir.join("etcd"));
            self.dir.take().map(TempDir::keep);
        }
    }
}
