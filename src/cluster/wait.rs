//! Waiting for something to change: watches as wake-up calls. What changed is for the waiter to look at.
//!
//! A waiter makes its [`Wakes`] first, then looks, then waits: whatever happens after the look wakes it. Waiters for objects of one kind and
//! namespace share one watch, however many objects they wait for; it ends with the last of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::{FutureExt, select_all};
use serde_json::Value;
use tokio::task::AbortHandle;

use super::call::Cluster;
use super::watch::keep_watching;
use crate::engine::bell::Bell;
use crate::model::kind::{self, Kind};

/// How often a waiter looks by itself where nothing can be watched.
pub(super) const WITHOUT_WATCH: Duration = Duration::from_secs(5);

/// What to be woken for: objects of a kind, in a namespace or in all.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Topic {
    pub kind: Kind,
    pub namespace: Option<String>,
    /// Narrowed by the server, in a watch of its own: for kinds of which there are many that are not ours.
    pub name: Option<String>,
    pub labels: Option<String>,
    /// Narrowed here: topics that differ in nothing else share one watch.
    pub about: About,
}

/// Which of the objects that a watch brings matter to a waiter.
#[derive(Clone, Debug, Default, Eq, PartialEq, Hash)]
pub enum About {
    #[default]
    All,
    /// The one of this name.
    Object(String),
    /// The one of this name, where more of it changed than its status.
    Wish(String),
    /// Those that exist for this guest, and those that exist for none.
    Guest(String),
    /// The events that tell of an object of this name: what is after it in theirs is a time.
    /// Source: kubernetes/client-go 1.36 `tools/record/event.go`, makeEvent.
    Told(String),
}

/// How much has changed since a watch began, as counts that only grow.
#[derive(Default)]
pub(super) struct Changes {
    objects: HashMap<String, u64>,
    /// By an object's name without what is after its last dot.
    told: HashMap<String, u64>,
    /// Without changes of the status alone; with a fingerprint of everything else that a watch tells.
    wishes: HashMap<String, (u64, u64)>,
    /// By the guest that the object exists for.
    guests: HashMap<String, u64>,
    of_no_guest: u64,
    /// What nobody knows the object of, and so concerns everybody.
    unknown: u64,
    all: u64,
}

impl Changes {
    /// Counts a change that may be in any object.
    pub fn count_unknown(&mut self) {
        self.all += 1;
        self.unknown += 1;
    }

    /// Counts a change in this object, or its end.
    pub fn count(&mut self, object: &Value, gone: bool) {
        self.all += 1;
        let add = |to: &mut HashMap<String, u64>, name: &str| *to.entry(name.to_owned()).or_default() += 1;
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        add(&mut self.objects, name);
        if let Some((subject, _)) = name.rsplit_once('.') {
            add(&mut self.told, subject);
        }
        let (count, before) = self.wishes.entry(name.to_owned()).or_default();
        let now = if gone { 0 } else { fingerprint(object) };
        if std::mem::replace(before, now) != now {
            *count += 1;
        }
        match guest_of(object) {
            Some(guest) => add(&mut self.guests, guest),
            None => self.of_no_guest += 1,
        }
    }

    /// What matters to whoever waits for this.
    fn seen_by(&self, about: &About) -> u64 {
        let of = |counts: &HashMap<String, u64>, name: &str| counts.get(name).copied().unwrap_or_default();
        match about {
            About::All => self.all,
            About::Object(name) => self.unknown + of(&self.objects, name),
            About::Wish(name) => self.unknown + self.wishes.get(name).map_or(0, |(count, _)| *count),
            About::Told(name) => self.unknown + of(&self.told, name),
            About::Guest(name) => self.unknown + self.of_no_guest + of(&self.guests, name),
        }
    }
}

/// Of an object's metadata, without what changes with its status too. The generation tells of the specification.
fn fingerprint(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    let fields = object.get("metadata").and_then(Value::as_object).into_iter().flatten();
    for (name, value) in fields.filter(|(name, _)| *name != "resourceVersion" && *name != "managedFields") {
        (name, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

/// The guest that an object exists for, by its owner.
fn guest_of(object: &Value) -> Option<&str> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    owners.iter().find(|owner| owner["kind"] == kind::VMI.kind)?["name"].as_str()
}

/// A watch that runs as long as somebody holds this.
pub struct Watching {
    changes: Arc<Bell<Changes>>,
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
    about: About,
    seen: u64,
    watching: Arc<Watching>,
}

impl Waiting {
    /// Resolves when something changed that matters here.
    async fn next(&mut self) {
        let (about, seen) = (&self.about, self.seen);
        self.watching.changes.until(|changes| changes.seen_by(about) != seen).await;
    }

    fn see(&mut self) {
        self.seen = self.watching.changes.look(|changes| changes.seen_by(&self.about));
    }
}

impl Cluster {
    /// Begins to watch the topics (in the background, so call it on a runtime).
    pub fn watch(&self, topics: &[Topic]) -> Wakes {
        let waiting = |topic: &Topic| {
            let watching = self.watching(&Topic { about: About::All, ..topic.clone() });
            let seen = watching.changes.look(|changes| changes.seen_by(&topic.about));
            Waiting { about: topic.about.clone(), seen, watching }
        };
        Wakes { topics: topics.iter().map(waiting).collect(), cluster: self.clone() }
    }

    fn watching(&self, topic: &Topic) -> Arc<Watching> {
        let mut running = self.topics().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watching) = running.get(topic).and_then(std::sync::Weak::upgrade) {
            return watching;
        }
        let changes = Arc::<Bell<Changes>>::default();
        let task = tokio::spawn(keep_watching(self.clone(), topic.clone(), changes.clone())).abort_handle();
        let watching = Arc::new(Watching { changes, task });
        running.retain(|_, watching| watching.strong_count() > 0);
        running.insert(topic.clone(), Arc::downgrade(&watching));
        watching
    }
}

impl Wakes {
    /// The watches behind it, for whoever wants them to go on: the next waiter then finds them running.
    pub fn watches(&self) -> impl Iterator<Item = &Arc<Watching>> {
        self.topics.iter().map(|waiting| &waiting.watching)
    }

    /// Resolves when anything changed in any topic since the last call, or since the watch began. Several changes are one
    /// wake-up. Without topics it resolves every 5 s.
    pub async fn next(&mut self) {
        if self.topics.is_empty() {
            self.cluster.clock().sleep(WITHOUT_WATCH).await;
            return;
        }
        select_all(self.topics.iter_mut().map(|waiting| waiting.next().boxed())).await;
        self.topics.iter_mut().for_each(Waiting::see);
    }
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
