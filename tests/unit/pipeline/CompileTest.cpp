// compile() as a whole: reproducible, compact, printable after any phase, and leaving nothing
// behind when it fails.
#include "tests/unit/pipeline/Running.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace coppice;
using namespace coppice::test;
using testing::HasSubstr;
using testing::Not;

namespace {

// The same input gives the same bytes, at any number of threads and under any name.
TEST(Compile, IsReproducible) {
  Scratch scratch;
  for (const char *model : {"opt-icl", "llama-gqa"}) {
    CompileOptions options = optionsFor(model, "", scratch.file("a.coppice"));
    options.threads = 1;
    ASSERT_EQ(compileError(options), "");
    std::string first = readAll(options.output);
    options.output = scratch.file("another-name.coppice");
    options.threads = 3;
    ASSERT_EQ(compileError(options), "");
    EXPECT_TRUE(first == readAll(options.output)) << model;
  }
}

// An artifact is its weights, its tokenizer and at most 64 KB.
TEST(Compile, AddsAtMost64KB) {
  Scratch scratch;
  struct {
    const char *model, *plan, *target;
  } cases[] = {{"opt-icl", "", "x86-64-v4"},
               {"opt-icl", "pruned", "x86-64-v3"},
               {"llama-gqa", "plan-a", "x86-64-v4"},
               {"opt-post", "", "x86-64-v3"}};
  for (auto &one : cases) {
    CompileOptions options = optionsFor(one.model, one.plan, scratch.file("m.coppice"));
    options.target = one.target;
    options.report = scratch.file("report.json");
    ASSERT_EQ(compileError(options), "");
    auto report = llvm::json::parse(readAll(options.report));
    ASSERT_TRUE(bool(report));
    int64_t total = *report->getAsObject()->getInteger("artifact_bytes");
    int64_t weights = *report->getAsObject()->getInteger("weight_bytes");
    uint64_t size = 0;
    ASSERT_FALSE(llvm::sys::fs::file_size(options.output, size));
    EXPECT_EQ(uint64_t(total), size);
    int64_t tokenizer = std::string(one.model) == "opt-icl" ? 16 * 1024 : 0;
    EXPECT_LE(total - weights - tokenizer, 64 * 1024) << one.model;
  }
}

// The longest context that the runtime opens is the longest that is compiled, whoever asks for it.
TEST(Compile, RefusesContextsThatNoRuntimeOpens) {
  Scratch scratch;
  CompileOptions options = optionsFor("llama-gqa", "", scratch.file("m.coppice"));
  options.context = 2147483631;
  ASSERT_EQ(compileError(options), "");
  EXPECT_EQ(Model(options.output).info.context, 2147483631u);
  for (uint32_t context : {2147483632u, 4294967295u}) {
    options.context = context;
    EXPECT_THAT(compileError(options),
                HasSubstr("--context " + std::to_string(context) + " is beyond the 2147483631 "));
  }

  std::string config = readAll(options.modelDir + "/config.json");
  auto fields = llvm::json::parse(config);
  ASSERT_TRUE(bool(fields));
  (*fields->getAsObject())["max_position_embeddings"] = 2147483647;
  std::error_code code;
  llvm::raw_fd_ostream(scratch.file("config.json"), code) << *fields;
  ASSERT_FALSE(llvm::sys::fs::copy_file(options.modelDir + "/model.safetensors",
                                        scratch.file("model.safetensors")));
  options.modelDir = scratch.file("");
  options.context.reset();
  EXPECT_THAT(
      compileError(options),
      HasSubstr("config.json: max_position_embeddings 2147483647 is beyond the 2147483631 "));
  options.context = 64;
  EXPECT_EQ(compileError(options), "");
}

// The report says what a plan left, in the checkpoint's numbers.
TEST(Compile, ReportsLayers) {
  Scratch scratch;
  CompileOptions options = optionsFor("opt-icl", "heads-20", scratch.file("m.coppice"));
  options.report = scratch.file("report.json");
  ASSERT_EQ(compileError(options), "");
  auto report = llvm::json::parse(readAll(options.report));
  ASSERT_TRUE(bool(report));
  const llvm::json::Object &layer = *(*report->getAsObject()->getArray("layers"))[0].getAsObject();
  // heads-20.json takes heads 2, 5 and 7 of layer 0.
  EXPECT_EQ(*layer.getArray("heads"), llvm::json::Array({0, 1, 3, 4, 6}));
  EXPECT_EQ(*layer.getInteger("heads_before"), 8);
  EXPECT_EQ(*layer.getInteger("neurons"), 512);
}

// Each phase prints what it is named for, and what the next one owes is not there yet.
TEST(Compile, StopsAfterAnyPhase) {
  Scratch scratch;
  struct {
    Phase phase;
    const char *has, *hasNot;
  } cases[] = {{Phase::Import, "lm.block", "lm.mask"},
               {Phase::Mask, "lm.mask", "pack."},
               {Phase::Shrink, "lm.block", "lm.mask"},
               {Phase::Pack, "pack.linear", "place ="},
               {Phase::Memory, "place =", "func.func"}};
  for (auto &one : cases) {
    CompileOptions options = optionsFor("llama-gqa", "plan-a", scratch.file("out.mlir"));
    options.emit = Emit::Mlir;
    options.stopAfter = one.phase;
    ASSERT_EQ(compileError(options), "");
    std::string text = readAll(options.output);
    EXPECT_THAT(text, HasSubstr(one.has));
    EXPECT_THAT(text, Not(HasSubstr(one.hasNot)));
  }
}

// The kernels of an artifact as LLVM IR and as assembly of the named target.
TEST(Compile, PrintsCode) {
  Scratch scratch;
  CompileOptions options = optionsFor("llama-gqa", "", scratch.file("out.txt"));
  options.target = "x86-64-v3";
  options.emit = Emit::Llvm;
  ASSERT_EQ(compileError(options), "");
  EXPECT_THAT(readAll(options.output), HasSubstr("define"));
  options.emit = Emit::Asm;
  ASSERT_EQ(compileError(options), "");
  EXPECT_THAT(readAll(options.output), HasSubstr("vfmadd"));
  EXPECT_THAT(readAll(options.output), Not(HasSubstr("zmm")));
}

// A context may be shorter than the model's; the cache shrinks with it. Beyond learned positions it
// is refused.
TEST(Compile, TakesAContext) {
  Scratch scratch;
  CompileOptions options = optionsFor("opt-icl", "", scratch.file("m.coppice"));
  options.context = 100;
  ASSERT_EQ(compileError(options), "");
  EXPECT_EQ(Model(options.output).info.context, 100u);
  options.context = 513;
  EXPECT_THAT(compileError(options), HasSubstr("512"));
}

// A compilation that fails leaves neither its artifact nor its report, and not an older one
// changed.
TEST(Compile, LeavesNothingBehind) {
  Scratch scratch;
  CompileOptions options = optionsFor("opt-pre", "", scratch.file("m.coppice"));
  ASSERT_EQ(compileError(options), "");
  std::string before = readAll(options.output);
  options.report = scratch.file("missing/report.json");
  EXPECT_THAT(compileError(options), HasSubstr("missing/report.json"));
  EXPECT_TRUE(before == readAll(options.output));

  options.report.clear();
  options.output = scratch.file("missing/m.coppice");
  EXPECT_THAT(compileError(options), HasSubstr("missing/m.coppice"));
  EXPECT_FALSE(llvm::sys::fs::exists(scratch.file("missing")));
  options.target = "x86-64-v9";
  EXPECT_THAT(compileError(options), HasSubstr("x86-64-v9"));
}

// Compiled with masks kept, the artifact says the same and is as large as the whole model.
TEST(Compile, KeepsMasksWhereAsked) {
  Scratch scratch;
  CompileOptions options = optionsFor("opt-icl", "heads-20", scratch.file("m.coppice"));
  ASSERT_EQ(compileError(options), "");
  uint64_t shrunk = Model(options.output).info.weight_bytes;
  options.keepMasks = true;
  ASSERT_EQ(compileError(options), "");
  uint64_t masked = Model(options.output).info.weight_bytes;
  options.plan.clear();
  options.keepMasks = false;
  ASSERT_EQ(compileError(options), "");
  uint64_t whole = Model(options.output).info.weight_bytes;
  EXPECT_LT(shrunk, whole);
  EXPECT_GE(masked, whole);
}

} // namespace
