//! One watch, kept up: resumed where it broke off, begun again where that is impossible, checked for life.
//!
//! Only metadata is asked for: a wake-up needs no contents, and what Secrets hold never travels.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use http::Method;
use kube::core::WatchEvent;
use serde_json::Value;

use super::call::Cluster;
use super::error::{ApiError, Reason};
use super::path::{collection, with_query};
use super::request::{Call, METADATA, METADATA_LIST};
use super::wait::{Changes, Topic, WITHOUT_WATCH};
use crate::engine::bell::Bell;

/// A watch that is silent for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the server lets a watch run, in seconds. Below [`SILENCE`], because the server sends a bookmark two seconds
/// before the end (kubernetes/apiserver `pkg/storage/cacher/cache_watcher.go`, nextBookmarkTime): a healthy watch is never silent.
const RUN: &str = "50";
/// A new watch reports what is there; how long to wait for the first of it before waking those whose objects are gone.
const SETTLE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How a stretch of watching ended.
enum End {
    /// The server closed it in good order.
    Closed,
    /// Nothing was heard, or the resource version is too old: what happened meanwhile is not known.
    Lost,
    Failed(ApiError),
}

/// Watches a topic until the task is aborted, and says so by `changes` whenever something may have changed.
pub(super) async fn keep_watching(cluster: Cluster, topic: Topic, changes: Arc<Bell<Changes>>) {
    let mut version = String::new();
    let mut pause = Duration::from_millis(250);
    loop {
        let begun = cluster.clock().elapsed();
        let end = stretch(&cluster, &topic, &mut version, &changes).await;
        let lasted = cluster.clock().elapsed().saturating_sub(begun);
        match end {
            End::Closed => {}
            End::Lost => {
                version.clear();
                wake_all(&changes);
            }
            End::Failed(error) if error.is_transient() => {
                tracing::debug!(kind = topic.kind.plural, "watch broke: {error}");
                if lasted > LONGEST_PAUSE {
                    pause = Duration::from_millis(250);
                }
                cluster.clock().sleep(error.retry_after.unwrap_or_else(|| cluster.jitter(pause))).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                if error.code != 0 {
                    // The server answers, so looking may work though watching does not.
                    wake_all(&changes);
                }
                continue;
            }
            End::Failed(error) => {
                tracing::debug!(kind = topic.kind.plural, "cannot watch: {error}");
                version.clear();
                cluster.clock().sleep(WITHOUT_WATCH).await;
                wake_all(&changes);
                continue;
            }
        }
        // A server that closes every watch at once must not be asked in a tight loop.
        if lasted < Duration::from_secs(1) {
            cluster.clock().sleep(cluster.jitter(pause)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        } else {
            pause = Duration::from_millis(250);
        }
    }
}

/// The version of a collection. A watch from there on does not begin with everything that is there.
async fn newest(cluster: &Cluster, topic: &Topic) -> Result<String, ApiError> {
    let collection = collection(topic.kind, &topic.kind.api_version(), topic.namespace.as_deref());
    let list = cluster.call(&Call::new(Method::GET, with_query(&collection, &[("limit", "1")])).accept(METADATA_LIST)).await?;
    Ok(list.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// One request's worth of watching, from `version` on; keeps `version` up to date.
async fn stretch(cluster: &Cluster, topic: &Topic, version: &mut String, changes: &Bell<Changes>) -> End {
    if version.is_empty() && topic.name.is_none() {
        match newest(cluster, topic).await {
            Ok(newest) => *version = newest,
            Err(error) if error.reason == Reason::Forbidden => {}
            Err(error) => return End::Failed(error),
        }
        // What happened before that is for the waiters to see.
        wake_all(changes);
    }
    let call = Call::new(Method::GET, path(topic, version)).accept(METADATA);
    let request = match call.request::<Vec<u8>>() {
        Ok(request) => request,
        Err(error) => return End::Failed(error),
    };
    let failed = |error: kube::Error| match ApiError::of_client(&error, cluster.server()) {
        error if error.reason == Reason::Gone => End::Lost,
        error => End::Failed(error),
    };
    let events = match select(pin!(cluster.client().request_events::<Value>(request)), cluster.clock().sleep(SILENCE)).await {
        Either::Left((Ok(events), _)) => events,
        Either::Left((Err(error), _)) => return failed(error),
        Either::Right(_) => return End::Lost,
    };
    let mut events = pin!(events);
    let mut settled = !version.is_empty();
    loop {
        let patience = if settled { SILENCE } else { SETTLE };
        let event = match select(pin!(events.next()), cluster.clock().sleep(patience)).await {
            Either::Left((Some(Ok(event)), _)) => event,
            Either::Left((None, _)) => return End::Closed,
            Either::Left((Some(Err(error)), _)) => return failed(error),
            Either::Right(_) if settled => return End::Lost,
            Either::Right(_) => {
                settled = true;
                wake_all(changes);
                continue;
            }
        };
        // Whoever's object went before the watch stood is woken by what comes first, whatever that is.
        let fresh = !std::mem::replace(&mut settled, true);
        match event {
            WatchEvent::Added(ref object) | WatchEvent::Modified(ref object) | WatchEvent::Deleted(ref object) => {
                if let Some(seen) = object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
                    seen.clone_into(version);
                }
                let gone = matches!(event, WatchEvent::Deleted(_));
                changes.change(|changes| if fresh { changes.count_unknown() } else { changes.count(object, gone) });
            }
            WatchEvent::Bookmark(bookmark) => bookmark.metadata.resource_version.clone_into(version),
            WatchEvent::Error(status) if status.code == 410 => return End::Lost,
            WatchEvent::Error(status) => return End::Failed(ApiError::of_status(&status, status.code, None)),
        }
    }
}

fn wake_all(changes: &Bell<Changes>) {
    changes.change(Changes::count_unknown);
}

fn path(topic: &Topic, version: &str) -> String {
    let fields = topic.name.as_ref().map(|name| format!("metadata.name={name}")).unwrap_or_default();
    let collection = collection(topic.kind, &topic.kind.api_version(), topic.namespace.as_deref());
    let labels = topic.labels.as_deref().unwrap_or_default();
    with_query(
        &collection,
        &[
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", RUN),
            ("resourceVersion", version),
            ("fieldSelector", &fields),
            ("labelSelector", labels),
        ],
    )
}
