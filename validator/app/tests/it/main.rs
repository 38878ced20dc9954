//! Integration tests of the whole validator.

mod bad_input;
mod capture;
mod ci_jobs;
mod cli;
mod extreme;
mod following;
mod foreign_tables;
mod guide;
mod init;
mod least_privilege;
mod newcomer;
mod readme;
mod real_kafka;
mod registry_stub;
mod reports;
mod repository;
mod run;
mod scene;
mod schemas;
mod section4;
mod spark_tables;
mod sql;
mod terminal;
mod transcript;
mod watched;
mod worlds;
