//! An open-loop load generator for Kademlia nodes: the parts of the `loadgen`
//! program.
//!
//! ```text
//! mix  corpus  schedule  loss  transaction  in_flight  books  record
//!   <- engine                     what to send and what came of it; no I/O
//!     <- worker                   one thread: link, lookups, clock, and crate `udp`
//!       <- result                 what a run has measured
//!         <- run                  targets, preload, publish, all threads, CPU time
//!         <- assertion            <- options
//!         <- verdict, summary     <- report: text, JSON, HdrHistogram's table, a page
//!                                   <- outputs: where each of them is written
//! ```
#![deny(clippy::print_stderr)] // it panics where standard error cannot be written
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "nanoseconds and counts of a run are below 2^53, and none is negative"
)]

pub mod assertion;
pub mod books;
pub mod clock;
pub mod corpus;
pub mod cpu;
pub mod engine;
pub mod in_flight;
pub mod interruption;
pub mod link;
pub mod local_node;
pub mod lookups;
pub mod loss;
pub mod memory;
pub mod mix;
pub mod options;
pub mod output_file;
pub mod outputs;
pub mod preload;
pub mod progress;
pub mod publish;
pub mod quantity;
pub mod record;
pub mod report;
pub mod result;
pub mod run;
pub mod say;
pub mod schedule;
pub mod setup;
pub mod summary;
pub mod target_drops;
pub mod targets;
pub mod transaction;
pub mod verdict;
pub mod worker;
