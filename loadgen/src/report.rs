//! Results in every form: text for people, tables for programs, a page with charts.

pub mod chart;
pub mod charts;
pub mod compare;
pub mod csv;
pub mod hgrm;
pub mod html;
pub mod text;
