//! Stories of disks that are exchanged while a guest runs.

#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::sandbox::catalog::{Res, VM};
use crate::sandbox::scenario;
use crate::sandbox::scenarios::Scenario;

/// A cluster with the web server of the usual scenario on one disk, another disk beside it, and a wish to exchange the two.
fn exchanged(to: &Value) -> World {
    let mut world = scenario::play(1, Timestamp::UNIX_EPOCH + Duration::from_secs(50 * 24 * 3600), Scenario::usual().read().unwrap()).unwrap();
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "new", "namespace": "shop"},
        "spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}});
    world.create(claim).unwrap();
    world.let_pass(Duration::from_secs(5));
    let source = handle_of(&world, "web-1");
    world.disks.write(&source, b"shop");
    wish(&mut world, to);
    world
}

fn claim(name: &str) -> Value {
    json!({"name": "root", "persistentVolumeClaim": {"claimName": name}})
}

fn wish(world: &mut World, volume: &Value) {
    let change = |vm: &mut Value| {
        vm["spec"]["updateVolumesStrategy"] = "Migration".into();
        vm["spec"]["template"]["spec"]["volumes"][0] = volume.clone();
    };
    world.change(&Key::new(&VM, "shop", "web-1"), change).unwrap();
}

fn get(world: &World, kind: Res) -> Arc<Value> {
    world.get(kind, "shop", "web-1").unwrap()
}

fn handle_of(world: &World, claim: &str) -> String {
    let claim = world.get(&CLAIM, "shop", claim).unwrap();
    text(&world.get(&VOLUME, "", text(&claim, "/spec/volumeName")).unwrap(), "/spec/csi/volumeHandle").to_owned()
}

#[test]
fn a_guest_moves_over_to_the_new_disk_with_its_bytes() {
    let mut world = exchanged(&claim("new"));
    world.let_pass(Duration::from_secs(3));
    let (vm, vmi) = (get(&world, &VM), get(&world, &VMI));
    assert!(is(&vmi, CHANGE, "True") && is(&vm, CHANGE, "True") && condition(&vm, "RestartRequired").is_none(), "{vm:#}");
    assert_eq!(text(&vm, "/status/volumeUpdateState/volumeMigrationState/migratedVolumes/0/destinationPVCInfo/claimName"), "new");
    world.let_pass(Duration::from_secs(20));
    let vmi = get(&world, &VMI);
    assert!(condition(&vmi, CHANGE).is_none() && vmi.at("/status/migratedVolumes").is_none());
    assert_eq!(world.disks.read(&handle_of(&world, "new")), Some(&b"shop"[..]));
}

#[test]
fn a_move_that_goes_on_can_be_taken_back_and_not_changed() {
    let mut world = exchanged(&claim("new"));
    world.let_pass(Duration::from_secs(3));
    wish(&mut world, &claim("old-7"));
    world.let_pass(Duration::from_secs(2));
    assert_eq!(text(condition(&get(&world, &VM), "Failure").unwrap(), "/reason"), "VolumesUpdateError");
    wish(&mut world, &claim("web-1"));
    world.let_pass(Duration::from_secs(3));
    let (vm, vmi) = (get(&world, &VM), get(&world, &VMI));
    assert_eq!(text(condition(&vmi, CHANGE).unwrap(), "/reason"), CANCELLED);
    assert_eq!(
        (vm.at("/status/volumeUpdateState"), list(&vmi, "/spec/volumes")[0].at("/persistentVolumeClaim/claimName")),
        (Some(&json!({})), Some(&"web-1".into()))
    );
}

#[test]
fn a_disk_that_is_not_there_is_waited_for_and_a_guest_that_ends_meanwhile_leaves_the_rest_to_people() {
    let mut world = exchanged(&json!({"name": "root", "dataVolume": {"name": "nowhere"}}));
    world.let_pass(Duration::from_secs(3));
    let told = "One of the destination volumes doesn't exist: the datavolume nowhere doesn't exist";
    assert_eq!(text(condition(&get(&world, &VMI), CHANGE).unwrap(), "/message"), told);
    wish(&mut world, &claim("new"));
    world.let_pass(Duration::from_secs(3));
    world.delete(&Key::new(&VMI, "shop", "web-1")).unwrap();
    world.let_pass(Duration::from_secs(4));
    assert!(is(&get(&world, &VM), RECOVERY, "True"), "{:#}", get(&world, &VM));
}
