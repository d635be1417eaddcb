//! Requests from others to whoever carries a move, in a ConfigMap of their own that the runner watches.

use std::future::Future;

use super::surely::{self, same_data};
use super::{LABEL_LEDGER, config_map_ref, object_name};
use crate::cluster::{About, ApiError, Cluster, Reason, Topic};
use crate::engine::cancel::Cancel;
use crate::engine::clock::Clock;
use crate::model::failure::Failure;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{LABEL_MOVE, MoveId};

/// So often a request is written again when others write at the same time.
const TRIES: usize = 5;

/// Asks the runner to stop after the steps in flight. `why` completes the sentence that its user reads: `asked by alice to pause`.
pub async fn ask_pause(cluster: &Cluster, namespace: &str, id: &MoveId, why: &str, clock: &dyn Clock) -> Result<(), Failure> {
    put(cluster, namespace, id, Some(why), clock).await
}

/// Takes the request back, or notes that it was met. Nothing happens when there is none.
pub async fn clear(cluster: &Cluster, namespace: &str, id: &MoveId, clock: &dyn Clock) -> Result<(), Failure> {
    put(cluster, namespace, id, None, clock).await
}

/// The request that waits, if there is one.
pub async fn pending(cluster: &Cluster, namespace: &str, id: &MoveId) -> Result<Option<String>, ApiError> {
    let found = cluster.get(&config_map_ref(namespace, &name(id))).await?;
    Ok(found.as_ref().and_then(|found| found.text("/data/pause")).map(str::to_owned))
}

/// Waits for a request and hands it to `cancel`. Ends then; goes on for ever otherwise. It watches from this call on.
/// A request that waits already counts as well: whoever goes on with a move clears it first.
pub fn watch_requests(cluster: &Cluster, namespace: &str, id: &MoveId, cancel: &Cancel) -> impl Future<Output = ()> + use<> {
    let topic = Topic { kind: kind::CONFIG_MAP, namespace: Some(namespace.to_owned()), name: Some(name(id)), labels: None, about: About::All };
    let mut wakes = cluster.watch(&[topic]);
    let (cluster, namespace, id, cancel) = (cluster.clone(), namespace.to_owned(), id.clone(), cancel.clone());
    async move {
        loop {
            // A look that fails is repeated with the next wake-up: a request is never urgent.
            if let Ok(Some(why)) = pending(&cluster, &namespace, &id).await {
                cancel.ask(&why);
                return;
            }
            wakes.next().await;
        }
    }
}

async fn put(cluster: &Cluster, namespace: &str, id: &MoveId, why: Option<&str>, clock: &dyn Clock) -> Result<(), Failure> {
    let mut tries = 1;
    loop {
        let found = cluster.get(&config_map_ref(namespace, &name(id))).await?;
        if found.as_ref().and_then(|found| found.text("/data/pause")) == why {
            return Ok(());
        }
        let mut manifest = found.unwrap_or_else(|| fresh(namespace, id));
        match why {
            Some(why) => manifest.set("/data/pause", why.into()),
            None => manifest.set("/data", serde_json::json!({})),
        }
        match surely::write(cluster, clock, &manifest, same_data).await {
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.reason, Reason::Conflict | Reason::AlreadyExists | Reason::NotFound) && tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

fn name(id: &MoveId) -> String {
    format!("{}-request", object_name(id))
}

fn fresh(namespace: &str, id: &MoveId) -> Manifest {
    let mut manifest = Manifest::new(kind::CONFIG_MAP, namespace, &name(id));
    manifest.set_label(LABEL_MOVE, &id.0);
    manifest.set_label(LABEL_LEDGER, "request");
    manifest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::store::{Fault, Store};
    use super::super::tests::clock;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_reaches_the_runner_once() {
        let store = Store::default();
        let (cluster, _) = store.cluster();
        let (id, clock, cancel) = (MoveId("shop-to-prod-7k2fq".into()), clock(), Cancel::default());
        clear(&cluster, "shop", &id, &*clock).await.unwrap();
        assert!(store.names().is_empty(), "nothing was asked, so nothing is cleared");
        let watching = watch_requests(&cluster, "shop", &id, &cancel);
        store.fail([Fault::LostReply]);
        ask_pause(&cluster, "shop", &id, "alice asked to pause", &*clock).await.unwrap();
        watching.await;
        assert_eq!(cancel.reason().unwrap(), "alice asked to pause");
        clear(&cluster, "shop", &id, &*clock).await.unwrap();
        assert_eq!(pending(&cluster, "shop", &id).await.unwrap(), None);
        ask_pause(&cluster, "shop", &id, "bob asked to pause", &*clock).await.unwrap();
        assert_eq!(pending(&cluster, "shop", &id).await.unwrap().unwrap(), "bob asked to pause");
    }
}
