//! Objects: read, make, change and delete them, as the lossless JSON they are.
//!
//! A write is sent once, a dry run of one again like a read. Changes are conditional: JSON patches with tests, deletes with preconditions.

use http::Method;
use serde_json::{Map, Value, json};

use super::call::Cluster;
use super::error::{ApiError, Reason};
use super::path::{collection, encode, path_of, with_query};
use super::request::{ANYTHING, Call, JSON};
use crate::model::kind::Kind;
use crate::model::manifest::Manifest;
use crate::model::names::ObjectRef;

pub use crate::model::patch::PatchOp;

/// Who the server records as having changed a field.
const FIELD_MANAGER: &str = "kubectl-vmmove";
/// Whether the server only tries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Dry {
    #[default]
    No,
    Server,
}

/// What must still be true of an object that is deleted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Guard {
    pub uid: Option<String>,
    pub resource_version: Option<String>,
}

/// What happens to what the deleted object owns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Propagation {
    Background,
    Foreground,
    Orphan,
}

impl Cluster {
    /// The object, or `None` when there is none (or the server does not serve its kind).
    pub async fn get(&self, object: &ObjectRef) -> Result<Option<Manifest>, ApiError> {
        let call = Call::new(Method::GET, path_of(object));
        match self.call_aloud(&call).await {
            Ok(answer) => answer.read(&call).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the server says at a path that is no object, such as `/version`.
    pub async fn raw(&self, path: &str) -> Result<Value, ApiError> {
        self.call(&Call::new(Method::GET, path)).await
    }

    /// Asks for something to be done at a path that is no object.
    pub async fn post(&self, path: &str) -> Result<Value, ApiError> {
        self.call(&Call::new(Method::POST, path).content(JSON, Value::Object(Map::new()))).await
    }

    /// Creates an object in the namespace that it names. Unknown fields are refused.
    pub async fn create(&self, manifest: &Manifest, dry: Dry) -> Result<Manifest, ApiError> {
        let path = collection(known(manifest)?, manifest.api_version(), manifest.namespace());
        self.write(Call::new(Method::POST, write_path(&path, dry)).content(JSON, manifest.value().into_owned()), dry).await
    }

    /// Replaces an object; with a resource version in the manifest only if it is still that one.
    pub async fn replace(&self, manifest: &Manifest, dry: Dry) -> Result<Manifest, ApiError> {
        let collection = collection(known(manifest)?, manifest.api_version(), manifest.namespace());
        let path = format!("{collection}/{}", encode(manifest.name()));
        self.write(Call::new(Method::PUT, write_path(&path, dry)).content(JSON, manifest.value().into_owned()), dry).await
    }

    /// Applies a JSON patch, all of it or none. [`Reason::TestFailed`] when a test did not hold.
    pub async fn patch(&self, object: &ObjectRef, ops: &[PatchOp], dry: Dry) -> Result<Manifest, ApiError> {
        let body = serde_json::to_value(ops)
            .map_err(|error| ApiError::new(Reason::Other, 0, format!("the patch of {object} cannot be written: {error}")))?;
        let call = Call::new(Method::PATCH, write_path(&path_of(object), dry)).content("application/json-patch+json", body);
        self.write(call, dry).await.map_err(|error| told_apart(error, ops))
    }

    /// Applies a JSON merge patch.
    pub async fn merge(&self, object: &ObjectRef, patch: &Value, dry: Dry) -> Result<Manifest, ApiError> {
        let call = Call::new(Method::PATCH, write_path(&path_of(object), dry)).content("application/merge-patch+json", patch.clone());
        self.write(call, dry).await
    }

    /// Asks for the deletion of an object that is still as the guard says. One that is not there is deleted already.
    pub async fn delete(&self, object: &ObjectRef, guard: &Guard, propagation: Propagation, dry: Dry) -> Result<(), ApiError> {
        let mut preconditions = Map::new();
        preconditions.extend(guard.uid.clone().map(|uid| ("uid".to_owned(), uid.into())));
        preconditions.extend(guard.resource_version.clone().map(|version| ("resourceVersion".to_owned(), version.into())));
        let propagation = match propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        };
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation, "preconditions": preconditions});
        if dry == Dry::Server {
            options["dryRun"] = json!(["All"]);
        }
        match self.call(&tried(Call::new(Method::DELETE, path_of(object)).content(JSON, options), dry)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Calls one of KubeVirt's verbs on a virtual machine (`start`, `stop`) or its instance (`unpause`).
    ///
    /// Source: kubevirt/kubevirt `pkg/virt-api/api.go`, group `subresources.kubevirt.io/v1`.
    pub async fn put_subresource(&self, object: &ObjectRef, subresource: &str, body: &Value) -> Result<(), ApiError> {
        let collection = collection(object.kind, "subresources.kubevirt.io/v1", object.namespace.as_deref());
        let path = format!("{collection}/{}/{subresource}", encode(&object.name));
        self.call(&Call::new(Method::PUT, path).content(JSON, body.clone()).accept(ANYTHING)).await.map(|_| ())
    }

    /// A write whose answer is the object. In a dry run, a warning about a field that would be dropped is an error.
    async fn write(&self, call: Call, dry: Dry) -> Result<Manifest, ApiError> {
        let call = tried(call, dry);
        let answer = self.call_aloud(&call).await?;
        let lost = |warning: &&String| warning.contains("unknown field") || warning.contains("duplicate field");
        if let Some(warning) = answer.warnings.iter().find(lost).filter(|_| dry == Dry::Server) {
            return Err(ApiError::new(Reason::Invalid, 400, warning.clone()));
        }
        let object = answer.read(&call)?;
        self.remember(answer.warnings);
        Ok(object)
    }
}

fn known(manifest: &Manifest) -> Result<Kind, ApiError> {
    manifest.kind().ok_or_else(|| {
        let text = format!("the tool does not know objects of kind {} in {}", manifest.kind_name(), manifest.api_version());
        ApiError::new(Reason::Other, 0, text)
    })
}

/// A patch that does not apply is answered with 422 and no causes, unlike an object that admission or validation refuses.
///
/// Source: kubernetes/apiserver `pkg/endpoints/handlers/patch.go` (applyJSPatch) with apimachinery's NewGenericServerResponse.
fn told_apart(error: ApiError, ops: &[PatchOp]) -> ApiError {
    let tested = ops.iter().any(|op| matches!(op, PatchOp::Test(..)));
    if error.code != 422 || !tested || !error.causes.is_empty() {
        return error;
    }
    // The server's own words say nothing: "the server rejected our request due to an error in our request".
    ApiError { reason: Reason::TestFailed, message: "somebody changed it in the same moment".to_owned(), ..error }
}

/// A dry run changes nothing: it is a question.
fn tried(call: Call, dry: Dry) -> Call {
    if dry == Dry::Server { call.question() } else { call }
}

fn write_path(path: &str, dry: Dry) -> String {
    let dry = if dry == Dry::Server { "All" } else { "" };
    with_query(path, &[("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict"), ("dryRun", dry)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cluster::scripted::{Reply, in_turn};
    use crate::model::kind;
    use crate::model::names::End;

    fn vm() -> ObjectRef {
        ObjectRef::namespaced(End::Source, kind::VM, "shop", "db-1")
    }

    #[tokio::test]
    async fn an_object_is_there_or_is_not() {
        let (cluster, log) = in_turn(vec![Reply::ok(json!({"metadata": {"name": "db-1"}})), Reply::status(404, "NotFound", "x")]);
        assert_eq!(cluster.get(&vm()).await.unwrap().unwrap().name(), "db-1");
        assert_eq!(cluster.get(&vm()).await.unwrap(), None);
        assert_eq!((log.all()[0].method.as_str(), log.all()[0].path.as_str()), ("GET", "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/db-1"));
    }

    #[tokio::test]
    async fn a_patch_that_lost_the_race_is_told_from_one_that_is_refused() {
        let race = || Reply::status(422, "Invalid", "the server rejected our request due to an error in our request");
        let refused = json!({"kind": "Status", "code": 422, "reason": "Invalid", "message": "admission webhook denied",
            "details": {"causes": [{"message": "bad", "field": "spec"}]}});
        let (cluster, log) = in_turn(vec![race(), Reply::Answer(422, Vec::new(), refused.to_string()), race()]);
        let tested = [PatchOp::Test("/metadata/uid".into(), "1".into()), PatchOp::Remove("/spec/x".into())];
        assert_eq!(cluster.patch(&vm(), &tested, Dry::No).await.unwrap_err().reason, Reason::TestFailed);
        assert_eq!(cluster.patch(&vm(), &tested, Dry::No).await.unwrap_err().reason, Reason::Invalid);
        assert_eq!(cluster.patch(&vm(), &tested[1..], Dry::No).await.unwrap_err().reason, Reason::Invalid);
        assert_eq!(log.all()[0].body, json!([{"op": "test", "path": "/metadata/uid", "value": "1"}, {"op": "remove", "path": "/spec/x"}]));
        assert_eq!(log.all()[0].headers["content-type"], "application/json-patch+json");
    }

    #[tokio::test]
    async fn a_delete_names_the_object_it_means_and_one_that_is_gone_is_done() {
        let (cluster, log) =
            in_turn(vec![Reply::ok(json!({})), Reply::status(404, "NotFound", "x"), Reply::status(409, "Conflict", "Precondition failed")]);
        let guard = Guard { uid: Some("u-1".into()), resource_version: None };
        cluster.delete(&vm(), &guard, Propagation::Orphan, Dry::Server).await.unwrap();
        cluster.delete(&vm(), &guard, Propagation::Orphan, Dry::No).await.unwrap();
        assert_eq!(cluster.delete(&vm(), &guard, Propagation::Orphan, Dry::No).await.unwrap_err().reason, Reason::Conflict);
        let body = &log.all()[0].body;
        assert_eq!(
            (&body["preconditions"], &body["propagationPolicy"], &body["dryRun"]),
            (&json!({"uid": "u-1"}), &json!("Orphan"), &json!(["All"]))
        );
    }

    #[tokio::test]
    async fn a_field_that_would_be_dropped_fails_the_dry_run_and_is_told_once_otherwise() {
        let lossy = || Reply::ok(json!({})).header("warning", r#"299 - "unknown field \"spec.x\"""#);
        let (cluster, log) = in_turn(vec![lossy(), lossy(), lossy()]);
        let map = Manifest::new(kind::CONFIG_MAP, "shop", "a");
        assert_eq!(cluster.create(&map, Dry::Server).await.unwrap_err().message, r#"unknown field "spec.x""#);
        cluster.create(&map, Dry::No).await.unwrap();
        cluster.replace(&map, Dry::No).await.unwrap();
        assert_eq!(cluster.warnings(), [r#"unknown field "spec.x""#]);
        assert!(cluster.warnings().is_empty());
        assert_eq!(log.all()[0].query, "fieldManager=kubectl-vmmove&fieldValidation=Strict&dryRun=All");
        assert_eq!(log.all()[2].path, "/api/v1/namespaces/shop/configmaps/a");
    }

    #[tokio::test]
    async fn kubevirts_verbs_may_answer_with_nothing() {
        let (cluster, log) = in_turn(vec![Reply::Answer(202, Vec::new(), String::new())]);
        cluster.put_subresource(&vm(), "stop", &json!({})).await.unwrap();
        assert_eq!(log.all()[0].path, "/apis/subresources.kubevirt.io/v1/namespaces/shop/virtualmachines/db-1/stop");
    }
}
