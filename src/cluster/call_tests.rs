//! Stories of requests: what is repeated, what is told at once, what a server warns of.

#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;
use crate::cluster::objects::{Dry, Guard, Propagation};
use crate::cluster::scripted::{Reply, in_turn};
use crate::model::kind;
use crate::model::manifest::Manifest;
use crate::model::names::End;

fn busy() -> Reply {
    Reply::status(429, "TooManyRequests", "try again").header("retry-after", "3")
}

#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_when_the_server_says_when() {
    let (cluster, log) = in_turn(vec![busy(), Reply::status(503, "ServiceUnavailable", "x"), Reply::Break, Reply::ok(json!({"gitVersion": "v1"}))]);
    assert_eq!(cluster.raw("/version").await.unwrap(), json!({"gitVersion": "v1"}));
    assert_eq!(log.len(), 4);
    assert!(cluster.clock().elapsed() >= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_read_is_not_repeated_for_ever() {
    let (cluster, log) = in_turn(vec![]);
    assert_eq!(cluster.raw("/version").await.unwrap_err().reason, Reason::Timeout);
    assert_eq!(log.len(), 5);
    let (cluster, log) = in_turn(vec![Reply::status(429, "TooManyRequests", "x").header("retry-after", "600")]);
    assert_eq!(cluster.raw("/version").await.unwrap_err().retry_after, Some(Duration::from_secs(600)));
    assert_eq!(log.len(), 1, "ten minutes are for the caller to wait or not");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_sent_once_whatever_comes_of_it() {
    for (reply, reason, unknown) in
        [(busy(), Reason::TooManyRequests, false), (Reply::status(504, "Timeout", "x"), Reason::Timeout, true), (Reply::Break, Reason::Timeout, true)]
    {
        let (cluster, log) = in_turn(vec![reply]);
        let error = cluster.create(&Manifest::new(kind::CONFIG_MAP, "shop", "a"), Dry::No).await.unwrap_err();
        assert_eq!((error.reason, error.may_have_happened(), log.len()), (reason, unknown, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_was_lost_is_sent_again() {
    let (cluster, log) = in_turn(vec![Reply::Break, Reply::ok(json!({})), Reply::Break, Reply::ok(json!({}))]);
    let map = Manifest::new(kind::CONFIG_MAP, "shop", "a");
    cluster.create(&map, Dry::Server).await.unwrap();
    cluster.delete(&map.reference(End::Source).unwrap(), &Guard::default(), Propagation::Background, Dry::Server).await.unwrap();
    assert_eq!(log.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_answered_by_somebody_else_is_an_error() {
    for answer in ["<html>Please log in</html>", "null", "", "[1, 2"] {
        let (cluster, _) = in_turn(vec![Reply::Answer(200, Vec::new(), answer.to_owned()), Reply::Answer(200, Vec::new(), answer.to_owned())]);
        let error = cluster.raw("/version").await.unwrap_err();
        assert_eq!(error.code, 200);
        assert!(error.message.contains("answer to /version is nothing of the Kubernetes API"), "{answer}: {}", error.message);
        assert!(cluster.list(kind::CLAIM, Some("shop"), None).await.is_err(), "{answer}: no list is not an empty one");
    }
}

#[tokio::test(start_paused = true)]
async fn no_request_waits_for_ever() {
    let (cluster, _) = in_turn(vec![Reply::Silence]);
    let error = cluster.create(&Manifest::new(kind::CONFIG_MAP, "shop", "a"), Dry::No).await.unwrap_err();
    assert_eq!(error.message, "Unable to connect to the server: in-process did not answer within 70s");
    assert!(error.may_have_happened());
    let (cluster, log) = in_turn(vec![Reply::Silence]);
    assert_eq!(cluster.raw("/version").await.unwrap_err().reason, Reason::Timeout);
    assert_eq!(log.len(), 1, "who was silent for 70 seconds is not asked five times");
}

#[test]
fn the_words_of_a_warning_are_unquoted() {
    assert_eq!(warning_text(r#"299 - "unknown field \"spec.x\"""#).unwrap(), r#"unknown field "spec.x""#);
    assert_eq!(warning_text("199 - \"not ours\""), None);
}
