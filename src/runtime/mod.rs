//! What every layer needs of the process itself: paths, time limits, threads, pauses. It knows nothing of RBD.

pub mod background; // work in a thread that can be abandoned
pub mod backoff; // pauses between retries
pub mod deadline; // time limits
#[cfg(test)]
pub mod fake_root; // a directory that stands for / in tests
pub mod job_pool; // a bounded number of threads
pub mod root; // every absolute path
