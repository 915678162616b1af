//! What the kernel may not give back, in a process of its own.
//!
//! A call that waits for a cluster which does not answer may sleep where no signal reaches it (state D of ps(1)), and a
//! process ends no sooner than its last thread. Other calls do end on a fatal signal, halfway, which is worse: see [`write`].
//! Files below /proc and /dev here are the machine's own, whatever folder the program takes for its root.
//!
//! So there are two ways to stay free of them: [`work`] does anything in a child that can be left behind, [`write`] a single
//! write(2) that nobody interrupts. [`key`] is for that write: the secret that the kernel looks for while it runs.

pub mod key;
pub mod work;
pub mod write;
