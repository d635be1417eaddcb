//! The scenarios that come with the sandbox, each at rest, by what its name promises.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::sandbox::at::At;
use crate::sandbox::catalog::{
    CLAIM, CLUSTER_INSTANCETYPE, DATA_VOLUME, NETWORK_POLICY, NODE, POD, QUOTA, SNAPSHOT_CLASS, STORAGE_CLASS, VM, VM_POOL, VMI, VOLUME,
};
use crate::sandbox::scenarios::{ALL, Scenario};

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn at_rest(name: &str) -> World {
    play(1, NOW, Scenario::named(name).unwrap().read().unwrap()).unwrap()
}

/// Each machine of a namespace with what it says of itself.
fn machines(world: &World, namespace: &str) -> Vec<String> {
    let told = |vm: &Arc<Value>| format!("{} {}", text(vm, "/metadata/name"), text(vm, "/status/printableStatus"));
    world.list(&VM, Some(namespace)).iter().map(told).collect()
}

fn phases(world: &World, kind: Res) -> Vec<String> {
    let mut all: Vec<String> = world.list(kind, None).iter().map(|object| text(object, "/status/phase").to_owned()).collect();
    all.sort();
    all.dedup();
    all
}

fn first(world: &World, kind: Res, namespace: &str, name: &str) -> Value {
    Value::clone(&world.get(kind, namespace, name).unwrap())
}

#[test]
fn the_cluster_is_well_formed_and_what_is_not_is_named() {
    let mut world = World::new(1, Timestamp::UNIX_EPOCH, SUBJECTS);
    begin(&mut world).unwrap();
    assert_eq!(world.list(&NODE, None).len(), 2);
    assert_eq!(world.list(&STORAGE_CLASS, None).len(), 4);
    let before = world.store.version();
    for (text, words) in [
        (
            "kind: Namespace\napiVersion: v1\nmetadata: {name: a}\n---\nkind: Pot\napiVersion: v1\n",
            "document 2: kind \"Pot\" of version \"v1\" is not served here",
        ),
        ("kind: Namespace\napiVersion: v1\n", "document 1: Namespace has no name"),
    ] {
        assert_eq!(load(&mut world, text).unwrap_err().to_string(), words);
    }
    assert!(matches!(load(&mut world, "a: [").unwrap_err(), LoadError::Yaml { .. }));
    assert_eq!(world.store.version(), before);
    let refused = load(&mut world, "kind: StorageClass\napiVersion: storage.k8s.io/v1\nmetadata: {name: fast}\nprovisioner: x\n").unwrap_err();
    let words = "document 1: StorageClass \"fast\" cannot be made: storageclasses.storage.k8s.io \"fast\" already exists";
    assert_eq!(refused.to_string(), words);
}

#[test]
fn every_scenario_comes_to_rest_with_a_source_and_a_target() {
    for scenario in ALL.iter().filter(|scenario| scenario.name != "huge-10000") {
        let mut world = at_rest(scenario.name);
        assert!(world.get(&catalog::NAMESPACE, "", "shop").is_some() && world.get(&catalog::NAMESPACE, "", "prod").is_some(), "{}", scenario.name);
        assert_eq!(machines(&world, "shop").is_empty(), !world.serves("kubevirt.io"), "{}", scenario.name);
        assert_eq!(world.now(), NOW);
        let version = world.store.version();
        world.let_pass(Duration::from_secs(5));
        assert_eq!(world.store.version(), version, "{} is not at rest", scenario.name);
        assert_eq!(phases(&world, &VOLUME), ["Bound"], "{}", scenario.name);
        if scenario.name != "wait-for-consumer" {
            assert_eq!(phases(&world, &CLAIM), ["Bound"], "{}", scenario.name);
        }
    }
}

#[test]
fn plain_and_those_about_disks_show_what_they_promise() {
    let world = at_rest("plain");
    assert_eq!(machines(&world, "shop"), ["db-1 Running", "old-7 Stopped", "web-1 Running"]);
    assert_eq!(phases(&world, &DATA_VOLUME), ["Succeeded"]);
    assert_eq!(text(&first(&world, &VM, "shop", "db-1"), "/metadata/creationTimestamp"), "2025-11-21T00:00:00Z");

    let world = at_rest("dv-template");
    assert_eq!(machines(&world, "shop"), ["api-1 Running"]);
    assert_eq!(world.list(&DATA_VOLUME, Some("shop")).len(), 2);

    let world = at_rest("shared-disk");
    assert_eq!(machines(&world, "shop"), ["node-a Running", "node-b Running"]);
    let users = world.list(&POD, Some("shop")).iter().filter(|pod| pod.to_string().contains("cluster-quorum")).count();
    assert_eq!(users, 2);

    let world = at_rest("no-snapshots");
    assert_eq!(machines(&world, "shop"), ["files-1 Running"]);
    assert_eq!((world.list(&SNAPSHOT_CLASS, None).len(), world.list(&STORAGE_CLASS, None).len()), (0, 1));

    let world = at_rest("wait-for-consumer");
    assert_eq!(machines(&world, "shop"), ["node-1 Running", "spare-1 Stopped"]);
    assert_eq!(text(&first(&world, &CLAIM, "shop", "spare-1"), "/status/phase"), "Pending");

    let world = at_rest("hot-plugged");
    assert_eq!(machines(&world, "shop"), ["mail-1 Running"]);
    let plugged = first(&world, &VMI, "shop", "mail-1");
    assert!(plugged["status"]["volumeStatus"].as_array().unwrap().iter().any(|volume| volume["phase"] == "Ready"), "{plugged:#}");
}

#[test]
fn those_about_machines_show_what_they_promise() {
    let world = at_rest("vtpm");
    assert_eq!(machines(&world, "shop"), ["vault-1 Running"]);
    assert_eq!(first(&world, &VMI, "shop", "vault-1").at("/spec/domain/devices/tpm/persistent"), Some(&true.into()));

    let world = at_rest("instancetype");
    assert_eq!(machines(&world, "shop"), ["app-1 Running", "app-2 Running"]);
    assert!(world.get(&CLUSTER_INSTANCETYPE, "", "u1.medium").is_some());
    assert_eq!(text(&first(&world, &VMI, "shop", "app-2"), "/spec/domain/memory/guest"), "8Gi");

    let world = at_rest("multi-network");
    assert_eq!(first(&world, &VMI, "shop", "router-1")["status"]["interfaces"].as_array().unwrap().len(), 4);

    let world = at_rest("guarded");
    assert_eq!(machines(&world, "shop"), ["old-7 Stopped", "web-1 Running"]);
    assert_eq!(first(&world, &NETWORK_POLICY, "shop", "default-deny").at("/spec/podSelector"), Some(&json!({})));

    let world = at_rest("paused");
    assert_eq!(machines(&world, "shop"), ["awake-1 Running", "frozen-1 Paused"]);

    let world = at_rest("pool-owned");
    assert_eq!(machines(&world, "shop"), ["workers-0 Running", "workers-1 Running"]);
    let pool = first(&world, &VM_POOL, "shop", "workers");
    assert_eq!(first(&world, &VM, "shop", "workers-0").at("/metadata/ownerReferences/0/uid"), pool.at("/metadata/uid"));

    let world = at_rest("gitops-owned");
    assert_eq!(machines(&world, "shop"), ["argo-1 Running", "flux-1 Running", "free-1 Running"]);
}

#[test]
fn those_about_limits_show_what_they_promise() {
    let world = at_rest("quota-tight");
    assert_eq!(machines(&world, "shop"), ["large-1 Running", "small-1 Running"]);
    assert_eq!(text(&first(&world, &QUOTA, "prod", "storage"), "/status/used/requests.storage"), "50Gi");

    let reading = Scenario::named("no-rights").unwrap().read().unwrap();
    let alice = reading.header.user().unwrap();
    let world = play(1, NOW, reading).unwrap();
    let may = |verb: &str, resource: &str, namespace: &str| {
        let wish = crate::sandbox::access::Wish { verb: verb.into(), resource: resource.into(), namespace: namespace.into(), ..Default::default() };
        crate::sandbox::access::judge(&world, &alice, &wish).allowed
    };
    assert!(
        may("delete", "secrets", "shop")
            && may("get", "secrets", "prod")
            && !may("create", "secrets", "prod")
            && !may("patch", "persistentvolumes", "")
    );

    let world = at_rest("big-200");
    let all = machines(&world, "shop");
    assert_eq!((all.len(), all.iter().filter(|vm| vm.ends_with(" Running")).count(), world.list(&CLAIM, None).len()), (200, 200, 400));
}

#[test]
fn the_huge_one_is_well_formed() {
    let objects = Scenario::named("huge-10000").unwrap().read().unwrap().objects;
    let count = |kind: Res| objects.iter().filter(|written| written.resource == kind).count();
    assert_eq!((count(&VM), count(&CLAIM), count(&VOLUME), count(&VMI), count(&POD)), (10_000, 25_000, 25_000, 5000, 5000));
    assert_eq!(dump::lacking(&objects), []);
}

#[test]
fn nobody_looks_at_what_is_at_rest_until_it_changes() {
    let text = |rests: bool| {
        format!(
            "
{{apiVersion: vmmove.io/v1alpha1, kind: Scenario, atRest: {rests}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: c, namespace: shop, uid: c}}
spec: {{storageClassName: fast, accessModes: [ReadWriteOnce], volumeMode: Filesystem, resources: {{requests: {{storage: 1Gi}}}}}}
status: {{phase: Pending}}
"
        )
    };
    assert_eq!(phases(&play(1, NOW, reading::read(&text(false)).unwrap()).unwrap(), &CLAIM), ["Bound"]);
    let mut world = play(1, NOW, reading::read(&text(true)).unwrap()).unwrap();
    world.let_pass(Duration::from_secs(600));
    assert_eq!(phases(&world, &CLAIM), ["Pending"]);
    world.change(&Key::new(&CLAIM, "shop", "c"), |claim| claim["metadata"]["labels"]["seen"] = "yes".into()).unwrap();
    world.let_pass(Duration::from_secs(600));
    assert_eq!(phases(&world, &CLAIM), ["Bound"]);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimization")]
fn the_huge_one_is_at_rest_as_it_says() {
    let mut reading = Scenario::named("huge-10000").unwrap().read().unwrap();
    let said = play(1, NOW, reading.clone()).unwrap();
    reading.header.at_rest = false;
    let looked_at = play(1, NOW, reading).unwrap();
    for kind in [&VM, &CLAIM, &VOLUME, &VMI, &POD] {
        for (one, other) in said.list(kind, None).iter().zip(looked_at.list(kind, None)) {
            let mut one = Value::clone(one);
            one["metadata"]["resourceVersion"] = other["metadata"]["resourceVersion"].clone();
            one["metadata"]["creationTimestamp"] = other["metadata"]["creationTimestamp"].clone();
            assert_eq!(one, *other);
        }
        assert_eq!(said.list(kind, None).len(), looked_at.list(kind, None).len());
    }
}

/// What `kubectl get KINDS -A -o yaml` shows, without what is left out.
fn dump(world: &World, kinds: &[Res]) -> String {
    let items: Vec<Arc<Value>> = kinds.iter().flat_map(|kind| world.list(kind, None)).collect();
    let items: Vec<&Value> = items.iter().map(AsRef::as_ref).collect();
    serde_saphyr::to_string(&json!({"apiVersion": "v1", "kind": "List", "items": items})).unwrap()
}

#[test]
fn a_dump_of_a_cluster_goes_on_as_it_was() {
    let before = at_rest("plain");
    let kinds: Vec<Res> = catalog::ALL.iter().copied().filter(|kind| *kind != &catalog::CRD).collect();
    let text = dump(&before, &kinds);
    let after = play(2, NOW, reading::read(&text).unwrap()).unwrap();
    for kind in kinds {
        let bare = |world: &World| {
            let bare = |object: &Arc<Value>| {
                let mut object = Value::clone(object);
                object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
                object
            };
            world.list(kind, None).iter().map(bare).collect::<Vec<Value>>()
        };
        assert_eq!(bare(&before), bare(&after), "{}", kind.plural);
    }
}

#[test]
fn a_dump_brings_its_own_classes_and_lacks_nothing_unsaid() {
    let before = at_rest("plain");
    let text = dump(&before, &[&CLAIM, &VM]);
    let refused = play(2, NOW, reading::read(&text).unwrap()).err().unwrap().to_string();
    assert!(refused.starts_with("it lacks what its objects cannot be without: persistentvolume/pvc-"), "{refused}");
    let class = "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: theirs, uid: s1}, provisioner: rbd.csi.ceph.com}";
    let world = play(2, NOW, reading::read(class).unwrap()).unwrap();
    assert_eq!(world.list(&STORAGE_CLASS, None).len(), 1);
    let profiles = world.list(&catalog::STORAGE_PROFILE, None);
    assert_eq!((profiles.len(), text_of(&profiles[0])), (1, "theirs"));
}

fn text_of(object: &Value) -> &str {
    text(object, "/metadata/name")
}
