//! The second look: what the server says to a plan. Every right that it needs, a dry run of every object that it will make, and whether
//! what is in the target already is the same thing. Contents of Secrets are read only here, and stay in memory.

use futures::future::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::manifests::{Made, here, made, marks};
use crate::cluster::{ApiError, Dry, Reason};
use crate::model::failure::Failure;
use crate::model::inventory::{Inventory, Look};
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::{End, ObjectRef};
use crate::plan::answers::{Answers, DryRun};
use crate::plan::compare::differences;
use crate::plan::document::{DependentPlan, Plan, PlanSpec};
use crate::plan::needs::needs;
use crate::plan::rewrite::Role;
use crate::plan::rewrite::dependent::{rewrite_dependent, same_content};
use crate::steps::sites::Sites;
use crate::survey::answers::ask_needs;

/// How many questions are under way at once.
const AT_ONCE: usize = 16;

/// What one question gave.
enum Told {
    DryRun(ObjectRef, DryRun),
    Same(ObjectRef, bool),
    Untried(ObjectRef, String),
    /// The user may not ask: the access review tells.
    Nothing,
}

/// Asks the server everything that a plan's success depends on and that no survey shows.
///
/// # Errors
/// The server cannot be reached or does not answer: no answer is not "no".
pub async fn ask(sites: &Sites, seen: &Inventory, plan: &Plan) -> Result<Answers, Failure> {
    let rights = ask_needs(&sites.source.cluster, Some(&sites.target.cluster), seen, &needs(&plan.spec)).await?;
    let mut answers = Answers { rights, ..Answers::default() };
    if let Some(namespace) = still_to_be_made(seen) {
        let why = "the namespace is still to be made; everything is asked again before anything is touched";
        answers.untried.push((namespace, why.to_owned()));
        return Ok(answers);
    }
    let objects = made(plan, seen);
    let tries = objects.iter().map(|made| try_one(sites, &plan.spec, made).left_future());
    let copies = plan.spec.dependents.iter().map(|dependent| try_copy(sites, plan, dependent).right_future());
    let told: Vec<Told> = stream::iter(tries.chain(copies)).buffered(AT_ONCE).try_collect().await?;
    for told in told {
        match told {
            Told::DryRun(object, outcome) => answers.dry_runs.push((object, outcome)),
            Told::Same(object, same) => answers.same.push((object, same)),
            Told::Untried(object, why) => answers.untried.push((object, why)),
            Told::Nothing => {}
        }
    }
    Ok(answers)
}

/// The target namespace, where it was looked for and is not there.
fn still_to_be_made(seen: &Inventory) -> Option<ObjectRef> {
    let target = seen.target.as_ref()?;
    let absent = matches!(target.namespace_look, Look::Listed(_)) && target.namespace_object().is_none();
    absent.then(|| ObjectRef::cluster(End::Target, kind::NAMESPACE, &target.namespace))
}

async fn try_one(sites: &Sites, plan: &PlanSpec, made: &Made) -> Result<Told, Failure> {
    let reply = sites.at(made.object.end).cluster.create(&made.manifest, Dry::Server).await;
    let told = outcome(&made.object, &made.manifest, reply)?;
    // KubeVirt looks instance types up when a machine is made, and those of the namespace are not there yet.
    match (told, first(plan, &made.object)) {
        (Told::DryRun(object, DryRun::Refused(words)), Some(first)) if words.contains("not found") || words.contains(&first.name) => {
            Ok(Told::Untried(object, format!("it needs {}/{}, which the move copies first", first.kind.singular(), first.name)))
        }
        (told, _) => Ok(told),
    }
}

/// An instance type, preference or revision that a machine refers to and that the move copies before it makes the machine.
fn first<'a>(plan: &'a PlanSpec, object: &ObjectRef) -> Option<&'a DependentPlan> {
    let machine = plan.machines.iter().find(|machine| object.kind == kind::VM && machine.target == object.name)?;
    let looked_up = [kind::INSTANCETYPE, kind::PREFERENCE, kind::CONTROLLER_REVISION];
    plan.dependents.iter().find(|dependent| !dependent.exists && looked_up.contains(&dependent.kind) && dependent.used_by.contains(&machine.name))
}

async fn try_copy(sites: &Sites, plan: &Plan, dependent: &DependentPlan) -> Result<Told, Failure> {
    let at = |end, namespace: &str| ObjectRef::namespaced(end, dependent.kind, namespace, &dependent.name);
    let target = at(End::Target, &plan.spec.target.namespace);
    let Some(source) = read(sites, &at(End::Source, &plan.spec.source.namespace)).await? else { return Ok(Told::Nothing) };
    let Some(source) = source else {
        return Ok(Told::DryRun(target, DryRun::Refused("it was removed from the source since it was seen".to_owned())));
    };
    if dependent.exists {
        match read(sites, &target).await? {
            None => return Ok(Told::Nothing),
            Some(Some(there)) => return Ok(Told::Same(target, same_content(&source, &there))),
            Some(None) => {}
        }
    }
    let copy = rewrite_dependent(&source, &plan.spec.target.namespace, &marks(plan, &source, Role::Dependent));
    let made = here(plan, End::Target, copy, &source);
    let reply = sites.target.cluster.create(&made.manifest, Dry::Server).await;
    outcome(&made.object, &made.manifest, reply)
}

/// The object, `Some(None)` where there is none, `None` where the user may not read it.
async fn read(sites: &Sites, object: &ObjectRef) -> Result<Option<Option<Manifest>>, Failure> {
    match sites.at(object.end).cluster.get(object).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.reason == Reason::Forbidden => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn outcome(object: &ObjectRef, asked: &Manifest, reply: Result<Manifest, ApiError>) -> Result<Told, Failure> {
    match reply {
        Ok(reply) => Ok(Told::DryRun(object.clone(), DryRun::Accepted(differences(asked, &reply)))),
        Err(error) if matches!(error.code, 0 | 401 | 429) => Err(error.into()),
        // The words of the RBAC authorizer (kubernetes/apiserver `pkg/endpoints/handlers/responsewriters/errors.go`).
        Err(error) if error.reason == Reason::Forbidden && error.message.contains(" cannot create resource ") => Ok(Told::Nothing),
        // kubernetes/apiserver `pkg/admission/plugin/webhook/errors/statuserror.go`, NewDryRunUnsupportedErr.
        Err(error) if error.message.contains("does not support dry run") => Ok(Told::Untried(object.clone(), error.message)),
        Err(error) => Ok(Told::DryRun(object.clone(), DryRun::Refused(error.message))),
    }
}
