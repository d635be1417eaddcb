//! What a virtual machine refers to by name in its namespace, and what there points at it.
//!
//! Source of the fields: kubevirt/kubevirt `staging/src/kubevirt.io/api/core/v1/{schema,types}.go`; of the launcher pod's labels:
//! `pkg/virt-controller/services/template.go`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rewrite::dependent::COPIED;
use super::rewrite::vm::hostname;
use crate::model::inventory::Place;
use crate::model::json::Json;
use crate::model::kind::{self, Kind};
use crate::model::manifest::Manifest;
use crate::model::vm::{InstanceSpec, Matcher, Vm};
use crate::model::volume::VolumeSource;

/// Something in its namespace that a machine needs or that needs the machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    pub kind: Kind,
    pub name: String,
    /// The machine starts without it.
    pub optional: bool,
    /// What it is for: `volume seed`, `selects the guest's pod`.
    pub why: String,
    /// It was seen in the source.
    pub exists: bool,
}

impl Reference {
    /// Whether it travels with the machine.
    pub fn is_copied(&self) -> bool {
        COPIED.contains(&self.kind)
    }
}

/// Objects that every namespace makes for itself.
const EVERYWHERE: [&str; 2] = ["kube-root-ca.crt", "openshift-service-ca.crt"];

/// Annotation of a template: the containers that change the guest's definition before it starts, as a JSON list.
pub const HOOKS: &str = "hooks.kubevirt.io/hookSidecars";

/// Every namespaced object but disks and networks that a machine depends on, or that selects its pod; each once, by kind and name.
pub fn references(vm: &Manifest, place: &Place) -> Vec<Reference> {
    let mut found = Found { place, by_name: BTreeMap::new() };
    let spec = Vm(vm).instance();
    volumes(spec, &mut found);
    credentials(spec, &mut found);
    hooks(spec, &mut found);
    if let Some(secret) = spec.text("/domain/firmware/kernelBoot/container/imagePullSecret") {
        found.add(kind::SECRET, secret, false, "pulls the image of the kernel");
    }
    if let Some(account) = spec.text("/serviceAccountName") {
        found.add(kind::SERVICE_ACCOUNT, account, false, "the guest's pod runs as it");
    }
    if let Some(subdomain) = spec.text("/subdomain") {
        found.add(kind::SERVICE, subdomain, true, "gives the guest's name its subdomain");
    }
    matcher(Vm(vm).instancetype(), kind::INSTANCETYPE, "instancetype", &mut found);
    matcher(Vm(vm).preference(), kind::PREFERENCE, "preference", &mut found);
    let labels = pod_labels(vm, place.objects.get(kind::VMI, vm.name()));
    for service in place.objects.all(kind::SERVICE).filter(|service| selects(service.at("/spec/selector"), &labels)) {
        found.add(kind::SERVICE, service.name(), false, "selects the guest's pod");
    }
    found.by_name.into_values().collect()
}

/// The labels of the pod in which a machine's guest runs. That of the instance's UID is there only while there is an instance.
pub fn pod_labels(vm: &Manifest, vmi: Option<&Manifest>) -> BTreeMap<String, String> {
    let spec = Vm(vm).instance();
    let own = spec.text("/hostname").unwrap_or_else(|| vm.name());
    let given = [
        ("kubevirt.io", Some("virt-launcher")),
        ("vm.kubevirt.io/name", Some(hostname(own))),
        // Longer names are cut and hashed there; no Service is written against a hash.
        ("vmi.kubevirt.io/id", Some(vm.name()).filter(|name| name.len() <= 63)),
        ("kubevirt.io/created-by", vmi.map(Manifest::uid)),
    ];
    let given = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
    spec.labels().chain(given).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Whether a Service's selector picks a pod with these labels. Without a selector it picks nothing.
pub fn selects(selector: Option<Json>, labels: &BTreeMap<String, String>) -> bool {
    let mut wanted = selector.into_iter().flat_map(Json::fields).map(|(key, value)| labels.get(key).map(String::as_str) == value.as_str()).peekable();
    wanted.peek().is_some() && wanted.all(|is| is)
}

/// Whether a label selector picks these labels. An empty or absent one picks everything; an operator that nobody here knows counts as a yes.
/// Source: kubernetes/apimachinery `pkg/apis/meta/v1/helpers.go`, LabelSelectorAsSelector.
pub fn matches(selector: Option<Json>, labels: &BTreeMap<String, String>) -> bool {
    let Some(selector) = selector else { return true };
    let has = |key: &str, value: Json| value.as_str().is_some_and(|value| labels.get(key).is_some_and(|label| label == value));
    let holds = |expression: Json| {
        let value = expression.text("/key").and_then(|key| labels.get(key));
        let named = || value.is_some_and(|value| expression.list("/values").any(|wanted| wanted.as_str() == Some(value)));
        match expression.text("/operator") {
            Some("In") => named(),
            Some("NotIn") => !named(),
            Some("Exists") => value.is_some(),
            Some("DoesNotExist") => value.is_none(),
            _ => true,
        }
    };
    selector.at("/matchLabels").into_iter().flat_map(Json::fields).all(|(key, value)| has(key, value))
        && selector.list("/matchExpressions").all(holds)
}

struct Found<'a> {
    place: &'a Place,
    by_name: BTreeMap<(Kind, String), Reference>,
}

impl Found<'_> {
    fn add(&mut self, kind: Kind, name: &str, optional: bool, why: &str) {
        if name.is_empty() || (kind == kind::CONFIG_MAP && EVERYWHERE.contains(&name)) {
            return;
        }
        let exists = self.place.objects.get(kind, name).is_some();
        let new = || Reference { kind, name: name.to_owned(), optional, why: why.to_owned(), exists };
        let known = self.by_name.entry((kind, name.to_owned())).or_insert_with(new);
        known.optional &= optional;
    }
}

fn volumes(spec: InstanceSpec, found: &mut Found) {
    for volume in spec.volumes() {
        let why = format!("volume {}", volume.name);
        match volume.source {
            VolumeSource::CloudInit { user_data, network_data } => {
                user_data.into_iter().chain(network_data).for_each(|secret| found.add(kind::SECRET, secret, false, &why));
            }
            VolumeSource::Sysprep { secret, config_map } => {
                found.add(kind::SECRET, secret.unwrap_or_default(), false, &why);
                found.add(kind::CONFIG_MAP, config_map.unwrap_or_default(), false, &why);
            }
            VolumeSource::Secret { name, optional } => found.add(kind::SECRET, name, optional, &why),
            VolumeSource::ConfigMap { name, optional } => found.add(kind::CONFIG_MAP, name, optional, &why),
            VolumeSource::ServiceAccount { name } => found.add(kind::SERVICE_ACCOUNT, name, false, &why),
            VolumeSource::ContainerDisk { pull_secret, .. } => found.add(kind::SECRET, pull_secret.unwrap_or_default(), false, &why),
            _ => {}
        }
    }
}

fn credentials(spec: InstanceSpec, found: &mut Found) {
    for credential in spec.list("/accessCredentials") {
        for way in ["sshPublicKey", "userPassword"] {
            let secret = credential.text(&format!("/{way}/source/secret/secretName"));
            found.add(kind::SECRET, secret.unwrap_or_default(), false, "access credentials");
        }
    }
}

fn hooks(spec: InstanceSpec, found: &mut Found) {
    let sidecars = spec.annotation(HOOKS).and_then(|text| serde_json::from_str::<Value>(text).ok());
    for sidecar in sidecars.iter().filter_map(Value::as_array).flatten() {
        let map = sidecar.pointer("/configMap/name").and_then(Value::as_str);
        found.add(kind::CONFIG_MAP, map.unwrap_or_default(), false, "hook sidecar");
    }
}

fn matcher(matcher: Option<Matcher>, kind: Kind, what: &str, found: &mut Found) {
    let Some(matcher) = matcher else { return };
    if let Some(name) = matcher.name.or(matcher.resolved_name).filter(|_| matcher.is_namespaced()) {
        found.add(kind, name, false, what);
    }
    if let Some(revision) = matcher.revision {
        found.add(kind::CONTROLLER_REVISION, revision, false, &format!("the {what} as the guest runs with it"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::plan::fixtures::{World, fixture, object};

    fn seen(vm: &Manifest, world: World) -> Vec<(String, bool, bool)> {
        let found = references(vm, &world.seen().source);
        found.iter().map(|found| (format!("{}/{}", found.kind.plural, found.name), found.optional, found.exists)).collect()
    }

    #[test]
    fn a_database_server_brings_its_secrets_its_sizes_and_its_services() {
        let service = |name: &str, selector: Value| object(kind::SERVICE, name, json!({"spec": {"selector": selector}}));
        let world = World::new()
            .source(object(kind::SECRET, "db-1-seed", json!({})))
            .source(service("db", json!({"app": "db"})))
            .source(service("ssh", json!({"vm.kubevirt.io/name": "db-1"})))
            .source(service("web", json!({"app": "web"})))
            .source(service("by-hand", json!({})));
        let expected = [
            ("controllerrevisions/db-1-rhel.9-v1beta1-77aa-1", false, false),
            ("controllerrevisions/db-1-small-v1beta1-3f1a-2", false, false),
            ("secrets/db-1-net", false, false),
            ("secrets/db-1-seed", false, true),
            ("secrets/ops-keys", false, false),
            ("services/db", false, true),
            ("services/headless", true, false),
            ("services/ssh", false, true),
            ("virtualmachineinstancetypes/small", false, false),
        ];
        let mut found = seen(&fixture("db-1"), world);
        found.sort();
        assert_eq!(found, expected.map(|(name, optional, exists)| (name.to_owned(), optional, exists)));
    }

    #[test]
    fn a_windows_server_brings_its_answers_and_its_hook() {
        let found = references(&fixture("win-3"), &World::new().seen().source);
        let names = |kind: Kind| found.iter().filter(|found| found.kind == kind).map(|found| found.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(kind::CONFIG_MAP), ["win-hook", "win-unattend"]);
        assert_eq!(names(kind::SECRET), ["win-keys"]);
        let account = found.iter().find(|found| found.kind == kind::SERVICE_ACCOUNT).unwrap();
        assert_eq!((account.name.as_str(), account.is_copied()), ("win", false));
    }

    #[test]
    fn what_is_needed_once_is_needed() {
        let volumes = json!([
            {"name": "a", "configMap": {"name": "conf", "optional": true}},
            {"name": "b", "configMap": {"name": "conf"}},
            {"name": "c", "secret": {"secretName": "maybe", "optional": true}},
            {"name": "d", "configMap": {"name": "kube-root-ca.crt"}},
        ]);
        let vm = Manifest::from(json!({"metadata": {"name": "a"}, "spec": {"template": {"spec": {"volumes": volumes}}}}));
        assert_eq!(seen(&vm, World::new()), [("configmaps/conf".to_owned(), false, false), ("secrets/maybe".to_owned(), true, false)]);
    }
}
