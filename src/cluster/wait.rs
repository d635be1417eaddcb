//! Waiting for something to change: watches as wake-up calls. What changed is for the waiter to look at.
//!
//! A waiter makes its [`Wakes`] first, then looks, then waits: whatever happens after the look wakes it. Several waiters on one
//! topic share one watch, which ends with the last of them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::{FutureExt, select_all};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::call::Cluster;
use super::watch::keep_watching;
use crate::model::kind::Kind;

/// How often a waiter looks by itself where nothing can be watched.
pub(super) const WITHOUT_WATCH: Duration = Duration::from_secs(5);

/// What to be woken for: objects of a kind, in a namespace or in all, narrowed to a name or to labels.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Topic {
    pub kind: Kind,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub labels: Option<String>,
    /// Of the pods of guests, only those of this one's; and all other pods.
    pub guest: Option<String>,
}

/// How much has changed since a watch began, as counts that only grow.
#[derive(Default)]
pub(super) struct Changes {
    /// In objects that belong to one guest, by its name.
    guests: HashMap<String, u64>,
    others: u64,
}

impl Changes {
    /// Counts a change in an object of this guest, or in one of none.
    pub fn count(&mut self, guest: Option<&str>) {
        match guest {
            Some(guest) => *self.guests.entry(guest.to_owned()).or_default() += 1,
            None => self.others += 1,
        }
    }

    /// What matters to whoever waits for this guest, or for all.
    fn seen_by(&self, guest: Option<&str>) -> u64 {
        let guests = match guest {
            Some(guest) => self.guests.get(guest).copied().unwrap_or_default(),
            None => self.guests.values().sum(),
        };
        self.others + guests
    }
}

/// A watch that runs as long as somebody holds this.
pub(super) struct Watching {
    wakes: watch::Sender<Changes>,
    task: AbortHandle,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Wake-up calls of some topics. Dropping it ends the watches that nobody else shares.
pub struct Wakes {
    topics: Vec<Waiting>,
    cluster: Cluster,
}

/// One topic of one waiter.
struct Waiting {
    changes: watch::Receiver<Changes>,
    guest: Option<String>,
    seen: u64,
    _watching: Arc<Watching>,
}

impl Waiting {
    /// Resolves when something changed that matters here.
    async fn next(&mut self) {
        while self.changes.changed().await.is_ok() {
            if self.is_news() {
                return;
            }
        }
    }

    fn is_news(&mut self) -> bool {
        let now = self.changes.borrow_and_update().seen_by(self.guest.as_deref());
        std::mem::replace(&mut self.seen, now) != now
    }
}

impl Cluster {
    /// Begins to watch the topics (in the background, so call it on a runtime).
    pub fn watch(&self, topics: &[Topic]) -> Wakes {
        let waiting = |topic: &Topic| {
            let watching = self.watching(&Topic { guest: None, ..topic.clone() });
            let changes = watching.wakes.subscribe();
            let seen = changes.borrow().seen_by(topic.guest.as_deref());
            Waiting { changes, guest: topic.guest.clone(), seen, _watching: watching }
        };
        Wakes { topics: topics.iter().map(waiting).collect(), cluster: self.clone() }
    }

    fn watching(&self, topic: &Topic) -> Arc<Watching> {
        let mut running = self.topics().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watching) = running.get(topic).and_then(std::sync::Weak::upgrade) {
            return watching;
        }
        let wakes = watch::Sender::default();
        let task = tokio::spawn(keep_watching(self.clone(), topic.clone(), wakes.clone())).abort_handle();
        let watching = Arc::new(Watching { wakes, task });
        running.retain(|_, watching| watching.strong_count() > 0);
        running.insert(topic.clone(), Arc::downgrade(&watching));
        watching
    }
}

impl Wakes {
    /// Resolves when anything changed in any topic since the last call, or since the watch began. Several changes are one
    /// wake-up. Without topics it resolves every 5 s.
    pub async fn next(&mut self) {
        if self.topics.is_empty() {
            self.cluster.clock().sleep(WITHOUT_WATCH).await;
            return;
        }
        select_all(self.topics.iter_mut().map(|waiting| waiting.next().boxed())).await;
        for waiting in &mut self.topics {
            waiting.is_news();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use futures::channel::mpsc::UnboundedSender;
    use futures::future::{Either, select};

    use super::*;
    use crate::cluster::scripted::{Log, Reply, cluster, in_turn};
    use crate::model::kind;

    fn claims() -> Topic {
        Topic { kind: kind::CLAIM, namespace: Some("shop".into()), name: Some("root".into()), labels: None, guest: None }
    }

    fn event(change: &str, version: u32) -> String {
        let object = serde_json::json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "root", "resourceVersion": version.to_string()}});
        serde_json::json!({"type": change, "object": object}).to_string()
    }

    fn expired() -> String {
        r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#.to_owned()
    }

    /// A cluster whose watches the test feeds, one sender per watch; when they run out, watches are silent.
    fn fed(watches: usize) -> (Cluster, Log, Vec<UnboundedSender<String>>) {
        let (senders, replies): (Vec<_>, VecDeque<_>) = (0..watches).map(|_| Reply::lines()).unzip();
        let replies = Mutex::new(replies);
        let (cluster, log) = cluster(move |_| replies.lock().unwrap().pop_front().unwrap_or(Reply::Silence));
        (cluster, log, senders)
    }

    /// Whether a wake-up comes within so many seconds of the (paused) clock.
    async fn woken(cluster: &Cluster, wakes: &mut Wakes, seconds: f64) -> bool {
        let next = std::pin::pin!(wakes.next());
        matches!(select(next, cluster.clock().sleep(Duration::from_secs_f64(seconds))).await, Either::Left(_))
    }

    #[tokio::test(start_paused = true)]
    async fn what_happened_before_the_watch_stood_wakes_and_several_changes_are_one_wake_up() {
        let (cluster, log, feed) = fed(1);
        let mut wakes = cluster.watch(&[claims()]);
        assert!(woken(&cluster, &mut wakes, 1.0).await, "the claim may have been deleted before the watch stood");
        assert!(!woken(&cluster, &mut wakes, 30.0).await, "nothing happened");
        for version in [5, 6, 7] {
            feed[0].unbounded_send(event("MODIFIED", version)).unwrap();
        }
        assert!(woken(&cluster, &mut wakes, 1.0).await);
        assert!(!woken(&cluster, &mut wakes, 10.0).await);
        assert!(log.all()[0].query.starts_with("watch=true&allowWatchBookmarks=true&timeoutSeconds=50&fieldSelector=metadata.name%3Droot"));
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_of_one_topic_share_one_watch_which_ends_with_the_last_of_them() {
        let (cluster, log, feed) = fed(2);
        let (mut one, mut other) = (cluster.watch(&[claims()]), cluster.watch(&[claims()]));
        assert!(woken(&cluster, &mut one, 1.0).await && woken(&cluster, &mut other, 1.0).await);
        assert_eq!(log.len(), 1);
        drop(one);
        feed[0].unbounded_send(event("DELETED", 5)).unwrap();
        assert!(woken(&cluster, &mut other, 1.0).await);
        drop(other);
        tokio::task::yield_now().await;
        assert!(feed[0].is_closed(), "nobody listens any more");
        let _again = cluster.watch(&[claims()]);
        cluster.clock().sleep(Duration::from_secs(1)).await;
        assert_eq!(log.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_guest_sleeps_on_when_pods_of_other_guests_change() {
        let (cluster, log, feed) = fed(1);
        let pods = |guest: &str| Topic { kind: kind::POD, namespace: Some("shop".into()), name: None, labels: None, guest: Some(guest.into()) };
        let (mut db, mut web) = (cluster.watch(&[pods("db-1")]), cluster.watch(&[pods("web-1")]));
        let pod = |owner: &str, kind: &str| {
            let owners = serde_json::json!([{"kind": kind, "name": owner}]);
            let object = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "resourceVersion": "5", "ownerReferences": owners}});
            serde_json::json!({"type": "MODIFIED", "object": object}).to_string()
        };
        feed[0].unbounded_send(pod("web-1", "VirtualMachineInstance")).unwrap();
        assert!(woken(&cluster, &mut db, 1.0).await && woken(&cluster, &mut web, 1.0).await, "the first event tells that the watch stands");
        feed[0].unbounded_send(pod("web-1", "VirtualMachineInstance")).unwrap();
        assert!(woken(&cluster, &mut web, 1.0).await && !woken(&cluster, &mut db, 5.0).await);
        feed[0].unbounded_send(pod("backup", "Job")).unwrap();
        assert!(woken(&cluster, &mut db, 1.0).await && woken(&cluster, &mut web, 1.0).await, "it may mount the disks of either");
        assert_eq!(log.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_ends_is_resumed_where_it_was_without_a_wake_up() {
        let (cluster, log, mut feed) = fed(2);
        let mut wakes = cluster.watch(&[claims()]);
        assert!(woken(&cluster, &mut wakes, 1.0).await);
        feed[0].unbounded_send(event("BOOKMARK", 42)).unwrap();
        feed.remove(0).close_channel();
        assert!(!woken(&cluster, &mut wakes, 20.0).await);
        assert!(log.all()[1].query.contains("resourceVersion=42"));
        feed[0].unbounded_send(event("ADDED", 43)).unwrap();
        assert!(woken(&cluster, &mut wakes, 1.0).await);
    }

    #[tokio::test(start_paused = true)]
    async fn too_old_a_version_wakes_everybody_and_begins_again() {
        let (cluster, log, feed) = fed(2);
        let mut wakes = cluster.watch(&[claims()]);
        feed[0].unbounded_send(event("ADDED", 42)).unwrap();
        assert!(woken(&cluster, &mut wakes, 1.0).await);
        feed[0].unbounded_send(expired()).unwrap();
        assert!(woken(&cluster, &mut wakes, 1.0).await);
        assert!(woken(&cluster, &mut wakes, 2.0).await, "and once the new watch stands");
        assert!(!log.all()[1].query.contains("resourceVersion"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_watch_is_taken_for_dead() {
        let (cluster, log, _feed) = fed(2);
        let mut wakes = cluster.watch(&[claims()]);
        assert!(woken(&cluster, &mut wakes, 1.0).await);
        assert!(!woken(&cluster, &mut wakes, 58.0).await);
        assert!(woken(&cluster, &mut wakes, 5.0).await);
        cluster.clock().sleep(Duration::from_secs(1)).await;
        assert_eq!(log.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn where_watching_is_forbidden_the_waiter_looks_every_five_seconds() {
        let (cluster, _) = cluster(|_| Reply::status(403, "Forbidden", "no watch for you"));
        let mut wakes = cluster.watch(&[claims()]);
        for _ in 0..3 {
            assert!(!woken(&cluster, &mut wakes, 4.0).await);
            assert!(woken(&cluster, &mut wakes, 1.5).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_restarting_server_is_waited_for_and_what_was_missed_wakes() {
        let (feed, lines) = Reply::lines();
        let (cluster, log) = in_turn(vec![Reply::Break, Reply::Break, Reply::status(503, "ServiceUnavailable", "starting"), lines]);
        let mut wakes = cluster.watch(&[claims()]);
        cluster.clock().sleep(Duration::from_secs(10)).await;
        assert!(woken(&cluster, &mut wakes, 1.0).await);
        assert_eq!(log.len(), 4, "with pauses that grow");
        feed.unbounded_send(event("ADDED", 5)).unwrap();
        assert!(woken(&cluster, &mut wakes, 1.0).await);
    }
}
