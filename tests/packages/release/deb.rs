//! A package for Debian and its kin, as deb(5) describes the format.

use std::collections::BTreeSet;

use anyhow::Result;

use super::archive::{File, tar_gz};
use super::platform::Platform;
use super::{CHANGELOG, DESCRIPTION, LICENSE, NAME, README, Release, TIME, linux, summary};

/// The package and its file name, for a platform that has such packages. The program is taken to need no libraries.
pub fn package(release: &Release, platform: Platform, program: &[u8]) -> Result<Option<(String, Vec<u8>)>> {
    let Some(arch) = platform.debian() else { return Ok(None) };
    let mut files = linux::files(&release.version, program)?;
    let docs = [("CHANGELOG.md", CHANGELOG), ("README.md", README), ("copyright", LICENSE)];
    files.extend(docs.map(|(name, text)| File::text(format!("usr/share/doc/{NAME}/{name}"), text)));
    for file in &mut files {
        file.path.insert_str(0, "./");
    }

    let version = linux::version(&release.version);
    let control = File::text("./control", control(release, &version, arch, &files).into_bytes());
    let data: Vec<_> = folders(&files).into_iter().chain(files).collect();
    let members = [("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", tar_gz(&[control])?), ("data.tar.gz", tar_gz(&data)?)];
    let mut archive = ar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ar::Header::new(name.into(), bytes.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(TIME.into());
        archive.append(&header, &*bytes)?;
    }
    Ok(Some((format!("{NAME}_{version}_{arch}.deb"), archive.into_inner()?)))
}

fn control(release: &Release, version: &str, arch: &str, files: &[File<'_>]) -> String {
    let (maintainer, homepage, summary) = (&release.maintainer, &release.homepage, summary());
    let size: usize = files.iter().map(|file| file.bytes.len().div_ceil(1024)).sum();
    let description = DESCRIPTION.lines().map(|line| format!(" {line}\n")).collect::<Vec<_>>().concat();
    format!(
        "Package: {NAME}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: {maintainer}\nInstalled-Size: {size}\n\
         Enhances: kubectl, kubernetes-client\nSection: admin\nPriority: optional\nHomepage: {homepage}\nDescription: {summary}\n{description}"
    )
}

/// Every folder on the way to a file, from above to below: dpkg makes none by itself.
fn folders<'a>(files: &[File<'_>]) -> Vec<File<'a>> {
    let above = |file: &File<'_>| file.path.match_indices('/').map(|(at, _)| file.path[..=at].to_owned()).collect::<Vec<_>>();
    let paths: BTreeSet<_> = files.iter().flat_map(above).collect();
    paths.into_iter().map(File::folder).collect()
}
