//! Watching: what happens to the selected objects, as lines of JSON.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::form::Form;
use super::path::{Query, is_set};
use super::selector::Selector;
use super::sent::Sent;
use crate::sandbox::catalog::Res;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Change, What};
use crate::sandbox::world::World;

/// An event as it is sent.
#[derive(Serialize)]
struct Line {
    #[serde(rename = "type")]
    kind: &'static str,
    object: Sent,
}

/// One watch: what it shows, and up to which version it has.
#[derive(Debug)]
pub struct Watch {
    resource: Res,
    namespace: Option<String>,
    selector: Selector,
    form: Form,
    version: u64,
    /// Whether the watcher wants to hear of versions without events.
    pub bookmarks: bool,
    /// Lines that come before any change.
    first: Vec<String>,
    /// Whether the columns of a table have been sent, which are sent once.
    headed: bool,
}

impl Watch {
    /// Begins a watch. Without a version, or at `0`, it begins with what is there.
    ///
    /// # Errors
    /// 400, or 410 when what happened since that version is forgotten.
    pub fn begin(world: &World, resource: Res, namespace: &str, query: &Query, form: Form) -> Result<Self, Status> {
        let selector = super::read::selector(resource, query)?;
        let given = query.get("resourceVersion").map(String::as_str).unwrap_or_default();
        let namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
        let bookmarks = is_set(query, "allowWatchBookmarks");
        let version = world.store.version();
        let mut watch = Self { resource, namespace, selector, form, version, bookmarks, first: Vec::new(), headed: false };
        let send_initial = is_set(query, "sendInitialEvents");
        if send_initial || matches!(given, "" | "0") {
            for (_, object) in world.store.list(resource, watch.namespace.clone().as_deref()) {
                if watch.selector.matches(object) {
                    let line = watch.line("ADDED", object, world);
                    watch.first.push(line);
                }
            }
            if send_initial && bookmarks {
                let end = json!({"k8s.io/initial-events-end": "true"});
                watch.first.push(watch.bookmark(Some(end)));
            }
            return Ok(watch);
        }
        watch.version = given.parse().map_err(|_| unreadable(given))?;
        if let Err(oldest) = world.store.since(watch.version).map(drop) {
            // A watch is refused in its stream, not by its code.
            watch.first.push(expired(watch.version, oldest));
            watch.version = u64::MAX;
        }
        Ok(watch)
    }

    /// The lines that are new; `None` at the end of a watch that is too old.
    pub fn lines(&mut self, world: &World) -> Option<Vec<String>> {
        let mut lines = std::mem::take(&mut self.first);
        if self.version == u64::MAX {
            return (!lines.is_empty()).then_some(lines);
        }
        match world.store.since(self.version) {
            Ok(changes) => lines.extend(changes.filter_map(|change| self.event(change, world))),
            Err(oldest) => {
                lines.push(expired(self.version, oldest));
                self.version = u64::MAX;
                return Some(lines);
            }
        }
        self.version = world.store.version();
        Some(lines)
    }

    /// A line that only tells how far the watch is.
    pub fn mark(&self) -> Option<String> {
        (self.bookmarks && self.version != u64::MAX).then(|| self.bookmark(None))
    }

    /// What a change is to this watcher: an object that is selected no longer is deleted to it, one that is now is added.
    fn event(&mut self, change: &Change, world: &World) -> Option<String> {
        let mine = change.key.resource == self.resource && self.namespace.as_ref().is_none_or(|namespace| change.key.namespace == *namespace);
        if !mine {
            return None;
        }
        let before = change.before.as_ref().is_some_and(|before| self.selector.matches(before));
        let after = change.what != What::Deleted && self.selector.matches(&change.object);
        match (before, after) {
            (false, false) => None,
            (false, true) => Some(self.line("ADDED", &change.object, world)),
            (true, true) => Some(self.line("MODIFIED", &change.object, world)),
            (true, false) => {
                // As it was when it was last selected, with the version of what took it away.
                let mut last = change.before.as_deref().cloned().unwrap_or_default();
                last["metadata"]["resourceVersion"] = change.version.to_string().into();
                Some(self.line("DELETED", &Arc::new(last), world))
            }
        }
    }

    fn line(&mut self, kind: &'static str, object: &Arc<Value>, world: &World) -> String {
        let mut object = self.form.one(self.resource, object, world.now());
        if let Sent::Value(table) = &mut object
            && std::mem::replace(&mut self.headed, true)
        {
            table["columnDefinitions"] = Value::Null;
        }
        // What is JSON already can always be written.
        serde_json::to_string(&Line { kind, object }).unwrap_or_default() + "\n"
    }

    fn bookmark(&self, annotations: Option<Value>) -> String {
        let mut metadata = json!({"resourceVersion": self.version.to_string(), "creationTimestamp": null});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        let (kind, api_version) = match self.form {
            Form::Whole => (self.resource.kind, self.resource.api_version()),
            Form::Metadata => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
            Form::Table(_) => ("Table", "meta.k8s.io/v1".to_owned()),
        };
        format!("{}\n", json!({"type": "BOOKMARK", "object": {"kind": kind, "apiVersion": api_version, "metadata": metadata}}))
    }
}

fn expired(version: u64, oldest: u64) -> String {
    let status = Status::new(410, "Expired", format!("too old resource version: {version} ({oldest})"));
    format!("{}\n", json!({"type": "ERROR", "object": *status.0}))
}

/// The words come from the library that reads numbers (kubernetes/apiserver `pkg/storage/errors.go`), the code from nobody's care.
fn unreadable(version: &str) -> Status {
    let message = format!("resourceVersion: Invalid value: \"{version}\": strconv.ParseUint: parsing \"{version}\": invalid syntax");
    Status::new(500, "InternalError", message)
}
