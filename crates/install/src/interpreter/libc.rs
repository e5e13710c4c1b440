//! Which C library a Linux machine has.
