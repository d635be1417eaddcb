//! Where sandboxes keep their kubeconfigs: a folder of the user's own, one file for each that runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::failure::Failure;
use crate::output::io::Io;
use crate::verbs::looking::save;

/// The file of a sandbox that runs; it goes with this.
pub struct File(PathBuf);

impl File {
    /// Writes it, for nobody else to read.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(folder: &Path, port: u16, text: &str) -> Result<Self, Failure> {
        make(folder).map_err(|error| Failure::error(format!("cannot make the folder {}: {error}", folder.display())))?;
        let path = folder.join(format!("sandbox-{port}.kubeconfig"));
        save::private(&path, text)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// The folder: what the system clears at logout, else a cache.
pub fn folder(io: &Io) -> PathBuf {
    let set = |name: &str| (io.env)(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_RUNTIME_DIR")
        .filter(|folder| folder.is_dir())
        .or_else(|| set("XDG_CACHE_HOME"))
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .or_else(|| set("LOCALAPPDATA"));
    base.unwrap_or_else(std::env::temp_dir).join("kubectl-vmmove")
}

/// The ports and files of all sandboxes that run, or were ended without having a chance to tidy up.
pub fn all(folder: &Path) -> Vec<(u16, PathBuf)> {
    let found = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let port = name.strip_prefix("sandbox-")?.strip_suffix(".kubeconfig")?.parse().ok()?;
        Some((port, entry.path()))
    });
    let mut all: Vec<_> = found.collect();
    all.sort();
    all
}

#[cfg(unix)]
fn make(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_found_while_it_is_needed_and_is_nobody_elses_to_read() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        let file = File::write(&folder, 4711, "secret").unwrap();
        fs::write(folder.join("sandbox-x.kubeconfig"), "").unwrap();
        assert_eq!(all(&folder), [(4711, file.path().to_owned())]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        }
        drop(file);
        assert_eq!(all(&folder), []);
    }
}
