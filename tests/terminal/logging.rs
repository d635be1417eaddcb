//! What `-v` shows: requests in one line each, and at no level what is secret.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use serde_json::json;
use vmmove::cluster::{Connect, Dry, connect_with};
use vmmove::engine::clock::System;
use vmmove::model::kind;
use vmmove::model::manifest::Manifest;
use vmmove::output::log;

use crate::{Still, Stream};

const TOKEN: &str = "hunter2";
const PASSWORD: &str = "Y29ycmVjdCBob3JzZQ==";

/// A server on loopback that answers every request of its first connection with a Secret and a cookie.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let (mut reader, mut writer) = (BufReader::new(socket.try_clone().unwrap()), socket);
        let mut line = String::new();
        let mut length = 0;
        while reader.read_line(&mut line).unwrap() > 0 {
            let header = line.trim_end().to_ascii_lowercase();
            line.clear();
            if let Some(bytes) = header.strip_prefix("content-length: ") {
                length = bytes.parse().unwrap();
            }
            if header.is_empty() {
                reader.read_exact(&mut vec![0; std::mem::take(&mut length)]).unwrap();
                let body = json!({"kind": "Secret", "data": {"password": PASSWORD}}).to_string();
                write!(writer, "HTTP/1.1 200 OK\r\nset-cookie: {TOKEN}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        }
    });
    address
}

/// What is logged at this level while a version is read and a Secret is made.
fn logged(verbosity: u8) -> String {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    std::fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\n").unwrap();
    let server = server();
    let ask = Connect {
        kubeconfig: Some(kubeconfig),
        server: Some(format!("http://ada:{TOKEN}@{server}")),
        token: Some(TOKEN.to_owned()),
        impersonate: Some("bob".to_owned()),
        ..Connect::default()
    };
    let mut secret = Manifest::new(kind::SECRET, "shop", "login");
    secret.set("/data/password", PASSWORD.into());
    let stream = Stream::default();
    let to = stream.clone();
    let _listening = log::listener(verbosity, Arc::new(Still), move || to.clone()).map(tracing::subscriber::set_default);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cluster = connect_with(&ask, Arc::new(System::new())).await.unwrap();
        cluster.raw("/version").await.unwrap();
        cluster.create(&secret, Dry::No).await.unwrap();
    });
    stream.text().replace(&server.to_string(), "SERVER")
}

#[test]
fn at_six_each_request_is_told_with_its_url_status_and_time() {
    let text = logged(6);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("2026-01-01T00:00:00.000Z DEBUG GET http://SERVER/version 200 OK in "), "{text}");
    assert!(lines[1].contains("POST http://SERVER/api/v1/namespaces/shop/secrets?fieldManager=kubectl-vmmove"), "{text}");
    assert!(lines.iter().all(|line| line.ends_with(" ms")), "{text}");
}

#[test]
fn at_seven_their_headers_too_but_for_those_that_may_be_secret() {
    let text = logged(7);
    for part in ["accept: application/json", "impersonate-user: bob", "authorization: <hidden>", "set-cookie: <hidden>"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn no_level_shows_a_token_or_what_a_secret_holds() {
    for verbosity in (0..=10).chain([u8::MAX]) {
        let text = logged(verbosity);
        assert!(!text.contains(TOKEN) && !text.contains(PASSWORD), "at {verbosity}: {text}");
        assert_eq!(text.is_empty(), verbosity < 6, "at {verbosity}: {text}");
    }
}
