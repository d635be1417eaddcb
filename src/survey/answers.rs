//! The server's answers to questions about rights, many at a time.

use futures::future::try_join_all;
use tokio::sync::Semaphore;

use super::eyes::{AT_ONCE, Eyes};
use crate::cluster::{Access, Cluster};
use crate::model::failure::Failure;
use crate::model::names::End;
use crate::plan::needs::Need;

/// Which of these rights the user has, in the order of the questions. Equal ones are asked once.
///
/// # Errors
/// When the server cannot be reached or does not answer an access review: no answer is not "no".
pub async fn ask_rights(cluster: &Cluster, wanted: &[Access]) -> Result<Vec<(Access, bool)>, Failure> {
    let room = Semaphore::new(AT_ONCE);
    let eyes = Eyes { cluster, room: &room };
    let mut distinct = wanted.to_vec();
    distinct.sort();
    distinct.dedup();
    let answers = try_join_all(distinct.iter().map(async |access| eyes.ask(cluster.may(access)).await.map_err(Failure::from))).await?;
    let granted = |access: &Access| distinct.binary_search(access).is_ok_and(|at| answers[at]);
    Ok(wanted.iter().map(|access| (access.clone(), granted(access))).collect())
}

/// Which of a plan's needs are met, each asked at its end.
///
/// # Errors
/// As [`ask_rights`].
pub async fn ask_needs(source: &Cluster, target: Option<&Cluster>, needs: &[Need]) -> Result<Vec<(Need, bool)>, Failure> {
    let (here, there): (Vec<&Need>, Vec<&Need>) = needs.iter().partition(|need| need.end == End::Source);
    let mut answered = Vec::with_capacity(needs.len());
    for (cluster, needs) in [(source, here), (target.unwrap_or(source), there)] {
        let wanted: Vec<Access> = needs.iter().map(|need| access(need)).collect();
        let answers = ask_rights(cluster, &wanted).await?;
        answered.extend(needs.into_iter().cloned().zip(answers.into_iter().map(|(_, granted)| granted)));
    }
    Ok(answered)
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
