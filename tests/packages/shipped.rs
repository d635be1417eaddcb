//! The program as it is shipped for Linux: small, and in need of nothing else. Building it takes minutes, so only `VMMOVE_DIST=1` has it built.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::packed::{HERE, as_root, run};

/// Bytes, of which most are for the sandbox and TLS.
const LIMIT: u64 = 12_000_000;

#[test]
fn the_static_program_runs_where_there_is_nothing_else() {
    if std::env::var_os("VMMOVE_DIST").is_none() {
        println!("not built; VMMOVE_DIST=1 has it built and tried");
        return;
    }
    let triple = if HERE.arch == "arm64" { "aarch64-unknown-linux-musl" } else { "x86_64-unknown-linux-musl" };
    let target = Path::new(env!("CARGO_BIN_EXE_kubectl-vmmove")).ancestors().nth(2).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--profile", "dist", "--target", triple, "--target-dir"]).arg(target);
    run(build.current_dir(env!("CARGO_MANIFEST_DIR")));

    let (program, root) = (target.join(triple).join("dist/kubectl-vmmove"), tempfile::tempdir().unwrap());
    let size = fs::metadata(&program).unwrap().len();
    println!("{}: {size} bytes", program.display());
    assert!(size <= LIMIT, "{size} bytes are more than {LIMIT}");
    fs::copy(&program, root.path().join("kubectl-vmmove")).unwrap();
    let there = |args: &[&str]| run(as_root("chroot").arg(root.path()).arg("/kubectl-vmmove").args(args));
    assert!(there(&["version", "--client"]).contains(env!("CARGO_PKG_VERSION")));
    assert!(there(&["sandbox", "demo"]).contains("1 put back, 0 failed, 0 skipped."));
}
