// Each rule of the safetensors header, by a crafted file that breaks it alone.
#include "compiler/import/Safetensors.h"
#include "Folder.h"
#include "llvm/Support/Endian.h"
#include <gtest/gtest.h>

using namespace coppice;
using test::messageOf;
using test::safetensorsFile;

namespace {

llvm::Expected<std::vector<SafetensorsEntry>> read(const std::string &file) {
  return readSafetensors({reinterpret_cast<const uint8_t *>(file.data()), file.size()}, "m.st");
}

std::string errorOf(llvm::StringRef header, size_t dataBytes) {
  return messageOf(read(safetensorsFile(header, std::string(dataBytes, 0))));
}

/// One F32 tensor "a" with this shape and these offsets.
std::string one(llvm::StringRef shape, llvm::StringRef offsets, llvm::StringRef dtype = "F32") {
  return ("{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
          ",\"data_offsets\":" + offsets + "}}")
      .str();
}

// A well-formed file is read: order by place, shapes, data ranges, metadata, trailing spaces.
TEST(Safetensors, ReadsAWellFormedFile) {
  std::string data(20, 0);
  data[12] = 7;
  std::string file = safetensorsFile(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,2],"data_offsets":[12,20]},)"
      R"("a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
      R"("none":{"dtype":"I64","shape":[0,5],"data_offsets":[20,20]}}   )",
      data);
  auto entries = read(file);
  ASSERT_TRUE(bool(entries)) << llvm::toString(entries.takeError());
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[1].name, "b");
  EXPECT_EQ((*entries)[1].shape, (llvm::SmallVector<int64_t, 2>{2, 2}));
  EXPECT_EQ((*entries)[1].data.size(), 8u);
  EXPECT_EQ((*entries)[1].data[0], 7);
  EXPECT_EQ((*entries)[2].dtype, "I64");
  EXPECT_TRUE((*entries)[2].data.empty());
}

// A scalar has the empty shape and one element.
TEST(Safetensors, ReadsAScalar) { EXPECT_EQ(errorOf(one("[]", "[0,4]"), 4), ""); }

// The 8 bytes of length must be there.
TEST(Safetensors, RefusesAFileWithoutLength) {
  EXPECT_HOLDS(messageOf(read("")), "m.st: the file has 0 bytes");
  EXPECT_HOLDS(messageOf(read("1234567")), "the file has 7 bytes");
}

// The header's length is capped, and within the file, whatever it claims.
TEST(Safetensors, RefusesLengthsThatCannotBe) {
  char huge[9] = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
  EXPECT_HOLDS(messageOf(read(std::string(huge, 8) + "{}")),
               "the header claims 18446744073709551615");
  char large[8], past[8];
  llvm::support::endian::write64le(large, 100'000'001);
  EXPECT_HOLDS(messageOf(read(std::string(large, 8) + "{}")), "at most 100000000 are allowed");
  llvm::support::endian::write64le(past, 3);
  EXPECT_HOLDS(messageOf(read(std::string(past, 8) + "{}")),
               "the header claims 3 bytes, and the file has 2");
}

// The header is an object, from its first byte.
TEST(Safetensors, RefusesHeadersThatAreNoObject) {
  EXPECT_HOLDS(errorOf("[]", 0), "does not begin with {");
  EXPECT_HOLDS(errorOf(" {}", 0), "does not begin with {");
  EXPECT_HOLDS(errorOf("", 0), "does not begin with {");
  EXPECT_HOLDS(errorOf("{", 0), "m.st (header):1:2: an object is not closed");
}

// A name that stands twice is caught before the parser drops one.
TEST(Safetensors, RefusesDuplicateNames) {
  EXPECT_HOLDS(errorOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                       4),
               "the key \"a\" stands twice");
}

// __metadata__ maps strings to strings.
TEST(Safetensors, RefusesMetadataOfOtherThanStrings) {
  EXPECT_HOLDS(errorOf(R"({"__metadata__":{"n":1}})", 0), "__metadata__ holds 1 under \"n\"");
  EXPECT_HOLDS(errorOf(R"({"__metadata__":[]})", 0), "must be an object of strings");
  EXPECT_EQ(errorOf(R"({"__metadata__":{}})", 0), "");
}

// Entries have exactly their three keys, each of its type.
TEST(Safetensors, RefusesMalformedEntries) {
  EXPECT_HOLDS(errorOf(R"({"a":1})", 0), "tensor \"a\": its entry is 1");
  EXPECT_HOLDS(errorOf(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4), "dtype is missing");
  EXPECT_HOLDS(errorOf(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4), "shape is missing");
  EXPECT_HOLDS(errorOf(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "data_offsets must be");
  EXPECT_HOLDS(errorOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4),
               "unknown key \"x\"");
  EXPECT_HOLDS(errorOf(one("1", "[0,4]"), 4), "shape is 1 and must be a list");
  EXPECT_HOLDS(errorOf(one("[1]", "[0]"), 4), "data_offsets must be");
  EXPECT_HOLDS(errorOf(one("[1]", "[0,4.5]"), 4), "data_offsets must be");
  EXPECT_HOLDS(errorOf(one("[1]", "[-4,4]"), 4), "data_offsets must be");
}

// Dtypes of the format are known, others not.
TEST(Safetensors, RefusesUnknownDtypes) {
  EXPECT_HOLDS(errorOf(one("[1]", "[0,4]", "Q4_0"), 4), "the dtype \"Q4_0\" is not one");
  EXPECT_EQ(errorOf(one("[1]", "[0,1]", "F8_E4M3"), 1), "");
  EXPECT_EQ(errorOf(one("[4]", "[0,2]", "F4"), 2), "");
  EXPECT_HOLDS(errorOf(one("[3]", "[0,1]", "F4"), 1), "whole number of bytes");
}

// Extents are integers that are not negative, and products do not wrap around.
TEST(Safetensors, RefusesShapesThatCannotBe) {
  EXPECT_HOLDS(errorOf(one("[-1]", "[0,4]"), 4), "shape holds -1");
  EXPECT_HOLDS(errorOf(one("[1.5]", "[0,4]"), 4), "shape holds 1.5");
  EXPECT_HOLDS(errorOf(one("[18446744073709551615]", "[0,4]"), 4),
               "shape holds 18446744073709551615");
  // 2^62 * 4 wraps to 0 elements, 2^61 * 8 * 4 bytes to 0 bytes.
  EXPECT_HOLDS(errorOf(one("[4611686018427387904,4]", "[0,0]"), 0), "overflows");
  EXPECT_HOLDS(errorOf(one("[4611686018427387904]", "[0,0]"), 0), "overflows");
}

// Data lies in order, within the file, and is as long as dtype and shape say.
TEST(Safetensors, RefusesDataThatDoesNotFit) {
  EXPECT_HOLDS(errorOf(one("[1]", "[4,0]"), 4), "begins at 4, after its end at 0");
  EXPECT_HOLDS(errorOf(one("[2]", "[0,8]"), 4), "ends at 8, and the file has only 4");
  EXPECT_HOLDS(errorOf(one("[1]", "[18446744073709551612,18446744073709551616]"), 4),
               "data_offsets must be");
  EXPECT_HOLDS(errorOf(one("[1]", "[0,18446744073709551615]"), 4), "and the file has only 4");
  EXPECT_HOLDS(errorOf(one("[2]", "[0,4]"), 4), "has 4 bytes, and F32 of shape [2] has 8");
}

// No byte belongs to two tensors.
TEST(Safetensors, RefusesOverlaps) {
  EXPECT_HOLDS(errorOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                       R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                       12),
               "tensor \"b\": its data begins at 4 and overlaps");
  EXPECT_HOLDS(errorOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                       4),
               "overlaps");
}

// No byte belongs to none: not before, between or after tensors.
TEST(Safetensors, RefusesGapsAndTails) {
  EXPECT_HOLDS(errorOf(one("[1]", "[4,8]"), 8), "the bytes from 0 on belong to no tensor");
  EXPECT_HOLDS(errorOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                       12),
               "tensor \"b\": its data begins at 8, and the bytes from 4 on");
  EXPECT_HOLDS(errorOf(one("[1]", "[0,4]"), 5),
               "the tensors end at byte 4 of the data, and the file has 5");
  EXPECT_HOLDS(errorOf("{}", 1), "the tensors end at byte 0");
}

} // namespace
