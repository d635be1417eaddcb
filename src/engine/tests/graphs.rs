//! The graphs that misfortune is tried on.

use super::id;
use crate::model::graph::{Graph, Lane, Node, Phase, StepId, Title, UndoPolicy};

/// A node of group `db` for `db/fence`; what has no group in its name is shared.
fn node(name: &str, phase: Phase, needs: &[&str]) -> Node {
    let title = Title { object: name.to_owned(), doing: "making".into(), done: "made".into(), undone: "unmade".into() };
    let undo = match phase {
        Phase::Verify => UndoPolicy::Nothing,
        Phase::Cleanup => UndoPolicy::NoReturn("the source has been removed"),
        _ => UndoPolicy::Automatic,
    };
    let group = name.split_once('/').map_or("", |(group, _)| group).to_owned();
    let lane = Lane(if name.ends_with("/clone") { "class/fast".to_owned() } else { String::new() });
    let needs: Vec<StepId> = needs.iter().map(|need| id(need)).collect();
    let (lasting, urgent) = (name.ends_with("/fence") || name.ends_with("/clone"), name.ends_with("/swap"));
    Node { id: id(name), needs, after: vec![], phase, lane, undo, lasting, urgent, group, title }
}

fn machine(name: &str, disks: &[&str], shared: &[&str], nodes: &mut Vec<Node>) {
    let of = |step: &str| format!("{name}/{step}");
    let mut fence = node(&of("fence"), Phase::Stop, &[]);
    fence.after = shared.iter().map(|copy| id(copy)).collect();
    nodes.push(fence);
    nodes.push(node(&of("stop"), Phase::Stop, &[&of("fence")]));
    let mut needs: Vec<String> = shared.iter().map(|copy| (*copy).to_owned()).collect();
    for disk in disks {
        nodes.push(node(&of(&format!("{disk}/clone")), Phase::Clone, &[&of("stop")]));
        nodes.push(node(&of(&format!("{disk}/swap")), Phase::Clone, &[&of(&format!("{disk}/clone"))]));
        needs.push(of(&format!("{disk}/swap")));
    }
    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
    nodes.push(node(&of("create"), Phase::Recreate, &needs));
    nodes.push(node(&of("start"), Phase::Start, &[&of("create")]));
    nodes.push(node(&of("verify"), Phase::Verify, &[&of("start")]));
    nodes.push(node(&of("remove"), Phase::Cleanup, &[&of("verify")]));
}

/// One machine with one disk: seven steps, and a cleanup.
pub(super) fn one() -> Graph {
    let mut nodes = Vec::new();
    machine("db", &["root"], &[], &mut nodes);
    Graph::of(nodes)
}

/// One machine with three disks side by side.
pub(super) fn disks() -> Graph {
    let mut nodes = Vec::new();
    machine("db", &["root", "data", "log"], &[], &mut nodes);
    Graph::of(nodes)
}

/// Two machines that share a copy, in a namespace to be made.
pub(super) fn two() -> Graph {
    let mut nodes =
        vec![node("namespace", Phase::Copy, &[]), node("config", Phase::Copy, &["namespace"]), node("secret", Phase::Copy, &["namespace"])];
    machine("db", &["root", "data"], &["config", "secret"], &mut nodes);
    machine("web", &["root"], &["config"], &mut nodes);
    Graph::of(nodes)
}

/// So many machines of one disk each.
pub(super) fn many(count: usize) -> Graph {
    let mut nodes = Vec::new();
    for number in 0..count {
        machine(&format!("vm{number}"), &["root"], &[], &mut nodes);
    }
    Graph::of(nodes)
}

/// Two machines, the first of which waits for a step of the second.
pub(super) fn crossed() -> Graph {
    let nodes = vec![
        node("a/first", Phase::Copy, &[]),
        node("b/first", Phase::Copy, &[]),
        node("a/second", Phase::Recreate, &["a/first", "b/first"]),
        node("b/second", Phase::Recreate, &["a/second"]),
    ];
    Graph::of(nodes)
}

/// Each machine waits for a step of the other that will not come within the phases that follow `Stop`.
pub(super) fn knotted() -> Graph {
    let nodes = vec![
        node("a/stop", Phase::Stop, &[]),
        node("b/stop", Phase::Stop, &[]),
        node("a/one", Phase::Copy, &["a/stop"]),
        node("b/one", Phase::Copy, &["b/stop"]),
        node("a/two", Phase::Copy, &["b/one"]),
        node("b/two", Phase::Copy, &["a/one"]),
    ];
    Graph::of(nodes)
}

/// Those that have needs, shared things, disks side by side: every shape misfortune is tried on.
pub(super) fn all() -> Vec<Graph> {
    vec![one(), disks(), two(), many(2)]
}
