//! What the user may do here, asked of the server.

use http::Method;
use serde_json::{Value, json};

use super::call::Cluster;
use super::error::ApiError;
use super::request::{Call, JSON};
use crate::model::inventory::{Rights, Rule};

/// One right: a verb on a resource, in a namespace or in all, on one object or on any.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Access {
    pub verb: String,
    pub group: String,
    pub resource: String,
    pub subresource: Option<String>,
    pub namespace: Option<String>,
    pub name: Option<String>,
}

impl Cluster {
    /// Whether the user has a right (SelfSubjectAccessReview).
    pub async fn may(&self, access: &Access) -> Result<bool, ApiError> {
        let attributes = json!({
            "verb": access.verb, "group": access.group, "resource": access.resource, "subresource": access.subresource,
            "namespace": access.namespace, "name": access.name,
        });
        let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}});
        let answer = self.review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body).await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false))
    }

    /// All rules for the user in a namespace (SelfSubjectRulesReview), as far as the server's authorizers can list them.
    pub async fn rules(&self, namespace: &str) -> Result<Rights, ApiError> {
        let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}});
        let answer = self.review("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body).await?;
        let rules = answer.pointer("/status/resourceRules").and_then(Value::as_array).map(|rules| rules.iter().map(rule).collect());
        let incomplete = answer.pointer("/status/incomplete").and_then(Value::as_bool).unwrap_or(false);
        Ok(Rights { rules: rules.unwrap_or_default(), incomplete })
    }

    /// The user as the server knows it; empty where the server cannot say (Kubernetes before 1.28).
    pub async fn who_am_i(&self) -> Result<String, ApiError> {
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        match self.review("/apis/authentication.k8s.io/v1/selfsubjectreviews", body).await {
            Ok(answer) => Ok(answer.pointer("/status/userInfo/username").and_then(Value::as_str).unwrap_or_default().to_owned()),
            Err(error) if matches!(error.code, 403..=405) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    async fn review(&self, path: &str, body: Value) -> Result<Value, ApiError> {
        self.call(&Call::new(Method::POST, path).content(JSON, body).question()).await
    }
}

fn rule(value: &Value) -> Rule {
    let list = |key: &str| -> Vec<String> {
        value
            .get(key)
            .and_then(Value::as_array)
            .map(|items| items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
            .unwrap_or_default()
    };
    Rule { verbs: list("verbs"), groups: list("apiGroups"), resources: list("resources"), names: list("resourceNames") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cluster::scripted::{Reply, in_turn};

    #[tokio::test]
    async fn rights_are_asked_of_the_server() {
        let rules = json!({"status": {"incomplete": true, "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}});
        let (cluster, log) = in_turn(vec![Reply::ok(json!({"status": {"allowed": true}})), Reply::ok(rules)]);
        let access = Access {
            verb: "create".into(),
            group: "cdi.kubevirt.io".into(),
            resource: "datavolumes".into(),
            subresource: Some("source".into()),
            ..Access::default()
        };
        assert!(cluster.may(&access).await.unwrap());
        assert_eq!(log.all()[0].body["spec"]["resourceAttributes"]["subresource"], "source");
        let rights = cluster.rules("shop").await.unwrap();
        assert!(rights.incomplete && rights.allow("get", "", "pods"));
    }

    #[tokio::test]
    async fn an_old_server_does_not_know_who_asks() {
        let (cluster, _) = in_turn(vec![Reply::status(404, "NotFound", "x"), Reply::ok(json!({"status": {"userInfo": {"username": "alice"}}}))]);
        assert_eq!(cluster.who_am_i().await.unwrap(), "");
        assert_eq!(cluster.who_am_i().await.unwrap(), "alice");
    }
}
