//! dpkg itself installs, verifies and purges the package, in a root of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::packed::{self, RELEASE, as_root, run, types};
use crate::release::man;

/// What the package must hold, with modes and owners.
fn contents() -> Vec<String> {
    let mut files = vec![
        "-rwxr-xr-x root/root ./usr/bin/kubectl-vmmove".to_owned(),
        "-rwxr-xr-x root/root ./usr/bin/kubectl_complete-vmmove".to_owned(),
        "-rwxr-xr-x root/root ./usr/bin/oc_complete-vmmove".to_owned(),
        "-rw-r--r-- root/root ./usr/share/doc/kubectl-vmmove/CHANGELOG.md".to_owned(),
        "-rw-r--r-- root/root ./usr/share/doc/kubectl-vmmove/README.md".to_owned(),
        "-rw-r--r-- root/root ./usr/share/doc/kubectl-vmmove/copyright".to_owned(),
    ];
    for folder in ["", "usr/", "usr/bin/", "usr/share/", "usr/share/doc/", "usr/share/doc/kubectl-vmmove/", "usr/share/man/", "usr/share/man/man1/"] {
        files.push(format!("drwxr-xr-x root/root ./{folder}"));
    }
    files.extend(man::pages("").unwrap().into_iter().map(|page| format!("-rw-r--r-- root/root ./usr/share/man/man1/{}.gz", page.name)));
    files.sort();
    files
}

#[test]
fn the_package_holds_what_it_should() {
    if !packed::has("dpkg-deb") {
        return;
    }
    let package = RELEASE.file(".deb");
    let listed = types("dpkg-deb", [Path::new("--contents"), &package]);
    let words = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut files: Vec<_> = words.map(|words| [words[0], words[1], words[5]].join(" ")).collect();
    files.sort();
    assert_eq!(files, contents());
    let field = |name: &str| types("dpkg-deb", ["--field", package.to_str().unwrap(), name]).trim_end().to_owned();
    assert_eq!(field("Package"), "kubectl-vmmove");
    assert_eq!(field("Version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(field("Description").lines().next(), Some("Move KubeVirt virtual machines between namespaces"));
}

/// A root that only dpkg's own books are in. Nothing of the machine's settings says where it logs or what it leaves out.
fn dpkg(root: &Path, args: &[&str]) -> String {
    let mut command = as_root("dpkg");
    command.arg("--root").arg(root).arg("--log=/dev/null").args(["--path-include=*", "--force-bad-path"]).args(args);
    run(&mut command)
}

#[test]
fn dpkg_installs_verifies_upgrades_and_purges_it() {
    if !packed::has("dpkg") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let books = root.join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(books.join(folder)).unwrap();
    }
    fs::write(books.join("status"), "").unwrap();
    let package = RELEASE.file(".deb");

    dpkg(root, &["--install", package.to_str().unwrap()]);
    packed::use_it(&root.join("usr/bin"));
    assert_eq!(dpkg(root, &["--verify", "kubectl-vmmove"]), "");
    read_the_manual(root);
    dpkg(root, &["--install", package.to_str().unwrap()]);
    dpkg(root, &["--purge", "kubectl-vmmove"]);
    let left: Vec<_> = packed::files(root).into_iter().filter(|file| !file.starts_with("var/lib/dpkg/")).collect();
    assert!(left.is_empty() && !root.join("usr").exists(), "left behind: {left:?}");
}

/// man finds the pages.
fn read_the_manual(root: &Path) {
    if !packed::has("man") {
        return;
    }
    let mut command = Command::new("man");
    command.arg("--manpath").arg(root.join("usr/share/man")).arg("kubectl-vmmove-plan");
    let page = run(command.env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8"));
    assert!(page.contains("KUBECTL-VMMOVE-PLAN(1)") && page.contains("Decide everything about a move and say why"), "{page}");
}
