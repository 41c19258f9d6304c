//! How many contacts of one subnet a table may have, known without a look at each of them.

use super::bucket::Bucket;
use crate::node::subnet::Subnet;

/// Cells of the counts: some 400 contacts of as many subnets, those that wait among them, fall
/// into them so that few cells count more than three.
const CELLS: usize = 256;

/// The contacts of all buckets, and those that wait, counted by cells into which several subnets
/// fall: never fewer than there are of one. A cell that is full stays so.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    cells: [u8; CELLS],
}

impl Crowd {
    pub(super) const fn new() -> Self {
        Self { cells: [0; CELLS] }
    }

    /// How many of `subnet` there are at most.
    pub(super) fn at_most(&self, subnet: Subnet) -> usize {
        match self.cells[subnet.cell(CELLS)] {
            u8::MAX => usize::MAX,
            count => count.into(),
        }
    }

    /// Counts the contacts of a bucket.
    pub(super) fn add(&mut self, bucket: &Bucket) {
        for entry in bucket.all() {
            let cell = &mut self.cells[entry.subnet().cell(CELLS)];
            *cell = cell.saturating_add(1);
        }
    }

    /// Ceases to count those of a bucket that were counted.
    pub(super) fn remove(&mut self, bucket: &Bucket) {
        for entry in bucket.all() {
            let cell = &mut self.cells[entry.subnet().cell(CELLS)];
            *cell -= u8::from(*cell < u8::MAX);
        }
    }
}
