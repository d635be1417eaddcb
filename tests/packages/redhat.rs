//! The RPM package, read back and unpacked; installed and erased by rpm itself where there is one.

use std::collections::BTreeMap;
use std::path::Path;

use rpm::{FileFlags, Package};

use crate::packed::{self, RELEASE, as_root, run, types};
use crate::release::man;

#[test]
fn the_package_holds_what_it_should() {
    let package = Package::open(RELEASE.file(".rpm")).unwrap();
    package.verify_digests().unwrap();
    let about = &package.metadata;
    assert_eq!((about.get_name().unwrap(), about.get_version().unwrap()), ("kubectl-vmmove", env!("CARGO_PKG_VERSION")));
    let mut files = BTreeMap::new();
    for file in about.get_file_entries().unwrap() {
        assert_eq!((file.user(), file.group()), ("root", "root"));
        files.insert(file.path().display().to_string(), (file.mode().permissions(), file.flags()));
    }
    let (program, none) = (0o755, FileFlags::empty());
    let mut expected = BTreeMap::from([
        ("/usr/bin/kubectl-vmmove".to_owned(), (program, none)),
        ("/usr/bin/kubectl_complete-vmmove".to_owned(), (program, none)),
        ("/usr/bin/oc_complete-vmmove".to_owned(), (program, none)),
        ("/usr/share/doc/kubectl-vmmove".to_owned(), (0o755, none)),
        ("/usr/share/doc/kubectl-vmmove/CHANGELOG.md".to_owned(), (0o644, FileFlags::DOC)),
        ("/usr/share/doc/kubectl-vmmove/README.md".to_owned(), (0o644, FileFlags::DOC)),
        ("/usr/share/licenses/kubectl-vmmove".to_owned(), (0o755, none)),
        ("/usr/share/licenses/kubectl-vmmove/LICENSE".to_owned(), (0o644, FileFlags::LICENSE)),
    ]);
    let pages = man::pages("").unwrap().into_iter();
    expected.extend(pages.map(|page| (format!("/usr/share/man/man1/{}.gz", page.name), (0o644, FileFlags::DOC))));
    assert_eq!(files, expected);
}

#[test]
fn what_is_unpacked_works() {
    let root = tempfile::tempdir().unwrap();
    let unpacked = root.path().join("root");
    Package::open(RELEASE.file(".rpm")).unwrap().extract(&unpacked).unwrap();
    packed::use_it(&unpacked.join("usr/bin"));
}

#[test]
fn rpm_installs_verifies_and_erases_it() {
    if !packed::has("rpm") {
        return;
    }
    let (root, package) = (tempfile::tempdir().unwrap(), RELEASE.file(".rpm"));
    let rpm = |args: &[&str]| run(as_root("rpm").arg("--root").arg(root.path()).args(["--dbpath", "/var/lib/rpm"]).args(args));
    assert!(types("rpm", [Path::new("--checksig"), &package]).contains("digests OK"));
    rpm(&["--install", package.to_str().unwrap()]);
    packed::use_it(&root.path().join("usr/bin"));
    assert_eq!(rpm(&["--verify", "kubectl-vmmove"]), "");
    rpm(&["--erase", "kubectl-vmmove"]);
    let left: Vec<_> = packed::files(root.path()).into_iter().filter(|file| !file.starts_with("var/")).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
