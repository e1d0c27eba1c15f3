// What the processor says of itself. Compiled for the plainest processor into a library of its own: it is asked before
// a library is loaded that was compiled for another.

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern "C" {

// eax, ebx, ecx and edx of CPUID; zeros for a leaf that the processor does not have, and on other processors.
__attribute__((visibility("default"))) void keryx_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]) {
  for (int i = 0; i < 4; i++) registers[i] = 0;
#if defined(__x86_64__)
  __get_cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2], &registers[3]);
#else
  (void)leaf, (void)subleaf;
#endif
}

// XCR0: which registers the operating system saves when it switches threads; 0 where it does not say.
__attribute__((visibility("default"))) uint64_t keryx_xcr0() {
#if defined(__x86_64__)
  uint32_t registers[4];
  keryx_cpuid(1, 0, registers);
  if (!(registers[2] >> 27 & 1)) return 0;  // without OSXSAVE the instruction is not there
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
#else
  return 0;
#endif
}

}
