//! Reads moves out of their ConfigMaps, by name; lists them and removes them.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};

use super::chain::{Chain, is_closed};
use super::config_map::plan_name;
use super::{Header, Kept, LABEL_LEDGER, Opened, config_map_ref, damaged, described, object_name, pack};
use crate::cluster::{ApiError, Cluster, Dry, Guard, Propagation, Reason};
use crate::model::failure::Failure;
use crate::model::journal::Entry;
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{End, LABEL_MOVE, MoveId, ObjectRef};
use crate::plan::document::Plan;

/// So many chains are read at once.
const SIDE_BY_SIDE: usize = 8;
/// No more than so many similar names are shown.
const SUGGESTIONS: usize = 3;
/// A name that is at least so alike (Jaro-Winkler) may have been meant.
const LIKENESS: f64 = 0.75;

/// Opens the move of this name (or `move/NAME`) in its source namespace. Changes nothing.
///
/// # Errors
/// When there is no such move (the hints name similar ones), a newer version wrote it, or its ConfigMaps are damaged.
pub async fn open(cluster: &Cluster, namespace: &str, name: &str) -> Result<Opened, Failure> {
    let id = MoveId(name.strip_prefix("move/").unwrap_or(name).to_owned());
    let Some(manifest) = cluster.get(&config_map_ref(namespace, &object_name(&id))).await? else {
        return Err(unknown(cluster, namespace, &id).await);
    };
    let header = header_of(&manifest, namespace)?;
    if header.move_id != id || header.source_namespace != namespace {
        let why = format!("it speaks of move {} in namespace {}", header.move_id, header.source_namespace);
        return Err(damaged(&described(namespace, &object_name(&id)), &why));
    }
    let plan = read_plan(cluster, &manifest, &header).await?;
    let groups: Vec<String> = header.groups().map(str::to_owned).collect();
    let read: Vec<(String, Vec<Entry>, Chain)> = stream::iter(groups)
        .map(|group| {
            let header = &header;
            async move { read_chain(cluster, header, &group).await.map(|(entries, chain)| (group, entries, chain)) }
        })
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    let (mut journal, mut chains) = (BTreeMap::new(), BTreeMap::new());
    for (group, entries, chain) in read {
        journal.insert(group.clone(), entries);
        chains.insert(group, chain);
    }
    Ok(Opened { header, plan, journal, kept: Kept { header: manifest, chains } })
}

async fn read_plan(cluster: &Cluster, manifest: &Manifest, header: &Header) -> Result<Plan, Failure> {
    let namespace = &header.source_namespace;
    let what = described(namespace, manifest.name());
    let mut packed = pack::binary(manifest, "plan").map_err(|error| damaged(&what, &error.to_string()))?;
    for number in 1..header.plan_parts {
        let name = plan_name(&header.move_id, number);
        let Some(part) = cluster.get(&config_map_ref(namespace, &name)).await? else {
            return Err(damaged(&what, &format!("a piece of its plan, ConfigMap {name}, is missing")));
        };
        packed.extend(pack::binary(&part, "plan").map_err(|error| damaged(&described(namespace, &name), &error.to_string()))?);
    }
    let bytes = pack::unpack(&packed).map_err(|error| damaged(&what, &error.to_string()))?;
    let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| damaged(&what, &error.to_string()))?;
    if plan.metadata.digest != header.digest {
        return Err(damaged(&what, "the plan is not the one the move was begun with"));
    }
    Ok(plan)
}

/// Reads one group's journal from its first part to its last.
pub(super) async fn read_chain(cluster: &Cluster, header: &Header, group: &str) -> Result<(Vec<Entry>, Chain), Failure> {
    let namespace = &header.source_namespace;
    let mut chain = Chain::new(namespace, &header.move_id, group);
    let mut entries = Vec::new();
    loop {
        let name = chain.name();
        let Some(part) = cluster.get(&config_map_ref(namespace, &name)).await? else { return Ok((entries, chain)) };
        let what = described(namespace, &name);
        let bytes = pack::binary(&part, "entries").and_then(|packed| pack::unpack(&packed)).map_err(|error| damaged(&what, &error.to_string()))?;
        entries.extend(pack::entries(&bytes).map_err(|error| damaged(&what, &error.to_string()))?);
        let closed = is_closed(&part);
        chain.adopt(part).map_err(|error| damaged(&what, &error.to_string()))?;
        if !closed {
            return Ok((entries, chain));
        }
    }
}

/// The moves that were found, oldest first, and what could not be read of them.
#[derive(Debug, Default)]
pub struct Found {
    pub headers: Vec<Header>,
    pub unreadable: Vec<Failure>,
}

/// Lists the moves whose source is this namespace, or any. Needs the right to list ConfigMaps, which carrying a move by its name does not.
pub async fn list(cluster: &Cluster, namespace: Option<&str>) -> Result<Found, Failure> {
    let selector = format!("{LABEL_LEDGER}=move");
    let mut found = Found::default();
    let unlisted = |error: ApiError| match error.reason {
        Reason::Forbidden => Failure::from(error).hint("name the move: that needs no right to list ConfigMaps"),
        _ => error.into(),
    };
    for manifest in cluster.list(kind::CONFIG_MAP, namespace, Some(&selector)).await.map_err(unlisted)? {
        match header_of(&manifest, manifest.namespace().unwrap_or_default()) {
            Ok(header) => found.headers.push(header),
            Err(failure) => found.unreadable.push(failure),
        }
    }
    found.headers.sort_by(|a, b| (&a.created, &a.move_id).cmp(&(&b.created, &b.move_id)));
    Ok(found)
}

/// Deletes a move's ledger: journal, requests, plan and Lease, the header last, so that it can be called again when it was cut short.
/// Needs the rights to list and delete ConfigMaps and to get and delete Leases.
pub async fn remove(cluster: &Cluster, namespace: &str, id: &MoveId) -> Result<(), Failure> {
    let selector = format!("{LABEL_MOVE}={id},{LABEL_LEDGER}");
    let own = object_name(id);
    let mut parts = cluster.list(kind::CONFIG_MAP, Some(namespace), Some(&selector)).await?;
    // The mark alone proves nothing: anybody can copy a label.
    parts.retain(|part| part.name() == own || part.name().strip_prefix(&own).is_some_and(|rest| rest.starts_with('-')));
    parts.sort_by_key(|part| part.name() == own);
    let lease = ObjectRef::namespaced(End::Source, kind::LEASE, namespace, &own);
    if let Some(found) = cluster.get(&lease).await? {
        delete(cluster, &lease, &found).await?;
    }
    for part in &parts {
        delete(cluster, &config_map_ref(namespace, part.name()), part).await?;
    }
    Ok(())
}

async fn delete(cluster: &Cluster, object: &ObjectRef, found: &Manifest) -> Result<(), ApiError> {
    let guard = Guard { uid: Some(found.uid().to_owned()), resource_version: None };
    cluster.delete(object, &guard, Propagation::Background, Dry::No).await
}

fn header_of(manifest: &Manifest, namespace: &str) -> Result<Header, Failure> {
    let what = described(namespace, manifest.name());
    let text = manifest.text("/data/header").ok_or_else(|| damaged(&what, "it has no header"))?;
    Header::read(text, &what)
}

/// No move of this name: says which ones there are, as far as the user may know.
async fn unknown(cluster: &Cluster, namespace: &str, id: &MoveId) -> Failure {
    let failure = Failure::error(format!("there is no move {id} in namespace {namespace}"));
    let found = list(cluster, Some(namespace)).await.unwrap_or_default();
    let mut names: Vec<String> = found.headers.into_iter().map(|header| header.move_id.0).collect();
    names.sort_by(|a, b| strsim::jaro_winkler(b, &id.0).total_cmp(&strsim::jaro_winkler(a, &id.0)));
    names.truncate(SUGGESTIONS);
    let is_near = |name: &str| strsim::jaro_winkler(name, &id.0) >= LIKENESS;
    match names.as_slice() {
        [] => failure.hint("a move lives in the namespace it moves from: name that one with -n"),
        [near] if is_near(near) => failure.hint(format!("did you mean {near}?")),
        [near, others @ ..] if is_near(near) => failure.hint(format!("did you mean {near}? There are also: {}", others.join(", "))),
        all => failure.hint(format!("moves in this namespace: {}", all.join(", "))),
    }
}
