//! An open-loop load generator for Kademlia nodes.
//!
//! ```text
//! quantity  mix  corpus  schedule  loss  transaction  in_flight  books  record
//!                                <- engine <- worker (kernel, link, clock) <- run
//!                                   <- report <- main
//! ```
pub mod assertion;
pub mod batch;
pub mod books;
pub mod clock;
pub mod corpus;
pub mod cpu;
pub mod engine;
pub mod in_flight;
pub mod kernel;
pub mod link;
pub mod local_node;
pub mod lookups;
pub mod loss;
pub mod mix;
pub mod options;
pub mod preload;
pub mod progress;
pub mod quantity;
pub mod record;
pub mod report;
pub mod run;
pub mod schedule;
pub mod setup;
pub mod summary;
pub mod transaction;
pub mod verdict;
pub mod worker;
