//! An in-memory API server for tests: objects by path, resource versions, and faults on demand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::cluster::scripted::{Log, Reply, Seen, cluster};

/// What happens to the next write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It takes effect, but the answer is lost.
    LostReply,
    /// It does not take effect, and no answer comes.
    LostRequest,
    Status(u16, &'static str),
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    faults: VecDeque<Fault>,
    /// Reads fail.
    blind: bool,
}

/// The server behind a cluster of a test.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<State>>);

impl Store {
    pub(crate) fn cluster(&self) -> (Cluster, Log) {
        let store = self.clone();
        cluster(move |seen| store.reply(seen))
    }

    /// Lets these happen to the next writes, in turn.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.lock().unwrap().faults.extend(faults);
    }

    /// Forgets the faults that did not happen yet.
    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().faults.clear();
    }

    /// Lets reads fail, or work again.
    pub(crate) fn go_blind(&self, blind: bool) {
        self.0.lock().unwrap().blind = blind;
    }

    /// The names of all objects, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().objects.keys().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
    }

    /// Changes an object as somebody else would.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.0.lock().unwrap();
        state.version += 1;
        let version = state.version.to_string();
        let object = state.objects.iter_mut().find(|(path, _)| path.ends_with(&format!("/{name}"))).unwrap().1;
        change(object);
        object["metadata"]["resourceVersion"] = version.into();
    }

    pub(crate) fn drop_object(&self, name: &str) {
        self.0.lock().unwrap().objects.retain(|path, _| !path.ends_with(&format!("/{name}")));
    }

    /// Answers a request. A watch never tells anything.
    pub(crate) fn reply(&self, seen: &Seen) -> Reply {
        let mut state = self.0.lock().unwrap();
        match seen.method.as_str() {
            "GET" if seen.query.contains("watch=true") => Reply::Silence,
            "GET" if state.blind => Reply::status(503, "ServiceUnavailable", "not now"),
            "GET" => state.read(seen),
            _ => match state.faults.pop_front() {
                Some(Fault::LostRequest) => Reply::Break,
                Some(Fault::LostReply) => {
                    state.write(seen);
                    Reply::Break
                }
                Some(Fault::Status(code, reason)) => Reply::status(code, reason, "not now"),
                None => state.write(seen),
            },
        }
    }
}

impl State {
    fn read(&self, seen: &Seen) -> Reply {
        if let Some(object) = self.objects.get(&seen.path) {
            return Reply::ok(object.clone());
        }
        let is_list = seen.path.ends_with("/configmaps");
        if !is_list {
            return Reply::status(404, "NotFound", "not found");
        }
        // Enough of label selectors for the ones in use: key=value and key.
        let query = seen.query.replace("%2F", "/").replace("%3D", "=").replace("%2C", ",");
        let selector = query.split('&').find_map(|part| part.strip_prefix("labelSelector=")).unwrap_or_default().to_owned();
        let fits = |object: &Value| {
            selector.split(',').filter(|term| !term.is_empty()).all(|term| {
                let (key, wanted) = term.split_once('=').map_or((term, None), |(key, value)| (key, Some(value)));
                let have = object["metadata"]["labels"][key].as_str();
                wanted.map_or(have.is_some(), |wanted| have == Some(wanted))
            })
        };
        Reply::list(
            self.objects.iter().filter(|(path, object)| path.starts_with(&seen.path) && fits(object)).map(|(_, object)| object.clone()).collect(),
        )
    }

    fn write(&mut self, seen: &Seen) -> Reply {
        if seen.method == "DELETE" {
            let uid = &seen.body["preconditions"]["uid"];
            return match self.objects.get(&seen.path) {
                None => Reply::status(404, "NotFound", "not found"),
                Some(found) if uid.is_string() && found["metadata"]["uid"] != *uid => Reply::status(409, "Conflict", "another one"),
                Some(_) => {
                    self.objects.remove(&seen.path);
                    Reply::ok(json!({}))
                }
            };
        }
        let mut object = seen.body.clone();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let path = if seen.method == "POST" { format!("{}/{name}", seen.path) } else { seen.path.clone() };
        match (seen.method.as_str(), self.objects.get(&path)) {
            ("POST", Some(_)) => return Reply::status(409, "AlreadyExists", "already exists"),
            ("PUT", None) => return Reply::status(404, "NotFound", "not found"),
            ("PUT", Some(found)) if found["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] => {
                return Reply::status(409, "Conflict", "the object has been modified");
            }
            _ => {}
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{}", self.version).into();
        }
        self.objects.insert(path, object.clone());
        Reply::ok(object)
    }
}
