//! Texts about the ways in which a disk can travel.

use super::Text;

pub const TEXTS: &[Text] = &[
    Text {
        topic: "CloneRebind",
        title: "a clone beside the source, handed to the target",
        text: "The storage system clones the disk into a second claim in the source namespace; then the clone's volume is handed to \
               the target's claim, in about a second. The source keeps its own disk, untouched, until cleanup.\n\nNeeds: a CSI driver \
               that clones, the same class in the target, the right to patch PersistentVolumes, room for a second claim in the \
               source's quota, and a volume that is not tied to a Secret of the source namespace.\n\nCost: what the storage system \
               needs for a clone, often seconds.\n\nUndo: the clone is deleted. Nothing of the source has changed.",
    },
    Text {
        topic: "Rebind",
        title: "the volume itself changes hands",
        text: "Nothing is copied. The PersistentVolume gets reclaim policy Retain and its claimRef is swapped, in one conditional \
               patch, from the source's claim to the target's. The source's claim turns Lost. This is what --volumes move asks \
               for.\n\nNeeds: the right to patch PersistentVolumes, the same class, a volume that nobody else uses and that is not \
               tied to a Secret of the source namespace.\n\nCost: about a second, no space.\n\nUndo: the volume is handed back, with \
               everything that the target has written to it. There is no second copy: until cleanup the policy stays Retain, so that \
               no mistake can delete the bytes.",
    },
    Text {
        topic: "CdiClone",
        title: "CDI clones the disk into the target",
        text: "A DataVolume in the target namespace names the source's claim, and CDI clones it: by snapshot or CSI clone where the \
               storage system can, else by reading and writing every byte through the pod network. It is the way across storage \
               classes and for users who may not patch volumes.\n\nNeeds: CDI, and in the source namespace the right to create \
               datavolumes/source or pods.\n\nCost: seconds within one driver; size divided by the network's speed across drivers. \
               For a while the source namespace holds a temporary claim.\n\nUndo: the DataVolume is deleted. Nothing of the source \
               has changed.",
    },
];
