//! The scenarios that come with the sandbox: one file and one line each.

use super::load_error::LoadError;
use super::reading::{self, Reading};

/// A cluster to begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scenario {
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// As somebody could write it.
    pub text: &'static str,
}

macro_rules! scenarios {
    ($($name:literal: $about:literal)*) => {
        /// All of them; the first is the usual one.
        pub const ALL: &[Scenario] = &[$(Scenario { name: $name, about: $about, text: include_str!(concat!("scenarios/", $name, ".yaml")) }),*];
    };
}

scenarios! {
    "plain": "a database with two disks and a second network, a web server, and an old machine that is switched off"
    "demo": "what 'sandbox demo' shows: a database, a web server and a machine that is switched off"
    "dv-template": "a machine whose disks are made by its DataVolume templates, one imported and one blank"
    "vtpm": "a machine with a TPM and EFI variables that outlive a reboot"
    "shared-disk": "two machines that write to one disk"
    "instancetype": "machines that take their size from an instancetype, of the cluster and of the namespace"
    "multi-network": "a machine with four networks, of which the target has one, another one by the same name, and one not at all"
    "quota-tight": "a target whose quota has room for one of two machines"
    "no-rights": "a user who may do everything in the source, and only look at the target"
    "no-snapshots": "storage that neither takes snapshots nor clones, so that bytes are copied"
    "bare": "a cluster without KubeVirt, CDI and snapshots"
    "wait-for-consumer": "disks that are made only when a machine starts: one has been up, one never"
    "gitops-owned": "machines that Argo CD and Flux keep equal to a repository, and one that is free"
    "pool-owned": "two machines of a pool"
    "guarded": "a web server with a way in from outside, a disruption budget, and a policy that bounds its traffic"
    "paused": "a machine whose guest is paused, and one that runs"
    "hot-plugged": "a machine into which a disk was plugged while it ran"
    "big-200": "two hundred running machines with two disks each"
    "huge-10000": "ten thousand machines with 25 000 disks"
}

impl Scenario {
    /// The usual one.
    pub fn usual() -> Self {
        ALL[0]
    }

    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|scenario| scenario.name == name)
    }

    /// What it says.
    ///
    /// # Errors
    /// None, as a test says.
    pub fn read(&self) -> Result<Reading, LoadError> {
        reading::read(self.text)
    }
}
