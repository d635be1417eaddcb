//! What a release consists of, made of built binaries: an archive per platform, Debian and RPM packages, checksums, and the manifest that
//! krew installs by. The same binaries give the same bytes, whoever makes them and when.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use platform::Platform;

pub mod archive;
pub mod command;
mod deb;
pub mod krew;
mod linux;
pub mod man;
pub mod platform;
mod rpm;

/// The name of packages, and of the program in them.
pub const NAME: &str = "kubectl-vmmove";
/// When everything was changed last: the earliest that all formats can say, 1980-01-01.
const TIME: u32 = 315_532_800;
const LICENSE: &[u8] = include_bytes!("../../../LICENSE");
const README: &[u8] = include_bytes!("../../../README.md");
const CHANGELOG: &[u8] = include_bytes!("../../../CHANGELOG.md");

/// One line about the program.
fn summary() -> &'static str {
    env!("CARGO_PKG_DESCRIPTION").split(':').next().unwrap_or_default()
}

/// What package managers show of the program.
const DESCRIPTION: &str = "\
Moves KubeVirt and OpenShift Virtualization virtual machines, with their disks
and what they refer to, from one namespace to another. It looks at everything
first, writes a plan that says why, acts step by step, writes down each step
before it does it, and can go on or go back from any point until the source is
removed.
";

/// What all files of a release say of it.
pub struct Release {
    /// Without a `v`.
    pub version: String,
    pub homepage: String,
    /// The address that the archives' names are appended to.
    pub downloads: String,
    /// Whom to ask about the packages.
    pub maintainer: String,
}

/// A program that was built for a platform.
#[derive(Clone, Debug)]
pub struct Binary {
    pub platform: Platform,
    pub path: PathBuf,
}

impl Release {
    /// Writes everything into a folder and tells what. Of no binaries it is krew's manifest alone, with placeholders for checksums.
    ///
    /// # Errors
    /// A binary cannot be read, or a file cannot be written.
    pub fn write(&self, binaries: &[Binary], out: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        let mut files = BTreeMap::new();
        let mut sums = Vec::new();
        for Binary { platform, path } in binaries {
            let program = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let archive = archive::of(*platform, &program)?;
            sums.push((*platform, sha256(&archive)));
            files.insert(platform.archive(), archive);
            if let Some((name, package)) = deb::package(self, *platform, &program)? {
                files.insert(name, package);
            }
            if let Some((name, package)) = rpm::package(self, *platform, &program)? {
                files.insert(name, package);
            }
        }
        if binaries.is_empty() {
            files.insert(krew::FILE.into(), krew::template(self)?.into());
        } else {
            files.insert(krew::FILE.into(), krew::manifest(self, &sums)?.into());
            let lines: Vec<_> = files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect();
            files.insert("SHA256SUMS".into(), lines.concat().into());
        }
        let write = |(name, bytes): (String, Vec<u8>)| {
            let path = out.join(name);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        files.into_iter().map(write).collect()
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
