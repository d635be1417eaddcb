//! Looking at the source alone: what `assess` shows and `select` chooses from.

use super::planning::{refusal, source_namespace};
use super::wanted::{Wanted, Who};
use crate::cluster::Cluster;
use crate::model::failure::Failure;
use crate::model::inventory::Inventory;
use crate::output::columns;
use crate::output::table;
use crate::plan::assessment::{Assessment, assess};
use crate::survey::{Scope, survey};
use crate::verbs::Context;
use crate::verbs::args::display::on_stderr;

/// What was seen of the machines that are meant.
pub struct Assessed {
    pub cluster: Cluster,
    pub seen: Inventory,
    pub assessment: Assessment,
}

/// Surveys the source and assesses the machines that are meant. What concerns none of them in particular is told on standard error.
///
/// # Errors
/// No connection; a machine that was named is not there; virtual machines cannot be seen.
pub async fn assessed(cx: &mut Context, wanted: &Wanted) -> Result<Assessed, Failure> {
    let said = source_namespace(cx, wanted.namespace.as_deref())?;
    let cluster = cx.connect().await?;
    let source_namespace = said.unwrap_or_else(|| cluster.default_namespace().to_owned());
    let seen = survey(&cluster, None, &Scope { source_namespace, target_namespace: None }).await?;
    let names = wanted.names(&seen.source)?;
    let assessment = judged(&seen, wanted, &names);
    let findings = columns::findings::sorted(&assessment.findings);
    cx.io.remark(&table::render(&findings, on_stderr(&cx.io), cx.clock.now()));
    let blocks = findings.first().is_some_and(|finding| finding.severity == crate::model::finding::Severity::Blocking);
    if blocks && (assessment.machines.is_empty() || assessment.machines.len() < names.len()) {
        return Err(refusal(cx, &findings));
    }
    Ok(Assessed { cluster, seen, assessment })
}

/// What there is now of the machines that are meant. Of a pattern that nothing matches any more nothing is.
///
/// # Errors
/// As [`survey`].
pub async fn look_again(before: &Assessed, wanted: &Wanted) -> Result<Assessed, Failure> {
    let scope = Scope { source_namespace: before.seen.source.namespace.clone(), target_namespace: None };
    let seen = survey(&before.cluster, None, &scope).await?;
    let assessment = judged(&seen, wanted, &wanted.names(&seen.source).unwrap_or_default());
    Ok(Assessed { cluster: before.cluster.clone(), seen, assessment })
}

fn judged(seen: &Inventory, wanted: &Wanted, names: &[String]) -> Assessment {
    let mut assessment = assess(seen, names);
    if names.is_empty() && !matches!(wanted.who, Who::All) {
        assessment.machines.clear();
    }
    assessment
}
