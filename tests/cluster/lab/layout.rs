//! Where one lab keeps its files and which ports it listens on.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Loopback ports, all different and free a moment ago.
pub struct Ports {
    pub etcd: u16,
    pub etcd_peer: u16,
    pub apiserver: u16,
    pub controller_manager: u16,
    pub scheduler: u16,
    pub cdi_api: u16,
    pub virt_api: u16,
    pub virt_controller: u16,
    pub kwok: u16,
}

impl Ports {
    /// Asks the kernel for free ports and holds each until all are known, so that no two are the same.
    pub fn free() -> Result<Self> {
        let mut held = Vec::new();
        let mut next = || -> Result<u16> {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            let port = listener.local_addr()?.port();
            held.push(listener);
            Ok(port)
        };
        Ok(Self {
            etcd: next()?,
            etcd_peer: next()?,
            apiserver: next()?,
            controller_manager: next()?,
            scheduler: next()?,
            cdi_api: next()?,
            virt_api: next()?,
            virt_controller: next()?,
            kwok: next()?,
        })
    }
}

/// The folder of one lab, and its ports.
pub struct Layout {
    pub dir: PathBuf,
    pub ports: Ports,
}

impl Layout {
    pub fn new(dir: &Path) -> Result<Self> {
        for sub in ["pki", "logs", "kubeconfig", "csi"] {
            fs::create_dir_all(dir.join(sub)).with_context(|| format!("cannot create {sub} in {}", dir.display()))?;
        }
        Ok(Self { dir: dir.to_owned(), ports: Ports::free()? })
    }

    /// The API server's address.
    pub fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.apiserver)
    }

    /// A certificate or key of [`certificates`](super::certificates), by its file name.
    pub fn pki(&self, file: &str) -> String {
        self.dir.join("pki").join(file).display().to_string()
    }

    /// The kubeconfig file of a user or controller.
    pub fn kubeconfig(&self, who: &str) -> PathBuf {
        self.dir.join("kubeconfig").join(who)
    }

    pub fn log(&self, component: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{component}.log"))
    }

    /// Where a CSI driver keeps its volumes, its faults and its socket.
    pub fn csi(&self, driver: &str) -> PathBuf {
        self.dir.join("csi").join(driver)
    }

    /// The socket on which a CSI driver listens.
    pub fn socket(&self, driver: &str) -> PathBuf {
        self.csi(driver).join("csi.sock")
    }
}
