// Sessions in the caller's memory: sizes, positions, and every way to be refused.
#include "runtime/core/session.h"
#include <cstring>
#include <gtest/gtest.h>

namespace {
struct alignas(64) Memory {
  uint8_t bytes[64 + 48 * 12];
};

coppice_program programOf(uint64_t kvBytes, uint32_t context) {
  coppice_program program{};
  program.kv_bytes_per_position = kvBytes;
  program.context = context;
  program.token_limit = 10;
  return program;
}
} // namespace

// Bytes are a header and whole blocks of 16 positions.
TEST(Session, BytesAreHeaderAndBlocks) {
  coppice_program program = programOf(12, 100);
  EXPECT_EQ(coppice_core_session_bytes(&program, 1), 64u + 16 * 12);
  EXPECT_EQ(coppice_core_session_bytes(&program, 16), 64u + 16 * 12);
  EXPECT_EQ(coppice_core_session_bytes(&program, 17), 64u + 32 * 12);
  EXPECT_EQ(coppice_core_session_bytes(&program, 0), 0u);
  EXPECT_EQ(coppice_core_session_bytes(&program, 101), 0u);
}

// A size that does not fit size_t is no size, rather than a small one.
TEST(Session, HugeSizesDoNotWrap) {
  coppice_program program = programOf(UINT64_MAX / 8, 100);
  EXPECT_EQ(coppice_core_session_bytes(&program, 1), 0u);
  program = programOf((SIZE_MAX - 64 - 63) / 16, 100);
  EXPECT_NE(coppice_core_session_bytes(&program, 16), 0u);
  EXPECT_EQ(coppice_core_session_bytes(&program, 17), 0u);
}

// A cache of odd size per position still makes sessions of whole lines.
TEST(Session, BytesAreAMultipleOfTheAlignment) {
  coppice_program program = programOf(2 * 3 + 8, 100); // int8, a head of 3: 16 positions are 224
  EXPECT_EQ(coppice_core_session_bytes(&program, 1), 64u + 256);
  EXPECT_EQ(coppice_core_session_bytes(&program, 17), 64u + 448);
  EXPECT_EQ(coppice_core_session_bytes(&program, 48), 64u + 704);
}

// A model without attention left needs no cache.
TEST(Session, WorksWithoutACache) {
  coppice_program program = programOf(0, 100);
  EXPECT_EQ(coppice_core_session_bytes(&program, 100), 64u);
}

// Tokens get positions 0, 1, ... up to what was asked for, not up to the rounded capacity.
TEST(Session, PushesUpToItsLimit) {
  coppice_program program = programOf(12, 100);
  Memory memory;
  coppice_session *session = nullptr;
  ASSERT_EQ(coppice_core_session_init(&program, 17, &memory, sizeof memory, &session), COPPICE_OK);
  coppice_row row;
  for (int i = 0; i < 17; ++i) {
    ASSERT_EQ(coppice_core_session_push(session, 3, &row), COPPICE_OK);
    EXPECT_EQ(row.position, i);
    EXPECT_EQ(row.token, 3);
    EXPECT_EQ(row.kv, memory.bytes + 64);
    EXPECT_EQ(row.kv_capacity, 32u);
  }
  EXPECT_EQ(coppice_core_session_push(session, 3, &row), COPPICE_CONTEXT_FULL);
  EXPECT_EQ(session->position, 17u);
}

// Tokens outside the model's ids are refused and take no position.
TEST(Session, RefusesForeignTokens) {
  coppice_program program = programOf(12, 100);
  Memory memory;
  coppice_session *session = nullptr;
  ASSERT_EQ(coppice_core_session_init(&program, 17, &memory, sizeof memory, &session), COPPICE_OK);
  coppice_row row;
  for (int32_t token : {-1, 10, INT32_MAX, INT32_MIN})
    EXPECT_EQ(coppice_core_session_push(session, token, &row), COPPICE_BAD_TOKEN);
  EXPECT_EQ(session->position, 0u);
}

// Truncating goes back, never forward.
TEST(Session, Truncates) {
  coppice_program program = programOf(12, 100);
  Memory memory;
  coppice_session *session = nullptr;
  ASSERT_EQ(coppice_core_session_init(&program, 17, &memory, sizeof memory, &session), COPPICE_OK);
  coppice_row row;
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(coppice_core_session_push(session, 3, &row), COPPICE_OK);
  EXPECT_EQ(coppice_core_session_truncate(session, 6), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_core_session_truncate(session, 2), COPPICE_OK);
  ASSERT_EQ(coppice_core_session_push(session, 3, &row), COPPICE_OK);
  EXPECT_EQ(row.position, 2);
}

// Memory that is too small, misaligned or null, and contexts that are too long, are refused.
TEST(Session, RefusesBadMemory) {
  coppice_program program = programOf(12, 100);
  Memory memory;
  coppice_session *session = nullptr;
  size_t bytes = coppice_core_session_bytes(&program, 17);
  EXPECT_EQ(coppice_core_session_init(&program, 17, &memory, bytes - 1, &session),
            COPPICE_TOO_SMALL);
  EXPECT_EQ(coppice_core_session_init(&program, 17, memory.bytes + 16, bytes, &session),
            COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_core_session_init(&program, 17, nullptr, bytes, &session),
            COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_core_session_init(&program, 0, &memory, bytes, &session), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_core_session_init(&program, 101, &memory, bytes, &session),
            COPPICE_CONTEXT_FULL);
  EXPECT_EQ(session, nullptr);
}

// Other memory, and the session of another program, are told apart.
TEST(Session, KnowsItsProgram) {
  coppice_program program = programOf(12, 100), other = program;
  Memory memory;
  std::memset(&memory, 0, sizeof memory);
  EXPECT_EQ(coppice_core_session_check(reinterpret_cast<coppice_session *>(&memory), &program),
            COPPICE_BAD_SESSION);
  coppice_session *session = nullptr;
  ASSERT_EQ(coppice_core_session_init(&program, 17, &memory, sizeof memory, &session), COPPICE_OK);
  EXPECT_EQ(coppice_core_session_check(session, &program), COPPICE_OK);
  EXPECT_EQ(coppice_core_session_check(session, nullptr), COPPICE_OK);
  EXPECT_EQ(coppice_core_session_check(session, &other), COPPICE_BAD_SESSION);
  EXPECT_EQ(coppice_core_session_check(nullptr, &program), COPPICE_BAD_SESSION);
}
