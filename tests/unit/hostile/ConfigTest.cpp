// config.json with every bit flipped, every field of another kind or size, nested without end, and
// of a model that nobody knows.
#include "compiler/import/Import.h"
#include "compiler/import/Json.h"
#include "mlir/IR/MLIRContext.h"
#include "tests/unit/hostile/Support.h"
#include "llvm/Support/JSON.h"
#include <sys/resource.h>

using namespace coppice;
using namespace coppice::hostile;

namespace {
/// One model's checkpoint, and what import says of it with any config.json.
class Model {
public:
  explicit Model(const std::string &name) : folder(COPPICE_TESTS "/models/" + name) {
    Bytes bytes = readTestFile("models/" + name + "/config.json");
    config.assign(bytes.begin(), bytes.end());
    checkpoint = llvm::cantFail(Checkpoint::open(folder));
    context.disableMultithreading();
  }
  llvm::Error import(llvm::StringRef text) {
    return importModelText(folder, text, std::nullopt, *checkpoint, context).takeError();
  }

  /// The same over no checkpoint, where no tensor's extent bounds the config's.
  llvm::Error shape(llvm::StringRef text) {
    return importShape(folder + "/config.json", text, context).takeError();
  }

  std::string folder, config;
  std::unique_ptr<Checkpoint> checkpoint;
  mlir::MLIRContext context;
};

const char *const kModels[] = {"llama-gqa", "llama-rope3", "opt-post"};
// One of every build, with the fields that only it has.
const char *const kFamilies[] = {"llama-rope3",       "opt-post",         "falcon-grouped",
                                 "gemma2-caps",       "gemma3-pattern",   "gpt2",
                                 "mixtral-window",    "neox-parallel",    "phi-2",
                                 "phi3-longrope",     "qwen2-window",     "qwen3-moe-mixed",
                                 "starcoder2-window", "falcon-sequential"};
} // namespace

// Any bit flipped: refused with the file's or a tensor's name, or a sound config of its own.
TEST(HostileConfig, EveryBit) {
  Tally tally("bit flips");
  for (const char *name : kFamilies) {
    Model model(name);
    ASSERT_FALSE(bool(model.import(model.config)));
    std::string text = model.config;
    for (size_t bit = 0; bit < text.size() * 8; bit += strideOr(31)) {
      text[bit / 8] = char(text[bit / 8] ^ 1 << bit % 8);
      tally.either(model.import(text), name);
      text[bit / 8] = model.config[bit / 8];
    }
  }
}

// Any field missing, of another kind, negative, huge or not a number at all; sizes make no
// allocation, and nothing but the context and what does not matter may be anything.
TEST(HostileConfig, EveryField) {
  Tally tally("fields");
  rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  for (const char *name : kFamilies) {
    Model model(name);
    llvm::json::Object fields = *llvm::cantFail(parseJson(model.config, name)).getAsObject();
    for (auto &[key, value] : fields) {
      llvm::StringRef field = key;
      const llvm::json::Value lies[] = {nullptr,
                                        true,
                                        false,
                                        "",
                                        "x",
                                        llvm::json::Array{},
                                        llvm::json::Array{1, 2},
                                        llvm::json::Object{},
                                        llvm::json::Object{{"a", 1}},
                                        0,
                                        -1,
                                        1,
                                        2,
                                        7,
                                        0.5,
                                        65536,
                                        2147483647,
                                        2147483648,
                                        4294967296,
                                        9007199254740993,
                                        1e300,
                                        -1e300,
                                        1e-300,
                                        INT64_MAX,
                                        INT64_MIN};
      for (const llvm::json::Value &lie : lies) {
        llvm::json::Object changed = fields;
        changed[field] = lie;
        std::string text;
        llvm::raw_string_ostream(text) << llvm::json::Value(std::move(changed));
        tally.either(model.import(text), name);
        tally.either(model.shape(text), name);
      }
      llvm::json::Object fewer = fields;
      fewer.erase(field);
      std::string text;
      llvm::raw_string_ostream(text) << llvm::json::Value(std::move(fewer));
      tally.either(model.import(text), name);
      tally.either(model.shape(text), name);
    }
  }
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 200000) << "kilobytes";
}

// Cut at every place, but for the spaces at the end: refused.
TEST(HostileConfig, CutAnywhere) {
  Tally tally("cuts");
  Model model("llama-gqa");
  llvm::StringRef text = llvm::StringRef(model.config).rtrim();
  for (size_t length = 0; length < text.size(); ++length) {
    Fenced fenced(asBytes(text.take_front(length)));
    tally.mustRefuse(model.import(fenced.text()), "cut at " + std::to_string(length));
  }
}

// Sizes that the checkpoint does not have, each field alone: refused by the name of a tensor.
TEST(HostileConfig, SizesThatTheWeightsDoNotHave) {
  Tally tally("sizes");
  for (const char *name : kModels) {
    Model model(name);
    for (const char *field : {"hidden_size", "vocab_size", "num_hidden_layers"})
      for (int64_t change : {-1, 1, 1000000}) {
        if (change < 0 && llvm::StringRef(field) == "num_hidden_layers")
          continue; // fewer layers are another model, and a sound one
        llvm::json::Object fields = *llvm::cantFail(parseJson(model.config, name)).getAsObject();
        fields[field] = *fields.getInteger(field) + change;
        std::string text;
        llvm::raw_string_ostream(text) << llvm::json::Value(std::move(fields));
        tally.mustRefuse(model.import(text), std::string(field) + " of " + name);
      }
  }
}

// 100,000 levels, in every place where a value may stand.
TEST(HostileConfig, NestedWithoutEnd) {
  Tally tally("claims");
  Model model("llama-gqa");
  std::string lists(100000, '['), objects;
  for (int i = 0; i < 100000; ++i)
    objects += "{\"a\":";
  for (const std::string &deep : {lists, objects, lists + std::string(100000, ']')})
    for (const char *from : {"{", "\"silu\"", "24", "false", "null"}) {
      size_t at = model.config.find(from);
      std::string text = model.config;
      text.replace(at, *from == '{' ? text.size() : strlen(from), deep);
      tally.mustRefuse(model.import(text), "depth", "nested deeper than 64");
    }
}

// A family that is not there: all that are, and the nearest.
TEST(HostileConfig, UnknownFamilies) {
  Tally tally("families");
  Model model("llama-gqa");
  auto refuse = [&](const std::string &family, const std::string &part) {
    std::string text =
        replaced(model.config, "\"model_type\": \"llama\"", "\"model_type\": \"" + family + "\"");
    tally.mustRefuse(model.import(text), family, part);
  };
  for (const char *family : {"gpt9", "", "LLAMA2", "mamba", "optt", "op", "\\u0000", "llama "})
    refuse(family, "supported are: falcon, gemma, ");
  refuse("lama", "did you mean \"llama\"?");
  refuse("Opt", "did you mean \"opt\"?");
}
