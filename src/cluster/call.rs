//! One request to the API: time limit, retries of reads, warnings, and errors in plain words.
//!
//! Reads, reviews and dry runs are repeated when the server asks for it or the connection breaks. Writes never are: only the
//! caller knows how to find out whether the first one took effect.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, FutureExt, select};
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Method, Request, Response};
use kube::client::{Body, Client};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ApiError, Reason};
use super::request::Call;
use super::wait::{Topic, Watching};
use crate::engine::clock::{Clock, Rng};

/// How long a request may take, unless `--request-timeout` says otherwise. The server itself gives up after 60 s
/// (kubernetes/apiserver `--request-timeout`), and its words are better than ours.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(70);
/// How often a read is tried in all.
const ATTEMPTS: u32 = 5;
/// How long the pauses of one read may be together.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to one cluster as one user. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    client: Client,
    server: String,
    namespace: String,
    timeout: Option<Duration>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    warnings: Mutex<Warnings>,
    topics: Mutex<HashMap<Topic, Weak<Watching>>>,
}

/// Warnings that nobody took yet, and all there ever were: each is told once.
#[derive(Default)]
struct Warnings {
    fresh: Vec<String>,
    told: BTreeSet<String>,
}

/// What came back: the body and what the server wants the user to know.
pub(super) struct Answer {
    status: u16,
    body: Bytes,
    pub warnings: Vec<String>,
}

impl Answer {
    /// What the body says. A read without an answer in JSON is an error; a write may be answered with nothing.
    pub(super) fn read<T: DeserializeOwned + Default>(&self, call: &Call) -> Result<T, ApiError> {
        match serde_json::from_slice(&self.body) {
            Ok(said) if call.method != Method::GET || self.body.trim_ascii() != b"null" => Ok(said),
            Err(_) if call.method != Method::GET => Ok(T::default()),
            _ => Err(ApiError::new(
                Reason::Other,
                self.status,
                format!(
                    "the answer to {} is nothing of the Kubernetes API; something between here and the server may have answered instead",
                    call.path
                ),
            )),
        }
    }
}

impl Cluster {
    pub(super) fn new(client: Client, server: String, timeout: Option<Duration>, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        let timeout = timeout.or(Some(REQUEST_TIMEOUT)).filter(|limit| !limit.is_zero());
        let namespace = client.default_namespace().to_owned();
        let (warnings, topics) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { client, server, namespace, timeout, clock, rng, warnings, topics }))
    }

    /// A cluster behind a service in this process instead of a socket, for tests and the sandbox.
    pub fn from_service<S, B>(service: S, namespace: &str, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<tower::BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<tower::BoxError>,
    {
        Self::new(Client::new(service, namespace), "in-process".to_owned(), None, clock, rng)
    }

    /// The namespace of the context, where no `-n` says otherwise.
    pub fn default_namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The server's address as messages name it: `host:port`.
    pub fn server(&self) -> &str {
        &self.0.server
    }

    /// Whether both are one connection (and so one cluster and one user).
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What the server warned of since the last call, each sentence once per connection.
    pub fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner).fresh)
    }

    pub(super) fn remember(&self, warnings: Vec<String>) {
        let mut all = self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in warnings {
            if all.told.insert(warning.clone()) {
                all.fresh.push(warning);
            }
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(super) fn topics(&self) -> &Mutex<HashMap<Topic, Weak<Watching>>> {
        &self.0.topics
    }

    /// Between three and five quarters of a pause, so that many callers do not come back together.
    pub(super) fn jitter(&self, pause: Duration) -> Duration {
        let percent = u32::try_from(self.0.rng.next() % 51).unwrap_or_default();
        pause * (75 + percent) / 100
    }

    /// Sends a request; a read again when that may help. A write's warnings are collected for [`Cluster::warnings`]; those of a read speak of
    /// kinds that the tool looks at and the user never named.
    pub(super) async fn call(&self, call: &Call) -> Result<Value, ApiError> {
        let answer = self.call_aloud(call).await?;
        let said = answer.read(call);
        if !call.is_read {
            self.remember(answer.warnings);
        }
        said
    }

    /// As [`Cluster::call`], with the warnings handed back.
    pub(super) async fn call_aloud(&self, call: &Call) -> Result<Answer, ApiError> {
        let (mut attempt, mut waited) = (1, Duration::ZERO);
        loop {
            let asked = self.0.clock.elapsed();
            let error = match self.once(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // A server that is silent for as long as it was given is told, not asked again.
            let silent = self.0.timeout.is_some_and(|limit| self.0.clock.elapsed().saturating_sub(asked) >= limit);
            if silent || !call.is_read || !is_worth_repeating(&error) || attempt >= ATTEMPTS {
                return Err(error);
            }
            let pause = error.retry_after.unwrap_or_else(|| self.jitter(Duration::from_millis(250) * 2_u32.pow(attempt - 1)));
            if waited + pause > PATIENCE {
                return Err(error);
            }
            tracing::debug!(path = call.path, code = error.code, attempt, "reading again in {pause:?}");
            self.0.clock.sleep(pause).await;
            (attempt, waited) = (attempt + 1, waited + pause);
        }
    }

    async fn once(&self, call: &Call) -> Result<Answer, ApiError> {
        let exchange = self.exchange(call).boxed(); // Many requests side by side would make a large future of their caller.
        let Some(limit) = self.0.timeout else { return exchange.await };
        match select(exchange, self.0.clock.sleep(limit)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(ApiError::no_answer(&self.0.server, limit)),
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, ApiError> {
        let unreached = |error: kube::Error| ApiError::of_client(&error, &self.0.server);
        let response = self.0.client.send(call.request::<Body>()?).await.map_err(unreached)?;
        let (head, body) = response.into_parts();
        let body = body.collect_bytes().await.map_err(unreached)?;
        if !head.status.is_success() {
            return Err(ApiError::of_answer(head.status, &body, retry_after(&head.headers)));
        }
        let warnings = head.headers.get_all("warning").iter().filter_map(|value| warning_text(value.to_str().ok()?)).collect();
        Ok(Answer { status: head.status.as_u16(), body, warnings })
    }
}

/// A read is repeated on 429, 503 and 504, and when the connection broke; a refused connection is told at once.
fn is_worth_repeating(error: &ApiError) -> bool {
    matches!(error.code, 429 | 503 | 504) || (error.code == 0 && error.reason == Reason::Timeout)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The sentence of a `Warning: 299 - "..."` header (RFC 7234 §5.5).
fn warning_text(header: &str) -> Option<String> {
    let quoted = header.strip_prefix("299 ")?.split_once('"')?.1;
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some(text),
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
