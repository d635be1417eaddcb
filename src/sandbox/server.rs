//! The sandbox as a service: requests in, answers and streams out, while the cluster lives on beside them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::Notify;

use super::api::watch::Watch;
use super::api::{self, Reply, path};
use super::behaviour::SUBJECTS;
use super::fault::{Misfortune, What};
use super::time::Time;
use super::wire::{Body, once, taken_apart};
use super::world::World;
use super::write::User;

/// How long a watch runs that names no limit, and how often a silent one tells how far it is.
const WATCH: Duration = Duration::from_secs(1800);
const BOOKMARK: Duration = Duration::from_secs(60);
/// So long before its end a watch that may be resumed tells how far it is (kubernetes/apiserver `pkg/storage/cacher/cache_watcher.go`).
const FAREWELL: Duration = Duration::from_secs(2);

/// A cluster in this process. Cheap to clone; all clones are one cluster.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>, User);

struct Shared {
    world: Mutex<World>,
    time: Arc<dyn Time>,
    /// The version of the last change that was told to those who watch, in the order in which they began to wait.
    version: AtomicU64,
    changed: Arc<Notify>,
    /// Wakes the cluster's own life after a request.
    stir: Notify,
    misfortune: Misfortune,
}

impl Sandbox {
    /// An empty cluster whose story follows from the seed. It lives as long as somebody awaits [`Sandbox::live`].
    pub fn new(seed: u64, time: Arc<dyn Time>) -> Self {
        let world = World::new(seed, time.now(), SUBJECTS);
        Self::of(world, time)
    }

    /// A cluster that goes on from what somebody kept of another.
    pub fn of(world: World, time: Arc<dyn Time>) -> Self {
        let shared = Shared {
            world: Mutex::new(world),
            time,
            version: AtomicU64::default(),
            changed: Arc::default(),
            stir: Notify::new(),
            misfortune: Misfortune::default(),
        };
        Self(Arc::new(shared), User::admin())
    }

    /// The same cluster, which takes whoever sends requests for this user. Without it he is an administrator.
    #[must_use]
    pub fn spoken_to_by(&self, user: User) -> Self {
        Self(self.0.clone(), user)
    }

    /// Looks at the cluster from inside, or changes it: everybody is told of what changed.
    pub fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.0.lock();
        let seen = look(&mut world);
        self.0.tell(&world);
        seen
    }

    /// What goes wrong with requests, and which there were.
    pub fn misfortune(&self) -> &Misfortune {
        &self.0.misfortune
    }

    /// The cluster's own life: does what is due, for ever.
    pub async fn live(self) {
        loop {
            let mut stirred = std::pin::pin!(self.0.stir.notified());
            stirred.as_mut().enable();
            let (due, now) = {
                let mut world = self.0.lock();
                let due = world.advance(self.0.time.now());
                self.0.hear(&world);
                (due, world.now())
            };
            let pause = due.map(|due| Duration::try_from(due.duration_since(now)).unwrap_or_default());
            tokio::select! {
                biased;
                () = stirred => {}
                () = self.0.time.sleep(pause.unwrap_or(WATCH)) => {}
            }
        }
    }

    async fn answer<B>(self, request: Request<B>) -> io::Result<Response<Body>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        let Some(call) = taken_apart(request, &self.1).await else { return Err(io::ErrorKind::ConnectionReset.into()) };
        let version = self.0.lock().store.version();
        let what = self.0.misfortune.meets(api::seen(&call), version);
        match &what {
            Some(What::Refuse(status)) => return Ok(once(status.code(), &(*status.0).clone().into(), &[])),
            Some(What::LoseRequest) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(What::Delay(time)) => self.0.time.sleep(*time).await,
            Some(What::CrashBefore) => return self.crash().await,
            Some(What::CutWatches) => self.0.misfortune.cut_watches(),
            Some(What::Twice) => drop(self.done(&call)),
            Some(What::Late(time)) => {
                let (late, time) = (self.clone(), *time);
                tokio::spawn(async move {
                    late.0.time.sleep(time).await;
                    late.done(&call);
                });
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Some(What::Hold) => self.0.misfortune.hold().await,
            Some(What::LoseReply | What::CrashAfter) | None => {}
        }
        let reply = self.done(&call);
        match (what, reply) {
            (Some(What::LoseReply), _) => Err(io::ErrorKind::ConnectionReset.into()),
            (Some(What::CrashAfter), _) => self.crash().await,
            (_, Reply::Once { code, body, warnings }) => Ok(once(code, &body, &warnings)),
            (_, Reply::Stream(watch)) => Ok(self.stream(*watch, &call.query)),
        }
    }

    /// Does what a request asks for, now.
    fn done(&self, call: &api::Call) -> Reply {
        let mut world = self.0.lock();
        world.advance(self.0.time.now());
        let reply = api::answer(&mut world, call);
        self.0.tell(&world);
        reply
    }

    /// Whoever runs the sender is told to let it die; it hears nothing.
    async fn crash<T>(self) -> T {
        self.0.misfortune.crashes.send_modify(|crashes| *crashes += 1);
        std::future::pending().await
    }

    fn stream(self, watch: Watch, query: &path::Query) -> Response<Body> {
        let limit = query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok()).map_or(WATCH, Duration::from_secs);
        let end = self.0.time.now() + limit;
        let cuts = self.0.misfortune.cuts.load(Ordering::Relaxed);
        let lines = stream::unfold(Some((self, watch)), move |state| async move {
            let (sandbox, mut watch) = state?;
            loop {
                let mut changed = std::pin::pin!(sandbox.0.changed.clone().notified_owned());
                let mut cut = std::pin::pin!(sandbox.0.misfortune.cut.clone().notified_owned());
                // Before looking: what happens in between is heard.
                changed.as_mut().enable();
                cut.as_mut().enable();
                if sandbox.0.misfortune.cuts.load(Ordering::Relaxed) != cuts {
                    return None;
                }
                let lines = watch.lines(&sandbox.0.lock());
                let rest = Duration::try_from(end.duration_since(sandbox.0.time.now())).unwrap_or_default();
                let frame = |text: String| Ok(Frame::data(Bytes::from(text)));
                match lines {
                    None => return None,
                    Some(lines) if !lines.is_empty() => return Some((frame(lines.concat()), Some((sandbox, watch)))),
                    Some(_) if rest.is_zero() => return None,
                    Some(_) => {}
                }
                let pause = rest.checked_sub(FAREWELL).filter(|pause| !pause.is_zero()).map_or(rest, |pause| pause.min(BOOKMARK));
                tokio::select! {
                    biased;
                    () = changed => {}
                    () = cut => return None,
                    () = sandbox.0.time.sleep(pause) => {
                        if let Some(line) = watch.mark().filter(|_| sandbox.0.time.now() < end) {
                            return Some((frame(line), Some((sandbox, watch))));
                        }
                    }
                }
            }
        });
        let mut response = Response::new(StreamBody::new(lines).boxed_unsync());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, world: &World) {
        self.hear(world);
        self.stir.notify_waiters();
    }

    fn hear(&self, world: &World) {
        let version = world.store.version();
        if self.version.swap(version, Ordering::Relaxed) != version {
            self.changed.notify_waiters();
        }
    }
}

impl<B> tower::Service<Request<B>> for Sandbox
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Send,
{
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let sandbox = self.clone();
        Box::pin(sandbox.answer(request))
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
