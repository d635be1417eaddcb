//! A package for Fedora, RHEL, SUSE and their kin.

use anyhow::Result;
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};

use super::platform::Platform;
use super::{CHANGELOG, DESCRIPTION, LICENSE, NAME, README, Release, TIME, linux, summary};

/// The package and its file name, for a platform that has such packages. The program is taken to need no libraries.
pub fn package(release: &Release, platform: Platform, program: &[u8]) -> Result<Option<(String, Vec<u8>)>> {
    let Some(arch) = platform.rpm() else { return Ok(None) };
    let version = linux::version(&release.version);
    let mut package = PackageBuilder::new(NAME, &version, env!("CARGO_PKG_LICENSE"), arch, summary());
    // Every rpm reads bzip2, and it is Rust alone; with gzip the crate would give the tests another zlib than what is shipped has.
    package.using_config(BuildConfig::v4().compression(CompressionType::Bzip2).source_date(TIME));
    package.description(DESCRIPTION.trim_end()).url(&release.homepage).packager(&release.maintainer);
    package.enhances(Dependency::any("kubectl"));
    for file in linux::files(&release.version, program)? {
        let options = FileOptions::new(format!("/{}", file.path)).permissions(u16::try_from(file.mode)?);
        let options = if file.path.contains("/man/") { options.doc() } else { options };
        package.with_file_contents(file.bytes, options)?;
    }
    let (docs, licences) = (format!("/usr/share/doc/{NAME}"), format!("/usr/share/licenses/{NAME}"));
    for (name, text) in [("CHANGELOG.md", CHANGELOG), ("README.md", README)] {
        package.with_file_contents(text, FileOptions::new(format!("{docs}/{name}")).doc())?;
    }
    package.with_file_contents(LICENSE, FileOptions::new(format!("{licences}/LICENSE")).license())?;
    for folder in [docs, licences] {
        package.with_dir_entry(FileOptions::dir(folder))?;
    }
    let mut bytes = Vec::new();
    package.build()?.write(&mut bytes)?;
    Ok(Some((format!("{NAME}-{version}-1.{arch}.rpm"), bytes)))
}
