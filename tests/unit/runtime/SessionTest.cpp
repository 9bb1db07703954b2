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

namespace {
/// 4 bytes a position, and 12 in rings of 64 positions for steps of 10 rows.
coppice_program programWithRings() {
  coppice_program program = programOf(4, 1000);
  program.ring_bytes_per_position = 12;
  program.ring_positions = 64;
  program.largest_step = 10;
  return program;
}

struct alignas(64) RingMemory {
  uint8_t bytes[64 + 208 * 4 + 64 + 64 * 12];
};

/// Takes `count` tokens in steps of `each`.
void take(coppice_session *session, uint32_t count, uint32_t each) {
  coppice_row row;
  for (uint32_t i = 0; i < count; ++i) {
    ASSERT_EQ(coppice_core_session_push(session, 3, &row), COPPICE_OK) << i;
    if ((i + 1) % each == 0 || i + 1 == count)
      coppice_core_session_settle(session, 1);
  }
}
} // namespace

// Rings take their bytes for as many positions as they hold, or the session if it is shorter.
TEST(Session, BytesHaveRingsOfTheirLength) {
  coppice_program program = programWithRings();
  EXPECT_EQ(coppice_core_session_bytes(&program, 16), 64u + 64 + 192);
  EXPECT_EQ(coppice_core_session_bytes(&program, 64), 64u + 256 + 768);
  EXPECT_EQ(coppice_core_session_bytes(&program, 80), 64u + 320 + 768);
  EXPECT_EQ(coppice_core_session_bytes(&program, 1000), 64u + 4032 + 768);
  // The parts are lines of their own; without plain caches there are rings alone.
  program.kv_bytes_per_position = 6;
  EXPECT_EQ(coppice_core_session_bytes(&program, 80), 64u + 512 + 768);
  program.kv_bytes_per_position = 0;
  EXPECT_EQ(coppice_core_session_bytes(&program, 80), 64u + 768);
  program.ring_bytes_per_position = (SIZE_MAX - 64 - 63) / 64;
  EXPECT_NE(coppice_core_session_bytes(&program, 64), 0u);
  program.ring_bytes_per_position += 1;
  EXPECT_EQ(coppice_core_session_bytes(&program, 64), 0u);
  program.kv_bytes_per_position = 4;
  program.ring_bytes_per_position -= 1;
  EXPECT_EQ(coppice_core_session_bytes(&program, 64), 0u);
}

// Rows say where the rings lie, and how many positions they hold.
TEST(Session, RowsNameTheirRings) {
  coppice_program program = programWithRings();
  RingMemory memory;
  for (auto [positions, holds] : {std::pair(40u, 48u), {64u, 64u}, {200u, 64u}}) {
    coppice_session *session = nullptr;
    ASSERT_EQ(coppice_core_session_init(&program, positions, &memory, sizeof memory, &session),
              COPPICE_OK);
    coppice_row row;
    ASSERT_EQ(coppice_core_session_push(session, 3, &row), COPPICE_OK);
    uint64_t plain = (row.kv_capacity * 4 + 63) / 64 * 64;
    EXPECT_EQ(row.kv, memory.bytes + 64);
    EXPECT_EQ(row.kv_ring, memory.bytes + 64 + plain);
    EXPECT_EQ(row.kv_ring_capacity, holds);
    EXPECT_EQ(64 + plain + (holds * 12 + 63) / 64 * 64,
              coppice_core_session_bytes(&program, positions));
  }
}

// A step takes as many rows as a ring has room for beside the window; sessions that no ring is too
// short for, and models without rings, take any number.
TEST(Session, RefusesLongStepsWhereRingsWrap) {
  coppice_program program = programWithRings();
  RingMemory memory;
  coppice_session *session = nullptr;
  coppice_row row;
  ASSERT_EQ(coppice_core_session_init(&program, 65, &memory, sizeof memory, &session), COPPICE_OK);
  EXPECT_EQ(coppice_core_session_largest_step(session), 10u);
  take(session, 9, 9);
  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(coppice_core_session_push(session, 3, &row), COPPICE_OK);
  EXPECT_EQ(coppice_core_session_push(session, 3, &row), COPPICE_LONG_STEP);
  EXPECT_EQ(session->position, 19u);
  coppice_core_session_settle(session, 0); // the step is given up
  EXPECT_EQ(session->position, 9u);
  take(session, 56, 10);

  ASSERT_EQ(coppice_core_session_init(&program, 64, &memory, sizeof memory, &session), COPPICE_OK);
  EXPECT_EQ(coppice_core_session_largest_step(session), UINT32_MAX);
  take(session, 64, 64);
  program.ring_bytes_per_position = 0;
  ASSERT_EQ(coppice_core_session_init(&program, 65, &memory, sizeof memory, &session), COPPICE_OK);
  take(session, 65, 65);
}

// Once positions have been overwritten the session goes back by a largest step from the furthest
// that it has reached, or to its beginning; before, and without rings that wrap, anywhere.
TEST(Session, GoesBackAsFarAsItsRings) {
  coppice_program program = programWithRings();
  RingMemory memory;
  coppice_session *session = nullptr;
  ASSERT_EQ(coppice_core_session_init(&program, 200, &memory, sizeof memory, &session), COPPICE_OK);
  take(session, 64, 8);
  EXPECT_EQ(coppice_core_session_truncate(session, 1), COPPICE_OK);
  take(session, 99, 10);
  EXPECT_EQ(coppice_core_session_truncate(session, 89), COPPICE_FORGOTTEN);
  EXPECT_EQ(session->position, 100u);
  EXPECT_EQ(coppice_core_session_truncate(session, 101), COPPICE_BAD_ARGUMENT);
  EXPECT_EQ(coppice_core_session_truncate(session, 92), COPPICE_OK);
  take(session, 3, 1);
  // The furthest counts, not where the session stands.
  EXPECT_EQ(coppice_core_session_truncate(session, 89), COPPICE_FORGOTTEN);
  EXPECT_EQ(coppice_core_session_truncate(session, 90), COPPICE_OK);
  EXPECT_EQ(coppice_core_session_truncate(session, 0), COPPICE_OK);
  take(session, 50, 10);
  EXPECT_EQ(coppice_core_session_truncate(session, 20), COPPICE_OK);
  take(session, 180, 10);
  EXPECT_EQ(coppice_core_session_truncate(session, 20), COPPICE_FORGOTTEN);

  ASSERT_EQ(coppice_core_session_init(&program, 64, &memory, sizeof memory, &session), COPPICE_OK);
  take(session, 64, 64);
  EXPECT_EQ(coppice_core_session_truncate(session, 1), COPPICE_OK);
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
