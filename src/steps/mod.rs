//! The twins of `plan/step`: what each step does to a cluster. Probe, perform, undo; all of it safe to repeat.

mod adopt_disk;
mod clone_claim;
mod clone_disk;
mod copy_object;
mod create_namespace;
mod create_vm;
mod cx;
mod fence_vm;
pub mod hand;
mod holders;
mod orphans;
mod own_objects;
mod perform;
mod release_volume;
mod remove_disk;
mod remove_vm;
mod reserve_claim;
pub mod restore;
pub mod sites;
mod source;
mod start_vm;
mod stop_vm;
mod swap_volume;
mod verify_vm;
mod volume;

#[cfg(test)]
mod tests;
