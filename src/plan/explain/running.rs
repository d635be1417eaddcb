//! Texts about what a move meets while it runs: E.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "E001",
        title: "what the move made is not as it left it",
        text: "The ledger says that a step of this move was done, but the cluster does not show it any more: somebody removed or changed \
               the object since. The tool does not silently do the step again, because what changed it may have had a reason, and other \
               steps were built on it. Nothing more is done until you decide. Look at what happened to the object; then put it back as it \
               was and 'resume', or go back with 'rollback'. If the message says that the machine may have been started in the target \
               already, its disks there may hold what the source does not have: look there before you go back. 'rollback' never gives that \
               up by itself; with copied disks it asks for --discard-target-writes.",
    },
    Text {
        topic: "E002",
        title: "another move holds the virtual machine",
        text: "The fence on a virtual machine is the lock of the move that put it there. Two moves of one machine could copy a disk while \
               the other changes it, so the second is refused and has touched nothing of it. The message names the other move and who \
               carries it. Wait for it, or look at it with 'status' and finish it with 'resume' or take it back with 'rollback'.",
    },
    Text {
        topic: "E003",
        title: "the virtual machine is not the one of the plan",
        text: "If the virtual machine was changed, started or stopped between planning and fencing, the plan may decide the wrong thing. \
               Nothing of it was touched: plan again. If it was deleted or made anew after it was fenced, nothing more is done with it. \
               'rollback' removes what the move made, but keeps each copy whose disk is gone from the source (E010).",
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
               like a disk after a power cut, so none is made, and 'resume' stops here again. The source's disks are as the guest left them. \
               Go back with 'rollback', start the source once, shut it down from inside and move it again; or go back and plan with \
               --accept-unclean if the guest can bear it.",
    },
    Text {
        topic: "E006",
        title: "the guest does not shut down",
        text: "The guest was asked to shut down and did not within the time it is given (--shutdown-timeout, or its own grace period and a \
               minute). Its disks have not been touched. Power is cut only when that was asked for with --force-stop. Shut it down from \
               inside and 'resume', or go back with 'rollback'.",
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
               disk of another size. The source is fenced and stays, with the disks that were copied; disks that were moved can be handed \
               back. Look at the target; 'resume' verifies again, 'rollback' goes back and says first what the target wrote that would be \
               lost.",
    },
    Text {
        topic: "E009",
        title: "the source is not removed",
        text: "Before cleanup deletes anything it reads afresh that the target has the disk, that the disk is the right one, and that nobody \
               uses what is to be deleted. One of these does not hold, or could not be read. Nothing was deleted by this step, and the \
               target is not concerned. Mend what the message says and run 'cleanup' again, or keep the source: nothing forces you to \
               remove it.",
    },
    Text {
        topic: "E010",
        title: "a copy is kept because its disk is gone from the source",
        text: "Going back deletes the copies that the move made, for the source has the disks. Here somebody deleted the claim of the source \
               during the move, perhaps with its data, so the copy may be all that is left and is not deleted. Save what you need from it, \
               for instance by letting another machine use the claim. When nothing of it is needed, delete it yourself and run 'rollback' again.",
    },
];
