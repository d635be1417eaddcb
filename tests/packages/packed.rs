//! What the tests of all formats need: the program as cargo built it for tests, packed, and commands that run in a root of their own.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use clap::Parser as _;
use tempfile::{NamedTempFile, TempDir};

use crate::build;
use crate::release::command::Args;
use crate::release::platform::Platform;

/// The platform that the tests run on.
pub static HERE: LazyLock<Platform> = LazyLock::new(|| {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    Platform { os: "linux", arch }
});

/// The program under test as it is shipped for this platform, packed once.
pub static RELEASE: LazyLock<Released> = LazyLock::new(|| Released::new(&[(*HERE, program())]));

/// A release in a folder that goes with it.
pub struct Released {
    folder: TempDir,
}

impl Released {
    fn new(programs: &[(Platform, &Path)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        pack(programs, folder.path(), &[]);
        Self { folder }
    }

    /// Of something that is no program: what is in the files of a release is the same for all.
    pub fn of_stand_ins() -> Self {
        Self::new(&[(*HERE, stand_in())])
    }

    /// The file whose name ends like this.
    pub fn file(&self, end: &str) -> PathBuf {
        let mut files = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.to_string_lossy().ends_with(end)).unwrap_or_else(|| panic!("the release has no {end}"))
    }
}

/// Makes a release as the command line does.
pub fn pack(programs: &[(Platform, &Path)], out: &Path, flags: &[&str]) {
    let binaries = programs.iter().map(|(platform, path)| format!("--binary={platform}={}", path.display()));
    let line = ["package".to_owned(), format!("--out={}", out.display())].into_iter().chain(binaries);
    let line = line.chain(flags.iter().map(|&flag| flag.to_owned()));
    Args::try_parse_from(line).unwrap().run().unwrap();
}

/// Takes the place of a program that nobody starts.
pub fn stand_in() -> &'static Path {
    static FILE: LazyLock<NamedTempFile> = LazyLock::new(|| {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), "not a program\n").unwrap();
        file
    });
    FILE.path()
}

/// The program under test, without what only debuggers read, where there is a `strip`: it is packed often.
pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let (built, path) = (env!("CARGO_BIN_EXE_kubectl-vmmove"), folder.path().join("kubectl-vmmove"));
        if !Command::new("strip").arg("-o").arg(&path).arg(built).status().is_ok_and(|status| status.success()) {
            fs::copy(built, &path).unwrap();
        }
        (folder, path)
    });
    &PROGRAM.1
}

/// kubectl of the laboratory's version.
pub fn kubectl() -> PathBuf {
    build::build_one("kubectl").unwrap().into()
}

/// A `PATH` with folders before what is there anyway.
pub fn path(first: &[&Path]) -> std::ffi::OsString {
    let usual = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(first.iter().map(|&path| path.to_owned()).chain(std::env::split_paths(&usual))).unwrap()
}

/// Whether there is such a program. A test that has no judge says so.
pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|done| done.status.success());
    if !found {
        println!("{program} is not here, and has not judged");
    }
    found
}

/// A command that may give files to root and change the root: as it is for root, in a namespace of its own for others.
pub fn as_root(program: &str) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", program]);
    command
}

/// Runs a command that must do well, and gives both of its streams.
pub fn run(command: &mut Command) -> String {
    let done = command.stdin(std::process::Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(done.status.success(), "{command:?}: {}\n{said}", done.status);
    said
}

/// Runs a program with arguments, as [`run`].
pub fn types<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> String {
    run(Command::new(program).args(args))
}

/// Uses what was installed: kubectl and oc find the plugin and its completion by `PATH`.
pub fn use_it(bin: &Path) {
    let kubectl = kubectl();
    let ask = |program: &Path, args: &[&str]| run(Command::new(program).args(args).env("PATH", path(&[bin])).env("KUBECONFIG", "/dev/null"));
    assert!(ask(&kubectl, &["vmmove", "version", "--client"]).contains(env!("CARGO_PKG_VERSION")));
    for completion in [ask(&kubectl, &["__complete", "vmmove", "vers"]), ask(&bin.join("oc_complete-vmmove"), &["vers"])] {
        assert!(completion.starts_with("version\tPrint the versions"), "{completion}");
    }
}

/// All files below a folder, sorted.
pub fn files(root: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| !entry.file_type().is_dir());
    files.map(|entry| entry.path().strip_prefix(root).unwrap().display().to_string()).collect()
}
