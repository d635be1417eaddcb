//! Requests to a cluster that nothing happens in.
#![allow(clippy::unwrap_used)]
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::sandbox::time::Scaled;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(1, Arc::new(Scaled::new(jiff::Timestamp::UNIX_EPOCH, 1)));
    tokio::spawn(sandbox.clone().live());
    sandbox
}

async fn send(sandbox: &Sandbox, method: &str, path: &str, body: Value) -> (u16, Value) {
    let media = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, media).body(Full::<Bytes>::from(body)).unwrap();
    let response = sandbox.clone().oneshot(request).await.unwrap();
    let code = response.status().as_u16();
    (code, serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn objects_are_made_changed_listed_in_pages_and_deleted() {
    let sandbox = sandbox();
    assert_eq!(send(&sandbox, "POST", "/api/v1/namespaces", json!({"metadata": {"name": "shop"}})).await.0, 201);
    let maps = "/api/v1/namespaces/shop/configmaps";
    for name in ["a", "b", "c"] {
        assert_eq!(send(&sandbox, "POST", maps, json!({"metadata": {"name": name, "labels": {"app": name}}})).await.0, 201);
    }
    let (code, again) = send(&sandbox, "POST", maps, json!({"metadata": {"name": "a"}})).await;
    assert_eq!((code, again["message"].as_str().unwrap()), (409, "configmaps \"a\" already exists"));
    let (_, page) = send(&sandbox, "GET", &format!("{maps}?limit=2"), Value::Null).await;
    assert_eq!((page["items"].as_array().unwrap().len(), page["metadata"]["remainingItemCount"].as_u64()), (2, Some(1)));
    let next = page["metadata"]["continue"].as_str().unwrap();
    let (_, rest) = send(&sandbox, "GET", &format!("{maps}?limit=2&continue={next}"), Value::Null).await;
    assert_eq!(rest["items"][0]["metadata"]["name"], "c");
    let (code, changed) = send(&sandbox, "PATCH", &format!("{maps}/a"), json!({"data": {"x": "1"}})).await;
    assert_eq!((code, changed["data"]["x"].as_str()), (200, Some("1")));
    let stale = json!({"metadata": {"name": "a", "resourceVersion": "1"}});
    assert_eq!(send(&sandbox, "PUT", &format!("{maps}/a"), stale).await.0, 409);
    let (code, gone) = send(&sandbox, "DELETE", &format!("{maps}/a"), Value::Null).await;
    assert_eq!((code, gone["status"].as_str()), (200, Some("Success")));
    assert_eq!(send(&sandbox, "GET", &format!("{maps}/a"), Value::Null).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_what_happens_in_order_and_says_goodbye() {
    let sandbox = sandbox();
    send(&sandbox, "POST", "/api/v1/namespaces", json!({"metadata": {"name": "shop"}})).await;
    let maps = "/api/v1/namespaces/shop/configmaps";
    send(&sandbox, "POST", maps, json!({"metadata": {"name": "before", "labels": {"app": "a"}}})).await;
    let uri = format!("{maps}?watch=1&labelSelector=app%3Da&timeoutSeconds=30&allowWatchBookmarks=true");
    let watch = sandbox.clone().oneshot(Request::get(uri).body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    send(&sandbox, "POST", maps, json!({"metadata": {"name": "other"}})).await;
    send(&sandbox, "PATCH", &format!("{maps}/other"), json!({"metadata": {"labels": {"app": "a"}}})).await;
    send(&sandbox, "PATCH", &format!("{maps}/before"), json!({"metadata": {"labels": {"app": "b"}}})).await;
    send(&sandbox, "POST", maps, json!({"metadata": {"name": "unseen"}})).await;
    let text = watch.into_body().collect().await.unwrap().to_bytes();
    let events: Vec<Value> = serde_json::Deserializer::from_slice(&text).into_iter().map(Result::unwrap).collect();
    let told: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["type"].as_str().unwrap(), event["object"]["metadata"]["name"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(told, ["ADDED before", "ADDED other", "DELETED before", "BOOKMARK -"]);
}
