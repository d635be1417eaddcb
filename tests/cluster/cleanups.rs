//! The tool dies while it cleans up; another process finishes that.

use anyhow::Result;

use crate::crashes::{Moment, forget_holder, killed};
use crate::lab::Lab;
use crate::moves::{arrived, is_gone};
use crate::residue::no_volume_is_orphaned;
use crate::scene::{Scene, each};
use crate::tool::Tool;

/// The requests at which it dies: flags of the run; method, end and resource of the request; which of those, counted from 1.
const KINDS: &[(&str, &str, usize)] = &[
    ("", "PATCH source virtualmachines", 1),
    ("", "DELETE source virtualmachines", 1),
    ("", "DELETE source datavolumes", 1),
    ("", "DELETE source persistentvolumeclaims", 2),
    ("--volumes move", "DELETE source persistentvolumeclaims", 1),
    ("--volumes move", "PATCH - persistentvolumes", 1),
    ("--volumes move", "PATCH - persistentvolumes", 2),
];

/// 10. Killed at each kind of request of a cleanup: typed again, it comes to the same end, and the target is untouched.
pub async fn a_killed_cleanup_is_finished(lab: &Lab) -> Result<()> {
    each(KINDS.iter().copied(), async |(flags, kind, number)| {
        let scene = Scene::new(lab).await?;
        let tool = Tool::new(lab, &scene.source);
        let name = tool.done(&scene.run(flags)).await?.move_name()?;
        let line = format!("cleanup {name} --yes");
        killed(lab, (&scene.source, &scene.target), &line, &Moment::Kind(kind, number)).await?;
        forget_holder(lab, &scene.source, &name).await?;
        tool.done(&line).await?;
        is_gone(lab, &scene.source).await?;
        no_volume_is_orphaned(lab, &scene.source, &scene.target).await?;
        arrived(lab, &scene.machine, &scene.target).await
    })
    .await
}
