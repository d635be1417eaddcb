//! The objects, and what happened to them: one version counter over all, a history for watches.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;

use super::at::At;
pub use super::at::text;
use super::catalog::Res;
use super::index::{Index, Indexes};

/// So many changes are remembered; who asks for older ones is told that they are gone.
const HISTORY: usize = 50_000;

/// The address of an object. Cluster-scoped ones have an empty namespace. Their order is that of the paths `namespace/name`.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Key {
    pub resource: Res,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(resource: Res, namespace: &str, name: &str) -> Self {
        Self { resource, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The address of an object of this kind, by its metadata.
    pub fn of(resource: Res, object: &Value) -> Self {
        let namespace = if resource.namespaced { text(object, "/metadata/namespace") } else { "" };
        Self::new(resource, namespace, text(object, "/metadata/name"))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let path = || {
            let equal = self.namespace == other.namespace;
            if equal { Ordering::Equal } else { self.namespace.bytes().chain([b'/']).cmp(other.namespace.bytes().chain([b'/'])) }
        };
        self.resource.cmp(other.resource).then_with(path).then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.resource.full_name(), self.namespace, self.name)
    }
}

/// Whether an object is on its way out.
pub fn is_deleting(object: &Value) -> bool {
    object.at("/metadata/deletionTimestamp").is_some()
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    Added,
    Modified,
    Deleted,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Change {
    pub version: u64,
    pub what: What,
    pub key: Key,
    /// As it is afterwards; as it was last, when it was deleted.
    pub object: Arc<Value>,
    pub before: Option<Arc<Value>>,
}

/// All objects of the cluster.
#[derive(Clone, Default)]
pub struct Store {
    objects: BTreeMap<Key, Arc<Value>>,
    indexes: Indexes,
    version: u64,
    history: VecDeque<Arc<Change>>,
}

impl Store {
    /// The version of the last change.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// The objects of a kind, of one namespace or of all, in the order of namespace and name.
    pub fn list(&self, resource: Res, namespace: Option<&str>) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.list_after(Bound::Included(Key::new(resource, namespace.unwrap_or_default(), "")), namespace)
    }

    /// As [`Store::list`], beginning at a key or after it.
    pub fn list_after(&self, from: Bound<Key>, namespace: Option<&str>) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        let resource = match &from {
            Bound::Included(key) | Bound::Excluded(key) => Some(key.resource),
            Bound::Unbounded => None,
        };
        let namespace = namespace.map(str::to_owned);
        let within = move |key: &Key| Some(key.resource) == resource && namespace.as_ref().is_none_or(|namespace| key.namespace == *namespace);
        self.objects.range((from, Bound::Unbounded)).take_while(move |(key, _)| within(key))
    }

    /// The objects that an index has under a word, in the order of kind, namespace and name.
    pub fn find(&self, index: &Index, word: &str) -> impl Iterator<Item = (&Key, &Arc<Value>)> + use<'_> {
        self.indexes.find(index, word).filter_map(|key| self.objects.get_key_value(key))
    }

    /// Writes an object as it is now, with a new version.
    pub fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let object = Arc::new(object);
        let before = self.objects.insert(key.clone(), object.clone());
        self.indexes.changed(&key, before.as_deref(), Some(&object));
        let what = if before.is_some() { What::Modified } else { What::Added };
        self.remember(Change { version: self.version, what, key, object: object.clone(), before });
        object
    }

    /// Removes an object; its last state carries the version of the removal, as the watch cache of an API server shows it.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let before = self.objects.remove(key)?;
        self.indexes.changed(key, Some(&before), None);
        self.version += 1;
        let mut last = Value::clone(&before);
        last["metadata"]["resourceVersion"] = self.version.to_string().into();
        let object = Arc::new(last);
        self.remember(Change { version: self.version, what: What::Deleted, key: key.clone(), object: object.clone(), before: Some(before) });
        Some(object)
    }

    /// What happened after a version, or the oldest version that is still known when that is too long ago.
    pub fn since(&self, version: u64) -> Result<impl Iterator<Item = &Arc<Change>>, u64> {
        let oldest = self.history.front().map_or(self.version, |change| change.version - 1);
        if version < oldest {
            return Err(oldest);
        }
        let skip = self.history.partition_point(|change| change.version <= version);
        Ok(self.history.range(skip..))
    }

    /// Whether objects of a kind have changed since a version, or may have.
    pub fn is_changed_since(&self, version: u64, resource: Res) -> bool {
        self.since(version).map_or(true, |mut all| all.any(|change| change.key.resource == resource))
    }

    /// The objects of a kind as they were at a version, or the oldest version that is still known.
    ///
    /// # Errors
    /// When that is too long ago.
    pub fn list_at(&self, version: u64, resource: Res, namespace: Option<&str>) -> Result<BTreeMap<Key, Arc<Value>>, u64> {
        let mut then: BTreeMap<Key, Arc<Value>> = self.list(resource, namespace).map(|(key, object)| (key.clone(), object.clone())).collect();
        let changes: Vec<&Arc<Change>> = self.since(version)?.filter(|change| change.key.resource == resource).collect();
        for change in changes.into_iter().rev().filter(|change| namespace.is_none_or(|namespace| change.key.namespace == namespace)) {
            match &change.before {
                Some(before) => then.insert(change.key.clone(), before.clone()),
                None => then.remove(&change.key),
            };
        }
        Ok(then)
    }

    /// All that there is, as if it had just come.
    pub fn everything(&self) -> Vec<Arc<Change>> {
        let added = |(key, object): (&Key, &Arc<Value>)| {
            Arc::new(Change { version: self.version, what: What::Added, key: key.clone(), object: object.clone(), before: None })
        };
        self.objects.iter().map(added).collect()
    }

    /// Forgets what happened up to a version: whoever asks for it is told that it is gone.
    pub fn compact(&mut self, version: u64) {
        while self.history.front().is_some_and(|change| change.version <= version) {
            self.history.pop_front();
        }
    }

    fn remember(&mut self, change: Change) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Arc::new(change));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::sandbox::catalog::{CLAIM, CONFIG_MAP};

    fn put(store: &mut Store, namespace: &str, name: &str) {
        let object = json!({"metadata": {"namespace": namespace, "name": name}});
        store.put(Key::of(&CLAIM, &object), object);
    }

    #[test]
    fn a_namespace_holds_its_own_objects_in_order() {
        let mut store = Store::default();
        for (namespace, name) in [("shop", "b"), ("shop", "a"), ("prod", "c"), ("shop-2", "d")] {
            put(&mut store, namespace, name);
        }
        store.put(Key::new(&CONFIG_MAP, "shop", "z"), json!({"metadata": {"name": "z"}}));
        let names = |namespace: Option<&str>| store.list(&CLAIM, namespace).map(|(key, _)| key.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(Some("shop")), ["a", "b"]);
        assert_eq!(names(None), ["c", "d", "a", "b"], "as paths: shop-2/d comes before shop/a");
    }

    #[test]
    fn history_tells_what_happened_since_and_says_when_it_has_forgotten() {
        let mut store = Store::default();
        put(&mut store, "shop", "a");
        put(&mut store, "shop", "a");
        store.remove(&Key::new(&CLAIM, "shop", "a"));
        let since = |store: &Store, version| store.since(version).map(|all| all.map(|change| change.what).collect::<Vec<_>>());
        assert_eq!(since(&store, 0).unwrap(), [What::Added, What::Modified, What::Deleted]);
        assert_eq!(since(&store, 2).unwrap(), [What::Deleted]);
        assert_eq!(since(&store, 3).unwrap(), []);
        store.compact(2);
        assert_eq!(since(&store, 1), Err(2));
        assert_eq!(since(&store, 2).unwrap(), [What::Deleted]);
    }
}
