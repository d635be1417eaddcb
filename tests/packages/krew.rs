//! krew itself takes the manifest, and installs, upgrades and removes the plugin, without a network.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use crate::build;
use crate::packed::{self, HERE, RELEASE, run};
use crate::release::platform::Platform;

/// A user with kubectl and krew, and a home of their own.
struct User {
    home: TempDir,
    kubectl: PathBuf,
    krew: PathBuf,
}

impl User {
    fn new() -> Self {
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages/modules");
        let krew = build::build_from(&modules).unwrap().path("kubectl-krew").unwrap().into();
        Self { home: tempfile::tempdir().unwrap(), kubectl: packed::kubectl(), krew }
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("krew")
    }

    fn bin(&self) -> PathBuf {
        self.root().join("bin")
    }

    fn command(&self, program: &Path) -> Command {
        let path = packed::path(&[&self.bin(), self.krew.parent().unwrap(), self.kubectl.parent().unwrap()]);
        let mut command = Command::new(program);
        command.env("PATH", path).env("HOME", self.home.path()).env("KREW_ROOT", self.root()).env("KREW_NO_UPGRADE_CHECK", "1");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    fn kubectl(&self, args: &[&str]) -> String {
        run(self.command(&self.kubectl).args(args))
    }

    fn git(&self, folder: &Path, args: &[&str]) {
        run(self.command(Path::new("git")).args(["-c", "user.name=index", "-c", "user.email=index@example.com", "-C"]).arg(folder).args(args));
    }
}

/// A repository of manifests that krew looks for plugins in. It removes none without having one.
struct Index {
    folder: PathBuf,
}

impl Index {
    fn of(user: &User) -> Self {
        let index = Self { folder: user.home.path().join("index") };
        fs::create_dir_all(index.folder.join("plugins")).unwrap();
        user.git(&index.folder, &["init", "-q"]);
        user.git(&index.folder, &["commit", "-q", "--allow-empty", "-m", "begin"]);
        user.kubectl(&["krew", "index", "add", "ours", index.folder.to_str().unwrap()]);
        index
    }

    fn publish(&self, user: &User, manifest: &Path) {
        fs::copy(manifest, self.folder.join("plugins/vmmove.yaml")).unwrap();
        user.git(&self.folder, &["add", "."]);
        user.git(&self.folder, &["commit", "-q", "-m", "publish"]);
    }
}

/// Answers with the files of a folder on loopback, as a site of releases would, and gives the address.
fn site(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for caller in listener.incoming() {
            answer(&folder, caller.unwrap());
        }
    });
    address
}

fn answer(folder: &Path, mut caller: TcpStream) {
    let lines: Vec<_> = BufReader::new(&caller).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let asked = lines[0].split(' ').nth(1).unwrap();
    let (status, body) = fs::read(folder.join(&asked[1..])).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    write!(caller, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).unwrap();
    caller.write_all(&body).unwrap();
}

#[test]
fn krew_takes_the_manifest_and_installs_it_on_every_platform() {
    let (user, site_folder) = (User::new(), tempfile::tempdir().unwrap());
    let downloads = site(site_folder.path().to_owned());
    packed::pack(&Platform::ALL.map(|platform| (platform, packed::stand_in())), site_folder.path(), &["--downloads", &downloads]);
    let said = run(user.command(&user.krew.with_file_name("validate-krew-manifest")).arg("-manifest").arg(site_folder.path().join("vmmove.yaml")));
    assert!(said.contains("all 6 spec.platforms installed fine"), "{said}");
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(site_folder.path()));
}

#[test]
fn krew_takes_the_template() {
    let user = User::new();
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("krew/vmmove.yaml");
    let said = run(user.command(&user.krew.with_file_name("validate-krew-manifest")).arg("-skip-install").arg("-manifest").arg(template));
    assert!(said.contains("structural validation OK"), "{said}");
}

#[test]
fn an_archive_is_installed_used_and_removed() {
    let (user, manifest, archive) = (User::new(), RELEASE.file("vmmove.yaml"), RELEASE.file(".tar.gz"));
    let said = user.kubectl(&["krew", "install", "--manifest", manifest.to_str().unwrap(), "--archive", archive.to_str().unwrap()]);
    assert!(said.contains("kubectl vmmove completion install"), "the caveats speak of completion: {said}");
    user.kubectl(&["vmmove", "completion", "install"]);
    packed::use_it(&user.bin());
    Index::of(&user);
    user.kubectl(&["krew", "uninstall", "vmmove"]);
    let left: Vec<_> = packed::files(&user.root()).into_iter().filter(|file| !file.starts_with("index/")).collect();
    assert_eq!(left, ["bin/kubectl_complete-vmmove", "bin/oc_complete-vmmove"], "krew knows nothing of what was installed beside it");
}

#[test]
fn an_index_offers_an_upgrade() {
    let (user, site_folder) = (User::new(), tempfile::tempdir().unwrap());
    let (address, index) = (site(site_folder.path().to_owned()), Index::of(&user));
    let publish = |version: &str, program: &Path| {
        let folder = site_folder.path().join(version);
        packed::pack(&[(*HERE, program)], &folder, &["--version", version, "--downloads", &format!("{address}/{version}")]);
        index.publish(&user, &folder.join("vmmove.yaml"));
    };

    publish("0.0.1", packed::stand_in());
    user.kubectl(&["krew", "update"]);
    user.kubectl(&["krew", "install", "ours/vmmove"]);
    publish("99.0.0", packed::program());
    let said = user.kubectl(&["krew", "upgrade", "vmmove"]);
    assert!(said.contains("ours/vmmove v0.0.1 -> v99.0.0"), "{said}");
    user.kubectl(&["vmmove", "completion", "install"]);
    packed::use_it(&user.bin());
    let store = packed::files(&user.root().join("store"));
    assert_eq!(store, ["LICENSE", "README.md", "kubectl-vmmove"].map(|name| format!("vmmove/v99.0.0/{name}")), "the old version is gone");
}
