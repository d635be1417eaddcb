//! Stories of machines: they start, stop as they are asked to, and say how they are.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use crate::sandbox::at::At;
use crate::sandbox::behaviour::cluster_for_tests::{Cluster, cluster, filled_claim, machine};
use crate::sandbox::behaviour::objects::{annotate, has_finalizer, is, put};
use crate::sandbox::behaviour::power;
use crate::sandbox::catalog::{CONTROLLER_REVISION, VM, VMI};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::write::User;

/// A machine whose disk is a claim that is there.
fn plain(strategy: &str) -> (Cluster, Value) {
    let mut cluster = cluster();
    filled_claim(&mut cluster, "shop", "db-root");
    let mut vm = machine("shop", strategy);
    vm["spec"].as_object_mut().unwrap().remove("dataVolumeTemplates");
    vm["spec"]["template"]["spec"]["volumes"] = json!([{"name": "root", "persistentVolumeClaim": {"claimName": "db-root"}}]);
    (cluster, vm)
}

fn running(strategy: &str) -> Cluster {
    let (mut cluster, vm) = plain(strategy);
    cluster.world.create(vm).unwrap();
    cluster.pass(4);
    cluster
}

fn ask(cluster: &mut Cluster, action: &str, on_instance: bool, body: Value) -> Result<(), Status> {
    power::request(&mut cluster.world, &User::default(), "shop", "db", action, on_instance, &body)
}

#[test]
fn a_machine_that_always_runs_comes_up_and_says_so() {
    let mut cluster = running("Always");
    let (vm, vmi) = (cluster.vm("shop"), cluster.vmi("shop"));
    assert_eq!(cluster.word("shop"), "Running");
    assert!(has_finalizer(&vm, super::FINALIZER) && is(&vm, "Ready", "True") && is(&vm, "AgentConnected", "True"));
    assert_eq!((&vm["status"]["created"], &vm["status"]["ready"], text(&vm, "/status/runStrategy")), (&json!(true), &json!(true), "Always"));
    assert_eq!(text(&vmi, "/spec/domain/firmware/uuid"), text(&vm, "/spec/template/spec/domain/firmware/uuid"));
    assert_eq!((text(&vmi, "/status/phase"), text(&vmi, "/status/nodeName")), ("Running", "node-1"));
    let launcher = &cluster.launchers("shop")[0];
    assert_eq!(text(launcher, "/spec/volumes/0/persistentVolumeClaim/claimName"), "db-root");
    cluster.world.delete(&Key::new(&VM, "shop", "db")).unwrap();
    cluster.pass(4);
    assert_eq!((cluster.vm("shop"), cluster.vmi("shop")), (Value::Null, Value::Null));
    assert_eq!(cluster.world.list(&CONTROLLER_REVISION, Some("shop")).len(), 0);
}

#[test]
fn a_machine_that_is_halted_behind_a_fence_ends_its_guest_cleanly() {
    let mut cluster = running("Always");
    let nowhere = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "fence", "operator": "In", "values": ["m-1"]}]}]}}});
    cluster.edit(&VM, "shop", "db", |vm| {
        put(vm, "/spec/runStrategy", "Halted");
        put(vm, "/spec/template/spec/affinity", nowhere);
    });
    cluster.pass(1);
    assert_eq!(cluster.word("shop"), "Stopping");
    cluster.pass(3);
    assert_eq!((cluster.word("shop").as_str(), cluster.vmi("shop")), ("Stopped", Value::Null));
    assert!(cluster.events("shop", "db").contains(&"Stopped The VirtualMachineInstance was shut down.".to_owned()));
    assert!(cluster.vm("shop")["status"]["created"].is_null());
}

#[test]
fn a_guest_that_does_not_listen_is_destroyed_when_its_grace_is_over() {
    let (mut cluster, mut vm) = plain("Manual");
    put(&mut vm, "/spec/template/spec/terminationGracePeriodSeconds", 10);
    annotate(&mut vm["spec"]["template"], "sandbox/shutdown-seconds", "never");
    cluster.world.create(vm).unwrap();
    cluster.pass(2);
    assert_eq!(cluster.word("shop"), "Stopped");
    ask(&mut cluster, "start", false, json!({})).unwrap();
    cluster.pass(4);
    assert_eq!(cluster.word("shop"), "Running");
    ask(&mut cluster, "stop", false, json!({})).unwrap();
    cluster.pass(5);
    assert_eq!(cluster.word("shop"), "Stopping");
    cluster.pass(7);
    assert_eq!(cluster.word("shop"), "Stopped");
    assert!(cluster.events("shop", "db").contains(&"Stopped The VirtualMachineInstance crashed.".to_owned()));
}

#[test]
fn requests_are_refused_in_virt_apis_words() {
    let mut cluster = running("Always");
    let mut said = |action: &str, on_instance, body| ask(&mut cluster, action, on_instance, body).unwrap_err();
    let refused = said("start", false, json!({}));
    let words = "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"db\": VM is already running";
    assert_eq!((refused.code(), refused.message()), (409, words));
    let words = "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"db\": VMI is not paused";
    assert_eq!(said("unpause", true, json!({})).message(), words);
    ask(&mut cluster, "pause", true, json!({})).unwrap();
    cluster.pass(1);
    assert_eq!(cluster.word("shop"), "Paused");
    ask(&mut cluster, "unpause", true, json!({})).unwrap();
    ask(&mut cluster, "stop", false, json!({})).unwrap();
    cluster.pass(4);
    assert_eq!((cluster.word("shop").as_str(), text(&cluster.vm("shop"), "/spec/runStrategy")), ("Stopped", "Halted"));
    let refused = ask(&mut cluster, "stop", false, json!({})).unwrap_err();
    assert_eq!(refused.message(), "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"db\": VM is not running");
    assert_eq!(ask(&mut cluster, "restart", true, json!({})).unwrap_err().code(), 404);
}

#[test]
fn each_strategy_answers_the_end_of_a_guest_in_its_own_way() {
    for (strategy, how, again) in [
        ("Always", "sandbox/powers-off-after-seconds", true),
        ("RerunOnFailure", "sandbox/powers-off-after-seconds", false),
        ("RerunOnFailure", "sandbox/crashes-after-seconds", true),
        ("Once", "sandbox/crashes-after-seconds", false),
        ("Manual", "sandbox/crashes-after-seconds", false),
    ] {
        let (mut cluster, mut vm) = plain(strategy);
        annotate(&mut vm["spec"]["template"], how, "3");
        cluster.world.create(vm).unwrap();
        cluster.pass(2);
        if strategy == "Manual" {
            ask(&mut cluster, "start", false, json!({})).unwrap();
        }
        cluster.pass(2);
        let first = text(&cluster.vmi("shop"), "/metadata/uid").to_owned();
        assert_eq!(cluster.word("shop"), "Running", "{strategy}");
        cluster.pass(4);
        let second = text(&cluster.vmi("shop"), "/metadata/uid").to_owned();
        assert_eq!(!second.is_empty() && second != first, again, "{strategy} {how}");
    }
}

#[test]
fn a_guest_that_never_comes_up_is_tried_less_and_less_often() {
    let (mut cluster, mut vm) = plain("Always");
    annotate(&mut vm["spec"]["template"], "sandbox/boot", "fails");
    cluster.world.create(vm).unwrap();
    cluster.pass(6);
    assert_eq!(cluster.word("shop"), "CrashLoopBackOff");
    assert_eq!(cluster.vm("shop").at("/status/startFailure/consecutiveFailCount"), Some(&json!(1)));
    cluster.pass(20);
    assert!(cluster.vm("shop").at("/status/startFailure/consecutiveFailCount").and_then(Value::as_u64) > Some(1));
}

#[test]
fn what_a_running_guest_cannot_take_over_needs_a_restart() {
    let mut cluster = running("Always");
    cluster.edit(&VM, "shop", "db", |vm| put(vm, "/spec/template/spec/nodeSelector", json!({"zone": "a"})));
    cluster.pass(1);
    assert!(!is(&cluster.vm("shop"), "RestartRequired", "True"));
    assert_eq!(text(&cluster.vmi("shop"), "/spec/nodeSelector/zone"), "a");
    cluster.edit(&VM, "shop", "db", |vm| put(vm, "/spec/template/spec/domain/devices/rng", json!({})));
    cluster.pass(1);
    assert!(is(&cluster.vm("shop"), "RestartRequired", "True"));
    ask(&mut cluster, "restart", false, json!({})).unwrap();
    cluster.pass(6);
    assert!(!is(&cluster.vm("shop"), "RestartRequired", "True"));
    assert_eq!(cluster.word("shop"), "Running");
}

#[test]
fn a_machine_without_its_claim_waits_and_says_which() {
    let mut cluster = cluster();
    let (_, vm) = plain("Always");
    cluster.world.create(vm).unwrap();
    cluster.pass(2);
    assert_eq!(cluster.word("shop"), "ErrorPvcNotFound");
    filled_claim(&mut cluster, "shop", "db-root");
    cluster.pass(4);
    assert_eq!(cluster.word("shop"), "Running");
}

#[test]
fn a_machine_is_refused_in_the_webhooks_words() {
    type Edit = fn(&mut Value);
    let cases: [(Edit, &str); 4] = [
        (
            |vm| put(vm, "/spec/running", true),
            "Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use RunStrategy instead",
        ),
        (|vm| put(vm, "/spec/runStrategy", "Maybe"), "Invalid RunStrategy (Maybe)"),
        (|vm| put(vm, "/spec/template/spec/volumes", json!([])), "spec.template.spec.domain.devices.disks[0].Name 'root' not found."),
        (
            |vm| put(vm, "/spec/template/metadata/labels", json!({"kubevirt.io/nodeName": "x"})),
            "creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited",
        ),
    ];
    for (edit, words) in cases {
        let (mut cluster, mut vm) = plain("Halted");
        edit(&mut vm);
        let attempt = crate::sandbox::write::Attempt::new(User::default(), &VM, vm);
        let refused = crate::sandbox::write::create(&mut cluster.world, attempt).unwrap_err();
        assert_eq!(refused.message(), format!("admission webhook \"virtualmachine-validator.kubevirt.io\" denied the request: {words}"));
        assert_eq!((refused.code(), refused.0["reason"].as_str()), (422, Some("Invalid")));
    }
}

#[test]
fn others_may_not_change_what_an_instance_is() {
    let mut cluster = running("Always");
    let mut vmi = cluster.vmi("shop");
    put(&mut vmi, "/status/phase", "Failed");
    let attempt = |object: &Value| crate::sandbox::write::Attempt::new(User::default(), &VMI, object.clone());
    crate::sandbox::write::update(&mut cluster.world, attempt(&vmi)).unwrap();
    assert_eq!(text(&cluster.vmi("shop"), "/status/phase"), "Running");
    put(&mut vmi, "/spec/hostname", "other");
    let refused = crate::sandbox::write::update(&mut cluster.world, attempt(&vmi)).unwrap_err();
    let words = "admission webhook \"virtualmachineinstances-update-validator.kubevirt.io\" denied the request: update of VMI object is restricted";
    assert_eq!(refused.message(), words);
}

#[test]
fn an_instance_type_is_kept_as_it_was_when_the_machine_came() {
    let (mut cluster, mut vm) = plain("Always");
    let small = json!({
        "apiVersion": "instancetype.kubevirt.io/v1beta1", "kind": "VirtualMachineInstancetype", "metadata": {"name": "small", "namespace": "shop"},
        "spec": {"cpu": {"guest": 2}, "memory": {"guest": "2Gi"}},
    });
    let small = cluster.world.create(small).unwrap();
    vm["spec"]["template"]["spec"]["domain"].as_object_mut().unwrap().remove("memory");
    put(&mut vm, "/spec/instancetype", json!({"kind": "VirtualMachineInstancetype", "name": "small"}));
    cluster.world.create(vm).unwrap();
    cluster.pass(4);
    let revision = format!("db-small-v1beta1-{}-1", text(&small, "/metadata/uid"));
    assert_eq!(text(&cluster.vm("shop"), "/status/instancetypeRef/controllerRevisionRef/name"), revision);
    assert_eq!(cluster.vmi("shop").at("/spec/domain/cpu/sockets"), Some(&json!(2)));
    assert_eq!(text(&cluster.vmi("shop"), "/spec/domain/memory/guest"), "2Gi");
    assert_eq!(text(&cluster.get(&CONTROLLER_REVISION, "shop", &revision), "/metadata/ownerReferences/0/name"), "db");
}
