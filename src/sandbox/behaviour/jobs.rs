//! Jobs: each runs pods until enough of them have ended well.
//! Source: kubernetes 1.36 `pkg/controller/job/job_controller.go`, `pkg/apis/batch/v1/defaults.go`.
//!
//! Cases: `objects/a-job-runs-a-pod-to-its-end`, `objects/a-job-goes-with-its-pods`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{controlled_by, default, is, is_controlled_by, list, put};
use super::{Controller, Rule, Subject, Verb, is_deleting, itself};
use crate::sandbox::catalog::{JOB, POD};
use crate::sandbox::index::OWNED_BY;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Change, Key, text};
use crate::sandbox::world::World;
use crate::sandbox::write::Attempt;

pub const SUBJECT: Subject = Subject {
    rules: &[Rule { resource: &JOB, subresource: "", verbs: &[Verb::Create], run: complete }],
    controllers: &[Controller { name: "job-controller", watches: &[(&JOB, itself), (&POD, of_job)], reconcile }],
};

fn complete(_: &World, attempt: &mut Attempt) -> Result<(), Status> {
    let (uid, name) = (attempt.object["metadata"]["uid"].clone(), attempt.object["metadata"]["name"].clone());
    let job = &mut attempt.object;
    for (field, usual) in [
        ("parallelism", json!(1)),
        ("completions", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
        ("manualSelector", json!(false)),
        ("podReplacementPolicy", json!("TerminatingOrFailed")),
    ] {
        default(job, &format!("/spec/{field}"), usual);
    }
    put(job, "/spec/selector/matchLabels/batch.kubernetes.io~1controller-uid", uid.clone());
    for (label, value) in
        [("batch.kubernetes.io~1controller-uid", &uid), ("batch.kubernetes.io~1job-name", &name), ("controller-uid", &uid), ("job-name", &name)]
    {
        put(job, &format!("/spec/template/metadata/labels/{label}"), value.clone());
    }
    Ok(())
}

fn of_job(_: &World, change: &Change) -> Vec<Key> {
    let owners = list(&change.object, "/metadata/ownerReferences").iter().filter(|owner| text(owner, "/kind") == JOB.kind);
    owners.map(|owner| Key::new(&JOB, &change.key.namespace, text(owner, "/name"))).collect()
}

fn number(job: &Value, field: &str, usual: usize) -> usize {
    job["spec"][field].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(usual)
}

fn reconcile(world: &mut World, key: &Key) -> Option<Duration> {
    let job = world.store.get(key).filter(|job| !is_deleting(job))?.clone();
    if is(&job, "Complete", "True") || is(&job, "Failed", "True") {
        return None;
    }
    let all: Vec<Arc<Value>> = world.store.find(&OWNED_BY, text(&job, "/metadata/uid")).map(|(_, pod)| pod.clone()).collect();
    let pods: Vec<Arc<Value>> = all.into_iter().filter(|pod| is_controlled_by(pod, &job)).collect();
    let ended = |phase: &str| pods.iter().filter(|pod| text(pod, "/status/phase") == phase).count();
    let (succeeded, failed) = (ended("Succeeded"), ended("Failed"));
    let alive: Vec<&Arc<Value>> =
        pods.iter().filter(|pod| !is_deleting(pod) && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")).collect();
    let suspended = job["spec"]["suspend"] == true;
    let too_often = failed > number(&job, "backoffLimit", 6);
    let wanted =
        if suspended || too_often { 0 } else { number(&job, "parallelism", 1).min(number(&job, "completions", 1).saturating_sub(succeeded)) };
    for pod in alive.iter().skip(wanted) {
        drop(world.delete(&Key::of(&POD, pod)));
    }
    for _ in alive.len()..wanted {
        let name = format!("{}-", key.name);
        let metadata = json!({
            "generateName": name, "namespace": key.namespace, "ownerReferences": [controlled_by(&JOB, &job)],
            "labels": job["spec"]["template"]["metadata"]["labels"], "annotations": job["spec"]["template"]["metadata"]["annotations"],
        });
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": job["spec"]["template"]["spec"]});
        if let Ok(pod) = world.create(pod) {
            let words = format!("Created pod: {}", text(&pod, "/metadata/name"));
            world.tell(&job, "job-controller", "Normal", "SuccessfulCreate", &words);
        }
    }
    let ready = alive.iter().filter(|pod| is(pod, "Ready", "True")).count();
    let end = if too_often {
        Some(("FailureTarget", "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    } else if succeeded >= number(&job, "completions", 1) {
        Some(("SuccessCriteriaMet", "Complete", "CompletionsReached", "Reached expected number of succeeded pods"))
    } else {
        None
    };
    let counts = [("active", wanted), ("ready", ready), ("succeeded", succeeded), ("failed", failed)];
    tell_of(world, key, &counts, end);
    if let Some((_, "Complete", ..)) = end {
        world.tell(&job, "job-controller", "Normal", "Completed", "Job completed");
    }
    None
}

/// Writes down how many pods there are of which kind, and how it ended if it did.
fn tell_of(world: &mut World, key: &Key, counts: &[(&str, usize)], end: Option<(&str, &str, &str, &str)>) {
    let now = world.stamp();
    let written = world.change(key, |job| {
        default(job, "/status/startTime", now.clone());
        put(job, "/status/terminating", 0);
        put(job, "/status/uncountedTerminatedPods", json!({}));
        for (field, count) in counts {
            match count {
                0 if *field != "ready" => super::objects::remove(job, "/status", field),
                count => put(job, &format!("/status/{field}"), *count),
            }
        }
        let Some((first, last, reason, message)) = end else { return };
        for kind in [first, last] {
            super::objects::state(job, &now, kind, "True", (reason, message));
        }
        if last == "Complete" {
            put(job, "/status/completionTime", now.clone());
        }
    });
    // Somebody else wrote in between: the next change is looked at again.
    drop(written);
}
