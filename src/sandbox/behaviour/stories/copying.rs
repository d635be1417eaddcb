//! Copies, and drivers that take their time or refuse.
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_clone_holds_what_its_origin_held_and_holds_on_to_it() {
    let mut world = world();
    let (_, volume) = world.bound("shop", "db", &json!({}));
    world.disks.write(text(&volume, "/spec/csi/volumeHandle"), b"orders");
    let (_, copy) = world.bound("shop", "copy", &clone_of("db"));
    assert_eq!(world.disks.read(text(&copy, "/spec/csi/volumeHandle")), Some(&b"orders"[..]));
    let held = &world.claim("shop", "db")["metadata"]["finalizers"][1];
    assert_eq!(held, "provisioner.storage.kubernetes.io/cloning-protection");
    world.delete(&Key::new(&CLAIM, "shop", "db")).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.phase(&CLAIM, "shop", "db"), "gone");
    assert_eq!(world.disks.handles().count(), 1, "the origin's storage is destroyed, the copy's is not");
}

#[test]
fn clones_that_cannot_be_stay_pending_and_say_why() {
    let mut world = world();
    world.bound("shop", "db", &json!({}));
    for (name, mut more, why) in [
        ("small", json!({"resources": {"requests": {"storage": "1Mi"}}}), "requested 1048576 but source is 1073741824"),
        ("block", json!({"volumeMode": "Block"}), "Source is Filesystem, but new PVC requested Block"),
        ("else", json!({"storageClassName": "other"}), "claim in dataSource not bound or invalid"),
        (
            "itself",
            json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": "itself"}}),
            "the PVC DataSource itself must have a status of Bound",
        ),
    ] {
        if more.get("dataSource").is_none() {
            more["dataSource"] = clone_of("db")["dataSource"].clone();
        }
        world.create(claim("shop", name, &more)).unwrap();
        world.let_pass(SECOND);
        assert_eq!(world.phase(&CLAIM, "shop", name), "Pending");
        assert!(world.told("shop", name).iter().any(|told| told.starts_with("ProvisioningFailed") && told.contains(why)), "{name}");
    }
}

#[test]
fn a_driver_takes_its_time_and_refuses_as_its_class_says() {
    let mut world = world();
    world.bound("shop", "db", &json!({}));
    world.edit(&STORAGE_CLASS, "", "fast", |class| class["metadata"]["annotations"]["sandbox/clone-seconds"] = "25".into()).unwrap();
    world.create(claim("shop", "slow", &clone_of("db"))).unwrap();
    world.let_pass(SECOND * 24);
    assert_eq!(world.phase(&CLAIM, "shop", "slow"), "Pending");
    assert!(world.told("shop", "slow").iter().any(|told| told.contains("DeadlineExceeded")));
    world.let_pass(SECOND * 3);
    assert_eq!(world.phase(&CLAIM, "shop", "slow"), "Bound");

    let refuse = |words: &'static str| move |class: &mut Value| class["metadata"]["annotations"]["sandbox/refuse"] = words.into();
    world.edit(&STORAGE_CLASS, "", "fast", refuse("InvalidArgument no such pool")).unwrap();
    world.create(claim("shop", "never", &json!({}))).unwrap();
    world.let_pass(SECOND * 100);
    let told = world.told("shop", "never");
    let words = "Retries will be delayed. rpc error: code = InvalidArgument desc = no such pool";
    assert!(told.iter().any(|told| told.ends_with(words)), "{told:?}");
    world.edit(&STORAGE_CLASS, "", "fast", |class| class["metadata"]["annotations"] = json!({})).unwrap();
    world.let_pass(SECOND);
    assert_eq!(world.phase(&CLAIM, "shop", "never"), "Bound", "a class that is changed is tried again");
}
