//! What goes wrong before anything was begun: one sentence, a hint, and the documented exit code.

use std::fs;
use std::net::TcpListener;

use crate::{Seen, terminal};

/// Runs `version` with a kubeconfig file of this content; golden files call the file KUBECONFIG.
fn with_kubeconfig(content: &str, flags: &str) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, content).unwrap();
    let path = file.to_str().unwrap();
    terminal().hiding(path, "KUBECONFIG").hiding(env!("CARGO_PKG_VERSION"), "VERSION").run(&format!("version --kubeconfig {path} {flags}"))
}

fn kubeconfig(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\nclusters: [{{name: lab, cluster: {{server: \"{server}\"}}}}]\n\
         contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]\nusers: [{{name: me, user: {{token: t}}}}]\n"
    )
}

#[test]
fn a_kubeconfig_that_is_not_there_is_named() {
    terminal().hiding(env!("CARGO_PKG_VERSION"), "VERSION").run("version --kubeconfig not/here").golden("kubeconfig-missing");
}

#[test]
fn a_kubeconfig_that_is_none_is_named() {
    with_kubeconfig("contexts: {", "").golden("kubeconfig-malformed");
}

#[test]
fn an_unknown_context_is_named() {
    with_kubeconfig(&kubeconfig("http://127.0.0.1:1"), "--context nowhere").golden("context-unknown");
}

#[test]
fn a_server_that_nobody_listens_at_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let seen = with_kubeconfig(&kubeconfig(&format!("http://{free}")), "");
    assert_eq!(seen.code, 1);
    assert!(
        seen.text.contains(&format!("The connection to the server {free} was refused - did you specify the right host or port?")),
        "{}",
        seen.text
    );
}

#[test]
fn wrong_lines_are_answered_in_kubectls_words() {
    for (line, name) in [
        ("clne", "usage-unknown-command"),
        ("version --clint", "usage-unknown-flag"),
        ("explain -o json", "usage-missing-argument"),
        ("version -o xml", "usage-wrong-value"),
        ("explain MovePlna", "explain-unknown"),
    ] {
        terminal().run(line).golden(name);
    }
}
