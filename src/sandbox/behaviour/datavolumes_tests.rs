//! Stories of DataVolumes: imports, clones within and across namespaces, adoption, and loss.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use crate::sandbox::behaviour::cluster_for_tests::{Cluster, cluster, filled_claim, machine};
use crate::sandbox::behaviour::objects::{annotation, has_finalizer, is, label, list, put};
use crate::sandbox::behaviour::populators::handle;
use crate::sandbox::catalog::{CLAIM, DATA_VOLUME, POD, STORAGE_PROFILE, VM, VOLUME};
use crate::sandbox::delete::{self, Deletion};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, text};
use crate::sandbox::write::{self, Attempt, User};

fn clone_of(namespace: &str) -> Value {
    json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume",
        "metadata": {"name": "db-root", "namespace": namespace, "labels": {"moved": "yes"}},
        "spec": {
            "source": {"pvc": {"namespace": "shop", "name": "db-root"}},
            "pvc": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
        },
    })
}

fn ada() -> User {
    User { name: "ada".to_owned(), groups: vec!["system:authenticated".to_owned()] }
}

fn create(cluster: &mut Cluster, user: User, object: Value) -> Result<(), Status> {
    write::create(&mut cluster.world, Attempt::new(user, &DATA_VOLUME, object)).map(drop)
}

fn content(cluster: &Cluster, namespace: &str) -> String {
    let handle = handle(&cluster.world, &cluster.get(&CLAIM, namespace, "db-root")).unwrap();
    String::from_utf8(cluster.world.disks.read(&handle).unwrap().to_vec()).unwrap()
}

fn strategy(cluster: &mut Cluster, strategy: &str) {
    cluster.pass(1);
    cluster.edit(&STORAGE_PROFILE, "", "fast", |profile| put(profile, "/spec/cloneStrategy", strategy));
}

/// A claim in `shop` with something on it.
fn written() -> Cluster {
    let mut cluster = cluster();
    filled_claim(&mut cluster, "shop", "db-root");
    let handle = handle(&cluster.world, &cluster.get(&CLAIM, "shop", "db-root")).unwrap();
    cluster.world.disks.write(&handle, b"orders");
    cluster
}

fn phase(cluster: &Cluster, namespace: &str) -> String {
    text(&cluster.get(&DATA_VOLUME, namespace, "db-root"), "/status/phase").to_owned()
}

#[test]
fn a_machines_disk_is_imported_before_its_guest_starts() {
    let mut cluster = cluster();
    cluster.world.create(machine("shop", "Always")).unwrap();
    cluster.pass(1);
    assert_eq!(cluster.word("shop"), "Provisioning");
    cluster.pass(9);
    let volume = cluster.get(&DATA_VOLUME, "shop", "db-root");
    assert_eq!((text(&volume, "/status/phase"), text(&volume, "/status/progress")), ("Succeeded", "100.0%"));
    assert!(is(&volume, "Bound", "True") && is(&volume, "Ready", "True") && is(&volume, "Running", "False"));
    assert_eq!((cluster.word("shop").as_str(), content(&cluster, "shop").as_str()), ("Running", "http http://images/fedora\n"));
    assert_eq!(list(&cluster.get(&CLAIM, "shop", "db-root"), "/metadata/ownerReferences")[0]["name"], "db-root");
    let left = cluster.world.list(&CLAIM, Some("shop")).len();
    assert_eq!(left, 1, "the prime claim is gone");
    cluster.world.delete(&Key::new(&VM, "shop", "db")).unwrap();
    cluster.pass(6);
    assert!(cluster.world.list(&CLAIM, None).is_empty() && cluster.world.list(&VOLUME, None).is_empty());
}

#[test]
fn an_import_ends_with_the_claim_that_it_fills() {
    let mut cluster = cluster();
    let volume = json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume",
        "metadata": {"name": "db-root", "namespace": "shop", "annotations": {"sandbox/import-seconds": "600"}},
        "spec": {
            "source": {"http": {"url": "http://images/fedora"}},
            "pvc": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
        },
    });
    cluster.world.create(volume).unwrap();
    cluster.pass(5);
    assert_eq!(phase(&cluster, "shop"), "ImportInProgress");
    cluster.world.delete(&Key::new(&DATA_VOLUME, "shop", "db-root")).unwrap();
    cluster.pass(5);
    assert!(cluster.world.list(&POD, None).is_empty() && cluster.world.list(&CLAIM, None).is_empty(), "the pod does not hold its claim");
}

#[test]
fn a_clone_crosses_namespaces_when_its_writer_may_read_the_origin() {
    let mut cluster = written();
    strategy(&mut cluster, "csi-clone");
    let refused = create(&mut cluster, ada(), clone_of("prod")).unwrap_err();
    let words = "User ada has insufficient permissions in clone source namespace shop";
    assert_eq!(refused.message(), format!("admission webhook \"datavolume-mutate.cdi.kubevirt.io\" denied the request:  {words}"));
    for object in [
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "cloner", "namespace": "shop"},
            "rules": [{"apiGroups": ["cdi.kubevirt.io"], "resources": ["datavolumes/source"], "verbs": ["create"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "ada", "namespace": "shop"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "cloner"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ada"}]}),
    ] {
        cluster.world.create(object).unwrap();
    }
    create(&mut cluster, ada(), clone_of("prod")).unwrap();
    cluster.pass(10);
    let (volume, claim) = (cluster.get(&DATA_VOLUME, "prod", "db-root"), cluster.get(&CLAIM, "prod", "db-root"));
    assert_eq!((text(&volume, "/status/phase"), text(&claim, "/status/phase")), ("Succeeded", "Bound"), "{claim:#}");
    assert_eq!((label(&claim, "moved"), annotation(&claim, "cdi.kubevirt.io/cloneType")), (Some("yes"), Some("csi-clone")));
    assert!(!has_finalizer(&claim, "cdi.kubevirt.io/clonePopulator"));
    assert_eq!(content(&cluster, "prod"), "orders");
    assert_eq!(cluster.world.list(&CLAIM, Some("shop")).len(), 1, "nothing of the clone is left beside its origin");
    assert_eq!(content(&cluster, "shop"), "orders");
}

#[test]
fn the_garbage_collector_may_not_touch_a_clone_from_elsewhere() {
    let mut cluster = written();
    strategy(&mut cluster, "csi-clone");
    let mut vm = machine("prod", "Halted");
    cluster.world.create(clone_of("prod")).unwrap();
    cluster.pass(10);
    put(&mut vm, "/spec/dataVolumeTemplates/0", json!(null));
    let vm = cluster.world.create(machine("prod", "Halted")).unwrap();
    cluster.pass(1);
    let volume = cluster.get(&DATA_VOLUME, "prod", "db-root");
    assert_eq!(list(&volume, "/metadata/ownerReferences")[0]["uid"], vm["metadata"]["uid"], "the machine adopts it");
    let orphan = Deletion { propagation: "Orphan".to_owned(), ..Deletion::default() };
    delete::delete(&mut cluster.world, &User::controller(), &Key::new(&VM, "prod", "db"), &orphan).unwrap();
    cluster.pass(3);
    assert!(has_finalizer(&cluster.vm("prod"), "orphan"), "it waits for ever");
}

#[test]
fn without_snapshots_a_clone_is_copied() {
    let mut cluster = written();
    cluster.world.create(clone_of("prod")).unwrap();
    cluster.pass(12);
    let claim = cluster.get(&CLAIM, "prod", "db-root");
    assert_eq!((phase(&cluster, "prod").as_str(), annotation(&claim, "cdi.kubevirt.io/cloneType")), ("Succeeded", Some("copy")), "{claim:#}");
    assert_eq!(content(&cluster, "prod"), "orders");
    assert!(cluster.world.list(&POD, None).is_empty());
}

#[test]
fn a_clone_waits_for_its_origin_to_be_free() {
    let mut cluster = written();
    strategy(&mut cluster, "csi-clone");
    let mut vm = machine("shop", "Always");
    vm["spec"].as_object_mut().unwrap().remove("dataVolumeTemplates");
    vm["spec"]["template"]["spec"]["volumes"] = json!([{"name": "root", "persistentVolumeClaim": {"claimName": "db-root"}}]);
    cluster.world.create(vm).unwrap();
    cluster.pass(4);
    cluster.world.create(clone_of("prod")).unwrap();
    cluster.pass(6);
    assert_eq!(phase(&cluster, "prod"), "CSICloneInProgress");
    assert!(cluster.events("prod", "db-root").iter().any(|event| event.starts_with("CloneSourceInUse pod shop/virt-launcher-db-")));
    cluster.edit(&VM, "shop", "db", |vm| put(vm, "/spec/runStrategy", "Halted"));
    cluster.pass(12);
    assert_eq!(phase(&cluster, "prod"), "Succeeded");
}

#[test]
fn a_template_takes_the_claim_that_is_there_without_an_import() {
    let mut cluster = written();
    cluster.world.create(machine("shop", "Always")).unwrap();
    cluster.pass(5);
    let volume = cluster.get(&DATA_VOLUME, "shop", "db-root");
    assert_eq!((text(&volume, "/status/phase"), content(&cluster, "shop").as_str()), ("Succeeded", "orders"));
    assert_eq!(list(&cluster.get(&CLAIM, "shop", "db-root"), "/metadata/ownerReferences")[0]["uid"], volume["metadata"]["uid"]);
    assert_eq!(cluster.word("shop"), "Running");
}

#[test]
fn a_claim_that_is_lost_fails_its_datavolume_until_it_is_bound_again() {
    let mut cluster = written();
    cluster.world.create(machine("shop", "Halted")).unwrap();
    cluster.pass(3);
    let name = text(&cluster.get(&CLAIM, "shop", "db-root"), "/spec/volumeName").to_owned();
    let own = cluster.get(&VOLUME, "", &name)["spec"]["claimRef"].clone();
    cluster.edit(&VOLUME, "", &name, |volume| {
        put(volume, "/spec/persistentVolumeReclaimPolicy", "Retain");
        put(volume, "/spec/claimRef", json!({"namespace": "prod", "name": "other", "uid": "other"}));
    });
    cluster.pass(20);
    assert_eq!((phase(&cluster, "shop").as_str(), cluster.word("shop").as_str()), ("Failed", "DataVolumeError"));
    assert!(cluster.events("shop", "db-root").contains(&"ErrClaimLost PVC db-root lost".to_owned()));
    cluster.edit(&VOLUME, "", &name, |volume| put(volume, "/spec/claimRef", own));
    cluster.pass(20);
    assert_eq!((phase(&cluster, "shop").as_str(), cluster.word("shop").as_str()), ("Succeeded", "Stopped"));
}

#[test]
fn a_class_that_waits_for_a_consumer_leaves_its_disk_unfilled() {
    let mut cluster = cluster();
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "wait"}, "provisioner": "lab.vmmove.io",
        "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer"});
    cluster.world.create(class).unwrap();
    let mut vm = machine("shop", "Halted");
    put(&mut vm["spec"]["dataVolumeTemplates"][0], "/spec/pvc/storageClassName", "wait");
    cluster.world.create(vm).unwrap();
    cluster.pass(3);
    assert_eq!((phase(&cluster, "shop").as_str(), cluster.word("shop").as_str()), ("PendingPopulation", "Stopped"));
    cluster.edit(&CLAIM, "shop", "db-root", |claim| put(claim, "/metadata/annotations/volume.kubernetes.io~1selected-node", "node-1"));
    cluster.pass(6);
    assert_eq!(phase(&cluster, "shop"), "Succeeded");
}

#[test]
fn a_datavolume_is_refused_in_cdis_words() {
    type Edit = fn(&mut Value);
    let cases: [(Edit, &str); 6] = [
        (|volume| drop(volume["spec"].as_object_mut().unwrap().remove("pvc")), "Missing Data volume PVC"),
        (|volume| put(volume, "/spec/pvc/accessModes", json!([])), "Required value: at least 1 access mode is required"),
        (|volume| put(volume, "/spec/pvc/accessModes", json!(["ReadWriteOnce", "ReadWriteMany"])), "PVC multiple accessModes"),
        (|volume| put(volume, "/spec/pvc/resources", json!({})), "PVC size is missing"),
        (|volume| put(volume, "/spec/source/blank", json!({})), "Multiple Data volume sources"),
        (|_| {}, "Destination PVC shop/db-root already exists"),
    ];
    for (edit, words) in cases {
        let mut cluster = written();
        let mut volume = clone_of(if words.starts_with("Destination") { "shop" } else { "prod" });
        edit(&mut volume);
        let refused = cluster.world.create(volume).unwrap_err();
        assert_eq!(refused.message(), format!("admission webhook \"datavolume-validate.cdi.kubevirt.io\" denied the request:  {words}"));
        assert_eq!((refused.code(), refused.0.get("reason")), (422, None));
    }
    let mut cluster = written();
    cluster.world.create(clone_of("prod")).unwrap();
    let changed = cluster.world.change(&Key::new(&DATA_VOLUME, "prod", "db-root"), |volume| put(volume, "/spec/preallocation", true));
    assert!(changed.unwrap_err().message().ends_with("Cannot update DataVolume Spec"));
}

#[test]
fn sizes_grow_by_what_a_filesystem_takes_for_itself() {
    let mut cluster = cluster();
    let blank = json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": "db-root", "namespace": "shop"},
        "spec": {"source": {"blank": {}}, "storage": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
            "storageClassName": "fast", "resources": {"requests": {"storage": "64Mi"}}}},
    });
    cluster.world.create(blank).unwrap();
    cluster.pass(5);
    assert_eq!(text(&cluster.get(&CLAIM, "shop", "db-root"), "/spec/resources/requests/storage"), "71135396");
    assert_eq!(phase(&cluster, "shop"), "Succeeded");
}
