//! A proxy in front of the API server that counts requests and breaks some of them.
//!
//! It ends the caller's TLS, so a client certificate does not get past it: its kubeconfig carries the token of a service
//! account, and the proxy forwards that as it is. Answers are streamed, and watches with them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Lab;
use super::access::{Credentials, write_kubeconfig};
use super::certificates::Identity;
use super::faults::Rule;
pub use super::faults::{Fault, Request, When};
use super::objects::PROXY_ACCOUNT;

/// A proxy of one test. Dropping it ends it and all its connections.
pub struct Proxy {
    traffic: Arc<Traffic>,
    kubeconfig: PathBuf,
    listener: JoinHandle<()>,
}

/// What came by so far and what shall happen to what comes.
struct Traffic {
    upstream: Client,
    requests: Mutex<Vec<Request>>,
    rules: Mutex<Vec<Arc<Rule>>>,
    /// Tells the connections that are open to break.
    hang_up: Notify,
}

impl Lab {
    /// A new proxy whose kubeconfig is an administrator's.
    pub async fn proxy(&self) -> Result<Proxy> {
        self.proxy_for("kube-system", PROXY_ACCOUNT).await
    }

    /// A new proxy whose kubeconfig is a service account's.
    pub async fn proxy_for(&self, namespace: &str, account: &str) -> Result<Proxy> {
        let token = Credentials::Token(self.token(namespace, account).await?);
        let mut config = kube::Config::new(self.layout.server().parse()?);
        config.root_cert_file = Some(self.layout.pki("ca.crt").into());
        // The caller shall see each failure, and retry itself.
        config.default_retry = false;
        let traffic = Traffic { upstream: Client::try_from(config)?, requests: Mutex::default(), rules: Mutex::default(), hang_up: Notify::new() };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let kubeconfig = self.layout.kubeconfig(&format!("proxy-{}", address.port()));
        write_kubeconfig(&kubeconfig, &format!("https://{address}"), self.certificates.cluster_ca(), &token)?;
        let tls = acceptor(&self.certificates.server("lab-proxy")?)?;
        let traffic = Arc::new(traffic);
        let listener = tokio::spawn(listen(listener, tls, traffic.clone()));
        Ok(Proxy { traffic, kubeconfig, listener })
    }
}

impl Proxy {
    /// The kubeconfig that leads through this proxy.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.traffic.requests).clone()
    }

    /// The requests that changed something, or tried to.
    pub fn writes(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::writes).collect()
    }

    /// Starts counting anew.
    pub fn forget(&self) {
        lock(&self.traffic.requests).clear();
    }

    /// Adds a rule. Of several that hit the same request, the first one counts.
    pub fn spoil(&self, when: When, matching: impl Fn(&Request) -> bool + Send + Sync + 'static, fault: Fault) {
        let rule = Rule { when, matching: Box::new(matching), fault, met: AtomicUsize::new(0) };
        lock(&self.traffic.rules).push(Arc::new(rule));
    }

    /// Breaks all connections that are open, watches too.
    pub fn hang_up(&self) {
        self.traffic.hang_up.notify_waiters();
    }

    /// Forgets all rules.
    pub fn behave(&self) {
        lock(&self.traffic.rules).clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(listener: TcpListener, tls: TlsAcceptor, traffic: Arc<Traffic>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)): io::Result<(TcpStream, SocketAddr)> = accepted else { continue };
                connections.spawn(serve(stream, tls.clone(), traffic.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection. What breaks it concerns its caller only.
async fn serve(stream: TcpStream, tls: TlsAcceptor, traffic: Arc<Traffic>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(|request| traffic.pass(request));
    tokio::select! {
        _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service) => {}
        () = traffic.hang_up.notified() => {}
    }
}

impl Traffic {
    /// Passes a request on, unless a rule says otherwise. An error breaks the connection.
    async fn pass(&self, request: http::Request<Incoming>) -> Result<Response<Body>> {
        let seen = Request::of(&request);
        lock(&self.requests).push(seen.clone());
        let rules = lock(&self.rules).clone();
        // Every rule counts, also one that comes too late to act.
        let hits: Vec<_> = rules.iter().filter(|rule| rule.hits(&seen)).collect();
        let fault = hits.first().map(|rule| &rule.fault);
        match fault {
            Some(Fault::CutBefore) => anyhow::bail!("cut before the server"),
            Some(Fault::Delay(time)) => tokio::time::sleep(*time).await,
            Some(Fault::Answer(code, reason)) => return refusal(*code, reason),
            Some(Fault::Before(call)) => call(&seen),
            Some(Fault::CutAfter | Fault::After(_)) | None => {}
        }
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        let answer = self.upstream.send(http::Request::from_parts(head, Body::from(body))).await?;
        seen.answered(answer.status());
        match fault {
            Some(Fault::CutAfter) => anyhow::bail!("cut after the server"),
            Some(Fault::After(call)) => call(&seen),
            _ => {}
        }
        Ok(answer)
    }
}

/// What the API server says when it refuses something.
fn refusal(code: StatusCode, reason: &str) -> Result<Response<Body>> {
    let status = json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": "the lab refuses this request", "reason": reason, "code": code.as_u16()});
    let answer = Response::builder().status(code).header(CONTENT_TYPE, "application/json");
    Ok(answer.body(Body::from(serde_json::to_vec(&status)?))?)
}

fn acceptor(identity: &Identity) -> Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).context("the proxy's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).context("the proxy's key")?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
