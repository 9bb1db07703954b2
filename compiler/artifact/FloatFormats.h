// Conversions between float32, float16 and bfloat16 as bit patterns. Branch-free selects on
// contiguous data, so that loops over them vectorise. Narrowing rounds to nearest, ties to even;
// widening is exact. NaNs stay NaNs.
#pragma once
#include <cstdint>
#include <cstring>

namespace coppice::formats {

inline float asFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline uint32_t asBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// float16 to float32.
inline uint32_t widenHalf(uint16_t half) {
  uint32_t magnitude = half & 0x7fffu;
  uint32_t shifted = magnitude << 13;
  uint32_t normal = shifted + ((127u - 15u) << 23);
  uint32_t special = shifted | 0x7f800000u;
  // A subnormal is its mantissa times 2^-24: 2^-14 with that mantissa, less 2^-14, exactly.
  uint32_t subnormal = asBits(asFloat(shifted + (113u << 23)) - asFloat(113u << 23));
  uint32_t bits = magnitude >= 0x7c00u ? special : normal;
  bits = magnitude < 0x0400u ? subnormal : bits;
  return bits | (uint32_t(half & 0x8000u) << 16);
}

/// float32 to float16; what rounds beyond 65504 becomes infinity.
inline uint16_t narrowHalf(uint32_t bits) {
  uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t normal = (magnitude - ((127u - 15u) << 23) + 0x0fffu + ((magnitude >> 13) & 1u)) >> 13;
  // Added to 0.5, whose last place is 2^-24, the value is rounded by the addition itself. Clamped
  // first: larger values take the other branch, and stay out of this one's range.
  uint32_t small = magnitude < (113u << 23) ? magnitude : (113u << 23);
  uint32_t subnormal = asBits(asFloat(small) + 0.5f) - asBits(0.5f);
  uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  uint32_t half = magnitude < (113u << 23) ? subnormal : normal;
  half = magnitude >= 0x477ff000u ? special : half;
  return uint16_t(half | ((bits >> 16) & 0x8000u));
}

/// bfloat16 to float32.
inline uint32_t widenBrain(uint16_t brain) { return uint32_t(brain) << 16; }

/// float32 to bfloat16; what rounds beyond the largest finite value becomes infinity.
inline uint16_t narrowBrain(uint32_t bits) {
  uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  uint32_t nan = (bits >> 16) | 0x0040u; // quiet, so that no payload in the low half is lost to 0
  return uint16_t((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

/// The smallest magnitudes that a format cannot hold as a finite number: of float32 bit patterns
/// that are to be narrowed to it.
constexpr uint32_t kFloatLimit = 0x7f800000u;  // infinity
constexpr uint32_t kHalfLimit = 0x477ff000u;   // 65520, which rounds up to infinity
constexpr uint32_t kBrainLimit = 0x7f7f8000u;  // halfway from the largest finite value to infinity
constexpr uint32_t kByteLimit = 0x4afde041u;   // above 127 * 65504: i8's largest code and scale
constexpr uint32_t kNibbleLimit = 0x48ffe001u; // above 8 * 65504: i4's
/// The same of patterns that are in the format already.
constexpr uint16_t kHalfInfinity = 0x7c00u;
constexpr uint16_t kBrainInfinity = 0x7f80u;

} // namespace coppice::formats
