//! The server's answers to questions about rights, many at a time.

use futures::future::try_join_all;
use tokio::sync::Semaphore;

use super::eyes::{AT_ONCE, Eyes};
use crate::cluster::{Access, Cluster};
use crate::model::failure::Failure;
use crate::model::inventory::Inventory;
use crate::model::names::End;
use crate::plan::needs::Need;

/// Which of these rights the user has, in the order of the questions. Equal ones are asked once.
///
/// # Errors
/// When the server cannot be reached or does not answer an access review: no answer is not "no".
pub async fn ask_rights(cluster: &Cluster, wanted: &[Access]) -> Result<Vec<(Access, bool)>, Failure> {
    let room = Semaphore::new(AT_ONCE);
    let eyes = Eyes::new(cluster, &room);
    let mut distinct = wanted.to_vec();
    distinct.sort();
    distinct.dedup();
    let answers = try_join_all(distinct.iter().map(async |access| eyes.ask(cluster.may(access)).await.map_err(Failure::from))).await?;
    let granted = |access: &Access| distinct.binary_search(access).is_ok_and(|at| answers[at]);
    Ok(wanted.iter().map(|access| (access.clone(), granted(access))).collect())
}

/// Which of a plan's needs are met. What was seen to be granted is not asked for again; the rest is, each need by a review at its end.
///
/// # Errors
/// As [`ask_rights`].
pub async fn ask_needs(source: &Cluster, target: Option<&Cluster>, seen: &Inventory, needs: &[Need]) -> Result<Vec<(Need, bool)>, Failure> {
    let (mut answered, open): (Vec<(Need, bool)>, Vec<_>) =
        needs.iter().map(|need| (need.clone(), is_granted(seen, need))).partition(|(_, granted)| *granted);
    let (here, there): (Vec<_>, Vec<_>) = open.into_iter().map(|(need, _)| need).partition(|need| need.end == End::Source);
    for (cluster, needs) in [(source, here), (target.unwrap_or(source), there)] {
        let wanted: Vec<Access> = needs.iter().map(access).collect();
        let answers = ask_rights(cluster, &wanted).await?;
        answered.extend(needs.into_iter().zip(answers.into_iter().map(|(_, granted)| granted)));
    }
    Ok(answered)
}

/// Whether the rules of a need's namespace grant it. A list of rules that the server calls complete comes from authorizers that never deny; a
/// webhook's is always incomplete, and is asked (kubernetes 1.36 `apiserver/pkg/authorization/union`, `plugin/pkg/authorizer/webhook`). In such a
/// list RoleBindings of the namespace stand beside ClusterRoleBindings, so of the cluster as a whole it says nothing.
fn is_granted(seen: &Inventory, need: &Need) -> bool {
    let place = match need.end {
        End::Source => Some(&seen.source),
        End::Target => seen.target.as_ref(),
    };
    place.is_some_and(|place| {
        need.namespace.as_ref() == Some(&place.namespace) && !place.rights.incomplete && place.rights.allow(need.verb, need.group, &need.path())
    })
}

fn access(need: &Need) -> Access {
    Access {
        verb: need.verb.to_owned(),
        group: need.group.to_owned(),
        resource: need.resource.to_owned(),
        subresource: (!need.subresource.is_empty()).then(|| need.subresource.to_owned()),
        namespace: need.namespace.clone(),
        name: None,
    }
}
