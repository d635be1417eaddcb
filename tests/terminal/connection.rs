//! The flags and variables that say how to reach the cluster do reach the connection: before the verb and after it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use crate::desk::Desk;
use crate::server::{Api, Asked};

/// `FLAGS version` and `version FLAGS`.
fn both(flags: &str) -> [String; 2] {
    [format!("{flags} version"), format!("version {flags}")]
}

#[test]
fn somebody_else_is_asked_for_in_every_request() {
    for line in both("--as bob --as-group ops --as-group dev --as-uid 7") {
        let desk = Desk::new();
        let seen = desk.types(&line);
        assert_eq!(seen.code, 0, "{}", seen.text);
        let said = |asked: &Asked, header| asked.headers.get_all(header).iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>();
        for asked in desk.api.asked() {
            assert_eq!(said(&asked, "impersonate-user"), ["bob"], "{}", asked.path);
            assert_eq!(said(&asked, "impersonate-group"), ["ops", "dev"], "{}", asked.path);
            assert_eq!(said(&asked, "impersonate-uid"), ["7"], "{}", asked.path);
        }
    }
}

#[test]
fn a_certificate_is_not_looked_at_by_who_asks_for_that() {
    for line in both("--insecure-skip-tls-verify") {
        let desk = Desk::at(Api::start_tls());
        let seen = desk.types(&line);
        assert!(seen.code == 0 && seen.text.contains("Server Version: v1.36."), "{}", seen.text);
    }
}

#[test]
fn a_certificate_is_trusted_by_who_names_its_authority() {
    for line in both("--certificate-authority ca.pem") {
        let desk = Desk::at(Api::start_tls());
        desk.write("ca.pem", desk.api.authority.as_deref().unwrap());
        let seen = desk.types(&line);
        assert_eq!(seen.code, 0, "{}", seen.text);
    }
}

#[test]
fn another_token_and_another_server_count_over_the_kubeconfig() {
    let api = Api::start();
    for line in both(&format!("--server {} --token t0ken", api.url)) {
        let desk = Desk::new();
        desk.api.expire_token();
        assert_eq!(desk.types(&line).code, 0);
        assert!(desk.api.asked().is_empty(), "the kubeconfig's server is not asked");
    }
    let wrong = Desk::new().types("version --token wrong");
    assert!(wrong.code == 1 && wrong.stderr.starts_with("error: You must be logged in to the server (Unauthorized)\n"), "{}", wrong.text);
}

#[test]
fn a_server_that_is_silent_is_given_the_time_that_was_said() {
    for line in both("--request-timeout 100ms") {
        let desk = Desk::new();
        desk.api.fall_silent();
        let seen = desk.types(&line);
        let told =
            "Unable to connect to the server: SERVER did not answer within 0.1s\n  hint: --request-timeout says how long to wait for one request\n";
        assert!(seen.code == 1 && seen.text.contains(told), "{}", seen.text);
        let mut paths: Vec<String> = desk.api.asked().into_iter().map(|asked| asked.path).collect();
        let all = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), all, "nothing was asked twice");
    }
}

#[test]
fn a_proxy_is_asked_unless_the_host_needs_none() {
    let (address, heard) = proxy();
    let desk = |exempt: &str| {
        let mut desk = Desk::new();
        desk.write_kubeconfig("https://api.invalid:6443");
        desk.with("HTTPS_PROXY", &address);
        desk.with("NO_PROXY", exempt);
        desk
    };
    let direct = desk("other.example, .invalid").types("version");
    assert!(direct.stderr.starts_with("Unable to connect to the server: lookup api.invalid: no such host\n  hint: "), "{}", direct.text);
    let through = desk("other.example").types("version");
    assert!(through.stderr.starts_with("Unable to connect to the server: proxyconnect: "), "{}", through.text);
    assert!(through.stderr.contains("  hint: the proxy is that of proxy-url"), "{}", through.text);
    assert!(heard.join().unwrap().starts_with("CONNECT api.invalid:6443 "), "the first connection is that of the second command");
}

/// A proxy that lets nobody through: its address, and what it was asked first.
fn proxy() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let length = socket.read(&mut request).unwrap();
        socket.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (address, heard)
}
