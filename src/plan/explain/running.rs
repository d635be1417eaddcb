//! Texts about what a move meets while it runs: E.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "E001",
        title: "what the move made is not as it left it",
        text: "The ledger says that a step of this move was done, but the cluster does not show it any more: somebody removed or changed \
               the object since. The tool does not silently do the step again, because what changed it may have had a reason, and other \
               steps were built on it. Look at what happened to the object; then go back with 'rollback', or put the object back as it \
               was and 'resume'.",
    },
    Text {
        topic: "E002",
        title: "another move holds the virtual machine",
        text: "The fence on a virtual machine is the lock of the move that put it there. Two moves of one machine could copy a disk while \
               the other changes it, so the second is refused. The message names the other move and who carries it. Wait for it, or look \
               at it with 'status' and finish or roll it back.",
    },
    Text {
        topic: "E003",
        title: "the virtual machine is not the one of the plan",
        text: "Between planning and fencing the virtual machine was changed, started, stopped, deleted or made anew, so the plan may decide \
               the wrong thing. Nothing of it was touched. Plan again.",
    },
    Text {
        topic: "E004",
        title: "something of that name is there that this move did not make",
        text: "The move came to make an object and found one of the same name without its marks. Such an object is never overwritten, \
               adopted or deleted. Rename or remove it if it is yours to remove, then 'resume'; or go back with 'rollback', which leaves \
               it alone too.",
    },
    Text {
        topic: "E005",
        title: "the guest did not shut down cleanly",
        text: "The guest was cut off before it had written everything to its disks: the instance ended as Failed. A copy of such a disk is \
               like a disk after a power cut. Go back with 'rollback', start the source once, shut it down from inside and move it again; \
               or plan with --accept-unclean if the guest can bear it.",
    },
    Text {
        topic: "E006",
        title: "the guest does not shut down",
        text: "The guest was asked to shut down and did not within the time it is given (--shutdown-timeout, or its own grace period and a \
               minute). Power is cut only when that was asked for with --force-stop. Shut it down from inside and 'resume', or 'rollback'.",
    },
    Text {
        topic: "E007",
        title: "the guest's node does not answer",
        text: "Nobody knows whether the guest still runs and writes to its disks, so they are neither copied nor handed over. Bring the node \
               back, or make sure that it is off and tell Kubernetes so (the out-of-service taint), then 'resume'.",
    },
    Text {
        topic: "E008",
        title: "the target is not verified",
        text: "The virtual machine in the target is not what the source was: another MAC address, a missing agent, a guest that has ended, a \
               disk of another size. The source is fenced and untouched. Look at the target; 'resume' verifies again, 'rollback' goes back.",
    },
    Text {
        topic: "E009",
        title: "the source is not removed",
        text: "Before cleanup deletes anything it reads afresh that the target has the disk, that the disk is the right one, and that nobody \
               uses what is to be deleted. One of these does not hold, or could not be read. Nothing was deleted by this step.",
    },
];
