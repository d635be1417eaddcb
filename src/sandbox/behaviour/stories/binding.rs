//! Claims and volumes find each other, change hands and part.
#![allow(clippy::unwrap_used)]

use super::*;

/// A claim in `store` for the volume of `shop/db`, before and after the swap.
fn swapped(world: &mut World) -> (Arc<Value>, Arc<Value>, String) {
    let (source, volume) = world.bound("shop", "db", &json!({}));
    let name = text(&volume, "/metadata/name").to_owned();
    let target = world.create(claim("store", "db", &json!({"storageClassName": "fast", "volumeName": name}))).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.phase(&CLAIM, "store", "db"), "Pending");
    assert!(world.told("store", "db").contains(&format!("FailedBinding: volume \"{name}\" already bound to a different claim.")));
    world.swap(&name, &target);
    (source, target, name)
}

#[test]
fn after_a_swap_both_look_bound_until_the_next_round() {
    let mut world = world();
    let (_, target, name) = swapped(&mut world);
    world.let_pass(SECOND);
    assert_eq!((world.phase(&CLAIM, "shop", "db"), world.phase(&CLAIM, "store", "db")), ("Bound".to_owned(), "Pending".to_owned()));
    world.edit(&CLAIM, "store", "db", |claim| claim["metadata"]["annotations"]["touch"] = "1".into()).unwrap();
    world.let_pass(SECOND);
    assert_eq!((world.phase(&CLAIM, "shop", "db"), world.phase(&CLAIM, "store", "db")), ("Bound".to_owned(), "Bound".to_owned()));
    world.let_pass(SECOND * 15);
    assert_eq!(world.phase(&CLAIM, "shop", "db"), "Lost");
    assert!(world.told("shop", "db").iter().any(|told| told.starts_with("ClaimMisbound: Two claims are bound to the same volume")));
    world.delete(&Key::new(&CLAIM, "shop", "db")).unwrap();
    world.let_pass(SECOND * 20);
    assert_eq!(world.get(&VOLUME, "", &name).unwrap()["spec"]["claimRef"]["uid"], target["metadata"]["uid"]);
    assert_eq!(world.disks.handles().count(), 1, "a lost claim takes nothing along");
}

#[test]
fn without_a_touch_the_target_is_bound_in_the_next_round_and_a_swap_back_is_the_same() {
    let mut world = world();
    let (source, _, name) = swapped(&mut world);
    world.let_pass(SECOND * 15);
    assert_eq!((world.phase(&CLAIM, "shop", "db"), world.phase(&CLAIM, "store", "db")), ("Lost".to_owned(), "Bound".to_owned()));
    world.swap(&name, &source);
    world.edit(&CLAIM, "shop", "db", |claim| claim["metadata"]["annotations"]["touch"] = "1".into()).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.phase(&CLAIM, "shop", "db"), "Bound");
    world.let_pass(SECOND * 15);
    assert_eq!(world.phase(&CLAIM, "store", "db"), "Lost");
}

#[test]
fn a_reference_to_nobody_destroys_the_storage_when_the_policy_is_delete_and_not_when_it_is_retain() {
    for (policy, left) in [("Delete", 0), ("Retain", 1)] {
        let mut world = world();
        let (_, volume) = world.bound("shop", "db", &json!({}));
        let name = text(&volume, "/metadata/name");
        world.edit(&VOLUME, "", name, |volume| volume["spec"]["persistentVolumeReclaimPolicy"] = policy.into()).unwrap();
        world.swap(name, &json!({"metadata": {"namespace": "store", "name": "db", "uid": "nobody"}}));
        world.let_pass(SECOND * 4);
        assert_eq!(world.disks.handles().count(), left, "{policy}");
        let phase = if left == 1 { "Released" } else { "gone" };
        assert_eq!(world.phase(&VOLUME, "", name), phase);
    }
}

#[test]
fn a_volume_without_a_reference_is_taken_by_whoever_comes() {
    let mut world = world();
    let (_, volume) = world.bound("shop", "db", &json!({}));
    let name = text(&volume, "/metadata/name");
    world.edit(&STORAGE_CLASS, "", "fast", |class| class["metadata"]["annotations"]["sandbox/absent"] = "true".into()).unwrap();
    world.create(claim("store", "thief", &json!({"resources": {"requests": {"storage": "10Mi"}}}))).unwrap();
    world.let_pass(SECOND);
    world.edit(&VOLUME, "", name, |volume| drop(volume["spec"].as_object_mut().map(|spec| spec.remove("claimRef")))).unwrap();
    world.let_pass(Duration::from_millis(100));
    assert_eq!(world.phase(&VOLUME, "", name), "Available");
    world.let_pass(SECOND * 15);
    let owner = world.get(&VOLUME, "", name).unwrap()["spec"]["claimRef"]["name"].clone();
    assert!(owner == "thief" || owner == "db");
}

#[test]
fn a_static_volume_that_is_too_small_or_of_another_class_is_not_bound() {
    let mut world = world();
    let volume = |size: &str, class: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "static"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "storageClassName": class,
            "csi": {"driver": "lab.vmmove.io", "volumeHandle": "by-hand"}}})
    };
    for (size, class, why) in [("1Mi", "", "requested PV is too small"), ("2Gi", "fast", "storageClassName does not match")] {
        world.create(volume(size, class)).unwrap();
        world.create(claim("shop", "db", &json!({"storageClassName": "", "volumeName": "static"}))).unwrap();
        world.let_pass(SECOND);
        assert_eq!(world.phase(&CLAIM, "shop", "db"), "Pending");
        assert!(world.told("shop", "db").contains(&format!("VolumeMismatch: Cannot bind to requested volume \"static\": {why}")));
        world.delete(&Key::new(&CLAIM, "shop", "db")).unwrap();
        world.delete(&Key::new(&VOLUME, "", "static")).unwrap();
        world.let_pass(SECOND);
    }
    world.create(volume("2Gi", "")).unwrap();
    world.let_pass(SECOND);
    let (claim, _) = world.bound("shop", "db", &json!({"storageClassName": ""}));
    assert_eq!(claim["status"]["capacity"]["storage"], "2Gi");
    let other = world.edit(&VOLUME, "", "static", |volume| volume["spec"]["csi"]["volumeHandle"] = "mine".into()).unwrap_err();
    let words = "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n@@ ";
    assert!(other.message().contains(words) && other.message().contains("-  \"VolumeHandle\": \"by-hand\","), "{}", other.message());
}

#[test]
fn a_volume_is_kept_or_destroyed_with_its_claim_as_its_policy_says() {
    for (class, phase, left) in [("fast", "gone", 0), ("keep", "Released", 1)] {
        let mut world = world();
        let (_, volume) = world.bound("shop", "db", &json!({"storageClassName": class}));
        world.delete(&Key::new(&CLAIM, "shop", "db")).unwrap();
        world.let_pass(SECOND);
        assert_eq!(world.phase(&VOLUME, "", text(&volume, "/metadata/name")), phase);
        assert_eq!(world.disks.handles().count(), left);
    }
}

#[test]
fn a_volume_that_is_deleted_while_it_is_bound_stays_until_it_is_not() {
    let mut world = world();
    let (_, volume) = world.bound("shop", "db", &json!({}));
    let name = text(&volume, "/metadata/name");
    world.delete(&Key::new(&VOLUME, "", name)).unwrap();
    world.let_pass(SECOND * 20);
    assert_eq!(world.phase(&VOLUME, "", name), "Bound");
    world.delete(&Key::new(&CLAIM, "shop", "db")).unwrap();
    world.let_pass(SECOND);
    assert_eq!((world.phase(&VOLUME, "", name).as_str(), world.disks.handles().count()), ("gone", 0));
}

#[test]
fn claims_wait_for_a_consumer_when_their_class_says_so() {
    let mut world = world();
    world.create(claim("shop", "db", &json!({"storageClassName": "wait"}))).unwrap();
    world.let_pass(SECOND * 20);
    assert_eq!(world.phase(&CLAIM, "shop", "db"), "Pending");
    assert_eq!(world.told("shop", "db"), ["WaitForFirstConsumer: waiting for first consumer to be created before binding"]);
    world.edit(&CLAIM, "shop", "db", |claim| claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] = "node1".into()).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.phase(&CLAIM, "shop", "db"), "Bound");
}
