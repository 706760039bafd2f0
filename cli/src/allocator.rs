//! The allocator: jemalloc. With glibc's, threads that look into files keep half as much memory again, or wait for each other.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What is freed goes back to the system after a twentieth of a second, threads share two pools, and what has 256 KiB or more
/// another one, from which it goes back at once (jemalloc's `malloc_conf`).
// SAFETY: jemalloc itself calls a pointer to such a text, which ends in NUL, by this name.
#[unsafe(export_name = "_rjem_malloc_conf")]
static CONFIGURATION: &[u8; 71] = b"dirty_decay_ms:50,muzzy_decay_ms:0,narenas:2,oversize_threshold:262144\0";
