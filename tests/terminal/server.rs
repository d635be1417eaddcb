//! An API server of the tests' own, on a free port of this computer. It lists the objects of `shop.yaml`, says yes to every right, and tries
//! what it is asked to try. It changes nothing, and remembers everything that it was asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

/// What the server wants to see in the `Authorization` header.
pub const TOKEN: &str = "t0ken";

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
struct State {
    objects: BTreeMap<String, Value>,
    /// Answers to requests whose method and path end so: `GET /virtualmachines`.
    special: Vec<(&'static str, u16, &'static str, &'static str)>,
    /// Rights that the user does not have: `create virtualmachines`.
    denied: Vec<&'static str>,
    /// API groups that are not installed, with those below them.
    absent: Vec<&'static str>,
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
    state: Arc<Mutex<State>>,
}

impl Api {
    /// Starts it; it lives as long as the process.
    pub fn start() -> Self {
        Self::listen("http", None, None)
    }

    /// As [`Api::start`], behind TLS with a certificate that nobody knows yet.
    pub fn start_tls() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![signed.cert.der().clone()], key).unwrap();
        Self::listen("https", Some(TlsAcceptor::from(Arc::new(config))), Some(signed.cert.pem()))
    }

    fn listen(scheme: &str, tls: Option<TlsAcceptor>, authority: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let objects: Vec<Value> = serde_saphyr::from_multiple(include_str!("shop.yaml")).unwrap();
        let objects = objects.into_iter().map(|object| (path_of(&object), object)).collect();
        let state = Arc::new(Mutex::new(State { objects, token: TOKEN, ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serve(listener, tls, shared));
        });
        Self { url, authority, state }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// Changes an object as somebody else would.
    pub fn change(&self, path: &str, pointer: &str, value: Value) {
        let mut state = self.state.lock().unwrap();
        *state.objects.get_mut(path).unwrap().pointer_mut(pointer).unwrap() = value;
    }

    /// Answers requests such as `GET /namespaces/shop/virtualmachines` with a failure.
    pub fn refuse(&self, request: &'static str, code: u16, reason: &'static str, message: &'static str) {
        self.state.lock().unwrap().special.push((request, code, reason, message));
    }

    /// Says no to a right: `create virtualmachines`.
    pub fn deny(&self, right: &'static str) {
        self.state.lock().unwrap().denied.push(right);
    }

    /// Takes an API group away, with those below it: `kubevirt.io`.
    pub fn uninstall(&self, group: &'static str) {
        self.state.lock().unwrap().absent.push(group);
    }

    /// Lets the user's token expire.
    pub fn expire_token(&self) {
        self.state.lock().unwrap().token = "another";
    }

    /// Lets every request wait for ever.
    pub fn fall_silent(&self) {
        self.state.lock().unwrap().silent = true;
    }

    /// Everything it was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// The requests that would have changed something.
    pub fn writes(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(Asked::writes).collect()
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((socket, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), state.clone());
        tokio::spawn(async move {
            match tls {
                None => speak(socket, state).await,
                // Who does not trust the certificate hangs up.
                Some(tls) => {
                    if let Ok(socket) = tls.accept(socket).await {
                        speak(socket, state).await;
                    }
                }
            }
        });
    }
}

async fn speak(socket: impl AsyncRead + AsyncWrite + Unpin, state: Arc<Mutex<State>>) {
    let service = service_fn(|request| answer(request, &state));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

async fn answer(request: Request<Incoming>, state: &Mutex<State>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
    let asked = Asked { method: head.method.to_string(), path, query, headers: head.headers };
    let (code, text, silent) = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked.clone());
        let (code, text) = state.reply(&asked, &serde_json::from_slice(&body).unwrap_or(Value::Null));
        (code, text, state.silent)
    };
    if silent {
        pending::<()>().await;
    }
    Ok(Response::builder().status(code).body(Full::new(Bytes::from(text))).unwrap())
}

fn status(code: u16, reason: &str, message: &str) -> (u16, String) {
    (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}).to_string())
}

impl State {
    fn reply(&self, asked: &Asked, body: &Value) -> (u16, String) {
        if asked.headers.get(AUTHORIZATION).is_none_or(|header| header != &format!("Bearer {}", self.token)) {
            return status(401, "Unauthorized", "Unauthorized");
        }
        let line = format!("{} {}", asked.method, asked.path);
        let meant = |request: &str| request.split_once(' ').is_some_and(|(method, path)| asked.method == method && line.ends_with(path));
        if let Some((_, code, reason, message)) = self.special.iter().find(|(request, ..)| meant(request)) {
            return status(*code, reason, message);
        }
        let group = asked.path.strip_prefix("/apis/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if self.absent.iter().any(|absent| group.ends_with(absent)) {
            return (404, "404 page not found\n".to_owned());
        }
        let ok = |value: Value| (200, value.to_string());
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/version") => ok(json!({"gitVersion": "v1.36.2"})),
            ("GET", "/apis/snapshot.storage.k8s.io") => ok(json!({"preferredVersion": {"version": "v1"}})),
            ("GET", path) => self.look(path),
            ("POST", path) if path.ends_with("/selfsubjectreviews") => ok(json!({"status": {"userInfo": {"username": "alice"}}})),
            ("POST", path) if path.ends_with("/selfsubjectaccessreviews") => {
                let of = |key: &str| body["spec"]["resourceAttributes"][key].as_str().unwrap_or_default().to_owned();
                let right = format!("{} {}", of("verb"), of("resource"));
                ok(json!({"status": {"allowed": !self.denied.contains(&right.as_str())}}))
            }
            ("POST", path) if path.ends_with("/selfsubjectrulesreviews") => {
                ok(json!({"status": {"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}))
            }
            ("POST", _) if !asked.writes() => ok(body.clone()),
            _ => status(405, "MethodNotAllowed", "this server changes nothing"),
        }
    }

    /// An object or a list, by its path.
    fn look(&self, path: &str) -> (u16, String) {
        let segments: Vec<&str> = path.split('/').skip(if path.starts_with("/api/") { 3 } else { 4 }).collect();
        let (in_namespace, plural) = match segments.as_slice() {
            [plural] => (false, *plural),
            ["namespaces", _, plural] => (true, *plural),
            _ => {
                let found = self.objects.get(path).map(|object| (200, object.to_string()));
                return found.unwrap_or_else(|| status(404, "NotFound", "not found"));
            }
        };
        let root = path.strip_suffix(plural).unwrap();
        let is_listed = |known: &str| {
            let folder = known.rsplit_once('/').unwrap().0;
            if in_namespace { folder == path } else { folder.starts_with(root) && folder.rsplit('/').next() == Some(plural) }
        };
        let items: Vec<&Value> = self.objects.iter().filter(|(known, _)| is_listed(known)).map(|(_, object)| object).collect();
        (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "100"}, "items": items}).to_string())
    }
}

/// Where an object is served. The plurals in use follow the rule.
fn path_of(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (version, kind, name) = (text("/apiVersion").unwrap(), text("/kind").unwrap().to_lowercase(), text("/metadata/name").unwrap());
    let root = if version.contains('/') { "apis" } else { "api" };
    let plural = if kind.ends_with('s') { format!("{kind}es") } else { format!("{kind}s") };
    match text("/metadata/namespace") {
        Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}/{name}"),
        None => format!("/{root}/{version}/{plural}/{name}"),
    }
}
