//! One look at a cluster or two: everything a move may need to know, as plain values.
//!
//! One list per kind and namespace, all side by side; the tables of kinds are in `vms`, `storage`, `config`, `network` and
//! `cluster`. What cannot be seen is a fact of the inventory; a server that cannot be reached is a failure.

pub mod answers;

mod cluster;
mod config;
mod eyes;
mod network;
mod storage;
#[cfg(test)]
mod tests;
mod vms;

use std::sync::Arc;

use futures::future::{FutureExt, OptionFuture, try_join_all};
use futures::try_join;
use tokio::sync::Semaphore;

use self::eyes::{AT_ONCE, Eyes, Row};
use crate::cluster::Cluster;
use crate::model::failure::Failure;
use crate::model::inventory::{Inventory, Look, Objects, Place, Rights, Stack};
use crate::model::kind;
use crate::model::names::End;
use crate::plan::elsewhere::{ELSEWHERE, Elsewhere, Ends, concerns};

/// What to look at: the namespace at each end. Without one for the target, only the source is looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scope {
    pub source_namespace: String,
    pub target_namespace: Option<String>,
}

/// Looks at both ends. Without a cluster of its own, the target is in the source's, whose cluster-wide things are then asked once.
///
/// # Errors
/// When a server cannot be reached, does not know the user, or fails at a list; in kubectl's words.
pub async fn survey(source: &Cluster, target: Option<&Cluster>, ask: &Scope) -> Result<Inventory, Failure> {
    let room = Semaphore::new(AT_ONCE);
    let here = Eyes::new(source, &room);
    let there = target.filter(|target| !target.is_same(source)).map(|cluster| Eyes::new(cluster, &room));
    let target_namespace = ask.target_namespace.as_deref();
    let (source_cluster, target_cluster, source_parts, target_parts, elsewhere) = try_join!(
        cluster::seen(&here).boxed(),
        if_some(there.as_ref().filter(|_| target_namespace.is_some()).map(cluster::seen)),
        parts(&here, &ask.source_namespace).boxed(),
        if_some(target_namespace.map(|namespace| parts(there.as_ref().unwrap_or(&here), namespace))),
        everywhere(&here).boxed(),
    )?;
    let source_cluster = Arc::new(source_cluster);
    let target_cluster = target_cluster.map_or_else(|| source_cluster.clone(), Arc::new);
    let place = |end, namespace: &str, (namespace_look, objects, rights), cluster| Place {
        end,
        namespace: namespace.to_owned(),
        namespace_look,
        objects,
        rights,
        cluster,
    };
    let source = place(End::Source, &ask.source_namespace, source_parts, source_cluster);
    let target = target_parts.zip(target_namespace).map(|(parts, namespace)| place(End::Target, namespace, parts, target_cluster));
    let elsewhere = concerned(elsewhere, &Ends::of(&source, target.as_ref()));
    Ok(Inventory { source, target, elsewhere })
}

/// Of what names namespaces anywhere, all that concerns these. The rest may be a large part of a cluster, and is let go of.
fn concerned(looks: Vec<(&Elsewhere, Look)>, ends: &Ends) -> Objects {
    let kept = looks.into_iter().map(|(row, look)| {
        let look = match look {
            Look::Listed(objects) => Look::Listed(objects.into_iter().filter(|(_, object)| concerns(row, object, ends)).collect()),
            unseen => unseen,
        };
        (row.kind, look)
    });
    Objects::of(kept.collect())
}

/// What names namespaces from anywhere.
async fn everywhere(eyes: &Eyes<'_>) -> Result<Vec<(&'static Elsewhere, Look)>, Failure> {
    let looks = ELSEWHERE.iter().map(async |row| {
        let list = if row.kind.group.is_empty() { Row::whole(row.kind) } else { Row::add_on(row.kind) };
        Ok::<_, Failure>((row, eyes.list(&list.of(row.fields), None).await?))
    });
    try_join_all(looks).await
}

/// What the server's parts say they are.
///
/// # Errors
/// As [`survey`].
pub async fn stack(cluster: &Cluster) -> Result<Stack, Failure> {
    let room = Semaphore::new(AT_ONCE);
    cluster::stack(&Eyes::new(cluster, &room)).await
}

async fn if_some<T>(question: Option<impl Future<Output = Result<T, Failure>> + Send>) -> Result<Option<T>, Failure> {
    OptionFuture::from(question.map(FutureExt::boxed)).await.transpose()
}

/// What is seen in one namespace.
async fn parts(eyes: &Eyes<'_>, namespace: &str) -> Result<(Look, Objects, Rights), Failure> {
    let rows = namespaced();
    try_join!(eyes.one(kind::NAMESPACE, namespace), lists(eyes, &rows, Some(namespace)), eyes.rights(namespace))
}

/// Everything that is looked at in a namespace.
fn namespaced() -> Vec<Row> {
    [vms::ROWS, storage::ROWS, config::ROWS].concat().into_iter().chain(network::rows()).collect()
}

/// One list per row.
async fn lists(eyes: &Eyes<'_>, rows: &[Row], namespace: Option<&str>) -> Result<Objects, Failure> {
    let looks = rows.iter().map(async |row| Ok::<_, Failure>((row.kind, eyes.list(row, namespace).await?)));
    Ok(Objects::of(try_join_all(looks).await?.into_iter().collect()))
}
