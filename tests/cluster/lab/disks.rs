//! The bytes of volumes: the CSI driver keeps each as a file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Lab;

/// As much as a marker can be long.
const MARKER: u64 = 4096;

impl Lab {
    /// The folder of all drivers.
    pub fn drivers(&self) -> PathBuf {
        self.layout.dir.join("csi")
    }

    /// Where a driver keeps `data/<volume handle>/disk.img` and looks for faults.
    pub fn csi_dir(&self, driver: &str) -> PathBuf {
        self.layout.csi(driver)
    }

    /// Has a driver refuse an RPC: `how` is a gRPC code and a message, with a number in front for so many times only,
    /// like `2 Unavailable out of order`.
    pub fn fail(&self, driver: &str, rpc: &str, how: &str) -> Result<()> {
        self.spoil("fail", driver, rpc, how)
    }

    /// Has a driver take its time over an RPC: `how` is a duration like `1.5s`.
    pub fn delay(&self, driver: &str, rpc: &str, how: &str) -> Result<()> {
        self.spoil("delay", driver, rpc, how)
    }

    /// Takes all faults out of a driver.
    pub fn heal(&self, driver: &str) -> Result<()> {
        for kind in ["fail", "delay"] {
            match fs::remove_dir_all(self.csi_dir(driver).join(kind)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn spoil(&self, kind: &str, driver: &str, rpc: &str, how: &str) -> Result<()> {
        let folder = self.csi_dir(driver).join(kind);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(rpc), how)?)
    }

    /// The handle of the volume that a claim is bound to.
    pub async fn handle(&self, namespace: &str, claim: &str) -> Result<String> {
        let volume = self.volume_of(namespace, claim).await?;
        let handle = volume["spec"]["csi"]["volumeHandle"].as_str();
        Ok(handle.context("a volume without a handle")?.to_owned())
    }

    /// The file with the bytes of a bound claim, in both volume modes.
    pub async fn disk_path(&self, namespace: &str, claim: &str) -> Result<PathBuf> {
        let volume = self.volume_of(namespace, claim).await?;
        let csi = &volume["spec"]["csi"];
        let driver = csi["driver"].as_str().context("a volume without a driver")?;
        let handle = csi["volumeHandle"].as_str().context("a volume without a handle")?;
        Ok(self.csi_dir(driver).join("data").join(handle).join("disk.img"))
    }

    /// Writes at the beginning of a claim's disk, as a guest would.
    pub async fn write_marker(&self, namespace: &str, claim: &str, marker: &[u8]) -> Result<()> {
        let path = self.disk_path(namespace, claim).await?;
        let mut file = fs::OpenOptions::new().write(true).open(&path).with_context(|| path.display().to_string())?;
        Ok(file.write_all(marker)?)
    }

    /// What stands at the beginning of a claim's disk, up to the zeros that follow.
    pub async fn read_marker(&self, namespace: &str, claim: &str) -> Result<Vec<u8>> {
        let path = self.disk_path(namespace, claim).await?;
        let mut bytes = Vec::new();
        File::open(&path).with_context(|| path.display().to_string())?.take(MARKER).read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(end);
        Ok(bytes)
    }

    async fn volume_of(&self, namespace: &str, claim: &str) -> Result<Value> {
        let found = self.get("PersistentVolumeClaim", namespace, claim).await?;
        let volume = found["spec"]["volumeName"].as_str();
        let volume = volume.with_context(|| format!("claim {namespace}/{claim} is not bound"))?;
        self.get("PersistentVolume", "", volume).await
    }
}
