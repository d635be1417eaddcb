//! The steps of a move: a closed list of plain data. What each does to a cluster is in its twin under `steps/`.

use serde::{Deserialize, Serialize};

use super::document::{DiskPlan, MachinePlan, PlanSpec};
use super::request::Strategy;
use crate::model::graph::{Lane, Phase, StepId, Title, UndoPolicy};
use crate::model::kind::{self, Kind};

/// One bounded change. Small on purpose: what it is about stands in the plan, which is frozen with it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub enum Step {
    /// Makes the target namespace.
    CreateNamespace {
        namespace: String,
    },
    /// Copies an object that machines refer to.
    CopyObject {
        kind: Kind,
        name: String,
    },
    /// Keeps the volume from being deleted and makes the target's claim for it, still unbound.
    ReserveClaim {
        machine: String,
        volume: String,
    },
    /// Makes the source unable to run, and is the lock of the move on it.
    FenceVm {
        machine: String,
    },
    /// Waits until no guest, pod or attachment holds the disks.
    StopVm {
        machine: String,
    },
    /// A CSI clone of a claim beside it.
    CloneClaim {
        machine: String,
        volume: String,
    },
    /// Hands a volume from one claim to another, by compare-and-swap.
    SwapVolume {
        machine: String,
        volume: String,
    },
    /// A DataVolume in the target that CDI fills from the source's claim.
    CloneDisk {
        machine: String,
        volume: String,
    },
    /// A DataVolume over a claim that is there already.
    AdoptDisk {
        machine: String,
        volume: String,
    },
    /// The virtual machine in the target, halted.
    CreateVm {
        machine: String,
    },
    /// Owner references in the target as they were in the source.
    OwnObjects {
        machine: String,
    },
    StartVm {
        machine: String,
    },
    VerifyVm {
        machine: String,
    },
    /// Deletes the source's virtual machine, and nothing that hangs on it.
    RemoveVm {
        machine: String,
    },
    /// Deletes the source's claim and its DataVolume.
    RemoveDisk {
        machine: String,
        volume: String,
    },
    /// Gives a volume that changed hands its reclaim policy back.
    ReleaseVolume {
        machine: String,
        volume: String,
    },
}

/// What is fixed about a kind of step: one row each.
struct Traits {
    /// The last part of its id.
    word: &'static str,
    phase: Phase,
    undo: UndoPolicy,
    /// See [`crate::model::graph::Node::lasting`].
    lasting: bool,
    doing: &'static str,
    done: &'static str,
    undone: &'static str,
}

const GONE: &str = "the source has been removed, so there is nothing to go back to";

impl Step {
    fn traits(&self) -> Traits {
        use Phase::{Cleanup, Clone, Copy, Recreate, Start, Stop, Verify};
        use UndoPolicy::{Automatic, NoReturn, Nothing};
        let row = |word, phase, undo, lasting, doing, done, undone| Traits { word, phase, undo, lasting, doing, done, undone };
        match self {
            Self::CreateNamespace { .. } => row("namespace", Copy, Automatic, true, "creating", "created", "removed"),
            Self::CopyObject { .. } => row("copy", Copy, Automatic, false, "copying", "copied", "copy removed"),
            Self::ReserveClaim { .. } => row("reserve", Clone, Automatic, false, "reserving", "reserved", "reservation removed"),
            Self::FenceVm { .. } => row("fence", Stop, Automatic, true, "fencing", "fenced", "fence lifted"),
            Self::StopVm { .. } => row("stop", Stop, Nothing, false, "stopping", "stopped", ""),
            Self::CloneClaim { .. } => row("clone", Clone, Automatic, false, "cloning", "cloned", "clone removed"),
            Self::SwapVolume { .. } => row("swap", Clone, Automatic, true, "handing over", "handed over", "handed back"),
            Self::CloneDisk { .. } => row("clone", Clone, Automatic, true, "cloning", "cloned", "clone removed"),
            Self::AdoptDisk { .. } => row("adopt", Recreate, Automatic, false, "adopting", "adopted", "released"),
            Self::CreateVm { .. } => row("create", Recreate, Automatic, true, "recreating", "recreated", "removed from the target"),
            Self::OwnObjects { .. } => row("own", Recreate, Nothing, false, "taking over what it owns", "owns its objects", ""),
            Self::StartVm { .. } => row("start", Start, Automatic, false, "starting", "started", "stopped in the target"),
            Self::VerifyVm { .. } => row("verify", Verify, Nothing, false, "verifying", "verified", ""),
            Self::RemoveVm { .. } | Self::RemoveDisk { .. } => {
                row("remove", Cleanup, NoReturn(GONE), false, "removing from the source", "removed from the source", "")
            }
            Self::ReleaseVolume { .. } => row("release", Cleanup, NoReturn(GONE), false, "releasing", "released", ""),
        }
    }

    pub fn phase(&self) -> Phase {
        self.traits().phase
    }

    pub fn undo(&self) -> UndoPolicy {
        self.traits().undo
    }

    pub fn lasting(&self) -> bool {
        self.traits().lasting
    }

    /// See [`crate::model::graph::Node::urgent`].
    pub fn urgent(&self) -> bool {
        matches!(self, Self::SwapVolume { .. })
    }

    /// The virtual machine it belongs to; empty for what several share.
    pub fn machine(&self) -> &str {
        match self {
            Self::CreateNamespace { .. } | Self::CopyObject { .. } => "",
            Self::ReserveClaim { machine, .. }
            | Self::FenceVm { machine }
            | Self::StopVm { machine }
            | Self::CloneClaim { machine, .. }
            | Self::SwapVolume { machine, .. }
            | Self::CloneDisk { machine, .. }
            | Self::AdoptDisk { machine, .. }
            | Self::CreateVm { machine }
            | Self::OwnObjects { machine }
            | Self::StartVm { machine }
            | Self::VerifyVm { machine }
            | Self::RemoveVm { machine }
            | Self::RemoveDisk { machine, .. }
            | Self::ReleaseVolume { machine, .. } => machine,
        }
    }

    /// The name of the disk's volume in the virtual machine, for steps about one disk.
    pub fn volume(&self) -> Option<&str> {
        match self {
            Self::ReserveClaim { volume, .. }
            | Self::CloneClaim { volume, .. }
            | Self::SwapVolume { volume, .. }
            | Self::CloneDisk { volume, .. }
            | Self::AdoptDisk { volume, .. }
            | Self::RemoveDisk { volume, .. }
            | Self::ReleaseVolume { volume, .. } => Some(volume),
            _ => None,
        }
    }

    /// The stable id: `db-1/fence`, `db-1/root/clone`, `copy/secrets/login`.
    pub fn id(&self) -> StepId {
        let word = self.traits().word;
        StepId(match self {
            Self::CreateNamespace { .. } => word.to_owned(),
            Self::CopyObject { kind, name } => format!("{word}/{}/{name}", kind.resource()),
            _ => match self.volume() {
                Some(volume) => format!("{}/{volume}/{word}", self.machine()),
                None => format!("{}/{word}", self.machine()),
            },
        })
    }

    /// The limit it counts against: disks of one class.
    pub fn lane(&self, plan: &PlanSpec) -> Lane {
        let disk = match self {
            Self::CloneClaim { .. } | Self::CloneDisk { .. } => self.disk(plan),
            _ => None,
        };
        Lane(disk.map(|disk| format!("class/{}", disk.class.as_deref().unwrap_or_default())).unwrap_or_default())
    }

    /// The machine's part of the plan.
    pub fn machine_plan<'a>(&self, plan: &'a PlanSpec) -> Option<&'a MachinePlan> {
        plan.machines.iter().find(|machine| machine.name == self.machine())
    }

    /// The disk's part of the plan.
    pub fn disk<'a>(&self, plan: &'a PlanSpec) -> Option<&'a DiskPlan> {
        let volume = self.volume()?;
        self.machine_plan(plan)?.disks.iter().find(|disk| disk.volume == volume)
    }

    /// What it is called while it runs and when it is done.
    pub fn title(&self, plan: &PlanSpec) -> Title {
        let traits = self.traits();
        let object = match self {
            Self::CreateNamespace { namespace } => format!("{}/{namespace}", kind::NAMESPACE.singular()),
            Self::CopyObject { kind, name } => format!("{}/{name}", kind.singular()),
            _ => match self.disk(plan) {
                Some(disk) => format!("{}/{}", kind::CLAIM.singular(), disk.claim),
                None => format!("{}/{}", kind::VM.singular(), self.machine()),
            },
        };
        let target = &plan.target.namespace;
        let done = match self {
            Self::CopyObject { .. } | Self::SwapVolume { .. } => format!("{} to {target}", traits.done),
            Self::AdoptDisk { .. } | Self::CreateVm { .. } | Self::ReserveClaim { .. } => format!("{} in {target}", traits.done),
            _ => traits.done.to_owned(),
        };
        Title { object, doing: traits.doing.to_owned(), done, undone: traits.undone.to_owned() }
    }
}

/// Whether the target gets a DataVolume of its own over a claim that changes hands: as the source had one.
pub fn adopts(disk: &DiskPlan) -> bool {
    disk.strategy != Strategy::CdiClone && matches!(disk.ownership, super::document::Ownership::DataVolume { .. })
}
