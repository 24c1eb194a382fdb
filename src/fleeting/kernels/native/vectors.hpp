// Vectors of floats as wide as the instruction set, by the compiler's own vector types.
//
// FLEETING_LANES, the number of floats in a register, comes from the file that is compiled for an instruction set. Each
// becomes a library of its own, so that no function compiled for one is ever linked in the place of another's.
#pragma once

#include <cstdint>
#include <cstring>

#define FLEETING_INLINE inline __attribute__((always_inline))
// Of a loop that needs all registers for itself.
#define FLEETING_APART __attribute__((noinline))
#if defined(__clang__)
#define FLEETING_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FLEETING_UNROLL _Pragma("GCC unroll 32")
#endif

namespace fleeting {

constexpr int kLanes = FLEETING_LANES;
// Filters are worked on in blocks of so many, and a block is so many vectors.
constexpr int kBlock = 16;
constexpr int kVectors = kBlock / kLanes;
// Max-pooling is by 3 in every network that the kernels know: over time too, unless frames stand alone (planes.hpp).
constexpr int kPool = 3;

typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));

FLEETING_INLINE Floats load(const float* from) {
  Floats value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

FLEETING_INLINE Ints load(const int32_t* from) {
  Ints value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// A vector of bytes, widened. By a loop, which compilers turn into one instruction; of a conversion of vectors GCC makes
// one for each value.
FLEETING_INLINE Ints load(const uint8_t* from) {
  int32_t wide[kLanes];
  for (int i = 0; i < kLanes; i++) wide[i] = from[i];
  return load(wide);
}

FLEETING_INLINE void store(float* to, Floats value) { std::memcpy(to, &value, sizeof value); }
FLEETING_INLINE void store(int32_t* to, Ints value) { std::memcpy(to, &value, sizeof value); }

FLEETING_INLINE void store(uint8_t* to, Ints value) {
  int32_t wide[kLanes];
  store(wide, value);
  for (int i = 0; i < kLanes; i++) to[i] = static_cast<uint8_t>(wide[i]);
}

// Compilers that know these vectors let them be read as the numbers that they hold.
FLEETING_INLINE const float* numbers(const Floats* from) { return reinterpret_cast<const float*>(from); }

// Subtracting zero is the one way to spread a value that leaves every value as it is, -0 too, and so costs nothing.
FLEETING_INLINE Floats all(float value) { return value - Floats{}; }
FLEETING_INLINE Ints all(int32_t value) { return value - Ints{}; }

FLEETING_INLINE Floats masked(Floats value, Ints mask) { return (Floats)((Ints)value & mask); }

// NaN stays NaN.
FLEETING_INLINE Floats relu(Floats a) { return a < Floats{} ? Floats{} : a; }

}  // namespace fleeting
