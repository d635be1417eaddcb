//! The manifest by which krew, kubectl's plugin manager, finds and installs a release.

use anyhow::{Result, anyhow};
use serde_json::json;
use vmmove::output::yaml;

use super::platform::Platform;
use super::{DESCRIPTION, Release, summary};

/// krew wants a plugin's manifest to have its name.
pub const FILE: &str = "vmmove.yaml";

const CAVEATS: &str = "\
To complete \"kubectl vmmove\" and \"oc vmmove\" in your shell, run once:
  kubectl vmmove completion install
A move needs rights in both namespaces. Which ones is printed by:
  kubectl vmmove plan VM --to NAMESPACE --print-rbac
";

/// The manifest of a release with its archives' checksums.
pub fn manifest(release: &Release, sums: &[(Platform, String)]) -> Result<String> {
    let platform = |(platform, sum): &(Platform, String)| {
        json!({
            "selector": {"matchLabels": {"os": platform.os, "arch": platform.arch}},
            "uri": format!("{}/{}", release.downloads, platform.archive()),
            "sha256": sum,
            "bin": platform.program(),
        })
    };
    let manifest = json!({
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "vmmove"},
        "spec": {
            "version": format!("v{}", release.version),
            "homepage": release.homepage,
            "shortDescription": summary(),
            "description": DESCRIPTION,
            "caveats": CAVEATS,
            "platforms": sums.iter().map(platform).collect::<Vec<_>>(),
        },
    });
    yaml::write(&manifest).map_err(|failure| anyhow!(failure.message))
}

/// A manifest of no release, with all platforms.
pub fn template(release: &Release) -> Result<String> {
    let sums = Platform::ALL.map(|platform| (platform, "0".repeat(64)));
    let manifest = manifest(release, &sums)?;
    Ok(format!("# What krew is told of a release, with placeholders; written by: cargo run --example package -- --out krew\n{manifest}"))
}
