//! Doing the same for many things on all processors. What comes of it is in the order of the things, however it was shared out.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{panic, thread};

/// From so many machines on it is worth it.
pub const MANY: usize = 500;

/// What comes of each thing; on this thread alone when that is not worth it.
pub fn shared_out<T: Sync, R: Send>(all: &[T], worth: bool, one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let hands = if worth { thread::available_parallelism().map_or(1, NonZero::get) } else { 1 };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(thing) = all.get(place) else { return done };
            done.push((place, one(thing)));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..hands).map(|_| scope.spawn(work)).collect();
        let own = work();
        let joined = others.into_iter().flat_map(|other| other.join().unwrap_or_else(|defect| panic::resume_unwind(defect)));
        joined.chain(own).collect::<Vec<_>>()
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_things() {
        let all: Vec<usize> = (0..10_000).collect();
        for worth in [false, true] {
            assert_eq!(shared_out(&all, worth, |number| number * 2), all.iter().map(|number| number * 2).collect::<Vec<_>>());
        }
    }
}
