//! Network policies and Ingresses: what the server fills in.
//! Source: kubernetes 1.36 `pkg/apis/networking/v1/defaults.go`, `pkg/registry/networking/ingress/strategy.go`.
//!
//! Cases: `policies/a-network-policy-bounds-what-comes-in-unless-it-says-more`,
//! `policies/an-ingress-leads-to-a-service-that-need-not-be-there`.

use serde_json::{Value, json};

use super::objects::{default, list, put};
use super::{Rule, Subject, Verb};
use crate::sandbox::catalog::{INGRESS, NETWORK_POLICY};
use crate::sandbox::status::Status;
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[
        Rule { resource: &NETWORK_POLICY, subresource: "", verbs: &[Verb::Create, Verb::Update], run: policy },
        Rule { resource: &INGRESS, subresource: "", verbs: &[Verb::Create], run: ingress },
    ],
    controllers: &[],
};

fn policy(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let policy = &mut attempt.object;
    for way in ["/spec/ingress", "/spec/egress"] {
        let mut rules = list(policy, way).to_vec();
        rules.iter_mut().filter_map(|rule| rule.get_mut("ports")?.as_array_mut()).flatten().for_each(|port| default(port, "/protocol", "TCP"));
        if !rules.is_empty() {
            put(policy, way, rules);
        }
    }
    let types = if list(policy, "/spec/egress").is_empty() { json!(["Ingress"]) } else { json!(["Ingress", "Egress"]) };
    if policy.pointer("/spec/policyTypes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        put(policy, "/spec/policyTypes", types);
    }
    Ok(())
}

fn ingress(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    put(&mut attempt.object, "/status/loadBalancer", json!({}));
    Ok(())
}
