//! What the C library's allocator does with what is freed.

/// Has this process give a block of 40 KiB or more back to the system as soon as it is freed; where the C library is another
/// than glibc, nothing changes.
///
/// What a decompressor works in is one block of 47 KiB that begins at a multiple of 64, and there is one for each compressed
/// file. glibc before 2.38 does not find such a block again once it is free, so that each takes fresh memory.
pub(super) fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    {
        const LARGE: libc::c_int = 40 << 10;
        // SAFETY: it sets a number that later allocations go by, and takes no pointer.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    }
}
