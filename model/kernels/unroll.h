// SIGSERVE_UNROLL before a loop of constant length: its values then stay in registers.
#pragma once

#if defined(__clang__)
#define SIGSERVE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SIGSERVE_UNROLL _Pragma("GCC unroll 32")
#endif
