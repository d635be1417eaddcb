//! Who may clone from which namespace.
//! Source: containerized-data-importer-api 1.65 `pkg/apis/core/v1beta1/{authorize,authorize_utils}.go`.
//!
//! Cases: `datavolumes/a-copy-needs-the-right-to-the-source`, `datavolumes/a-token-that-was-forged-is-replaced`.

use serde_json::Value;

use super::objects::annotation;
use crate::sandbox::access::{self, Wish};
use crate::sandbox::at::At;
use crate::sandbox::catalog::{DATA_SOURCE, NAMESPACE};
use crate::sandbox::status::Status;
use crate::sandbox::store::text;
use crate::sandbox::world::World;
use crate::sandbox::write::User;

/// The identity of a service account.
pub fn service_account(namespace: &str, name: &str) -> User {
    let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}"), "system:authenticated".to_owned()];
    User { name: format!("system:serviceaccount:{namespace}:{name}"), groups: groups.to_vec() }
}

/// What is to be cloned.
struct Source {
    snapshot: bool,
    namespace: String,
    name: String,
}

fn source(world: &World, volume: &Value) -> Result<Option<Source>, Status> {
    let own = text(volume, "/metadata/namespace");
    let mut found = volume.at("/spec/source").cloned();
    if volume.at("/spec/source").is_none_or(Value::is_null) && text(volume, "/spec/sourceRef/kind") == "DataSource" {
        let named = Some(text(volume, "/spec/sourceRef/namespace")).filter(|named| !named.is_empty()).unwrap_or(own);
        let name = text(volume, "/spec/sourceRef/name");
        let through = world.get(&DATA_SOURCE, named, name).ok_or_else(|| Status::not_found(&DATA_SOURCE, name))?;
        let at = if through.at("/spec/source/dataSource").is_some() { "/status/source" } else { "/spec/source" };
        found = through.at(at).cloned();
    }
    let of = |kind: &str| {
        let at = found.as_ref()?.get(kind).filter(|at| at.is_object())?;
        let namespace = Some(text(at, "/namespace")).filter(|named| !named.is_empty()).unwrap_or(own).to_owned();
        Some(Source { snapshot: kind == "snapshot", namespace, name: text(at, "/name").to_owned() })
    };
    Ok(of("pvc").or_else(|| of("snapshot")))
}

/// Whether a DataVolume clones something.
pub fn clones(world: &World, volume: &Value) -> bool {
    matches!(source(world, volume), Ok(Some(_)))
}

/// Why a user may not have this DataVolume; `None` when that is allowed, or it clones nothing.
pub fn refusal(world: &World, user: &User, volume: &Value) -> Option<String> {
    let lenient =
        ["cdi.kubevirt.io/storage.prePopulated", "cdi.kubevirt.io/storage.checkStaticVolume"].iter().any(|key| annotation(volume, key).is_some());
    if lenient {
        return None;
    }
    let source = match source(world, volume) {
        Ok(Some(source)) => source,
        Ok(None) => return None,
        Err(status) => return Some(status.message().to_owned()),
    };
    if world.get(&NAMESPACE, "", &source.namespace).is_none() {
        return Some(Status::not_found(&NAMESPACE, &source.namespace).message().to_owned());
    }
    let allowed = source.namespace == text(volume, "/metadata/namespace") || may(world, user, &source);
    (!allowed).then(|| format!("User {} has insufficient permissions in clone source namespace {}", user.name, source.namespace))
}

/// A claim is cloned by who may create `datavolumes/source` or pods where it is; a snapshot by who may create the first, or pods and claims.
fn may(world: &World, user: &User, source: &Source) -> bool {
    let wish = |group: &str, resource: &str, subresource: &str| {
        let [group, resource, subresource] = [group, resource, subresource].map(str::to_owned);
        let (namespace, name) = (source.namespace.clone(), source.name.clone());
        Wish { verb: "create".to_owned(), group, resource, subresource, namespace, name, path: String::new() }
    };
    let may = |wish: Wish| access::judge(world, user, &wish).allowed;
    if may(wish("cdi.kubevirt.io", "datavolumes", "source")) {
        return true;
    }
    may(wish("", "pods", "")) && (!source.snapshot || may(wish("", "pvcs", "")))
}
