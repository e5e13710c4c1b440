//! Where a processor keeps the number, the arguments and the result of a system call.

use nix::libc::user_regs_struct;

/// Returns the number of the call and its first five arguments.
#[cfg(target_arch = "x86_64")]
pub(super) const fn call_of(registers: &user_regs_struct) -> (i64, [u64; 5]) {
    (registers.orig_rax.cast_signed(), [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8])
}

/// Replaces the first two arguments.
#[cfg(target_arch = "x86_64")]
pub(super) const fn set_arguments(registers: &mut user_regs_struct, first: u64, second: u64) {
    registers.rdi = first;
    registers.rsi = second;
}

/// Replaces the result.
#[cfg(target_arch = "x86_64")]
pub(super) const fn set_result(registers: &mut user_regs_struct, result: i64) {
    registers.rax = result.cast_unsigned();
}

/// Returns the number of the call and its first five arguments.
#[cfg(target_arch = "aarch64")]
pub(super) const fn call_of(registers: &user_regs_struct) -> (i64, [u64; 5]) {
    let it = &registers.regs;
    (it[8].cast_signed(), [it[0], it[1], it[2], it[3], it[4]])
}

/// Replaces the first two arguments.
#[cfg(target_arch = "aarch64")]
pub(super) const fn set_arguments(registers: &mut user_regs_struct, first: u64, second: u64) {
    registers.regs[0] = first;
    registers.regs[1] = second;
}

/// Replaces the result.
#[cfg(target_arch = "aarch64")]
pub(super) const fn set_result(registers: &mut user_regs_struct, result: i64) {
    registers.regs[0] = result.cast_unsigned();
}
