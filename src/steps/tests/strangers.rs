//! What is in the way of a move.

use serde_json::{Value, json};

use super::{Server, id, machine};
use crate::engine::{Hands, Probe};

#[tokio::test(start_paused = true)]
async fn what_another_move_made_is_told_as_that() {
    let (plan, vm) = machine("Always");
    let in_the_way = |labels: Value, stands_for: &str| {
        let mut there = vm.clone();
        there.set("/metadata/namespace", "prod".into());
        there.set("/metadata/labels", labels);
        there.set("/metadata/annotations", json!({"vmmove.io/source-uid": stands_for}));
        there
    };
    let told = async |labels: Value, stands_for: &str| {
        let server = Server::default().with([vm.clone(), in_the_way(labels, stands_for)]);
        let Probe::Foreign(finding) = server.hand(&plan).0.probe(&id("db-1/create")).await.unwrap() else { panic!("it is taken for ours") };
        (finding.message, finding.hint.unwrap())
    };
    let (message, hint) = told(json!({}), "").await;
    assert!(message.ends_with("was not made by this move"), "{message}");
    assert!(hint.contains("rename or remove it"), "{hint}");
    let (message, hint) = told(json!({"vmmove.io/move": "shop-to-prod-other"}), "another").await;
    assert!(message.ends_with("was not made by this move: it is marked as that of move shop-to-prod-other"), "{message}");
    assert!(hint.contains("status shop-to-prod-other -n NAMESPACE', with the namespace where it began") && !hint.contains("remove it"), "{hint}");
    let (_, hint) = told(json!({"vmmove.io/move": "shop-to-prod-other"}), vm.uid()).await;
    assert!(hint.contains("status shop-to-prod-other -n shop'; of two"), "{hint}");
}
