//! What the reader of PFX files is prepared to take, each limit with its reason. They stand here
//! so that fuzzing needs nothing of the rest.

/// Largest PFX file. A key of 16,384 bits and a chain of ten such certificates stay below it.
pub const PFX_BYTES_MAX: u64 = 256 * 1024;

/// Most rounds of key derivation that reading one PFX file may take, all its parts together. A
/// file says itself how many it wants. Some ask for 600,000 in each of three parts.
pub const PFX_ROUNDS_MAX: u64 = if cfg!(fuzzing) { 10_000 } else { 8_000_000 };

/// Most bags in one PFX file: keys, certificates and what is passed over.
pub const PFX_BAGS_MAX: usize = 256;

/// Deepest that bags may lie in bags.
pub const PFX_DEPTH_MAX: usize = 4;
