//! A kubelet's part that KWOK cannot play: a launcher that is being deleted goes when its guest has ended, however long that takes.
//!
//! KWOK's stages see one object only, and a launcher that is gone before its guest makes the guest end as Failed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use kube::Client;
use kube::api::{DeleteParams, DynamicObject, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::task::AbortHandle;

use super::api::api;

/// How often the end of a guest is looked for while its launcher waits for it.
const TICK: Duration = Duration::from_millis(50);

/// Removes launchers until it is dropped.
pub struct Launchers(AbortHandle);

impl Launchers {
    pub fn play(client: Client) -> Self {
        Self(tokio::spawn(play(client)).abort_handle())
    }
}

impl Drop for Launchers {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn play(client: Client) {
    let going: Arc<Mutex<HashSet<String>>> = Arc::default();
    let launchers = watcher(api(&client, "Pod", ""), watcher::Config::default().labels("kubevirt.io=virt-launcher"));
    let launchers = launchers.default_backoff().applied_objects();
    futures::pin_mut!(launchers);
    loop {
        // After an error the watch begins anew by itself.
        let Ok(Some(pod)) = launchers.try_next().await else { continue };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let lock = || going.lock().unwrap_or_else(PoisonError::into_inner);
        if pod.metadata.deletion_timestamp.is_none() || !lock().insert(uid.clone()) {
            continue;
        }
        let (client, going) = (client.clone(), going.clone());
        tokio::spawn(async move {
            // The API server may be away for a while.
            while gone(&client, &pod, &uid).await.is_err() {
                tokio::time::sleep(TICK).await;
            }
            going.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid);
        });
    }
}

/// Waits for the guest's end, then for nothing more.
async fn gone(client: &Client, pod: &DynamicObject, uid: &str) -> Result<()> {
    let namespace = pod.metadata.namespace.as_deref().context("a pod has a namespace")?;
    let name = pod.metadata.name.as_deref().context("a pod has a name")?;
    let domain = pod.metadata.annotations.as_ref().and_then(|all| all.get("kubevirt.io/domain"));
    let instances = api(client, "VirtualMachineInstance", namespace);
    if let Some(domain) = domain {
        while instances.get_opt(domain).await?.is_some_and(|instance| is_stopping(&instance)) {
            tokio::time::sleep(TICK).await;
        }
    }
    let preconditions = Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() };
    let now = DeleteParams { grace_period_seconds: Some(0), preconditions: Some(preconditions), ..DeleteParams::default() };
    match api(client, "Pod", namespace).delete(name, &now).await {
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        done => Ok(done.map(drop)?),
    }
}

/// Whether a guest is still on its way to its end. One that nobody asked to stop loses its launcher at once, as on a node.
fn is_stopping(instance: &DynamicObject) -> bool {
    let phase = instance.data["status"]["phase"].as_str().unwrap_or_default();
    instance.metadata.deletion_timestamp.is_some() && ["Scheduled", "Running"].contains(&phase)
}
