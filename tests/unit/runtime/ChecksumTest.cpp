// The checksum's promises, on every bit of small inputs.
#include "runtime/core/checksum.h"
#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <vector>

static uint64_t sumOf(const std::vector<uint8_t> &data) {
  coppice_checksum sum;
  coppice_checksum_init(&sum);
  coppice_checksum_update(&sum, data.data(), data.size());
  return coppice_checksum_final(&sum);
}

static std::vector<uint8_t> bytes(size_t count) {
  std::vector<uint8_t> data(count);
  uint32_t x = 12345;
  for (uint8_t &byte : data)
    byte = uint8_t((x = x * 1664525 + 1013904223) >> 24);
  return data;
}

// Every single-bit flip shows, in inputs around every length that the blocks treat differently.
TEST(Checksum, SeesEveryBitFlip) {
  for (size_t count : {1, 7, 8, 9, 63, 64, 65, 127, 128, 200, 1000}) {
    std::vector<uint8_t> data = bytes(count);
    uint64_t right = sumOf(data);
    for (size_t bit = 0; bit < 8 * count; ++bit) {
      data[bit / 8] ^= uint8_t(1 << bit % 8);
      ASSERT_NE(sumOf(data), right) << count << " bytes, bit " << bit;
      data[bit / 8] ^= uint8_t(1 << bit % 8);
    }
  }
}

// Flips of two top bits in one lane do not cancel: that is what the rotation is for.
TEST(Checksum, SeesPairsOfTopBits) {
  std::vector<uint8_t> data = bytes(512);
  uint64_t right = sumOf(data);
  for (size_t a = 7; a < data.size(); a += 8)
    for (size_t b = a + 8; b < data.size(); b += 8) {
      data[a] ^= 0x80, data[b] ^= 0x80;
      ASSERT_NE(sumOf(data), right) << a << " and " << b;
      data[a] ^= 0x80, data[b] ^= 0x80;
    }
}

// Exchanged words and blocks show.
TEST(Checksum, SeesTheOrder) {
  std::vector<uint8_t> data = bytes(256), other = data;
  for (size_t step : {8, 64, 128}) {
    other = data;
    std::swap_ranges(other.begin(), other.begin() + long(step), other.begin() + long(step));
    EXPECT_NE(sumOf(other), sumOf(data)) << step;
  }
}

// Zeros added at the end show: the length counts, not only the padded words.
TEST(Checksum, SeesTheLength) {
  std::set<uint64_t> seen;
  for (size_t count = 0; count < 300; ++count)
    EXPECT_TRUE(seen.insert(sumOf(std::vector<uint8_t>(count))).second) << count;
}

// The result does not depend on how the input is cut into calls.
TEST(Checksum, IsTheSameInPieces) {
  std::vector<uint8_t> data = bytes(777);
  for (size_t piece : {1, 3, 8, 63, 64, 65, 500}) {
    coppice_checksum sum;
    coppice_checksum_init(&sum);
    for (size_t at = 0; at < data.size(); at += piece)
      coppice_checksum_update(&sum, data.data() + at, std::min(piece, data.size() - at));
    coppice_checksum_update(&sum, nullptr, 0);
    EXPECT_EQ(coppice_checksum_final(&sum), sumOf(data)) << piece;
  }
}

// The definition in checksum.c's comment, word by word, so that a file written by one build is read
// by another.
TEST(Checksum, FollowsItsDefinition) {
  const uint64_t odd = 0x9e3779b97f4a7c15;
  auto step = [&](uint64_t lane, uint64_t word) {
    lane ^= word;
    return (lane << 29 | lane >> 35) * odd;
  };
  for (size_t count : {0, 5, 64, 100}) {
    std::vector<uint8_t> data = bytes(count);
    uint64_t lanes[8], h = count * odd;
    for (uint64_t i = 0; i < 8; ++i)
      lanes[i] = (i + 1) * 0xd1b54a32d192ed03;
    std::vector<uint8_t> padded = data;
    padded.resize((count + 63) / 64 * 64);
    for (size_t i = 0; i < padded.size() / 8; ++i) {
      uint64_t word = 0;
      for (size_t k = 0; k < 8; ++k)
        word |= uint64_t(padded[8 * i + k]) << 8 * k;
      lanes[i % 8] = step(lanes[i % 8], word);
    }
    for (uint64_t lane : lanes)
      h = step(h, lane);
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93;
    EXPECT_EQ(sumOf(data), h ^ h >> 32) << count;
  }
}
