//! The fields of a MoveList.

use super::fields::Type::{Flag, Integer, List, Object, OneOf, Text, TextMap};
use super::fields::{Field, may, must};

const STRATEGIES: &[&str] = &["CloneRebind", "Rebind", "CdiClone"];

pub const FIELDS: &[Field] = &[
    must("MoveList", Object, "What is to be moved, and how: everything that flags can say. A flag wins over the list."),
    must("MoveList.apiVersion", OneOf(&["vmmove.io/v1alpha1"]), "The version of the document's format."),
    must("MoveList.kind", OneOf(&["MoveList"]), "The kind of the document."),
    must("MoveList.spec", Object, "The wishes."),
    may("MoveList.spec.source", Text, "The namespace of the machines; absent: that of the command line."),
    may("MoveList.spec.target", Text, "The namespace they go to; absent: --to."),
    may("MoveList.spec.createNamespace", Flag, "Make the target namespace as the first step."),
    may("MoveList.spec.options", Object, "What holds for the whole move."),
    may(
        "MoveList.spec.options.volumes",
        OneOf(&["copy", "move"]),
        "copy: the source keeps its own disks until cleanup. move: the volumes themselves change hands.",
    ),
    may("MoveList.spec.options.start", OneOf(&["as-before", "always", "never"]), "The power state in the target."),
    may(
        "MoveList.spec.options.onFailure",
        OneOf(&["stop", "undo", "continue"]),
        "What happens when a machine fails: keep it for a look, put it back, or go on with the others.",
    ),
    may("MoveList.spec.options.verify", OneOf(&["none", "objects", "boot"]), "How deep to look after the start."),
    may("MoveList.spec.options.parallel", Integer, "Machines in flight; absent: 4."),
    may(
        "MoveList.spec.options.shutdownTimeoutSeconds",
        Integer,
        "How long a guest may take to shut down, in seconds; absent: its own grace period plus a minute.",
    ),
    may("MoveList.spec.options.forceStop", Flag, "Cut off a guest that does not shut down in time."),
    may("MoveList.spec.options.acceptUnclean", Flag, "Go on with the disks of a guest that was cut off."),
    may("MoveList.spec.options.maxDowntimeSeconds", Integer, "Put a machine back that has not come up in the target by then, in seconds."),
    may("MoveList.spec.strategy", OneOf(STRATEGIES), "A strategy for all disks."),
    may("MoveList.spec.storageClass", Text, "The target's storage class for all disks."),
    may("MoveList.spec.mapStorageClass", TextMap, "The target's storage class for disks that are on another one."),
    may("MoveList.spec.mapNetwork", TextMap, "Networks in the target, by networks in the source."),
    may("MoveList.spec.force", Flag, "Also move what something else manages, such as GitOps."),
    must("MoveList.spec.machines", List, "The virtual machines."),
    must("MoveList.spec.machines.name", Text, "The name in the source."),
    may("MoveList.spec.machines.rename", Text, "The name in the target; absent: the same."),
    may("MoveList.spec.machines.disks", List, "What is to be special about its disks."),
    must("MoveList.spec.machines.disks.claim", Text, "The claim in the source."),
    may("MoveList.spec.machines.disks.strategy", OneOf(STRATEGIES), "How this disk travels."),
    may("MoveList.spec.machines.disks.storageClass", Text, "The target's storage class for this disk; it wins over those for all disks."),
];
