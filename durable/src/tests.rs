//! Tests of the folder on a disk in memory.

mod clocks;
mod compacting;
mod crashes;
mod damage;
mod format;
mod model;
mod opening;
mod writing;
