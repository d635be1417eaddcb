//! A cluster that answers from a script, in place of a socket. For tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use tower::BoxError;

use super::call::Cluster;
use crate::engine::clock::{System, SystemRng};

/// One request as the server sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// What happens to a request.
pub(crate) enum Reply {
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection is reset.
    Break,
    /// No answer, ever.
    Silence,
    /// Lines as they come; the end of the channel ends the answer.
    Lines(UnboundedReceiver<String>),
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self::Answer(200, Vec::new(), body.to_string())
    }

    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "100"}, "items": items}))
    }

    pub(crate) fn status(code: u16, reason: &str, message: &str) -> Self {
        Self::Answer(code, Vec::new(), json!({"kind": "Status", "code": code, "reason": reason, "message": message}).to_string())
    }

    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Answer(code, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Self::Answer(code, headers, body)
            }
            other => other,
        }
    }

    /// A watch whose events the test sends.
    pub(crate) fn lines() -> (UnboundedSender<String>, Self) {
        let (sender, receiver) = unbounded();
        (sender, Self::Lines(receiver))
    }
}

/// Every request that was made, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// A cluster whose every request is answered by the script, and the log of what it was asked.
pub(crate) fn cluster(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Cluster, Log) {
    let log = Log::default();
    let (script, kept) = (Arc::new(script), log.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (script, kept) = (script.clone(), kept.clone());
        async move {
            let (head, body) = request.into_parts();
            let bytes = body.collect_bytes().await?;
            let seen = Seen {
                method: head.method.to_string(),
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            };
            kept.0.lock().unwrap().push(seen.clone());
            let reply = script(&seen);
            answer(reply).await
        }
    });
    (Cluster::from_service(service, "shop", Arc::new(System::new()), Arc::new(SystemRng)), log)
}

/// A cluster that gives these answers in turn, and then repeats the last word: a reset connection.
pub(crate) fn in_turn(replies: Vec<Reply>) -> (Cluster, Log) {
    let replies = Mutex::new(replies.into_iter());
    cluster(move |_| replies.lock().unwrap().next().unwrap_or(Reply::Break))
}

async fn answer(reply: Reply) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, BoxError> {
    match reply {
        Reply::Answer(code, headers, body) => {
            let mut response = Response::builder().status(code);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.body(Full::new(Bytes::from(body)).boxed_unsync())?)
        }
        Reply::Break => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        Reply::Silence => std::future::pending().await,
        Reply::Lines(lines) => {
            let frames = lines.map(|line| Ok(Frame::data(Bytes::from(format!("{line}\n")))));
            Ok(Response::new(StreamBody::new(frames).boxed_unsync()))
        }
    }
}
