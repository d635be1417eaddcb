//! The cluster as its controllers see it: objects, time, chance, and what is to be looked at when.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::catalog::{self, Res};
use super::delete::{self, Deletion};
use super::disks::Disks;
use super::status::Status;
use super::store::{Key, Store, text};
use super::subject::{Controller, Rule, Subject};
use super::write::{self, Attempt, User};

/// Everything there is. One at a time changes it, so what happens is a sequence, and the same one from the same seed.
#[derive(Clone)]
pub struct World {
    pub store: Store,
    /// What is written on the volumes.
    pub disks: Disks,
    pub(super) now: Timestamp,
    chance: u64,
    /// What is to be looked at, by time and then by order of asking.
    pub(super) queue: BTreeMap<(Timestamp, u64), (usize, Key)>,
    pub(super) queued: HashMap<(usize, Key), (Timestamp, u64)>,
    pub(super) asked: u64,
    /// Up to which change the controllers have heard.
    pub(super) heard: u64,
    /// Groups of the API that are not served, with those below them.
    pub(super) not_installed: Vec<String>,
    pub(super) rules: Vec<&'static Rule>,
    pub(super) controllers: Vec<&'static Controller>,
}

impl World {
    /// An empty cluster at a time that does what the subjects say. The same seed gives the same names, identities and order of things.
    pub fn new(seed: u64, now: Timestamp, subjects: &[&'static Subject]) -> Self {
        let (queue, queued) = (BTreeMap::new(), HashMap::new());
        let rules = subjects.iter().flat_map(|subject| subject.rules).collect();
        let controllers = subjects.iter().flat_map(|subject| subject.controllers).collect();
        let (store, disks, not_installed) = (Store::default(), Disks::default(), Vec::new());
        Self { store, disks, now, chance: seed, queue, queued, asked: 0, heard: 0, not_installed, rules, controllers }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether the kinds of a group are served.
    pub fn serves(&self, group: &str) -> bool {
        let below = |parent: &str| group.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        !self.not_installed.iter().any(|parent| below(parent))
    }

    /// How long a driver has been busy with something; nothing when it is not.
    pub fn spent_on(&self, work: &str) -> Duration {
        self.disks.begun(work).and_then(|begun| Duration::try_from(self.now.duration_since(begun)).ok()).unwrap_or_default()
    }

    /// The time as objects carry it: whole seconds, UTC.
    pub fn stamp(&self) -> Value {
        self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
    }

    /// The next of a sequence of numbers that follows from the seed (splitmix64).
    pub fn chance(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A new identity, in the shape of a version 4 UUID.
    pub fn uid(&mut self) -> String {
        let (high, low) = (self.chance(), self.chance());
        let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
        format!("{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}", 0x8000 | ((low >> 48) & 0x3fff), low & 0xffff_ffff_ffff)
    }

    /// What `generateName` adds (kubernetes/apimachinery `pkg/util/rand/rand.go`).
    pub fn suffix(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let mut number = self.chance();
        let letter = |number: &mut u64| {
            let index = usize::try_from(*number % LETTERS.len() as u64).unwrap_or_default();
            *number /= LETTERS.len() as u64;
            char::from(LETTERS[index])
        };
        (0..5).map(|_| letter(&mut number)).collect()
    }

    pub fn get(&self, resource: Res, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store.get(&Key::new(resource, namespace, name)).cloned()
    }

    /// The object of a key, if it still is the one with this identity.
    pub fn same(&self, key: &Key, uid: &str) -> Option<Arc<Value>> {
        self.store.get(key).filter(|object| text(object, "/metadata/uid") == uid).cloned()
    }

    pub fn list(&self, resource: Res, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.store.list(resource, namespace).map(|(_, object)| object.clone()).collect()
    }
}

/// Writes of controllers. They go the way of everybody's writes, admission included.
impl World {
    /// # Errors
    /// What the API server would have said.
    pub fn create(&mut self, object: Value) -> Result<Arc<Value>, Status> {
        let resource = kind_of(&object)?;
        write::create(self, Attempt::new(User::controller(), resource, object))
    }

    /// Changes an object, status included, by a function; writes nothing when that changes nothing, or there is no such object.
    ///
    /// # Errors
    /// What the API server would have said.
    pub fn change(&mut self, key: &Key, change: impl FnOnce(&mut Value)) -> Result<(), Status> {
        self.change_as(User::controller(), key, change)
    }

    /// As [`World::change`], in the name of a component that may not do everything.
    ///
    /// # Errors
    /// What the API server would have said.
    pub fn change_as(&mut self, user: User, key: &Key, change: impl FnOnce(&mut Value)) -> Result<(), Status> {
        let Some(before) = self.store.get(key).cloned() else { return Ok(()) };
        let mut object = Value::clone(&before);
        change(&mut object);
        self.put(user, key, &before, object)
    }

    /// As [`World::change`], with the object as it is to be.
    ///
    /// # Errors
    /// What the API server would have said.
    pub fn become_so(&mut self, key: &Key, object: Value) -> Result<(), Status> {
        let Some(before) = self.store.get(key).cloned() else { return Ok(()) };
        self.put(User::controller(), key, &before, object)
    }

    fn put(&mut self, user: User, key: &Key, before: &Value, object: Value) -> Result<(), Status> {
        if object == *before {
            return Ok(());
        }
        if !key.resource.has_status {
            return write::update(self, Attempt::new(user, key.resource, object)).map(drop);
        }
        // Of each of the two writes the server takes its own part only.
        if !write::same_but_status(&object, before) {
            let mut rest = object.clone();
            write::put_or_remove(&mut rest, "status", before.get("status"));
            write::update(self, Attempt::new(user.clone(), key.resource, rest))?;
        }
        if object.get("status") != before.get("status") && self.store.get(key).is_some() {
            let mut attempt = Attempt::new(user, key.resource, object);
            attempt.object["metadata"]["resourceVersion"] = Value::Null;
            attempt.subresource = "status";
            write::update(self, attempt)?;
        }
        Ok(())
    }

    /// Asks for an object's deletion. One that is not there is no error.
    ///
    /// # Errors
    /// What the API server would have said.
    pub fn delete(&mut self, key: &Key) -> Result<(), Status> {
        match delete::delete(self, &User::controller(), key, &Deletion::default()) {
            Err(status) if status.code() == 404 => Ok(()),
            other => other.map(drop),
        }
    }

    /// Tells about an object, as a component of the cluster does. One event per reason and object, whose count grows.
    pub fn tell(&mut self, about: &Value, component: &str, kind: &str, reason: &str, message: &str) {
        let uid = text(about, "/metadata/uid").to_owned();
        let namespace = Some(text(about, "/metadata/namespace")).filter(|namespace| !namespace.is_empty()).unwrap_or("default").to_owned();
        let mut hash = DefaultHasher::new();
        (&uid, reason, message).hash(&mut hash);
        let name = format!("{}.{:016x}", text(about, "/metadata/name"), hash.finish());
        let stamp = self.stamp();
        let key = Key::new(&catalog::EVENT, &namespace, &name);
        if self.store.get(&key).is_some() {
            let again = |event: &mut Value| {
                event["count"] = (event["count"].as_u64().unwrap_or(1) + 1).into();
                event["lastTimestamp"] = stamp;
            };
            drop(self.change(&key, again));
            return;
        }
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"], "kind": about["kind"], "namespace": about["metadata"]["namespace"],
                "name": about["metadata"]["name"], "uid": uid, "resourceVersion": about["metadata"]["resourceVersion"],
            },
            "type": kind, "reason": reason, "message": message, "source": {"component": component}, "reportingComponent": component,
            "firstTimestamp": stamp, "lastTimestamp": stamp, "count": 1,
        });
        drop(self.create(event));
    }
}

fn kind_of(object: &Value) -> Result<Res, Status> {
    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    catalog::of(api_version, kind).ok_or_else(|| Status::bad_request(format!("no kind \"{kind}\" is registered for version \"{api_version}\"")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sandbox::at::At;
    use crate::sandbox::behaviour::SUBJECTS;
    use crate::sandbox::catalog::{CONFIG_MAP, NAMESPACE};

    fn world() -> World {
        let mut world = World::new(7, Timestamp::UNIX_EPOCH, SUBJECTS);
        world.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})).unwrap();
        world
    }

    fn map(name: &str, owner: Option<&Value>) -> Value {
        let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
        if let Some(owner) = owner {
            let metadata = &owner["metadata"];
            map["metadata"]["ownerReferences"] =
                json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": metadata["name"], "uid": metadata["uid"], "blockOwnerDeletion": true}]);
        }
        map
    }

    #[test]
    fn what_is_owned_goes_with_its_owner_unless_it_is_let_go_first() {
        for (propagation, left) in [("", false), ("Background", false), ("Foreground", false), ("Orphan", true)] {
            let mut world = world();
            let owner = world.create(map("owner", None)).unwrap();
            world.create(map("owned", Some(&owner))).unwrap();
            world.let_pass(Duration::from_secs(1));
            let how = Deletion { propagation: propagation.to_owned(), ..Deletion::default() };
            delete::delete(&mut world, &User::controller(), &Key::new(&CONFIG_MAP, "shop", "owner"), &how).unwrap();
            world.let_pass(Duration::from_secs(1));
            assert_eq!(world.get(&CONFIG_MAP, "shop", "owner"), None);
            let dependent = world.get(&CONFIG_MAP, "shop", "owned");
            assert_eq!(dependent.is_some(), left, "{propagation}");
            assert!(dependent.is_none_or(|dependent| dependent.at("/metadata/ownerReferences").is_none()));
        }
    }

    #[test]
    fn a_namespace_takes_everything_along_and_takes_nothing_in_meanwhile() {
        let mut world = world();
        let mut held = map("held", None);
        held["metadata"]["finalizers"] = json!(["test/hold"]);
        world.create(held).unwrap();
        world.create(map("free", None)).unwrap();
        world.delete(&Key::new(&NAMESPACE, "", "shop")).unwrap();
        world.let_pass(Duration::from_secs(1));
        assert_eq!(world.get(&CONFIG_MAP, "shop", "free"), None);
        let refused = world.create(map("late", None)).unwrap_err();
        assert_eq!(
            refused.message(),
            "configmaps \"late\" is forbidden: unable to create new content in namespace shop because it is being terminated"
        );
        world.change(&Key::new(&CONFIG_MAP, "shop", "held"), |held| held["metadata"]["finalizers"] = json!([])).unwrap();
        world.let_pass(Duration::from_secs(1));
        assert_eq!(world.get(&NAMESPACE, "", "shop"), None);
        assert_eq!(world.create(map("later", None)).unwrap_err().message(), "namespaces \"shop\" not found");
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let story = |seed| {
            let mut world = World::new(seed, Timestamp::UNIX_EPOCH, SUBJECTS);
            [world.uid(), world.uid(), world.suffix()]
        };
        assert_eq!(story(1), story(1));
        assert_ne!(story(1), story(2));
        assert_eq!(story(1)[0].len(), 36);
    }
}
