//! Keeps what is shipped beside the program in order: krew's manifest, the completion programs, the changelog.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

fn file(name: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer}"))
}

/// The rules are those of krew's `internal/index/validation/validate.go`.
#[test]
fn krew_would_take_the_manifest() {
    let manifest: Value = serde_saphyr::from_str(&file("krew/vmmove.yaml")).unwrap();
    assert_eq!(text(&manifest, "/apiVersion"), "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(text(&manifest, "/kind"), "Plugin");
    assert_eq!(text(&manifest, "/metadata/name"), "vmmove");
    assert_eq!(text(&manifest, "/spec/version"), concat!("v", env!("CARGO_PKG_VERSION")));
    assert!(!text(&manifest, "/spec/shortDescription").contains('\n'));
    assert!(!text(&manifest, "/spec/description").is_empty());
    let mut systems = BTreeSet::new();
    for platform in manifest.pointer("/spec/platforms").and_then(Value::as_array).unwrap() {
        let labels = platform.pointer("/selector/matchLabels").and_then(Value::as_object).unwrap();
        assert!(labels.keys().all(|key| key == "os" || key == "arch"));
        let (system, windows) = (format!("{}/{}", labels["os"], labels["arch"]), labels["os"] == "windows");
        assert!(systems.insert(system.clone()), "{system} twice");
        assert!(text(platform, "/uri").ends_with(if windows { ".zip" } else { ".tar.gz" }));
        assert_eq!(text(platform, "/bin"), if windows { "kubectl-vmmove.exe" } else { "kubectl-vmmove" });
        let sum = text(platform, "/sha256");
        assert!(sum.len() == 64 && sum.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)));
        assert!(platform.get("files").is_none_or(|files| files.as_array().is_some_and(|files| !files.is_empty())));
    }
    assert_eq!(systems.len(), 6);
}

#[test]
fn kubectl_and_oc_call_the_same_completion() {
    for extension in ["", ".cmd"] {
        let kubectl = file(&format!("completions/kubectl_complete-vmmove{extension}"));
        assert!(kubectl.contains("kubectl-vmmove __complete"));
        assert_eq!(kubectl, file(&format!("completions/oc_complete-vmmove{extension}")));
    }
}

#[test]
fn the_changelog_speaks_of_this_version_or_the_next() {
    let changelog = file("CHANGELOG.md");
    let released = format!("\n## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(changelog.contains("\n## [Unreleased]") || changelog.contains(&released));
}

/// The shipped files are what the program itself prints and installs.
#[cfg(unix)]
#[test]
fn the_completion_scripts_are_those_of_this_program() {
    let program = || std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-vmmove"));
    for (shell, name) in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish"), ("powershell", "ps1")] {
        let printed = program().args(["completion", shell]).output().unwrap().stdout;
        assert_eq!(String::from_utf8(printed).unwrap(), file(&format!("completions/kubectl-vmmove.{name}")), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let installed = program().args(["completion", "install", "--dir"]).arg(folder.path()).output().unwrap();
    assert!(String::from_utf8(installed.stderr).unwrap().contains("is not in PATH"));
    for name in ["kubectl_complete-vmmove", "oc_complete-vmmove"] {
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), file(&format!("completions/{name}")));
    }
}
