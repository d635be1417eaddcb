//! An API server of the tests' own, on a free port of this computer: a sandbox behind a door that wants a token, remembers everything that was asked,
//! and can fall silent.

use std::convert::Infallible;
use std::future::pending;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use vmmove::sandbox::catalog::Res;
use vmmove::sandbox::fault::{Fault, What};
use vmmove::sandbox::scenario;
use vmmove::sandbox::scenarios::Scenario;
use vmmove::sandbox::server::Sandbox;
use vmmove::sandbox::status::Status;
use vmmove::sandbox::store::Key;
use vmmove::sandbox::time::Scaled;

/// What the server wants to see in the `Authorization` header.
pub const TOKEN: &str = "t0ken";
const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
}

impl Asked {
    /// Whether it would change something: neither a look, nor a question, nor a dry run.
    fn writes(&self) -> bool {
        let question = ["/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/"].iter().any(|group| self.path.starts_with(group));
        self.method != "GET" && !question && !self.query.contains("dryRun=All")
    }
}

#[derive(Default)]
struct Door {
    token: &'static str,
    silent: bool,
    asked: Vec<Asked>,
}

/// The server.
#[derive(Clone)]
pub struct Api {
    pub url: String,
    /// The certificate to trust, in PEM, where it speaks TLS.
    pub authority: Option<String>,
    door: Arc<Mutex<Door>>,
    sandbox: Sandbox,
}

impl Api {
    /// Starts it with the usual scenario; it lives as long as the process.
    pub fn start() -> Self {
        Self::of("plain")
    }

    /// As [`Api::start`], with another scenario. Its token is that of the scenario's user.
    pub fn of(name: &str) -> Self {
        Self::listen(name, "http", None, None)
    }

    /// As [`Api::start`], behind TLS with a certificate that nobody knows yet.
    pub fn start_tls() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![signed.cert.der().clone()], key).unwrap();
        Self::listen("plain", "https", Some(TlsAcceptor::from(Arc::new(config))), Some(signed.cert.pem()))
    }

    fn listen(name: &str, scheme: &str, tls: Option<TlsAcceptor>, authority: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let reading = Scenario::named(name).unwrap().read().unwrap();
        let user = reading.header.user();
        let sandbox = Sandbox::of(scenario::play(1, NOW, reading).unwrap(), Arc::new(Scaled::new(NOW, 1)));
        let sandbox = user.map_or(sandbox.clone(), |user| sandbox.spoken_to_by(user));
        let door = Arc::new(Mutex::new(Door { token: TOKEN, ..Door::default() }));
        let api = Self { url, authority, door, sandbox };
        let shared = api.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.spawn(shared.sandbox.clone().live());
            runtime.block_on(shared.serve(listener, tls));
        });
        api
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// Gives an object another identity, as if somebody had deleted it and made it anew.
    pub fn make_anew(&self, kind: Res, namespace: &str, name: &str) {
        let key = Key::new(kind, namespace, name);
        self.sandbox.with(|world| {
            let mut object = Value::clone(world.store.get(&key).unwrap());
            object["metadata"]["uid"] = "made-anew".into();
            world.store.put(key, object);
        });
    }

    /// Refuses to list a kind in a namespace, with these words.
    pub fn forbid_list(&self, kind: Res, namespace: &str, words: &str) {
        let what = What::Refuse(Status::new(403, "Forbidden", words));
        let all = Fault { times: usize::MAX, ..Fault::of_all(0, what) };
        self.sandbox.misfortune().add(Fault { verb: "list".into(), plural: kind.plural.into(), namespace: namespace.into(), ..all });
    }

    /// Lets the user's token expire.
    pub fn expire_token(&self) {
        self.door.lock().unwrap().token = "another";
    }

    /// Lets every request wait for ever.
    pub fn fall_silent(&self) {
        self.door.lock().unwrap().silent = true;
    }

    /// Everything it was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.door.lock().unwrap().asked.clone()
    }

    /// The requests that would have changed something.
    pub fn writes(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(Asked::writes).collect()
    }

    async fn serve(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((socket, _)) = listener.accept().await {
            let (tls, api) = (tls.clone(), self.clone());
            tokio::spawn(async move {
                match tls {
                    None => api.speak(socket).await,
                    // Who does not trust the certificate hangs up.
                    Some(tls) => {
                        if let Ok(socket) = tls.accept(socket).await {
                            api.speak(socket).await;
                        }
                    }
                }
            });
        }
    }

    async fn speak(self, socket: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request| self.answer(request));
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
        let asked = Asked { method: request.method().to_string(), path, query, headers: request.headers().clone() };
        let (knows, silent) = {
            let mut door = self.door.lock().unwrap();
            let knows = asked.headers.get(AUTHORIZATION).is_some_and(|header| header == &format!("Bearer {}", door.token));
            door.asked.push(asked);
            (knows, door.silent)
        };
        if silent {
            pending::<()>().await;
        }
        if !knows {
            let status = Status::new(401, "Unauthorized", "Unauthorized");
            let answer = Response::builder().status(StatusCode::UNAUTHORIZED).body(Full::new(Bytes::from(status.0.to_string())));
            return Ok(answer.unwrap());
        }
        let (head, body) = self.sandbox.clone().oneshot(request).await.unwrap().into_parts();
        Ok(Response::from_parts(head, Full::new(body.collect().await.unwrap().to_bytes())))
    }
}
