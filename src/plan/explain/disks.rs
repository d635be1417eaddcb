//! Texts about disks and where they go: S.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "S001",
        title: "the claim of a disk does not exist",
        text: "The virtual machine names a claim that is not in its namespace; it could not start here either. Bring the claim back \
               or take the volume out of the machine.",
    },
    Text {
        topic: "S002",
        title: "a claim is not bound",
        text: "Pending: no volume was ever made for it, so there is nothing to carry; start the machine once or take the disk out. \
               Lost: its volume is gone or belongs to another claim, perhaps because a move was left half done; 'doctor' finds out.",
    },
    Text {
        topic: "S003",
        title: "a disk has not been filled",
        text: "The disk's DataVolume has not succeeded. While it is being imported or cloned a copy would be half a disk. Where CDI \
               waits for the first start (PendingPopulation, WaitForFirstConsumer) the disk is still empty: start the machine once, \
               or make it directly in the target. After a failure look at the DataVolume's events.",
    },
    Text {
        topic: "S004",
        title: "a disk is being resized",
        text: "The size that the claim asks for and the size that it has differ for the moment, and a copy of the wrong size could be \
               refused or cut. A pending file system resize ends only while the guest runs.",
    },
    Text {
        topic: "S005",
        title: "a disk is being deleted",
        text: "The claim or its DataVolume has been deleted and only waits for its last user. When the guest stops, the disk is gone. \
               Save it before anything else: let the guest run and copy its data.",
    },
    Text {
        topic: "S006",
        title: "a machine that stays behind uses the disk",
        text: "Another virtual machine of the namespace has the same claim among its volumes. After the move they would see different \
               disks, or one of them none. Take the disk out of one of them.",
    },
    Text {
        topic: "S007",
        title: "chosen machines share a disk",
        text: "Several of the chosen machines use one claim. A copy for each would part them, and this version does not move a shared \
               disk as one.",
    },
    Text {
        topic: "S008",
        title: "a pod uses the disk",
        text: "A pod that does not belong to the guest mounts the claim, such as a backup, an upload or a debug pod. Stopping the \
               guest would not free the disk. End the pod.",
    },
    Text {
        topic: "S009",
        title: "the disk is a golden image",
        text: "A DataSource offers this disk as the image from which new machines are made. A copied disk stays until cleanup; with \
               --volumes move it leaves at once. Point the DataSource elsewhere first.",
    },
    Text {
        topic: "S010",
        title: "the disk is being cloned",
        text: "A claim that is still Pending names this one as its source. Changing the disk's hands now could fail that clone. The \
               finalizer that cloning leaves on a claim is no sign of this: it stays for ever.",
    },
    Text {
        topic: "S011",
        title: "the disk is being exported",
        text: "A VirtualMachineExport of the claim is open and its server pod mounts the disk. Delete the export when its download is \
               done.",
    },
    Text {
        topic: "S012",
        title: "a snapshot of the disk is not ready",
        text: "The storage system is still taking a snapshot of the disk, or has failed to. Wait until it is ready; delete one that \
               failed.",
    },
    Text {
        topic: "S013",
        title: "snapshots of the disk stay behind",
        text: "VolumeSnapshots cannot change namespace. They stay in the source; some storage systems keep the source's volume until \
               its snapshots are gone.",
    },
    Text {
        topic: "S014",
        title: "the volume belongs to another claim",
        text: "The claim says that it is bound, but its PersistentVolume names another claim, or does not exist. For up to fifteen \
               seconds after a volume changed hands both claims look bound; only the volume's claimRef tells the truth. Usually a \
               move was left half done: 'doctor' finds it.",
    },
    Text {
        topic: "S015",
        title: "another move holds the volume",
        text: "The volume carries the mark of a move that has set its reclaim policy to Retain and still owes it the old one. Finish \
               that move with cleanup, or undo it with rollback, before the next.",
    },
    Text {
        topic: "S016",
        title: "the storage class does not exist",
        text: "The disk is to be on a class that the target does not have: the one that was asked for, or its own. With --volumes \
               move the volume keeps its class's name and nothing is provisioned, so there it is only a warning.",
    },
    Text {
        topic: "S017",
        title: "the driver is not registered",
        text: "No CSIDriver object of the class's provisioner is in the target. Drivers need not register one, so this is no proof; \
               but a claim of a driver that is not installed waits for ever.",
    },
    Text {
        topic: "S018",
        title: "the class binds on first use",
        text: "With WaitForFirstConsumer a claim gets its volume when a pod uses it, so that the volume is where the pod is. The \
               target's machine is stopped while its disks are made, so copies are bound at once; a volume that is handed over keeps \
               its place. Where volumes are local to a node or zone, check that the machine may run there.",
    },
    Text {
        topic: "S019",
        title: "something is chosen for a disk that is not there",
        text: "--strategy CLAIM=NAME, or a disk of the move list, names a claim that none of the chosen machines has. It is refused rather than \
               ignored, because a mistyped name would let the disk travel in a way that you did not want.",
    },
    Text {
        topic: "S020",
        title: "a class is mapped that no disk is on",
        text: "--map-storage-class, or the move list, maps a class that no disk of the chosen machines is on. Nothing follows from \
               it; perhaps the name is mistyped.",
    },
    Text {
        topic: "S030",
        title: "no strategy can carry the disk",
        text: "Each way in which a disk can travel has conditions, and for this disk none holds. The finding says for each what stands \
               against it: a class that changes, a right on volumes or on CDI's clones that is missing, a volume that needs a Secret \
               of the source namespace. Change one of these, or choose another class or strategy; 'explain' has a text for each \
               strategy with what it needs.",
    },
];
