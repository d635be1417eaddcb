//! Stories of connecting: files, flags, proxies, and everything that goes wrong before the first answer.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;

use tower::Service as _;

use super::*;
use crate::cluster::proxy::ProxySettings;
use crate::model::failure::FailureKind;

/// Writes a kubeconfig with one context of this name, whose user is this YAML, and says where.
fn kubeconfig(dir: &Path, context: &str, server: &str, user: &str) -> PathBuf {
    let path = dir.join(format!("{context}.yaml"));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {context}\ncontexts: [{{name: {context}, context: {{cluster: {context}, user: {context}, \
         namespace: {context}-shop}}}}]\nclusters: [{{name: {context}, cluster: {{server: '{server}'}}}}]\nusers: [{{name: {context}, user: {user}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn around(files: Vec<PathBuf>) -> Surroundings {
    Surroundings { files, ..Surroundings::default() }
}

async fn connected(ask: &Connect, around: &Surroundings) -> Result<Cluster, Failure> {
    open(ask, around, Arc::new(System::new())).await
}

/// The words for a failure of the first request, or of connecting.
async fn first_words(ask: &Connect, around: &Surroundings) -> String {
    match connected(ask, around).await {
        Ok(cluster) => Failure::from(cluster.raw("/version").await.unwrap_err()).message,
        Err(failure) => failure.message,
    }
}

#[tokio::test]
async fn small_writes_go_out_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    assert!(stack::plain().call(uri).await.unwrap().inner().nodelay().unwrap());
}

#[tokio::test]
async fn the_first_file_to_name_a_context_wins_and_missing_files_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let one = kubeconfig(dir.path(), "one", "https://one.example:6443", "{}");
    let two = kubeconfig(dir.path(), "two", "https://two.example", "{}");
    let around = around(vec![dir.path().join("absent"), one, two]);
    let cluster = connected(&Connect::default(), &around).await.unwrap();
    assert_eq!((cluster.server(), cluster.default_namespace()), ("one.example:6443", "one-shop"));
    let by_flag = Connect { context: Some("two".into()), namespace: Some("prod".into()), ..Connect::default() };
    let cluster = connected(&by_flag, &around).await.unwrap();
    assert_eq!((cluster.server(), cluster.default_namespace()), ("two.example:443", "prod"));
}

#[tokio::test]
async fn an_unknown_context_is_named_with_those_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let around =
        around(vec![kubeconfig(dir.path(), "staging", "https://a.example", "{}"), kubeconfig(dir.path(), "production", "https://b.example", "{}")]);
    let ask = Connect { context: Some("stagin".into()), ..Connect::default() };
    let failure = connected(&ask, &around).await.err().unwrap();
    assert_eq!(failure.message, "Error in configuration: context was not found for specified context: stagin");
    assert_eq!(failure.hints, ["the kubeconfig has staging, production"]);
    assert_eq!(failure.kind, FailureKind::Error);
}

#[tokio::test]
async fn without_a_kubeconfig_the_places_that_were_looked_at_are_named() {
    let home = Surroundings { home: Some("/homes/ada".into()), ..Surroundings::default() };
    let words = first_words(&Connect::default(), &home).await;
    assert_eq!(words, "Missing or incomplete configuration info: no kubeconfig at /homes/ada/.kube/config");
    let ask = Connect { kubeconfig: Some("/nowhere/config".into()), ..Connect::default() };
    assert_eq!(first_words(&ask, &home).await, "stat /nowhere/config: no such file or directory");
}

#[tokio::test]
async fn a_broken_kubeconfig_is_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config");
    std::fs::write(&path, "users:\n- name: x\n  user: {token: hunter2\n").unwrap();
    let words = first_words(&Connect { kubeconfig: Some(path), ..Connect::default() }, &Surroundings::default()).await;
    assert!(words.contains("it is not a kubeconfig in YAML, as line 3 shows") && !words.contains("hunter2"), "{words}");
}

#[tokio::test]
async fn a_server_by_flag_needs_no_kubeconfig() {
    let ask = Connect { server: Some("https://api.example:6443".into()), token: Some("t".into()), ..Connect::default() };
    assert_eq!(connected(&ask, &Surroundings::default()).await.unwrap().server(), "api.example:6443");
}

#[test]
fn flags_lie_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file =
        kubeconfig(dir.path(), "one", "https://one.example", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: nonsense}, as: bob}");
    let ask = Connect {
        token: Some("t".into()),
        impersonate: Some("alice".into()),
        impersonate_groups: vec!["admins".into()],
        insecure: true,
        tls_server_name: Some("kubernetes".into()),
        ..Connect::default()
    };
    let config = configure(&ask, &around(vec![file])).unwrap();
    assert!(config.auth_info.exec.is_none() && config.auth_info.token.is_some() && config.accept_invalid_certs);
    assert_eq!(config.auth_info.impersonate.as_deref(), Some("alice"));
    assert_eq!(config.auth_info.impersonate_groups.as_deref(), Some(&["admins".to_owned()][..]));
    assert_eq!(config.tls_server_name.as_deref(), Some("kubernetes"));
}

#[test]
fn a_malformed_no_proxy_does_not_stop_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let proxy = ProxySettings { https: "http://proxy.example:3128".into(), http: String::new(), no_proxy: "api.example,".into() };
    let around = |server| Surroundings { proxy: proxy.clone(), ..around(vec![kubeconfig(dir.path(), "one", server, "{}")]) };
    assert_eq!(configure(&Connect::default(), &around("https://api.example")).unwrap().proxy_url, None);
    assert!(configure(&Connect::default(), &around("https://other.example")).unwrap().proxy_url.is_some());
}

#[tokio::test]
async fn a_proxy_is_told_the_server_and_the_name_to_let_through() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let length = std::io::Read::read(&mut socket, &mut request).unwrap();
        socket.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let proxy = ProxySettings { https: format!("http://ada:p%40ss@{proxy}"), ..ProxySettings::default() };
    let ask = Connect { server: Some("https://api.example:6443".into()), ..Connect::default() };
    let words = first_words(&ask, &Surroundings { proxy, ..Surroundings::default() }).await;
    assert!(words.starts_with("Unable to connect to the server: proxyconnect: "), "{words}");
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("CONNECT api.example:6443 ") && heard.contains("Basic YWRhOnBAc3M="), "{heard}");
}

#[tokio::test]
async fn a_token_file_may_end_in_a_new_line() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "abc\n").unwrap();
    let file = kubeconfig(dir.path(), "one", "https://one.example", &format!("{{tokenFile: {}}}", token.display()));
    assert!(configure(&Connect::default(), &around(vec![file])).unwrap().auth_info.token.is_some());
}

#[tokio::test]
async fn a_refused_connection_is_told_as_kubectl_tells_it() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ask = Connect { server: Some(format!("http://127.0.0.1:{port}")), ..Connect::default() };
    let words = first_words(&ask, &Surroundings::default()).await;
    assert_eq!(words, format!("The connection to the server 127.0.0.1:{port} was refused - did you specify the right host or port?"));
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_said_to_be_one() {
    let ask = Connect { server: Some("https://api.invalid:6443".into()), ..Connect::default() };
    let words = first_words(&ask, &Surroundings::default()).await;
    assert_eq!(words, "Unable to connect to the server: lookup api.invalid: no such host");
}

#[tokio::test]
async fn an_untrusted_certificate_is_told_apart_from_a_wrong_name() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let signed = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, signed.cert.pem()).unwrap();
    let stranger = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (wrong_name, unknown) = (tls_server(&signed), tls_server(&stranger));
    let ask = |port| Connect { server: Some(format!("https://127.0.0.1:{port}")), certificate_authority: Some(ca.clone()), ..Connect::default() };
    let words = first_words(&ask(unknown), &Surroundings::default()).await;
    assert_eq!(words, "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority");
    let words = first_words(&ask(wrong_name), &Surroundings::default()).await;
    assert_eq!(words, "Unable to connect to the server: tls: failed to verify certificate: x509: certificate is not valid for 127.0.0.1");
}

fn tls(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> rustls::ServerConfig {
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![key.cert.der().clone()], private).unwrap()
}

/// A TLS server on loopback that shakes one hand; its port.
fn tls_server(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
    let config = tls(key);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let _ = connection.complete_io(&mut socket);
        let _ = socket.flush();
    });
    port
}

#[tokio::test]
async fn requests_side_by_side_share_one_connection_to_a_server_that_speaks_http_2() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, signed.cert.pem()).unwrap();
    let mut config = tls(&signed);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap());
    let connections = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let accepted = connections.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let stream = hyper_util::rt::TokioIo::new(acceptor.accept(socket).await.unwrap());
            let answer = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                assert_eq!(request.version(), http::Version::HTTP_2);
                Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::new(bytes::Bytes::from_static(b"{\"major\":\"1\"}"))))
            });
            tokio::spawn(hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new()).serve_connection(stream, answer));
        }
    });
    let ask = Connect { server: Some(server), certificate_authority: Some(ca), ..Connect::default() };
    let cluster = connected(&ask, &Surroundings::default()).await.unwrap();
    cluster.raw("/version").await.unwrap();
    let many = futures::future::join_all((0..50).map(|_| cluster.raw("/version"))).await;
    assert!(many.into_iter().all(|answer| answer.unwrap()["major"] == "1"));
    assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_plugin_runs_once_and_its_output_stays_secret_when_it_fails() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let credential = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"abc"}}"#;
    let plugin = |script: &str| {
        let script = serde_json::to_string(script).unwrap();
        format!("{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: [-c, {script}]}}}}")
    };
    let file = kubeconfig(dir.path(), "good", "https://one.example", &plugin(&format!("echo run >> {}; echo '{credential}'", runs.display())));
    connected(&Connect::default(), &around(vec![file])).await.unwrap();
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "run\n");
    let file = kubeconfig(dir.path(), "bad", "https://one.example", &plugin("echo hunter2; exit 3"));
    let words = first_words(&Connect::default(), &around(vec![file])).await;
    assert_eq!(words, "Unable to connect to the server: getting credentials: exec: the command of the kubeconfig's user failed with exit code 3");
    let absent = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, interactiveMode: Never}}";
    let words = first_words(&Connect::default(), &around(vec![kubeconfig(dir.path(), "none", "https://one.example", absent)])).await;
    assert_eq!(words, "Unable to connect to the server: getting credentials: exec: the command of the kubeconfig's user was not found");
}
