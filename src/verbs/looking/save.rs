//! Files that appear whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::model::failure::Failure;

/// Writes a file: beside it first, then in its place. What is no regular file (a pipe, a device) is written to as it is.
///
/// # Errors
/// The file cannot be written; whatever was there before is still there.
pub fn whole(path: &Path, text: &str) -> Result<(), Failure> {
    let replaced = fs::metadata(path).ok();
    let written = match replaced {
        Some(found) if !found.is_file() => into(path, text),
        replaced => beside(path, text, replaced.map_or(EVERYBODY, |found| mode(&found))),
    };
    told(path, written)
}

/// As [`whole`], for a file that nobody but its owner may read, whatever was there before.
///
/// # Errors
/// As [`whole`].
pub fn private(path: &Path, text: &str) -> Result<(), Failure> {
    told(path, beside(path, text, 0o600))
}

/// What new files are given, less what the user's mask takes away.
const EVERYBODY: u32 = 0o666;

fn told(path: &Path, written: io::Result<()>) -> Result<(), Failure> {
    written.map_err(|error| {
        Failure::error(format!("cannot write {}: {error}", path.display()))
            .hint("what was there before is as it was; name another place, or make room")
    })
}

fn into(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

fn beside(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    // A link stays a link: what it points to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = open_beside(folder, mode)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path).map(|_| ()).map_err(|error| error.error)
}

#[cfg(unix)]
fn mode(found: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    found.permissions().mode()
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    EVERYBODY
}

#[cfg(unix)]
fn open_beside(folder: &Path, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new().prefix(".vmmove-").permissions(fs::Permissions::from_mode(mode)).tempfile_in(folder)
}

#[cfg(not(unix))]
fn open_beside(folder: &Path, _: u32) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".vmmove-").tempfile_in(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.yaml");
        whole(&path, "one\n").unwrap();
        whole(&path, "two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let failure = whole(&folder.path().join("no/plan.yaml"), "x").unwrap_err();
        assert!(failure.message.starts_with("cannot write ") && failure.message.contains("No such file"), "{failure}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told() {
        let failure = whole(Path::new("/dev/full"), "x").unwrap_err();
        assert!(failure.message.contains("No space left on device"), "{failure}");
    }
}
