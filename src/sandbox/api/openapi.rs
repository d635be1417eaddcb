//! As much of OpenAPI as tells kubectl that the server checks manifests itself, so that it need not do so before it sends them.
//!
//! It looks for the parameter `fieldValidation` of a kind's PATCH (kubernetes/cli-runtime `pkg/resource/query_param_verifier_v3.go`).
//! There are no schemas: a real cluster has them.

use serde_json::{Map, Value, json};

use super::discovery;
use crate::sandbox::catalog::{self, Res};
use crate::sandbox::world::World;

/// Which documents there are: one for each group and version.
pub fn index(world: &World) -> Value {
    let entry = |(group, version): (&str, &str)| {
        let path = if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
        let url = format!("/openapi/v3/{path}?hash=sandbox");
        (path, json!({"serverRelativeURL": url}))
    };
    json!({"paths": discovery::versions(world).map(entry).collect::<Map<String, Value>>()})
}

/// The document of a group and version; `None` where nothing is served.
pub fn document(world: &World, group: &str, version: &str) -> Option<Value> {
    discovery::versions(world).any(|known| known == (group, version)).then(|| {
        let kinds = catalog::ALL.iter().filter(|kind| kind.group == group && kind.versions.contains(&version));
        let paths: Map<String, Value> = kinds.map(|kind| path(kind, version)).collect();
        json!({"openapi": "3.0.0", "info": {"title": "vmmove sandbox", "version": "unversioned"}, "paths": paths, "components": {"schemas": {}}})
    })
}

fn path(kind: Res, version: &str) -> (String, Value) {
    let root = if kind.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", kind.group) };
    let namespace = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
    let patch = json!({
        "operationId": format!("patch{}", kind.kind),
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": version, "kind": kind.kind},
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
    });
    (format!("{root}/{version}{namespace}/{}/{{name}}", kind.plural), json!({ "patch": patch }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn every_kind_says_that_the_server_checks_it() {
        let world = World::new(1, Timestamp::UNIX_EPOCH, &[]);
        assert_eq!(index(&world)["paths"]["apis/kubevirt.io/v1"]["serverRelativeURL"], "/openapi/v3/apis/kubevirt.io/v1?hash=sandbox");
        let patch = document(&world, "", "v1").unwrap()["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]["patch"].clone();
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "ConfigMap");
        assert!(patch["parameters"].as_array().unwrap().iter().any(|parameter| parameter["name"] == "fieldValidation"));
        assert_eq!(document(&world, "kubevirt.io", "v9"), None);
    }
}
