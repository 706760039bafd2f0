//! What the C library's allocator does with what is freed.

/// Has the whole process give memory back as soon as it can, and its threads share what they free; where the C library is
/// another than glibc, nothing changes. For a program that scans, before it does.
///
/// What a decompressor works in is one block of 47 KiB that begins at a multiple of 64, and there is one for each compressed
/// file. glibc before 2.38 does not find such a block again once it is free, so that each takes fresh memory. What one thread
/// freed, another does not use: each keeps what its largest file took.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    {
        // Below a decompressor's block.
        const LARGE: libc::c_int = 40 << 10;
        // SAFETY: both set a number that later allocations go by, and take no pointer.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
}
