//! `verify` on machines that were verified before: they are looked at again, now. Nothing is written, and nobody has to hold the move.

use super::finding::Found;
use crate::engine::next::States;
use crate::engine::{Hands, Probe, StepError};
use crate::exit::Code;
use crate::model::failure::{Failure, FailureKind};
use crate::model::graph::{Graph, Node, Phase};
use crate::model::journal::Holder;
use crate::output::lines;
use crate::output::review::counted;
use crate::steps::hand::Hand;
use crate::verbs::Context;

/// Looks, and says of each machine how it is.
///
/// # Errors
/// A machine is not as in the source any more: exit code 4. The cluster cannot be asked.
pub async fn verified(cx: &mut Context, found: &Found, graph: &Graph, states: &States, machines: &[String]) -> Result<Code, Failure> {
    let plan = found.plan();
    let nobody = Holder { number: 0, name: found.user.clone() };
    let hand = Hand::new(found.sites(), plan.spec.clone(), plan.metadata.digest.clone(), found.id().clone(), nobody, cx.clock.clone());
    for (id, state) in states.begun() {
        hand.remember(id, state.output());
    }
    let mut wrong = 0;
    for node in graph.nodes().iter().filter(|node| node.phase == Phase::Verify && machines.contains(&node.group)) {
        match hand.probe(&node.id).await {
            Ok(Probe::Ours(output)) => {
                let remark = output.get("remark").and_then(serde_json::Value::as_str);
                cx.io.print(&lines::stated(&node.id, &node.title, remark))?;
            }
            Ok(other) => wrong += differs(cx, node, &words(other)),
            Err(StepError::Blocked(finding)) => wrong += differs(cx, node, &finding.message),
            Err(StepError::Permanent(cause)) => wrong += differs(cx, node, &cause.0),
            Err(StepError::Transient(cause)) => return Err(Failure::error(cause.0)),
            Err(StepError::Stale(why) | StepError::Lost(why)) => return Err(Failure::error(why)),
        }
    }
    if wrong == 0 {
        return Ok(Code::DONE);
    }
    let are = if wrong == 1 { "is not as it was" } else { "are not as they were" };
    let message = format!("{} {are} verified; nothing was touched", counted(wrong, "virtual machine"));
    let back = found.commands(cx).typed(&format!("rollback {}", found.id()));
    Err(Failure::new(FailureKind::Blocked, message).hint(format!("until cleanup the source is kept, and this goes back to it: {back}")))
}

fn differs(cx: &mut Context, node: &Node, why: &str) -> usize {
    cx.io.remark(&lines::stands_against(&node.id, &node.title, why));
    1
}

fn words(probe: Probe) -> String {
    match probe {
        Probe::Underway(progress) => format!("waiting for {}", progress.waiting_for),
        Probe::Foreign(finding) => finding.message,
        Probe::Stale(why) => why,
        Probe::Absent | Probe::Ours(_) => "it is not there".to_owned(),
    }
}
