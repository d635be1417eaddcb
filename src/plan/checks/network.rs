//! Whether the networks of a machine are there in the target.
//!
//! A missing attachment is not refused when a machine is made: its pod then waits for ever (k8snetworkplumbingwg/multus-cni).

use super::Check;
use super::machines::{Machine, machines, nearest};
use crate::model::finding::Finding;
use crate::model::inventory::{Inventory, Look, Place};
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::volume::NetworkSource;
use crate::plan::request::MoveRequest;

pub const CHECKS: &[Check] = &[
    Check { code: "N001", title: "every network is in the target", run: |seen, ask| each_network(seen, ask, absent) },
    Check { code: "N002", title: "networks can be looked at in the target", run: |seen, ask| each_network(seen, ask, unreadable) },
    Check { code: "N003", title: "choices of network name networks of the machines", run: stray },
    Check { code: "N012", title: "networks of one name are configured alike", run: |seen, ask| each_network(seen, ask, different) },
];

/// A network attachment that a machine needs in the target namespace, by its name there.
struct Wanted<'a> {
    machine: Machine<'a>,
    target: &'a Place,
    /// As the source spells it.
    source: &'a str,
    name: &'a str,
}

/// The network of the target that one of the source becomes: what it is mapped to, else itself.
pub fn target_network<'a>(ask: &'a MoveRequest, attachment: &'a str) -> &'a str {
    ask.network_map.get(attachment).map_or(attachment, String::as_str)
}

fn attachments<'a>(machine: &Machine<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    machine.lens().instance().networks().filter_map(|network| match network.source {
        NetworkSource::Multus { attachment, .. } => Some(attachment),
        _ => None,
    })
}

/// Runs a check over every attachment that must be in the target namespace. One of a third namespace (`namespace/name`) stays as it is.
fn each_network(seen: &Inventory, ask: &MoveRequest, check: fn(&Wanted) -> Option<Finding>) -> Vec<Finding> {
    let Some(target) = &seen.target else { return Vec::new() };
    let wanted = machines(seen, ask).flat_map(|machine| attachments(&machine).map(move |source| (machine, source)));
    wanted
        .filter_map(|(machine, source)| {
            let name = target_network(ask, source);
            let name = match name.split_once('/') {
                None => name,
                Some((namespace, name)) if namespace == target.namespace => name,
                Some(_) => return None,
            };
            check(&Wanted { machine, target, source, name })
        })
        .collect()
}

fn absent(wanted: &Wanted) -> Option<Finding> {
    let target = wanted.target;
    let known = match target.objects.look(kind::NETWORK_ATTACHMENT) {
        Some(Look::Listed(objects)) => objects.contains_key(wanted.name),
        Some(Look::Missing) => false,
        Some(Look::Forbidden(_)) | None => return None,
    };
    (!known).then(|| {
        let names = target.objects.all(kind::NETWORK_ATTACHMENT).map(Manifest::name);
        let near = nearest(wanted.name, names).map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        Finding::blocking(
            "N001",
            wanted.machine.reference(),
            format!("network {} is not in {}: the guest would never come up", wanted.name, target.namespace),
        )
        .hint(format!(
            "make the network attachment {} in {}, or use another with --map-network {}=OTHER{near}",
            wanted.name, target.namespace, wanted.source
        ))
    })
}

fn unreadable(wanted: &Wanted) -> Option<Finding> {
    let Some(Look::Forbidden(words)) = wanted.target.objects.look(kind::NETWORK_ATTACHMENT) else { return None };
    Some(
        Finding::blocking(
            "N002",
            wanted.machine.reference(),
            format!("whether network {} is in {} cannot be seen: {words}", wanted.name, wanted.target.namespace),
        )
        .hint(format!("ask for 'list' on {} in namespace {}", kind::NETWORK_ATTACHMENT.resource(), wanted.target.namespace)),
    )
}

/// Only for a network that keeps its name: one that was mapped is meant to be another.
fn different(wanted: &Wanted) -> Option<Finding> {
    let here = wanted.machine.seen.source.objects.get(kind::NETWORK_ATTACHMENT, wanted.source).filter(|_| wanted.source == wanted.name)?;
    let there = wanted.target.objects.get(kind::NETWORK_ATTACHMENT, wanted.name)?;
    (configuration(here) != configuration(there)).then(|| {
        Finding::warning(
            "N012",
            wanted.machine.reference(),
            format!("network {} exists in {} with another configuration", wanted.name, wanted.target.namespace),
        )
        .hint("compare the two; the guest keeps its address only on the same network")
    })
}

/// What a network attachment says, without the place where it says so (OVN-Kubernetes puts `namespace/name` into the configuration).
pub fn configuration(attachment: &Manifest) -> Option<serde_json::Value> {
    let text = attachment.text("/spec/config")?;
    let Ok(mut config) = serde_json::from_str::<serde_json::Value>(text) else { return Some(text.into()) };
    if let Some(fields) = config.as_object_mut() {
        fields.remove("netAttachDefName");
    }
    Some(config)
}

fn stray(seen: &Inventory, ask: &MoveRequest) -> Vec<Finding> {
    let known: Vec<&str> = machines(seen, ask).flat_map(|machine| attachments(&machine)).collect();
    let stray = ask.network_map.keys().filter(|network| !known.contains(&network.as_str()));
    stray
        .map(|network| {
            let message = format!("--map-network speaks of \"{network}\", which no chosen machine is on");
            let finding = Finding::blocking("N003", seen.source.reference(kind::NETWORK_ATTACHMENT, network), message);
            match nearest(network, known.iter().copied()) {
                Some(near) => finding.hint(format!("did you mean \"{near}\"?")),
                None => finding,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::names::End;
    use crate::plan::fixtures::{World, ask, codes, object, vm};

    fn attachment(name: &str, config: &str) -> Manifest {
        object(kind::NETWORK_ATTACHMENT, name, json!({"spec": {"config": config}}))
    }

    fn world(network: &str) -> World {
        let mut db = vm("db-1", &[]);
        db.set("/spec/template/spec/networks", json!([{"name": "pod", "pod": {}}, {"name": "net", "multus": {"networkName": network}}]));
        World::new().source(db).source(attachment("vlan10", r#"{"vlan": 10, "netAttachDefName": "shop/vlan10"}"#))
    }

    fn of(world: World, ask: &MoveRequest) -> Vec<Finding> {
        let seen = world.seen();
        CHECKS.iter().flat_map(|check| (check.run)(&seen, ask)).collect()
    }

    #[test]
    fn a_network_must_be_in_the_target() {
        assert_eq!(codes(&of(world("vlan10"), &ask(&["db-1"]))), ["N001"]);
        assert_eq!(codes(&of(world("vlan10").look(End::Target, kind::NETWORK_ATTACHMENT, Look::Missing), &ask(&["db-1"]))), ["N001"]);
        assert_eq!(codes(&of(world("vlan10").look(End::Target, kind::NETWORK_ATTACHMENT, Look::Forbidden("no".into())), &ask(&["db-1"]))), ["N002"]);
        assert_eq!(of(world("vlan10").target(attachment("vlan10", r#"{"netAttachDefName": "prod/vlan10", "vlan": 10}"#)), &ask(&["db-1"])), []);
        assert_eq!(of(world("default/vlan10"), &ask(&["db-1"])), [], "a network of a third namespace stays where it is");
    }

    #[test]
    fn a_network_of_the_same_name_may_be_another() {
        assert_eq!(codes(&of(world("vlan10").target(attachment("vlan10", r#"{"vlan": 11}"#)), &ask(&["db-1"]))), ["N012"]);
    }

    #[test]
    fn a_mapped_network_is_looked_for_under_its_new_name() {
        let to = |from: &str, to: &str| MoveRequest { network_map: [(from.to_owned(), to.to_owned())].into(), ..ask(&["db-1"]) };
        assert_eq!(of(world("vlan10").target(attachment("blue", "{}")), &to("vlan10", "blue")), []);
        assert_eq!(codes(&of(world("default/vlan10").target(attachment("blue", "{}")), &to("default/vlan10", "prod/green"))), ["N001"]);
        assert_eq!(codes(&of(world("default/vlan10"), &to("vlan1", "blue"))), ["N003"]);
    }
}
