//! The whole program against real peers: one binary, a file a capability.
