//! Prints docs/baselines.md.
//!
//! ```sh
//! cargo run -p windrow-formats --example baselines > docs/baselines.md
//! ```
#![allow(clippy::print_stdout)]

fn main() {
    print!("{}", windrow_formats::wef::baseline::reasons());
}
