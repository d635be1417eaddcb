//! The sandbox behind a socket of this computer, for kubectl and everything else that speaks to a cluster.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::identity::Identities;
use super::server::Sandbox;
use super::wire::Body;
use super::write::User;

/// `POST` here ends the sandbox, for whoever is known to it.
pub const STOP: &str = "/sandbox/stop";

/// How those who come are told apart.
pub enum Door {
    /// By their certificates, over TLS.
    Tls(Identities),
    /// Not at all, over plain HTTP: whoever comes is this one.
    Open(User),
}

impl Door {
    fn kubeconfig(&self, port: u16, namespace: &str) -> Value {
        match self {
            Self::Tls(identities) => identities.kubeconfig(&format!("https://127.0.0.1:{port}"), namespace),
            Self::Open(_) => json!({
                "apiVersion": "v1", "kind": "Config", "current-context": "sandbox",
                "clusters": [{"name": "sandbox", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
                "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "", "namespace": namespace}}],
                "users": [],
            }),
        }
    }
}

/// A socket that nobody is answered at yet.
pub struct Socket {
    listener: TcpListener,
    port: u16,
    door: Arc<Door>,
}

impl Socket {
    /// Takes a port of the loopback address; any free one for zero.
    ///
    /// # Errors
    /// The port is taken, or not to be had.
    pub async fn take(port: u16, door: Door) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port, door: Arc::new(door) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What leads kubectl here. It holds keys.
    pub fn kubeconfig(&self, namespace: &str) -> Value {
        self.door.kubeconfig(self.port, namespace)
    }

    /// Answers until something else happens, or somebody asks it to stop. True when it was asked.
    pub async fn serve(self, sandbox: Sandbox, until: impl Future<Output = ()>) -> bool {
        let stop = Arc::new(Notify::new());
        // All of it ends when this goes.
        let mut tasks = JoinSet::new();
        tasks.spawn(sandbox.clone().live());
        let mut until = std::pin::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return false,
                () = stop.notified() => {
                    // Whoever asked hears that it was heard.
                    while tasks.try_join_next().is_some() {}
                    tokio::task::yield_now().await;
                    return true;
                }
                accepted = self.listener.accept() => if let Ok((stream, _)) = accepted {
                    tasks.spawn(connection(stream, self.door.clone(), sandbox.clone(), stop.clone()));
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }
}

async fn connection(stream: TcpStream, door: Arc<Door>, sandbox: Sandbox, stop: Arc<Notify>) {
    let _ = stream.set_nodelay(true);
    match &*door {
        Door::Tls(identities) => {
            let Ok(stream) = TlsAcceptor::from(identities.tls.clone()).accept(stream).await else { return };
            let user = identities.who(stream.get_ref().1.peer_certificates());
            conversation(stream, user, false, sandbox, stop).await;
        }
        Door::Open(user) => conversation(stream, Some(user.clone()), true, sandbox, stop).await,
    }
}

/// Where everybody is let in, only for those who name this computer: a page in a browser may have a name of its own lead here.
async fn conversation(stream: impl AsyncRead + AsyncWrite + Unpin, user: Option<User>, open: bool, sandbox: Sandbox, stop: Arc<Notify>) {
    let sandbox = sandbox.spoken_to_by(user.clone().unwrap_or_else(nobody));
    let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
        let (sandbox, stop) = (sandbox.clone(), stop.clone());
        let refused = open && !names_this_computer(&request);
        let ends = request.method() == Method::POST && request.uri().path() == STOP && user.is_some();
        async move {
            if refused {
                return Ok(elsewhere());
            }
            if !ends {
                return sandbox.oneshot(request).await;
            }
            stop.notify_one();
            Ok(stopping())
        }
    });
    // What ends a connection is told to the one who opened it; there is nobody else to tell.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).await);
}

fn names_this_computer(request: &Request<hyper::body::Incoming>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    matches!(host.rsplit_once(':').map_or(host, |(name, _)| name), "127.0.0.1" | "localhost")
}

fn elsewhere() -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"this sandbox answers only as 127.0.0.1 and localhost\n")).boxed_unsync());
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response
}

/// Whoever shows no certificate.
fn nobody() -> User {
    User { name: "system:anonymous".to_owned(), groups: vec!["system:unauthenticated".to_owned()] }
}

fn stopping() -> Response<Body> {
    Response::new(Full::new(Bytes::from_static(b"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Success\"}")).boxed_unsync())
}
