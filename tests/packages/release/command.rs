//! The command line of packaging.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use super::{Binary, Release};

/// Makes a release of built binaries: an archive per platform, Debian and RPM packages for Linux, checksums, and krew's manifest
///
/// Without binaries it writes the manifest alone, for all platforms and with placeholders; krew/vmmove.yaml is that.
#[derive(Debug, Parser)]
#[command(name = "package")]
pub struct Args {
    /// A built program; may be repeated. Those for Linux should be static: the packages name no libraries
    #[arg(long = "binary", value_name = "OS-ARCH=PATH", value_parser = binary)]
    binaries: Vec<Binary>,
    /// The release's version
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    version: String,
    /// Where people read about it
    #[arg(long, value_name = "URL", default_value = "https://example.com/kubectl-vmmove")]
    homepage: String,
    /// Where krew downloads the archives [default: releases/download/vVERSION below the homepage]
    #[arg(long, value_name = "URL")]
    downloads: Option<String>,
    /// Whom to ask about the packages
    #[arg(long, value_name = "NAME <ADDRESS>", default_value = "The contributors of kubectl-vmmove")]
    maintainer: String,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Args {
    /// Writes the files and tells their paths.
    ///
    /// # Errors
    /// As [`Release::write`].
    pub fn run(self) -> Result<Vec<PathBuf>> {
        let Self { binaries, version, homepage, downloads, maintainer, out } = self;
        let downloads = downloads.unwrap_or_else(|| format!("{homepage}/releases/download/v{version}"));
        Release { version, homepage, downloads, maintainer }.write(&binaries, &out)
    }
}

fn binary(text: &str) -> Result<Binary, String> {
    let (platform, path) = text.split_once('=').ok_or("OS-ARCH=PATH is needed")?;
    Ok(Binary { platform: platform.parse()?, path: path.into() })
}
