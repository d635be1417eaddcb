//! What lies in the tree to be shipped is what it should be: krew's manifest, the completion programs, the changelog.

use std::fs;
use std::path::Path;

use clap::Parser as _;

use crate::packed::{RELEASE, Released};
use crate::release::command::Args;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_manifest_in_the_tree_is_what_packaging_writes() {
    let out = tempfile::tempdir().unwrap();
    let written = Args::try_parse_from(["package", "--out", out.path().to_str().unwrap()]).unwrap().run().unwrap();
    assert_eq!(written, [out.path().join("vmmove.yaml")]);
    let manifest = fs::read_to_string(&written[0]).unwrap();
    assert_eq!(file("krew/vmmove.yaml"), manifest, "it is stale: cargo run --example package -- --out krew");
}

#[test]
fn the_same_binaries_give_the_same_bytes() {
    let sums = [(); 2].map(|()| fs::read_to_string(Released::of_stand_ins().file("SHA256SUMS")).unwrap());
    assert_eq!(sums[0], sums[1]);
}

#[test]
fn a_platform_is_one_of_those_we_ship_for() {
    let error = Args::try_parse_from(["package", "--binary", "plan9-amd64=x", "--out", "."]).unwrap_err().to_string();
    assert!(error.contains("plan9-amd64 is not one of linux-amd64, linux-arm64, darwin-amd64"), "{error}");
}

#[test]
fn readme_installs_files_that_there_are() {
    let readme = file("README.md");
    let named: Vec<_> = readme.split_whitespace().filter_map(|word| word.strip_prefix("packages/")).collect();
    assert_eq!(named.len(), 4, "{named:?}");
    for name in named.into_iter().filter(|_| cfg!(target_arch = "x86_64")) {
        RELEASE.file(name);
    }
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
