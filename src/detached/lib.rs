//! System calls that may never return, in processes of their own.
//!
//! A call that waits for a cluster may sleep where no signal reaches it (state D of ps(1)) if the cluster does not answer, and a
//! process ends only with its last thread. Other calls do end on a fatal signal, but halfway, which is worse: see [`write`].
//!
//! There are two ways to stay independent of such calls: [`child`] runs any code in a child process that can be left behind,
//! [`write`] makes a single write(2) that no signal interrupts. [`key`] is for that write: the key that the kernel looks for
//! meanwhile. Paths below /proc and /dev are the host's, whatever directory the program uses as its root.

pub mod child;
pub mod key;
pub mod write;
