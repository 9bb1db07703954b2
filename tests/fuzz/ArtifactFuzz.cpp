// An artifact from anywhere: refused, or everything that the host builds of it before code runs.
//
// Most mutations end with both checksums made right, so that the fuzzer gets behind them; some
// change the metadata only, and then the areas behind it move as the format wants. What verifies in
// memory is opened as a file too, looked at through every function of the interface that does not
// run a kernel, and its tokenizer is exercised. `coppice inspect` describes it in its three ways.
#include "compiler/artifact/InspectContents.h"
#include "compiler/import/Json.h"
#include "runtime/host/Model.h"
#include "runtime/host/TokenizerTables.h"
#include "runtime/schema/artifact_generated.h"
#include "tests/fuzz/Fuzz.h"
#include "tests/fuzz/TokenizerChecks.h"
#include "tests/unit/runtime/ToyArtifact.h"
#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

#include "coppice/coppice.h"

using namespace coppice;

/// The path by which this process's file in memory is opened.
static std::string inMemory(const uint8_t *data, size_t size) {
  static int file = memfd_create("artifact", 0);
  FUZZ_CHECK(file >= 0 && ftruncate(file, 0) == 0);
  FUZZ_CHECK(pwrite(file, data, size, 0) == ssize_t(size));
  return "/proc/self/fd/" + std::to_string(file);
}

/// Whether a terminal shows `text` as it is. Strings in an artifact may hold anything.
static bool isPlain(llvm::StringRef text, bool lines) {
  for (unsigned char byte : text)
    if ((byte < 0x20 && !(lines && byte == '\n')) || byte == 0x7f)
      return false;
  return true;
}

static void inspectAll(const std::string &path) {
  auto contents = inspect::readContents(path);
  if (!contents) {
    FUZZ_CHECK(isPlain(llvm::toString(contents.takeError()), false));
    return;
  }
  std::string text, json, page;
  llvm::raw_string_ostream textStream(text), jsonStream(json), pageStream(page);
  inspect::writeText(*contents, textStream);
  FUZZ_CHECK(isPlain(textStream.str(), true));
  inspect::writeJson(*contents, jsonStream);
  auto parsed = parseJson(jsonStream.str(), "inspect");
  FUZZ_CHECK(bool(parsed));
  inspect::writeHtml(*contents, "artifact", pageStream);
  FUZZ_CHECK(!llvm::StringRef(pageStream.str()).contains_insensitive("<script"));
}

static void useModel(coppice_model *model) {
  coppice_info info;
  FUZZ_CHECK(coppice_model_info(model, &info) == COPPICE_OK);
  FUZZ_CHECK(strlen(info.family) < info.file_bytes && strlen(info.target) < info.file_bytes);
  FUZZ_CHECK(info.vocabulary && info.context && info.token_limit);
  (void)coppice_is_stop_token(model, 7);
  for (uint32_t positions : {0u, 1u, info.context, info.context + 1}) {
    size_t bytes = coppice_session_bytes(model, positions);
    FUZZ_CHECK(bytes % COPPICE_SESSION_ALIGNMENT == 0);
    if (bytes == 0 || bytes > (1 << 20))
      continue;
    void *memory = aligned_alloc(COPPICE_SESSION_ALIGNMENT, bytes);
    coppice_session *session;
    FUZZ_CHECK(coppice_session_init(model, positions, memory, bytes, &session) == COPPICE_OK);
    FUZZ_CHECK(coppice_session_limit(session) == positions);
    FUZZ_CHECK(coppice_session_position(session) == 0);
    free(memory);
  }
  coppice_engine *engine;
  coppice_error error;
  coppice_status status = coppice_engine_create(model, 1, 2, &engine, &error);
  FUZZ_CHECK(status == COPPICE_OK || status == COPPICE_NO_MEMORY);
  if (status == COPPICE_OK)
    coppice_engine_destroy(engine);

  const char *text = "Hello, world! \xE2\x96\x81";
  size_t count = 0;
  status = coppice_encode(model, text, strlen(text), COPPICE_ENCODE_SPELLED, nullptr, 0, &count);
  FUZZ_CHECK((status == COPPICE_NO_TOKENIZER) == !info.has_tokenizer);
  coppice_decoder *decoder;
  if (info.has_tokenizer && coppice_decoder_create(model, 0, &decoder) == COPPICE_OK) {
    const char *part;
    size_t bytes;
    for (int32_t token : {0, 5, 300, -1})
      FUZZ_CHECK(coppice_decoder_push(decoder, token, &part, &bytes) == COPPICE_OK);
    FUZZ_CHECK(coppice_decoder_finish(decoder, &part, &bytes) == COPPICE_OK);
    coppice_decoder_destroy(decoder);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::ExactCopy copy(data, size);
  runtime::VerifiedArtifact artifact;
  coppice_error error{};
  coppice_status status = runtime::verifyArtifact(copy.get(), size, false, artifact, &error);
  FUZZ_CHECK((status == COPPICE_OK) == (error.message[0] == '\0'));
  if (status != COPPICE_OK)
    return 0;
  if (const auto *tables = artifact.metadata->tokenizer()) {
    fuzz::ExactCopy blob(tables->data(), tables->size());
    coppice_tokenizer tokenizer;
    if (runtime::readTokenizer(blob.get(), tables->size(), tokenizer) == COPPICE_OK)
      fuzz::exercise(tokenizer);
  }
  std::string path = inMemory(data, size);
  inspectAll(path);
  coppice_model *model = nullptr;
  status = coppice_model_open(path.c_str(), nullptr, &model, &error);
  FUZZ_CHECK((status == COPPICE_OK) == (model != nullptr));
  if (model) {
    useModel(model);
    coppice_model_close(model);
  } else {
    FUZZ_CHECK(error.message[0] != '\0' && isPlain(error.message, false));
  }
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

/// Puts `metadata` in place of the file's, moves the areas behind it, and seals the whole.
static std::vector<uint8_t> withMetadata(const std::vector<uint8_t> &file,
                                         const std::vector<uint8_t> &metadata) {
  coppice_prefix prefix = toy::prefixOf(file);
  auto area = [&](coppice_range range) {
    uint64_t begin = std::min<uint64_t>(range.offset, file.size());
    uint64_t bytes = std::min<uint64_t>(range.bytes, file.size() - begin);
    return std::vector<uint8_t>(file.begin() + begin, file.begin() + begin + bytes);
  };
  std::vector<uint8_t> result(sizeof prefix);
  auto put = [&](const std::vector<uint8_t> &bytes, coppice_range &range) {
    range = {result.size(), bytes.size()};
    result.insert(result.end(), bytes.begin(), bytes.end());
  };
  auto pad = [&] { result.resize((result.size() + 4095) / 4096 * 4096); };
  std::vector<uint8_t> code = area(prefix.code), weights = area(prefix.weights);
  put(metadata, prefix.metadata);
  pad();
  put(code, prefix.code);
  pad();
  put(weights, prefix.weights);
  prefix.file_bytes = result.size();
  toy::setPrefix(result, prefix);
  toy::seal(result);
  return result;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize,
                                          unsigned seed) {
  coppice_prefix prefix;
  if (size >= sizeof prefix)
    memcpy(&prefix, data, sizeof prefix);
  if (seed % 8 == 0 || size < sizeof prefix || prefix.metadata.offset > size ||
      prefix.metadata.bytes > size - prefix.metadata.offset)
    return LLVMFuzzerMutate(data, size, maxSize);
  std::vector<uint8_t> file(data, data + size);
  if (seed % 8 == 1) { // the prefix
    LLVMFuzzerMutate(file.data(), sizeof prefix, sizeof prefix);
    toy::seal(file);
  } else {
    const uint8_t *begin = data + prefix.metadata.offset;
    std::vector<uint8_t> metadata(begin, begin + prefix.metadata.bytes);
    size_t length = metadata.size(), room = length + 256;
    metadata.resize(room);
    metadata.resize(LLVMFuzzerMutate(metadata.data(), length, seed % 8 < 6 ? length : room));
    file = withMetadata(file, metadata);
  }
  if (file.size() > maxSize)
    return LLVMFuzzerMutate(data, size, maxSize);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}
