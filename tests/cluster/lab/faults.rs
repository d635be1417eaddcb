//! What the proxy knows of a request, and the rules that spoil some of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode};

/// A request that came by.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub agent: String,
    status: Arc<OnceLock<StatusCode>>,
}

impl Request {
    pub(super) fn of<B>(request: &http::Request<B>) -> Self {
        let agent = request.headers().get(http::header::USER_AGENT);
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            agent: agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned()).unwrap_or_default(),
            status: Arc::default(),
        }
    }

    pub(super) fn answered(&self, status: StatusCode) {
        // A request is answered once: there is no earlier answer to lose.
        let _ = self.status.set(status);
    }

    /// The server's answer, once there is one, also when the caller never saw it.
    pub fn status(&self) -> Option<StatusCode> {
        self.status.get().copied()
    }

    pub fn dry_run(&self) -> bool {
        self.query.split('&').any(|each| each.starts_with("dryRun="))
    }

    pub fn watches(&self) -> bool {
        self.query.split('&').any(|each| each == "watch=true" || each == "watch=1")
    }

    /// Whether it changes something: not a read, not a dry run, not a question in the form of a POST.
    pub fn writes(&self) -> bool {
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&self.method);
        let asks = self.path.starts_with("/apis/authorization.k8s.io/") || self.path.starts_with("/apis/authentication.k8s.io/");
        !reads && !asks && !self.dry_run()
    }
}

/// Which of the matching requests a rule spoils.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Counted from 1.
    Nth(usize),
    Every,
}

/// What a test wants to happen at a request.
pub type Call = Box<dyn Fn(&Request) + Send + Sync>;

/// What happens to a request.
pub enum Fault {
    /// The connection breaks and the server never hears of the request.
    CutBefore,
    /// The server does what it was asked, and the connection breaks before its answer.
    CutAfter,
    Delay(Duration),
    /// An answer that the server did not give, with the reason of Kubernetes' `Status`, like `Conflict`.
    Answer(StatusCode, &'static str),
    /// A call before the server hears of the request.
    Before(Call),
    /// A call when the server has answered and the caller does not know yet.
    After(Call),
}

/// A fault and the requests it is for.
pub(super) struct Rule {
    pub when: When,
    pub matching: Box<dyn Fn(&Request) -> bool + Send + Sync>,
    pub fault: Fault,
    pub met: AtomicUsize,
}

impl Rule {
    /// Counts the request if it matches, and tells whether it is the one.
    pub fn hits(&self, request: &Request) -> bool {
        if !(self.matching)(request) {
            return false;
        }
        let number = self.met.fetch_add(1, Ordering::SeqCst) + 1;
        match self.when {
            When::Nth(wanted) => number == wanted,
            When::Every => true,
        }
    }
}
