//! Archives that say nothing of whoever made them: no owner, no time of their own, an order that is given.

use std::borrow::Cow;
use std::io::{Cursor, Write};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

use super::platform::Platform;
use super::{LICENSE, README, TIME};

/// A file in an archive. A path that ends with `/` is a folder.
pub struct File<'a> {
    pub path: String,
    pub mode: u32,
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> File<'a> {
    /// A program.
    pub fn program(path: impl Into<String>, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { path: path.into(), mode: 0o755, bytes: bytes.into() }
    }

    /// Something to read.
    pub fn text(path: impl Into<String>, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { path: path.into(), mode: 0o644, bytes: bytes.into() }
    }

    /// A folder.
    pub fn folder(path: impl Into<String>) -> Self {
        Self { path: path.into(), mode: 0o755, bytes: Cow::default() }
    }
}

/// What is downloaded for a platform: the program, how it may be used, and how it is used.
pub fn of(platform: Platform, program: &[u8]) -> Result<Vec<u8>> {
    let files = [File::text("LICENSE", LICENSE), File::text("README.md", README), File::program(platform.program(), program)];
    if platform.is_windows() { zip(&files) } else { tar_gz(&files) }
}

/// A compressed tar archive.
pub fn tar_gz(files: &[File<'_>]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        // As it stands: `set_path` takes away the `./` that Debian's packages have.
        let name = header.as_mut_bytes().get_mut(..file.path.len()).filter(|name| name.len() < 100);
        name.with_context(|| format!("{} is too long for tar", file.path))?.copy_from_slice(file.path.as_bytes());
        header.set_entry_type(if file.path.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        header.set_mtime(TIME.into());
        header.set_size(file.bytes.len() as u64);
        header.set_cksum();
        archive.append(&header, &*file.bytes)?;
    }
    gz(&archive.into_inner()?)
}

/// A zip archive, which knows 1980 as the beginning of time.
fn zip(files: &[File<'_>]) -> Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        archive.start_file(&file.path, SimpleFileOptions::DEFAULT.unix_permissions(file.mode))?;
        archive.write_all(&file.bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The bytes, compressed.
pub fn gz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
