//! Stories of machines that must not be moved, and why.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::model::inventory::Look as Looked;
use crate::model::kind;
use crate::plan::fixtures::{World, ask, claim, fixture, object, running, vm, vmi};

/// Codes of what blocks, then of what warns.
fn told(found: &[Finding]) -> (Vec<&str>, Vec<&str>) {
    let of = |severity| found.iter().filter(|finding| finding.severity == severity).map(|finding| finding.code.as_str()).collect();
    (of(Severity::Blocking), of(Severity::Warning))
}

fn of(vm: Manifest, world: World) -> Vec<Finding> {
    let seen = world.source(vm.clone()).seen();
    not_carried(&vm, &seen, &ask(&[]))
}

fn with(pointer: &str, value: Value) -> Manifest {
    let mut vm = vm("db-1", &["db-1"]);
    vm.set(pointer, value);
    vm
}

fn says(found: &[Finding], code: &str) -> String {
    found.iter().find(|finding| finding.code == code).unwrap().message.clone()
}

#[test]
fn an_ordinary_machine_is_carried_whole() {
    let machine = running(vm("db-1", &["db-1"]));
    assert_eq!(of(machine.clone(), World::new().source(vmi(&machine)).source(claim("db-1", 20))), []);
}

#[test]
fn each_row_has_its_own_code() {
    let mut codes: Vec<_> = CHECKS.iter().flat_map(|group| group.iter()).map(|check| check.code).collect();
    codes.sort_unstable();
    let all = codes.len();
    codes.dedup();
    assert_eq!(codes.len(), all);
}

#[test]
fn a_windows_server_with_everything_is_refused_for_each_of_its_reasons() {
    let found = of(fixture("win-3"), World::new());
    assert_eq!(told(&found), (vec!["C001", "C010", "C011", "C012", "C013", "C015", "C020", "C021", "C040"], vec!["C043"]));
    assert!(says(&found, "C001").ends_with("TPM, EFI variables"));
    assert!(says(&found, "C010").ends_with(": quorum"));
    assert!(says(&found, "C015").ends_with("future (objectStoreDisk)"));
}

#[test]
fn a_preference_can_bring_a_tpm_that_the_machine_does_not_mention() {
    let machine = with("/spec/preference", json!({"name": "windows.2k25"}));
    let mut preference = Manifest::new(kind::CLUSTER_PREFERENCE, "", "windows.2k25");
    preference.set("/spec/devices/preferredTPM/persistent", true.into());
    let found = of(machine.clone(), World::new().cluster(preference.clone()));
    assert_eq!(told(&found).0, ["C001"]);
    let frozen = object(kind::CONTROLLER_REVISION, "db-1-windows", json!({"data": {"spec": {"firmware": {"preferredEfi": {"persistent": true}}}}}));
    let mut pinned = machine.clone();
    pinned.set("/status/preferenceRef/controllerRevisionRef/name", "db-1-windows".into());
    preference.remove("/spec");
    assert!(says(&of(pinned, World::new().cluster(preference.clone()).source(frozen)), "C001").ends_with("EFI variables"));
    assert_eq!(of(machine, World::new().cluster(preference)), []);
}

#[test]
fn a_preference_nobody_can_read_is_no_reason_to_hope() {
    let named = with("/spec/preference", json!({"name": "gone"}));
    assert_eq!(told(&of(named, World::new())).0, ["C004"]);
    let inferred = with("/spec/instancetype", json!({"inferFromVolume": "db-1"}));
    assert_eq!(told(&of(inferred, World::new())).0, ["C004"]);
}

#[test]
fn state_beside_the_disks_is_found_by_label_and_by_its_old_name() {
    for (name, label) in [("persistent-state-for-db-1-x7k2p", Some("db-1")), ("persistent-state-for-db-1", None)] {
        let mut state = claim(name, 1);
        if let Some(label) = label {
            state.set_label("persistent-state-for", label);
        }
        assert_eq!(told(&of(vm("db-1", &["db-1"]), World::new().source(state))).0, ["C002"], "{name}");
    }
}

#[test]
fn tracked_blocks_block() {
    assert_eq!(told(&of(with("/status/changedBlockTracking/state", "Enabled".into()), World::new())).0, ["C003"]);
    assert_eq!(of(with("/status/changedBlockTracking/state", "Disabled".into()), World::new()), []);
}

#[test]
fn a_binding_plugin_brings_a_network_that_must_be_in_the_target() {
    let machine = with("/spec/template/spec/domain/devices/interfaces", json!([{"name": "lan", "binding": {"name": "vdpa"}}]));
    let mut kubevirt = object(kind::KUBEVIRT, "kubevirt", json!({}));
    kubevirt.set("/spec/configuration/network/binding/vdpa/networkAttachmentDefinition", "vdpa-net".into());
    let world = || World::new().source(kubevirt.clone());
    assert!(says(&of(machine.clone(), world()), "C030").ends_with(": vdpa-net"));
    assert_eq!(of(machine.clone(), world().target(object(kind::NETWORK_ATTACHMENT, "vdpa-net", json!({})))), []);
    assert_eq!(not_carried(&machine, &world().source(machine.clone()).seen_source(), &ask(&[])), []);
    kubevirt.set("/spec/configuration/network/binding/vdpa/networkAttachmentDefinition", "default/vdpa-net".into());
    assert_eq!(of(machine, World::new().source(kubevirt)), []);
}

#[test]
fn a_network_by_its_full_name_is_left_alone_unless_it_is_the_sources() {
    let named = |name: &str| with("/spec/template/spec/networks", json!([{"name": "lan", "multus": {"networkName": name}}]));
    assert_eq!(of(named("default/vlan10"), World::new()), []);
    assert_eq!(told(&of(named("shop/vlan10"), World::new())), (vec![], vec!["C032"]));
}

#[test]
fn what_nobody_knows_blocks() {
    assert_eq!(told(&of(with("/spec/template/spec/domain/devices/futureDevice", json!({"lanes": 4})), World::new())).0, ["C023"]);
    assert_eq!(told(&of(with("/spec/template/spec/networks", json!([{"name": "n", "vdpa": {}}])), World::new())).0, ["C033"]);
    let interface = json!([{"name": "n", "vdpa": {}}]);
    assert_eq!(told(&of(with("/spec/template/spec/domain/devices/interfaces", interface), World::new())).0, ["C033"]);
    let credential = json!([{"sshPublicKey": {"source": {"vault": {"path": "x"}}}}]);
    assert_eq!(told(&of(with("/spec/template/spec/accessCredentials", credential), World::new())).0, ["C023"]);
    assert_eq!(told(&of(with("/spec/template/spec/newIdea", json!(1)), World::new())), (vec![], vec!["C024"]));
}

#[test]
fn what_only_the_instance_has_counts_too() {
    let machine = running(vm("db-1", &["db-1"]));
    let mut instance = vmi(&machine);
    instance.set("/spec/utilityVolumes", json!([{"name": "backup", "claimName": "scratch"}]));
    instance.set("/spec/volumes", json!([{"name": "x", "futureDisk": {}}]));
    instance.set_annotation("virtualmachinepreset.kubevirt.io/small", "kubevirt.io/v1");
    assert_eq!(told(&of(machine, World::new().source(instance))).0, ["C014", "C015", "C022"]);
}

#[test]
fn a_mac_pool_is_told_of_and_a_duplicate_in_it_blocks() {
    let machine = |name: &str| {
        let mut vm = vm(name, &[name]);
        vm.set("/spec/template/spec/domain/devices/interfaces", json!([{"name": "lan", "bridge": {}, "macAddress": "02:00:00:00:00:0A"}]));
        vm.set_annotation("kubemacpool.io/transaction-timestamp", "2026-01-01T00:00:00Z");
        vm
    };
    assert_eq!(told(&of(machine("db-1"), World::new())), (vec![], vec!["C035"]));
    let mut twin = machine("db-2");
    twin.set("/spec/template/spec/domain/devices/interfaces/0/macAddress", "02-00-00-00-00-0a".into());
    assert!(says(&of(machine("db-1"), World::new().source(twin)), "C034").ends_with("02:00:00:00:00:0a (db-2)"));
    let mut exempt = Manifest::new(kind::NAMESPACE, "", "prod");
    exempt.set_label("mutatevirtualmachines.kubemacpool.io", "ignore");
    let world = World::new().target_namespace(Looked::Listed(BTreeMap::from([("prod".to_owned(), exempt)])));
    assert_eq!(of(machine("db-1"), world), []);
}

#[test]
fn tokens_are_not_carried_and_controllers_are_named() {
    let machine = with(
        "/spec/template/spec/volumes",
        json!([{"name": "s", "secret": {"secretName": "token"}}, {"name": "t", "secret": {"secretName": "tls"}}]),
    );
    let annotated =
        |name: &str, key: &str| object(kind::SECRET, name, json!({"metadata": {"name": name, "namespace": "shop", "annotations": {key: "x"}}}));
    let world =
        World::new().source(annotated("token", "kubernetes.io/service-account.name")).source(annotated("tls", "cert-manager.io/certificate-name"));
    assert_eq!(told(&of(machine, world)), (vec!["C041"], vec!["C042"]));
}

#[test]
fn a_service_that_follows_one_run_only_cannot_follow_a_move() {
    let machine = running(vm("db-1", &["db-1"]));
    let service = object(kind::SERVICE, "db", json!({"spec": {"selector": {"kubevirt.io/created-by": "virtualmachineinstances-db-1"}}}));
    assert_eq!(told(&of(machine.clone(), World::new().source(vmi(&machine)).source(service))).0, ["C044"]);
}

#[test]
fn two_namespaces_have_one_primary_network_or_the_guest_stays() {
    const LABEL: &str = "k8s.ovn.org/primary-user-defined-network";
    let namespace = |name: &str, labelled: bool| {
        let mut namespace = Manifest::new(kind::NAMESPACE, "", name);
        if labelled {
            namespace.set_label(LABEL, "");
        }
        Looked::Listed(BTreeMap::from([(name.to_owned(), namespace)]))
    };
    let network = |name: &str| {
        let config = json!({"name": name, "role": "primary", "netAttachDefName": format!("x/{name}")});
        object(kind::NETWORK_ATTACHMENT, "primary", json!({"spec": {"config": config.to_string()}}))
    };
    let blocked = |source: bool, target: bool, networks: Option<[&str; 2]>| {
        let machine = vm("db-1", &[]);
        let world = World::new().source(machine.clone()).target_namespace(namespace("prod", target));
        let mut seen = match networks {
            Some([here, there]) => world.source(network(here)).target(network(there)).seen(),
            None => world.seen(),
        };
        seen.source.namespace_look = namespace("shop", source);
        told(&not_carried(&machine, &seen, &ask(&[]))).0 == ["C036"]
    };
    assert!(!blocked(false, false, None));
    assert!(blocked(true, false, None) && blocked(false, true, None));
    assert!(!blocked(true, true, Some(["wide", "wide"])));
    assert!(blocked(true, true, Some(["shop_lan", "prod_lan"])));
    assert!(blocked(true, true, None), "networks that nobody saw are not known to be one");
}

#[test]
fn addresses_that_outlive_the_guest_keep_it_where_it_is() {
    let claim = |of: &str| {
        let mut claim = object(kind::IP_CLAIM, &format!("{of}.lan"), json!({}));
        claim.set_label("kubevirt.io/vm", of);
        claim
    };
    let found = of(vm("db-1", &[]), World::new().source(claim("db-1")).source(claim("db-2")));
    assert!(says(&found, "C037").ends_with(": db-1.lan"));
    assert_eq!(found.len(), 1);
}

#[test]
fn what_a_service_cannot_bring_is_told() {
    let spec = json!({"selector": {"vm.kubevirt.io/name": "db-1"}, "type": "LoadBalancer", "loadBalancerIP": "192.0.2.7", "healthCheckNodePort": 31000,
        "ports": [{"port": 5432, "nodePort": 30123}, {"port": 22}], "externalIPs": ["198.51.100.9"]});
    let mut service = object(kind::SERVICE, "db", json!({ "spec": spec }));
    service.set_annotation("metallb.io/loadBalancerIPs", "192.0.2.8");
    let found = of(vm("db-1", &[]), World::new().source(service));
    assert_eq!(told(&found), (vec![], vec!["C051", "C052"]));
    assert!(says(&found, "C051").ends_with(": 30123 (db), 31000 (db)"));
    assert!(says(&found, "C052").ends_with(": 192.0.2.7 (db), 192.0.2.8 (db), 198.51.100.9 (db)"));
}

#[test]
fn a_template_whose_secrets_stay_and_a_guest_that_reads_where_it_is_are_told() {
    let source = json!({"http": {"url": "https://images/x", "secretRef": "login", "certConfigMap": "ca", "secretExtraHeaders": ["token"]}});
    let mut machine = with("/spec/dataVolumeTemplates", json!([{"metadata": {"name": "db-1"}, "spec": {"source": source}}]));
    machine.set("/spec/template/spec/volumes", json!([{"name": "me", "downwardAPI": {"fields": []}}]));
    machine.set("/spec/template/spec/dnsConfig", json!({"searches": ["shop.svc.cluster.local", "example.org"]}));
    let found = of(machine, World::new());
    assert_eq!(told(&found), (vec![], vec!["C045", "C053", "C054"]));
    assert!(says(&found, "C053").ends_with(": secret/login (db-1), configmap/ca (db-1), secret/token (db-1)"));
    assert!(says(&found, "C045").ends_with(": shop.svc.cluster.local"));
}

#[test]
fn a_preset_changes_the_guests_that_its_whole_selector_picks() {
    let told_of = |selector: Value| {
        let preset = object(kind::PRESET, "small", json!({"spec": {"selector": selector}}));
        let machine = with("/spec/template/metadata/labels", json!({"app": "db"}));
        told(&of(machine, World::new().source(preset))).0 == ["C022"]
    };
    assert!(told_of(json!({})) && told_of(json!({"matchLabels": {"app": "db"}})) && !told_of(json!({"matchLabels": {"app": "web"}})));
    let runs = |operator: &str| json!({"matchLabels": {"app": "db"}, "matchExpressions": [{"key": "tier", "operator": operator}]});
    assert!(told_of(runs("DoesNotExist")) && !told_of(runs("Exists")));
}
