//! Tells each request, for `-v`: method, URL, status and time; one level up, the headers too. The lowest layer of the stack, so that it sees
//! what goes out on the wire. It never looks at a body, and of headers it shows only those that are known to hold no secret.
//!
//! Off, it costs one look at whether anybody listens. The levels are kubectl's: k8s.io/client-go `transport/round_trippers.go` (DebugWrappers).

use std::fmt::Display;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, FutureExt};
use http::header::HeaderMap;
use http::{Request, Response, Uri};
use tower::{Layer, Service};

use crate::engine::clock::Clock;

/// The headers whose values are shown. All others may be credentials, today or after the next proxy.
const SHOWN: [&str; 10] = [
    "accept",
    "accept-encoding",
    "audit-id",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "impersonate-user",
    "retry-after",
    "user-agent",
];

/// Puts [`Told`] around a service.
#[derive(Clone)]
pub(super) struct Tell(pub Arc<dyn Clock>);

impl<S> Layer<S> for Tell {
    type Service = Told<S>;

    fn layer(&self, inner: S) -> Told<S> {
        Told { inner, clock: self.0.clone() }
    }
}

/// A service whose requests are told.
#[derive(Clone)]
pub(super) struct Told<S> {
    inner: S,
    clock: Arc<dyn Clock>,
}

impl<S, Sent, Got> Service<Request<Sent>> for Told<S>
where
    S: Service<Request<Sent>, Response = Response<Got>>,
    S::Future: Send + 'static,
    S::Error: Display,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Sent>) -> Self::Future {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return Either::Left(self.inner.call(request));
        }
        let line = format!("{} {}", request.method(), address(request.uri()));
        tracing::trace!("{line} with {}", headers(request.headers()));
        let (clock, began) = (self.clock.clone(), self.clock.elapsed());
        let answer = self.inner.call(request);
        Either::Right(
            async move {
                let answer = answer.await;
                let took = clock.elapsed().saturating_sub(began).as_millis();
                match &answer {
                    Ok(answer) => {
                        tracing::debug!("{line} {} in {took} ms", answer.status());
                        tracing::trace!("{line} answered with {}", headers(answer.headers()));
                    }
                    Err(error) => tracing::debug!("{line} failed in {took} ms: {error}"),
                }
                answer
            }
            .boxed(),
        )
    }
}

/// A URL without the name and password that may stand before its host.
fn address(uri: &Uri) -> String {
    let host = uri.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    let server = uri.scheme_str().zip(host).map(|(scheme, host)| format!("{scheme}://{host}"));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("{}{path}", server.unwrap_or_default())
}

/// `accept: application/json, authorization: <hidden>`.
fn headers(all: &HeaderMap) -> String {
    let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = value.to_str().ok().filter(|_| SHOWN.contains(&name.as_str())).unwrap_or("<hidden>");
        format!("{name}: {value}")
    };
    all.iter().map(shown).collect::<Vec<_>>().join(", ")
}
