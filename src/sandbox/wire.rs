//! Requests taken apart, and answers put together.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::api::sent::Sent;
use super::api::{self, Call, path};
use super::write::User;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer with this body; text is sent as text.
pub(super) fn once(code: u16, body: &Sent, warnings: &[String]) -> Response<Body> {
    // What is JSON already can always be written.
    let json = || serde_json::to_vec(body).unwrap_or_default();
    let (media, text) = match body {
        Sent::Value(Value::String(text)) => ("text/plain; charset=utf-8", text.clone().into_bytes()),
        // Clients tell the aggregated list from the old one by this alone (client-go `discovery/aggregated_discovery.go`).
        Sent::Value(list) if list["kind"] == "APIGroupDiscoveryList" => (AGGREGATED, json()),
        _ => ("application/json", json()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(http::header::WARNING, value);
        }
    }
    response
}

/// A user's request with its whole body; `None` when that broke off.
pub(super) async fn taken_apart<B: http_body::Body<Data = Bytes>>(request: Request<B>, sender: &User) -> Option<Call> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    let header = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default().to_owned();
    Some(Call {
        path: head.uri.path().to_owned(),
        query: path::query(head.uri.query().unwrap_or_default()),
        user: api::meant(&head.headers, sender),
        sender: sender.clone(),
        accept: header(ACCEPT),
        content_type: header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned(),
        body: body.to_vec(),
        method: head.method,
    })
}
