//! Looking at one cluster, a bounded number of requests at a time.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::{OnceCell, Semaphore};

use crate::cluster::{Access, ApiError, Cluster, Reason};
use crate::model::failure::Failure;
use crate::model::inventory::{Look, Rights};
use crate::model::kind::Kind;
use crate::model::manifest::Manifest;
use crate::model::names::{End, ObjectRef};

/// How many requests a survey has under way.
pub(super) const AT_ONCE: usize = 16;

/// A kind to list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub kind: Kind,
    pub depth: Depth,
    /// Which of them, as a field selector.
    pub fields: &'static str,
}

/// How much of each object is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Depth {
    Whole,
    /// What it holds is not looked at.
    Metadata,
    /// As `Whole`, of a kind that many clusters do not have: asked for only where its group is served.
    AddOn,
}

impl Row {
    pub(super) const fn whole(kind: Kind) -> Self {
        Self { kind, depth: Depth::Whole, fields: "" }
    }

    pub(super) const fn metadata(kind: Kind) -> Self {
        Self { kind, depth: Depth::Metadata, fields: "" }
    }

    pub(super) const fn add_on(kind: Kind) -> Self {
        Self { kind, depth: Depth::AddOn, fields: "" }
    }

    pub(super) const fn of(self, fields: &'static str) -> Self {
        Self { fields, ..self }
    }
}

/// A cluster, and the room for requests to it.
pub(super) struct Eyes<'a> {
    pub cluster: &'a Cluster,
    room: &'a Semaphore,
    /// The API groups the server serves, once they were asked for; `None` if it does not say.
    groups: OnceCell<Option<BTreeSet<String>>>,
}

impl<'a> Eyes<'a> {
    pub(super) fn new(cluster: &'a Cluster, room: &'a Semaphore) -> Self {
        Self { cluster, room, groups: OnceCell::new() }
    }

    /// Asks one question when there is room for it.
    pub(super) async fn ask<T>(&self, question: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
        let _seat = self.room.acquire().await;
        question.await
    }

    /// As [`Eyes::ask`], where the answer may be missing or not for this user.
    pub(super) async fn ask_if_any<T>(&self, question: impl Future<Output = Result<T, ApiError>>) -> Result<Option<T>, Failure> {
        match self.ask(question).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if matches!(error.reason, Reason::NotFound | Reason::Forbidden) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// All objects of a kind, or why they are not seen; those of all namespaces under `namespace/name`.
    pub(super) async fn list(&self, row: &Row, namespace: Option<&str>) -> Result<Look, Failure> {
        if row.depth == Depth::AddOn && !self.serves(row.kind.group).await? {
            return Ok(Look::Missing);
        }
        let found = match row.depth {
            Depth::Whole | Depth::AddOn => self.ask(self.cluster.list_fields(row.kind, namespace, row.fields)).await,
            Depth::Metadata => self.ask(self.cluster.list_metadata(row.kind, namespace, None)).await,
        };
        let what = match namespace {
            Some(namespace) => format!("listing {} in namespace {namespace}", row.kind.resource()),
            None => format!("listing {}", row.kind.resource()),
        };
        let whole = namespace.is_none() && row.kind.namespaced;
        let key = |object: &Manifest| match object.namespace().filter(|_| whole) {
            Some(namespace) => format!("{namespace}/{}", object.name()),
            None => object.name().to_owned(),
        };
        look(found, key, &what)
    }

    /// Whether the server serves an API group; yes where it does not say.
    async fn serves(&self, group: &str) -> Result<bool, Failure> {
        let groups = self.groups.get_or_try_init(async || {
            let answer = self.ask_if_any(self.cluster.raw("/apis")).await?;
            let names = answer.as_ref().and_then(|answer| answer.get("groups")?.as_array());
            Ok::<_, Failure>(names.map(|names| names.iter().filter_map(|group| group.get("name")?.as_str().map(str::to_owned)).collect()))
        });
        Ok(groups.await?.as_ref().is_none_or(|groups| groups.contains(group)))
    }

    /// The one object of a name, as a list of one or none.
    pub(super) async fn one(&self, kind: Kind, name: &str) -> Result<Look, Failure> {
        let object = ObjectRef::cluster(End::Source, kind, name);
        let found = self.ask(self.cluster.get(&object)).await;
        look(found.map(|object| object.into_iter().collect()), |object| object.name().to_owned(), &format!("reading {object}"))
    }

    /// What the user may do in a namespace.
    pub(super) async fn rights(&self, namespace: &str) -> Result<Rights, Failure> {
        let unknown = Rights { rules: Vec::new(), incomplete: true };
        Ok(self.ask_if_any(self.cluster.rules(namespace)).await?.unwrap_or(unknown))
    }

    /// Whether the user has a right; no where the server does not say.
    pub(super) async fn may(&self, access: &Access) -> Result<bool, Failure> {
        Ok(self.ask_if_any(self.cluster.may(access)).await?.unwrap_or(false))
    }
}

/// A missing kind and a forbidden list are facts; whatever else goes wrong ends the survey, and says at what.
fn look(found: Result<Vec<Manifest>, ApiError>, key: impl Fn(&Manifest) -> String, doing: &str) -> Result<Look, Failure> {
    match found {
        Ok(objects) => Ok(Look::Listed(objects.into_iter().map(|object| (key(&object), object)).collect::<BTreeMap<_, _>>())),
        Err(error) if error.reason == Reason::NotFound => Ok(Look::Missing),
        Err(error) if error.reason == Reason::Forbidden => Ok(Look::Forbidden(error.message)),
        Err(error) if error.code == 0 || error.reason == Reason::Unauthorized => Err(error.into()),
        Err(error) => Err(Failure::from(error).hint(format!("this was the answer to {doing}; nothing was changed"))),
    }
}
