//! Reading: one object, or lists in pages.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::form::Form;
use super::path::Query;
use super::selector::Selector;
use super::sent::Sent;
use super::versions;
use crate::sandbox::catalog::Res;
use crate::sandbox::status::Status;
use crate::sandbox::store::Key;
use crate::sandbox::world::World;

/// One object.
///
/// # Errors
/// 404.
pub fn one(world: &World, key: &Key, form: Form) -> Result<Sent, Status> {
    let object = world.store.get(key).ok_or_else(|| Status::not_found(key.resource, &key.name))?;
    Ok(form.one(key.resource, object, world.now()))
}

/// The selector of a request about many objects.
///
/// # Errors
/// 400.
pub fn selector(resource: Res, query: &Query) -> Result<Selector, Status> {
    let given = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    Selector::parse(resource, given("labelSelector"), given("fieldSelector"))
}

/// Where a list goes on: the version of its first page, and the key after which the next one begins.
struct Token {
    version: u64,
    start: Key,
}

impl Token {
    /// `namespace/name` below the kind, or the name alone, ended by a zero character as the server's tokens are.
    fn text(&self) -> String {
        let start =
            if self.start.resource.namespaced { format!("{}/{}\0", self.start.namespace, self.start.name) } else { format!("{}\0", self.start.name) };
        URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": self.version, "start": start}).to_string())
    }

    fn parse(resource: Res, text: &str) -> Option<Self> {
        let plain: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let start = plain["start"].as_str()?.trim_end_matches('\0');
        let (namespace, name) = start.split_once('/').unwrap_or(("", start));
        Some(Self { version: plain["rv"].as_u64()?, start: Key::new(resource, namespace, name) })
    }
}

/// Many objects: a page of those that are selected, and a token for the next page.
///
/// # Errors
/// 400 for selectors and tokens that cannot be read, 410 for a token that is too old.
pub fn many(world: &World, resource: Res, namespace: &str, query: &Query, form: Form) -> Result<Sent, Status> {
    let selector = selector(resource, query)?;
    let limit = query.get("limit").and_then(|limit| limit.parse::<usize>().ok()).filter(|limit| *limit > 0);
    let token = match query.get("continue").filter(|token| !token.is_empty()) {
        Some(text) => Some(
            Token::parse(resource, text)
                .ok_or_else(|| Status::bad_request("invalid continue token: continue key is not valid: it is not one of this server"))?,
        ),
        None => None,
    };
    let asked = versions::asked(world, query)?;
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
    let version = token.as_ref().map(|token| token.version).or(asked).unwrap_or(world.store.version());
    let from = match &token {
        Some(token) => Bound::Excluded(token.start.clone()),
        None => Bound::Included(Key::new(resource, namespace.unwrap_or_default(), "")),
    };
    // Later pages show what was there when the first was read.
    let then = if world.store.is_changed_since(version, resource) {
        Some(world.store.list_at(version, resource, namespace).map_err(|_| versions::expired(token.is_some()))?)
    } else {
        None
    };
    let all: Box<dyn Iterator<Item = (&Key, &Arc<Value>)>> = match (&then, selector.index()) {
        (Some(then), _) => Box::new(then.range((from, Bound::Unbounded))),
        (None, Some((index, thing))) => {
            let within = |key: &Key| (from.clone(), Bound::Unbounded).contains(key) && namespace.is_none_or(|namespace| key.namespace == namespace);
            let found = world.store.find(index, thing).filter(move |(key, _)| within(key));
            Box::new(found.collect::<Vec<_>>().into_iter())
        }
        (None, None) => Box::new(world.store.list_after(from, namespace)),
    };
    let mut selected = all.filter(|(_, object)| selector.matches(object));
    let page: Vec<_> = selected.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
    let rest = if limit.is_some() { selected.count() } else { 0 };
    let mut list = json!({"resourceVersion": version.to_string()});
    if let Some((last, _)) = page.last().filter(|_| rest > 0) {
        list["continue"] = Token { version, start: Key::clone(last) }.text().into();
        if selector.is_empty() {
            list["remainingItemCount"] = rest.into();
        }
    }
    let objects: Vec<&Arc<Value>> = page.iter().map(|(_, object)| *object).collect();
    Ok(form.many(resource, &objects, list, world.now()))
}
