//! The sandbox behind a socket of this computer, for kubectl and everything else that speaks to a cluster.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::identity::Identities;
use super::server::Sandbox;
use super::wire::Body;
use super::write::User;

/// `POST` here ends the sandbox, for whoever has a certificate of it.
pub const STOP: &str = "/sandbox/stop";

/// A socket that nobody is answered at yet.
pub struct Socket {
    listener: TcpListener,
    port: u16,
    identities: Arc<Identities>,
}

impl Socket {
    /// Takes a port of the loopback address; any free one for zero.
    ///
    /// # Errors
    /// The port is taken, or not to be had.
    pub async fn take(port: u16, identities: Identities) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port, identities: Arc::new(identities) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What leads kubectl here. It holds keys.
    pub fn kubeconfig(&self, namespace: &str) -> Value {
        self.identities.kubeconfig(&format!("https://127.0.0.1:{}", self.port), namespace)
    }

    /// Answers until something else happens, or somebody asks it to stop. True when it was asked.
    pub async fn serve(self, sandbox: Sandbox, until: impl Future<Output = ()>) -> bool {
        let stop = Arc::new(Notify::new());
        let acceptor = TlsAcceptor::from(self.identities.tls.clone());
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
                    tasks.spawn(connection(stream, acceptor.clone(), self.identities.clone(), sandbox.clone(), stop.clone()));
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, identities: Arc<Identities>, sandbox: Sandbox, stop: Arc<Notify>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let user = identities.who(stream.get_ref().1.peer_certificates());
    let sandbox = sandbox.spoken_to_by(user.clone().unwrap_or_else(nobody));
    let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
        let (sandbox, stop) = (sandbox.clone(), stop.clone());
        let ends = request.method() == Method::POST && request.uri().path() == STOP && user.is_some();
        async move {
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

/// Whoever shows no certificate.
fn nobody() -> User {
    User { name: "system:anonymous".to_owned(), groups: vec!["system:unauthenticated".to_owned()] }
}

fn stopping() -> Response<Body> {
    Response::new(Full::new(Bytes::from_static(b"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Success\"}")).boxed_unsync())
}
