//! The platforms that a release is made for, in the words of Go and of the package formats.

use std::fmt;
use std::str::FromStr;

use super::NAME;

/// An operating system and a processor, as krew calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    pub os: &'static str,
    pub arch: &'static str,
}

impl Platform {
    pub const ALL: [Self; 6] = [
        Self { os: "linux", arch: "amd64" },
        Self { os: "linux", arch: "arm64" },
        Self { os: "darwin", arch: "amd64" },
        Self { os: "darwin", arch: "arm64" },
        Self { os: "windows", arch: "amd64" },
        Self { os: "windows", arch: "arm64" },
    ];

    /// The name of its archive.
    pub fn archive(self) -> String {
        format!("{NAME}-{self}.{}", if self.is_windows() { "zip" } else { "tar.gz" })
    }

    /// What the program is called there.
    pub fn program(self) -> String {
        format!("{NAME}{}", if self.is_windows() { ".exe" } else { "" })
    }

    /// What RPM calls the processor, where there is RPM.
    pub fn rpm(self) -> Option<&'static str> {
        match (self.os, self.arch) {
            ("linux", "amd64") => Some("x86_64"),
            ("linux", "arm64") => Some("aarch64"),
            _ => None,
        }
    }

    /// What Debian calls the processor, where there is Debian.
    pub fn debian(self) -> Option<&'static str> {
        (self.os == "linux").then_some(self.arch)
    }

    pub fn is_windows(self) -> bool {
        self.os == "windows"
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.os, self.arch)
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(|platform| platform.to_string());
        let found = Self::ALL.into_iter().find(|platform| platform.to_string() == text);
        found.ok_or_else(|| format!("{text} is not one of {}", known.join(", ")))
    }
}
