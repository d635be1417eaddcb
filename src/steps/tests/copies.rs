//! Copies that are not wanted any more: they go with their volumes.

use super::*;
use crate::plan::fixtures::{class, volume};

/// A class that keeps volumes whose claims are deleted.
fn retaining() -> Manifest {
    let mut class = class("fast");
    class.set("/reclaimPolicy", "Retain".into());
    class
}

/// A stopped machine's disk, of which a copy was begun; the copy, and whose hands undo it.
async fn begun(server: &Server, plan: &PlanSpec) -> (Manifest, Hand) {
    let (_, output) = fenced(server, plan).await;
    let (hand, _) = server.hand(plan);
    hand.remember(&id("db-1/fence"), Some(&output));
    hand.perform(&id("db-1/data/clone"), &Value::Null).await.unwrap();
    (server.made(kind::CLAIM), hand)
}

async fn undo(hand: &Hand) -> String {
    match hand.undo(&id("db-1/data/clone"), &Value::Null, None).await.unwrap() {
        Undo::Waiting(progress) => progress.waiting_for,
        Undo::Done => "done".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_thrown_away_waits_for_its_volume_which_its_class_would_keep() {
    let (plan, vm) = machine("Always");
    let source = claim("data", 20);
    let original = volume(&source);
    let server = Server::default().with([vm, source, original, retaining()]);
    let (mut copy, hand) = begun(&server, &plan).await;
    let at = copy.reference(End::Source).unwrap();
    assert_eq!(undo(&hand).await, format!("the volume of claim {}, to be deleted with it, for class fast would keep it", copy.name()));
    assert!(server.find(&at).is_some());

    copy.set("/spec/volumeName", "pv-copy".into());
    let mut made = volume(&copy);
    made.set("/spec/persistentVolumeReclaimPolicy", "Retain".into());
    made.set("/metadata/uid", "pv-copy".into());
    server.clone().with([copy.clone(), made]);
    assert_eq!(undo(&hand).await, format!("claim {} to be deleted", copy.name()));
    assert!(server.find(&at).is_none());
    let volume = server.find(&ObjectRef::cluster(End::Source, kind::VOLUME, "pv-copy")).unwrap();
    assert_eq!(volume.text("/spec/persistentVolumeReclaimPolicy"), Some("Delete"));
    assert_eq!(undo(&hand).await, "done");
}

#[tokio::test(start_paused = true)]
async fn a_copy_whose_volume_does_not_come_is_thrown_away_all_the_same() {
    let (plan, vm) = machine("Always");
    let server = Server::default().with([vm, claim("data", 20), retaining()]);
    let (copy, hand) = begun(&server, &plan).await;
    assert!(undo(&hand).await.starts_with("the volume of claim"));
    System::new().sleep(Duration::from_secs(61)).await;
    let told = format!("claim {} to be deleted; a volume of it may stay behind, for class fast retains volumes", copy.name());
    assert_eq!(undo(&hand).await, told);
    assert_eq!(undo(&hand).await, "done");
}
