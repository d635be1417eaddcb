//! Builds the control plane's programs from their Go modules, and others that tests need, once per content of a module folder.
//!
//! What there is to build stands in `components.json` beside the module folders. A folder's result is kept in the cache
//! under a name that holds the hash of its files, so that a changed `go.sum` builds anew and everything else is found.
#![allow(clippy::print_stderr, reason = "a first build takes minutes: say what goes on")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use vmmove::plan::share::shared_out;
use walkdir::WalkDir;

/// The objects that an operator would have created, as a generator of the module folder prints them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Generated {
    pub crds: Vec<serde_json::Value>,
    pub objects: Vec<serde_json::Value>,
    pub webhooks: Vec<serde_json::Value>,
    pub apiservices: Vec<serde_json::Value>,
}

/// Where the built programs are.
pub struct Binaries {
    programs: BTreeMap<String, PathBuf>,
    generated: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Folder {
    #[serde(skip)]
    modules: PathBuf,
    #[serde(rename = "folder")]
    name: String,
    outputs: Vec<Output>,
    objects: Option<String>,
}

#[derive(Deserialize)]
struct Output {
    binary: String,
    package: String,
}

const OBJECTS: &str = "objects.json";
/// How the folders begin in which a build is under way.
const PART: &str = "part-";

impl Binaries {
    /// The path of a program by its name in `components.json`.
    pub fn path(&self, binary: &str) -> Result<String> {
        let path = self.programs.get(binary).with_context(|| format!("components.json has no {binary}"))?;
        Ok(path.display().to_string())
    }

    /// What all generators printed, taken together.
    pub fn generated(&self) -> Result<Generated> {
        let mut all = Generated::default();
        for path in &self.generated {
            let one: Generated =
                serde_json::from_slice(&fs::read(path)?).with_context(|| format!("{} is not a generator's output", path.display()))?;
            all.crds.extend(one.crds);
            all.objects.extend(one.objects);
            all.webhooks.extend(one.webhooks);
            all.apiservices.extend(one.apiservices);
        }
        Ok(all)
    }
}

/// The folder with the Go modules and the files that belong to them.
pub fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/modules")
}

/// The folder that outlives test runs.
pub fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("VMMOVE_TEST_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("kubectl-vmmove")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/kubectl-vmmove")))
        .context("no folder for the built control plane: set VMMOVE_TEST_CACHE")
}

/// Builds what is missing in the cache. Of two test processes one builds and the other waits for it.
pub fn build() -> Result<Binaries> {
    build_those(&modules(), |_| true)
}

/// As [`build`], of the modules of another folder, which lists them in a `components.json` of its own.
pub fn build_from(modules: &Path) -> Result<Binaries> {
    build_those(modules, |_| true)
}

/// As [`build`], of the folder alone that one program comes from; its path.
pub fn build_one(binary: &str) -> Result<String> {
    build_those(&modules(), |folder| folder.outputs.iter().any(|each| each.binary == binary))?.path(binary)
}

fn build_those(modules: &Path, wanted: impl Fn(&Folder) -> bool) -> Result<Binaries> {
    let cache = cache()?.join("bin");
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let lock = File::create(cache.join("lock"))?;
    lock.lock().context("cannot lock the cache of built programs")?;
    remove_leftovers(&cache)?;

    let list = modules.join("components.json");
    let mut folders: Vec<Folder> = serde_json::from_slice(&fs::read(&list).with_context(|| list.display().to_string())?)?;
    for folder in &mut folders {
        modules.clone_into(&mut folder.modules);
    }
    let go = output(Command::new("go").args(["env", "GOVERSION"])).context("the lab is built with Go: install it, or put it on the PATH")?;
    let mut binaries = Binaries { programs: BTreeMap::new(), generated: Vec::new() };
    let wanted: Vec<&Folder> = folders.iter().filter(|folder| wanted(folder)).collect();
    // A linker works on one processor: meanwhile another folder's compilers have the rest.
    let built = shared_out(&wanted, true, |folder| folder.built(&cache, &go));
    for (folder, built) in wanted.into_iter().zip(built) {
        let built = built?;
        binaries.programs.extend(folder.outputs.iter().map(|each| (each.binary.clone(), built.join(&each.binary))));
        binaries.generated.extend(folder.objects.iter().map(|_| built.join(OBJECTS)));
    }
    Ok(binaries)
}

/// Removes what builds left that were interrupted. Whoever holds the lock is the only one who builds.
fn remove_leftovers(cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PART) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

impl Folder {
    /// Where its programs are, built if they are not there yet.
    fn built(&self, cache: &Path, go: &str) -> Result<PathBuf> {
        let built = cache.join(format!("{}-{}", self.name, self.hash(go)?));
        if !built.is_dir() {
            self.build(&built)?;
        }
        Ok(built)
    }

    /// Builds into a temporary folder beside `built` and renames it, so that an interrupted build leaves nothing half done.
    fn build(&self, built: &Path) -> Result<()> {
        let begin = Instant::now();
        let parent = built.parent().context("the cache has no parent folder")?;
        let part = tempfile::Builder::new().prefix(PART).tempdir_in(parent)?;
        for Output { binary, package } in &self.outputs {
            eprintln!("lab: building {} from {}", binary, self.name);
            self.compile(package, &part.path().join(binary))?;
        }
        if let Some(package) = &self.objects {
            let generate = part.path().join("generate");
            eprintln!("lab: generating the objects of {}", self.name);
            self.compile(package, &generate)?;
            let json = output(Command::new(&generate).current_dir(self.source()))?;
            fs::write(part.path().join(OBJECTS), json)?;
            fs::remove_file(generate)?;
        }
        fs::rename(part.keep(), built)?;
        eprintln!("lab: built {} in {:.0} s", self.name, begin.elapsed().as_secs_f64());
        Ok(())
    }

    fn compile(&self, package: &str, to: &Path) -> Result<()> {
        let status = Command::new("go")
            .args(["build", "-ldflags=-s -w", "-o"])
            .arg(to)
            .arg(package)
            .current_dir(self.source())
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .status()?;
        ensure!(status.success(), "go build {package} failed in {}: {status}", self.source().display());
        Ok(())
    }

    fn source(&self) -> PathBuf {
        self.modules.join(&self.name)
    }

    /// Names the content: every file with its path, what is to be built, and the compiler.
    fn hash(&self, go: &str) -> Result<String> {
        let mut hash = Sha256::new();
        hash.update(go);
        for each in &self.outputs {
            hash.update(format!("{} {}\n", each.binary, each.package));
        }
        for entry in WalkDir::new(self.source()).sort_by_file_name() {
            let entry = entry?;
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(self.source())?;
                hash.update(format!("{} {}\n", name.display(), entry.metadata()?.len()));
                hash.update(fs::read(entry.path())?);
            }
        }
        let hash = hash.finalize();
        Ok(format!("{:016x}", u64::from_be_bytes(hash[..8].try_into()?)))
    }
}

/// Runs a command to its end and gives its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.output().with_context(|| format!("cannot run {name}"))?;
    if !done.status.success() {
        bail!("{name}: {}: {}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8(done.stdout)?)
}
