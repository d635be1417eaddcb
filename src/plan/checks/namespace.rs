//! Whether the two namespaces can be the ends of a move.

use super::Check;
use crate::model::finding::Finding;
use crate::model::inventory::{Inventory, Look, Place};
use crate::model::kind;
use crate::model::names::ObjectRef;
use crate::plan::request::MoveRequest;

pub const CHECKS: &[Check] = &[
    Check { code: "T001", title: "source and target are two namespaces", run: same },
    Check { code: "T002", title: "the target namespace exists or is to be made", run: missing },
    Check { code: "T003", title: "no namespace is being deleted", run: terminating },
    Check { code: "T004", title: "the target namespace can be read", run: unreadable },
];

fn reference(place: &Place) -> ObjectRef {
    ObjectRef::cluster(place.end, kind::NAMESPACE, &place.namespace)
}

fn same(seen: &Inventory, _ask: &MoveRequest) -> Vec<Finding> {
    let Some(target) = &seen.target else { return Vec::new() };
    let one_cluster = target.cluster.id == seen.source.cluster.id;
    let same = one_cluster && target.namespace == seen.source.namespace;
    same.then(|| {
        Finding::blocking("T001", reference(target), format!("source and target are both namespace {}", target.namespace))
            .hint("name another namespace with --to")
    })
    .into_iter()
    .collect()
}

fn missing(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let Some(target) = seen.target.as_ref().filter(|_| !ask.create_namespace) else { return Vec::new() };
    let absent = matches!(&target.namespace_look, Look::Listed(_)) && target.namespace_object().is_none();
    absent
        .then(|| {
            Finding::blocking("T002", reference(target), format!("there is no namespace {}", target.namespace))
                .hint("have it made as the first step with --create-namespace, or make it first")
        })
        .into_iter()
        .collect()
}

fn terminating(seen: &Inventory, _ask: &MoveRequest) -> Vec<Finding> {
    let going = |place: &&Place| {
        place.namespace_object().is_some_and(|namespace| namespace.is_deleting() || namespace.text("/status/phase") == Some("Terminating"))
    };
    let places = [Some(&seen.source), seen.target.as_ref()].into_iter().flatten();
    places.filter(going).map(|place| Finding::blocking("T003", reference(place), format!("namespace {} is being deleted", place.namespace))).collect()
}

fn unreadable(seen: &Inventory, _ask: &MoveRequest) -> Vec<Finding> {
    let Some(target) = &seen.target else { return Vec::new() };
    let Look::Forbidden(words) = &target.namespace_look else { return Vec::new() };
    vec![
        Finding::warning("T004", reference(target), format!("whether namespace {} exists cannot be seen: {words}", target.namespace))
            .hint("ask for 'get' on namespaces; the server's dry run of each object still tells a missing namespace"),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::model::manifest::Manifest;
    use crate::plan::fixtures::{World, ask};

    fn of(world: World, ask: &MoveRequest) -> Vec<String> {
        let seen = world.seen();
        CHECKS.iter().flat_map(|check| (check.run)(&seen, ask)).map(|finding| finding.code).collect()
    }

    #[test]
    fn a_namespace_that_is_not_there_must_be_asked_for() {
        let absent = || World::new().target_namespace(Look::Listed(BTreeMap::new()));
        assert_eq!(of(absent(), &ask(&[])), ["T002"]);
        assert!(of(absent(), &MoveRequest { create_namespace: true, ..ask(&[]) }).is_empty());
        assert_eq!(of(World::new().target_namespace(Look::Forbidden("no".into())), &ask(&[])), ["T004"]);
    }

    #[test]
    fn a_namespace_on_its_way_out_takes_nothing_in() {
        let mut prod = Manifest::new(kind::NAMESPACE, "", "prod");
        prod.set("/status", json!({"phase": "Terminating"}));
        let world = World::new().target_namespace(Look::Listed(BTreeMap::from([("prod".to_owned(), prod)])));
        assert_eq!(of(world, &ask(&[])), ["T003"]);
    }

    #[test]
    fn a_move_onto_itself_is_refused() {
        assert_eq!(of(World::new().target_named("shop").target_namespace(Look::Forbidden("no".into())), &ask(&[])), ["T001", "T004"]);
    }
}
