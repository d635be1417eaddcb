//! Connect, look, choose, decide, ask the server: what `plan`, `validate` and `run` do before anything else. One place for all three.

use super::questions;
use super::wanted::Wanted;
use crate::model::failure::{Failure, FailureKind};
use crate::model::finding::{Finding, Severity};
use crate::model::inventory::Inventory;
use crate::output::error::warning;
use crate::output::review::counted;
use crate::plan::answers::judge;
use crate::plan::checks;
use crate::plan::decide::{Planned, plan};
use crate::plan::document::{Plan, PlanEnd};
use crate::plan::drift;
use crate::steps::sites::{Site, Sites};
use crate::survey::{Scope, survey};
use crate::verbs::Context;
use crate::verbs::args::decisions::Decisions;

/// A plan with everything it was made from.
pub struct Looked {
    pub sites: Sites,
    pub seen: Inventory,
    /// Findings of the first look and, once the server was asked, of the second: the worst first.
    pub planned: Planned,
}

impl Looked {
    /// Whether the plan must not be carried out.
    pub fn is_blocked(&self) -> bool {
        blocking(&self.planned.findings) > 0
    }

    /// The failure of a plan that is blocked, for verbs that stop at it. The findings themselves are shown before.
    pub fn refusal(&self, cx: &Context) -> Failure {
        refusal(cx, &self.planned.findings)
    }
}

/// How many findings stand against a plan.
pub fn blocking(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.severity == Severity::Blocking).count()
}

/// The failure that stands for blocking findings: exit code 4, nothing touched.
pub fn refusal(cx: &Context, findings: &[Finding]) -> Failure {
    let message = format!("{}; nothing was touched", counted(blocking(findings), "blocking finding"));
    let first = findings.iter().find(|finding| finding.severity == Severity::Blocking).map_or("CODE", |finding| &finding.code);
    Failure::new(FailureKind::Blocked, message).hint(format!("what a code means and what helps: {} explain {first}", cx.prefix))
}

/// Decides about these machines and asks the server whether it would work. Shows nothing but the server's warnings.
///
/// # Errors
/// No target, no connection, a pattern that matches nothing. What speaks against the move is a finding.
pub async fn planned(cx: &mut Context, wanted: &Wanted, decisions: &Decisions) -> Result<Looked, Failure> {
    let looked = decided(cx, wanted, decisions).await?;
    asked(cx, looked).await
}

/// As [`planned`], without asking the server anything about the plan.
///
/// # Errors
/// As [`planned`].
pub async fn decided(cx: &mut Context, wanted: &Wanted, decisions: &Decisions) -> Result<Looked, Failure> {
    let mut request = decisions.over(wanted.base.clone())?;
    let (sites, seen) = look(cx, wanted.namespace.as_deref(), &request.target_namespace).await?;
    request.machines = wanted.names(&seen.source)?;
    let planned = plan(&seen, &request);
    Ok(Looked { sites, seen, planned })
}

/// Looks at both ends of a plan again and says whether it still holds: what was decided stays as it is, what changed since is a finding.
///
/// # Errors
/// No connection, or a namespace flag that contradicts the plan.
pub async fn replanned(cx: &mut Context, old: Plan) -> Result<Looked, Failure> {
    let PlanEnd { namespace, .. } = &old.spec.source;
    let (sites, seen) = look(cx, Some(namespace), &old.spec.target.namespace).await?;
    if let Some(elsewhere) = drift::other_cluster(&old.spec, &seen) {
        return Ok(Looked { sites, seen, planned: Planned { plan: old, findings: vec![elsewhere] } });
    }
    let fresh = plan(&seen, &drift::request(&old.spec));
    let mut findings = fresh.findings;
    findings.extend(drift::changes(&old.spec, &fresh.plan.spec));
    checks::sort(&mut findings);
    asked(cx, Looked { sites, seen, planned: Planned { plan: old, findings } }).await
}

/// The second look, unless something blocks already.
async fn asked(cx: &mut Context, mut looked: Looked) -> Result<Looked, Failure> {
    if !looked.is_blocked() && !looked.planned.plan.spec.machines.is_empty() {
        let answers = questions::ask(&looked.sites, &looked.seen, &looked.planned.plan).await?;
        looked.planned.findings.extend(judge(&looked.planned.plan.spec, &answers));
        checks::sort(&mut looked.planned.findings);
    }
    for sentence in looked.sites.source.cluster.warnings() {
        cx.io.remark(&warning(&sentence));
    }
    Ok(looked)
}

/// Connects and surveys both namespaces of one cluster.
async fn look(cx: &Context, said: Option<&str>, target: &str) -> Result<(Sites, Inventory), Failure> {
    let source = source_namespace(cx, said)?;
    let cluster = cx.connect().await?;
    let source = source.unwrap_or_else(|| cluster.default_namespace().to_owned());
    let scope = Scope { source_namespace: source.clone(), target_namespace: Some(target.to_owned()) };
    let seen = survey(&cluster, None, &scope).await?;
    let site = |namespace: &str| Site { cluster: cluster.clone(), namespace: namespace.to_owned() };
    Ok((Sites { source: site(&source), target: site(target) }, seen))
}

/// The source namespace that a document or a flag names; `None` is the context's.
///
/// # Errors
/// Both name one, and not the same.
pub fn source_namespace(cx: &Context, said: Option<&str>) -> Result<Option<String>, Failure> {
    match (said, cx.connection.namespace.as_deref()) {
        (Some(said), Some(flag)) if said != flag => {
            Err(Failure::usage(format!("the file speaks of namespace {said}, and -n of {flag}")).hint(format!("leave -n {flag} out")))
        }
        (said, flag) => Ok(said.or(flag).map(str::to_owned)),
    }
}
