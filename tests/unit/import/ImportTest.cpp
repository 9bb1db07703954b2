// Importing what is common to all families: end tokens, config.json itself; and real models where
// they are at hand.
#include "ImportFixture.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <cstdlib>
#include <set>

using namespace coppice;
using namespace coppice::test;

namespace {

// End tokens: config's and generation_config's together, the family's default where neither says.
TEST_F(Import, EndTokens) {
  writeWeights(llamaWeights());
  using Ids = std::vector<int32_t>;
  const std::tuple<const char *, const char *, Ids> cases[] = {
      {"", "", {2}},
      {R"(, "eos_token_id": 3)", "", {3}},
      {R"(, "eos_token_id": null)", "", {}},
      {R"(, "eos_token_id": 3)", R"({"eos_token_id": [3, 5], "temperature": 0.6})", {3, 5}},
      {"", R"({"eos_token_id": 5})", {5}},
      {"", R"({"temperature": 0.6})", {2}}};
  for (const auto &[config, generation, expected] : cases) {
    folder.write("config.json",
                 std::string(llamaConfig) + ", \"tie_word_embeddings\": true" + config + "}");
    (void)llvm::sys::fs::remove(folder.path("generation_config.json"));
    if (*generation)
      folder.write("generation_config.json", generation);
    auto model = import();
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    EXPECT_EQ(model->stopTokens, expected) << config << generation;
  }
  folder.write("generation_config.json", R"({"eos_token_id": 11})");
  EXPECT_HOLDS(errorOf(), "generation_config.json: field \"eos_token_id\" is 11");
  folder.write("generation_config.json", "[]");
  EXPECT_HOLDS(errorOf(), "generation_config.json: an object is wanted");
}

// A model_type that is not known, or none, names those that are; one that is near to one of them
// says which, or what its owner can do.
TEST_F(Import, RefusesOtherModelTypes) {
  writeWeights(llamaWeights());
  auto with = [&](llvm::StringRef name) {
    folder.write("config.json", ("{\"model_type\": \"" + name + "\"}").str());
    return errorOf();
  };
  std::string known = "; supported are: " + llvm::join(supportedModelTypes(), ", ");
  EXPECT_HOLDS(known, ": falcon, gemma, ");
  EXPECT_HOLDS(with("mamba"), "\"model_type\" is \"mamba\", which is not supported" + known);
  EXPECT_TRUE(llvm::StringRef(with("bloom")).ends_with(known)) << with("bloom");
  const std::pair<const char *, const char *> near[] = {
      {"lama", "; did you mean \"llama\"?"},
      {"LLaMA", "; did you mean \"llama\"?"},
      {"llama3", "; did you mean \"llama\"?"},
      {"gpt-neox", "; did you mean \"gpt_neox\"?"},
      {"gptneox", "; did you mean \"gpt_neox\"?"},
      {"mixtrl", "; did you mean \"mixtral\"?"},
      {"starcoder", "; did you mean \"starcoder2\"?"},
      {"qwen", "; it is Qwen 1; Qwen 1.5, 2 and 2.5 are \"qwen2\""},
      {"llama4", "; it is of text and pictures, and of experts; Llama 1 to 3 are \"llama\""},
      {"gemma3", "; it is of text and pictures; its text part alone is read"},
      {"refinedweb", "; it is the form before conversion"}};
  for (auto [name, message] : near)
    EXPECT_HOLDS(with(name), message);
  folder.write("config.json", "{}");
  EXPECT_HOLDS(errorOf(), "\"model_type\" is missing" + known);
  folder.write("config.json", R"({"model_type": null})");
  EXPECT_HOLDS(errorOf(),
               "\"model_type\" is null, which is no value, and one is needed; supported");
}

// A token that the library assumes is none of a vocabulary that is too small for it.
TEST_F(Import, DefaultTokensAreOfTheVocabulary) {
  writeModel(R"({"model_type": "gpt2", "vocab_size": 50256, "n_embd": 4, "n_head": 2,
                 "n_layer": 1})");
  auto model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_TRUE(model->stopTokens.empty() && !model->bos);
  writeModel(R"({"model_type": "gpt2", "vocab_size": 50257, "n_embd": 4, "n_head": 2,
                 "n_layer": 1})");
  model = import();
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(model->stopTokens, (std::vector<int32_t>{50256}));
  EXPECT_EQ(model->bos, 50256);
}

// config.json itself: missing, no object, broken, with a field that changes the model.
TEST_F(Import, RefusesBrokenConfigs) {
  writeWeights(llamaWeights());
  EXPECT_HOLDS(errorOf(), "config.json: there is no such file beside the weights");
  ASSERT_FALSE(llvm::sys::fs::create_link(folder.path("config.json"), folder.path("config.json")));
  EXPECT_HOLDS(errorOf(), "config.json: cannot read it: Too many levels of symbolic links");
  ASSERT_FALSE(llvm::sys::fs::remove(folder.path("config.json")));
  folder.write("config.json", "");
  EXPECT_HOLDS(errorOf(), "config.json: the file is empty");
  folder.write("config.json", "3");
  EXPECT_HOLDS(errorOf(), "config.json: an object is wanted, and this is 3");
  folder.write("config.json", std::string(200000, '['));
  EXPECT_HOLDS(errorOf(), "nested deeper");
  folder.write("config.json", std::string(llamaConfig) + ", \"sliding_window\": 512}");
  EXPECT_HOLDS(errorOf(), "field \"sliding_window\" is 512");
  folder.write("config.json", std::string(llamaConfig) + ", \"new_trick\": true}");
  EXPECT_HOLDS(errorOf(), "field \"new_trick\" is true, which is not known");
}

// A family is one file of its folder and nothing else: there are as many as files, and the sources
// that all share name none of them.
TEST(Families, AreOneFileEach) {
  std::string room = COPPICE_SOURCE_DIR "/compiler/import/";
  std::error_code code;
  std::set<std::string> names;
  for (llvm::sys::fs::directory_iterator at(room + "families", code), end; !code && at != end;
       at.increment(code))
    names.insert(llvm::sys::path::stem(at->path()).str());
  ASSERT_FALSE(code);
  EXPECT_EQ(names.size(), supportedModelTypes().size());
  for (const char *file : {"CMakeLists.txt", "Family.h", "Import.cpp", "Import.h"}) {
    auto text = llvm::MemoryBuffer::getFile(room + file);
    ASSERT_TRUE(bool(text)) << file;
    for (const std::string &name : names)
      for (const std::string &form : {name + ".cpp", "families::" + name})
        EXPECT_FALSE((*text)->getBuffer().contains(form)) << file << " names " << name;
    for (llvm::StringRef type : supportedModelTypes())
      EXPECT_FALSE((*text)->getBuffer().contains(("\"" + type + "\"").str())) << file;
  }
}

// More layers or tokens than an artifact has numbers for are refused before any weight is looked
// at.
TEST_F(Import, RefusesWhatNoArtifactHolds) {
  writeWeights(SafetensorsWriter().add("other", {1}));
  auto with = [&](const char *vocab, const char *layers) {
    folder.write("config.json", R"({"model_type": "opt", "hidden_size": 8, "ffn_dim": 6,
      "num_attention_heads": 4, "vocab_size": )" +
                                    std::string(vocab) + ", \"num_hidden_layers\": " + layers +
                                    "}");
    return errorOf();
  };
  EXPECT_HOLDS(with("11", "4096"), "embed_tokens.weight\" is missing");
  EXPECT_HOLDS(with("11", "4097"), "\"num_hidden_layers\" is 4097, which is not an integer from 1 "
                                   "to 4096");
  EXPECT_HOLDS(with("4194304", "1"), "embed_tokens.weight\" is missing");
  EXPECT_HOLDS(with("4194305", "1"),
               "\"vocab_size\" is 4194305, which is not an integer from 1 to 4194304");
}

// A file of no tensors at all: the error still names a place, the folder.
TEST_F(Import, NamesTheFolderOfAnEmptyCheckpoint) {
  writeWeights(SafetensorsWriter());
  folder.write("config.json", std::string(llamaConfig) + "}");
  EXPECT_EQ(errorOf().find(folder.path() + ": tensor \"model.embed_tokens.weight\" is missing"), 0u)
      << errorOf();
}

// Configs as published pass whole: what is missing then is the first tensor, not understanding.
TEST_F(Import, TakesPublishedConfigs) {
  writeWeights(SafetensorsWriter().add("other", {1}));
  const char *const configs[] = {
      // OPT-350m
      R"({"_name_or_path": "facebook/opt-350m", "activation_dropout": 0.0,
          "activation_function": "relu", "architectures": ["OPTForCausalLM"],
          "attention_dropout": 0.0, "bos_token_id": 2, "do_layer_norm_before": false,
          "dropout": 0.1, "eos_token_id": 2, "ffn_dim": 4096, "hidden_size": 1024,
          "init_std": 0.02, "layerdrop": 0.0, "max_position_embeddings": 2048, "model_type": "opt",
          "num_attention_heads": 16, "num_hidden_layers": 24, "pad_token_id": 1, "prefix": "</s>",
          "torch_dtype": "float16", "transformers_version": "4.19.2", "use_cache": true,
          "vocab_size": 50272, "word_embed_proj_dim": 512})",
      // OPT-13b
      R"({"_name_or_path": "facebook/opt-13b", "_remove_final_layer_norm": false,
          "activation_dropout": 0.0, "activation_function": "relu", "attention_dropout": 0.0,
          "bos_token_id": 2, "do_layer_norm_before": true, "dropout": 0.1, "eos_token_id": 2,
          "ffn_dim": 20480, "hidden_size": 5120, "init_std": 0.02, "layerdrop": 0.0,
          "max_position_embeddings": 2048, "model_type": "opt", "num_attention_heads": 40,
          "num_hidden_layers": 40, "output_projection": true, "pad_token_id": 1,
          "prefix": "</s>", "use_cache": true, "vocab_size": 50272,
          "word_embed_proj_dim": 5120})",
      // Llama 3.2 1B Instruct
      R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
          "attention_dropout": 0.0, "bos_token_id": 128000,
          "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu",
          "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192,
          "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
          "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
          "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0,
          "high_freq_factor": 4.0, "low_freq_factor": 1.0,
          "original_max_position_embeddings": 8192, "rope_type": "llama3"},
          "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
          "transformers_version": "4.45.0.dev0", "use_cache": true, "vocab_size": 128256})",
      // SmolLM2 135M, as a later library writes it
      R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
          "attention_dropout": 0.0, "bos_token_id": 0, "dtype": "bfloat16", "eos_token_id": 0,
          "head_dim": 64, "hidden_act": "silu", "hidden_size": 576,
          "initializer_range": 0.041666666666666664, "intermediate_size": 1536,
          "is_llama_config": true, "max_position_embeddings": 8192, "mlp_bias": false,
          "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30,
          "num_key_value_heads": 3, "pad_token_id": null, "pretraining_tp": 1,
          "rms_norm_eps": 1e-05, "rope_interleaved": false,
          "rope_parameters": {"rope_theta": 100000, "rope_type": "default"},
          "tie_word_embeddings": true, "transformers_version": "5.15.1", "use_cache": true,
          "vocab_size": 49152})"};
  for (const char *config : configs) {
    folder.write("config.json", config);
    EXPECT_HOLDS(errorOf(), "embed_tokens.weight\" is missing");
  }
}

// transformers 5 writes one object where its predecessor writes a base, a part and a scaling, by
// names of each family's own: the same graph.
TEST_F(Import, TakesBothFormsOfRotaryParameters) {
  struct {
    const char *type, *older, *newer;
  } cases[] = {
      {"llama",
       R"("rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
          "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8})",
       R"("rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8.0,
          "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8})"},
      {"qwen3", R"("rope_theta": 1000000, "head_dim": 4, "num_key_value_heads": 2)",
       R"("rope_parameters": {"rope_theta": 1000000, "rope_type": "default"}, "head_dim": 4,
          "num_key_value_heads": 2,
          "layer_types": ["full_attention"])"},
      {"phi", R"("rope_theta": 50, "partial_rotary_factor": 0.5)",
       R"("rope_parameters": {"rope_theta": 50, "partial_rotary_factor": 0.5,
          "rope_type": "default"})"},
      {"gpt_neox", R"("rotary_emb_base": 50, "rotary_pct": 0.5)",
       R"("rope_parameters": {"rope_theta": 50, "partial_rotary_factor": 0.5,
          "rope_type": "default"})"},
      {"starcoder2",
       R"("rope_theta": 999999.4420358813, "rope_scaling": {"type": "linear", "factor": 2})",
       R"("rope_parameters": {"rope_theta": 999999.4420358813, "rope_type": "linear",
          "factor": 2})"},
      {"phi3",
       R"("original_max_position_embeddings": 8, "rope_scaling": {"type": "longrope",
          "short_factor": [1, 2], "long_factor": [3, 4]})",
       R"("original_max_position_embeddings": 8, "rope_parameters": {"rope_type": "longrope",
          "short_factor": [1, 2], "long_factor": [3, 4], "rope_theta": 10000.0,
          "partial_rotary_factor": 1.0, "original_max_position_embeddings": 8})"}};
  for (const auto &one : cases) {
    auto config = [&](const char *fields, const char *dtype) {
      return std::string(R"({"model_type": ")") + one.type + R"(", "vocab_size": 5,
          "hidden_size": 8, "intermediate_size": 3, "num_hidden_layers": 1,
          "num_attention_heads": 2, "max_position_embeddings": 32, ")" +
             dtype + R"(": "bfloat16", )" + fields + "}";
    };
    writeModel(config(one.older, "torch_dtype"));
    std::string older = function();
    EXPECT_HOLDS(older, "lm.rope");
    folder.write("config.json", config(one.newer, "dtype"));
    EXPECT_EQ(function(), older) << one.type;
  }
}

//===----------------------------------------------------------------------===//
// Real models, which are not part of the repository
//===----------------------------------------------------------------------===//

std::string realModel(llvm::StringRef name) {
  const char *root = std::getenv("COPPICE_MODELS");
  llvm::SmallString<256> path(root ? root : COPPICE_SOURCE_DIR "/../shared/models");
  llvm::sys::path::append(path, name);
  return llvm::sys::fs::exists(path + "/config.json") ? std::string(path) : "";
}

// A real Llama: five layers, and the facts of its README.
TEST_F(Import, RealLlama) {
  std::string path = realModel("stories260k");
  if (path.empty())
    GTEST_SKIP() << "stories260k is neither in $COPPICE_MODELS nor in ../shared/models";
  auto model = importFrom(path);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(model->modelType, "llama");
  EXPECT_EQ(model->context, 512);
  EXPECT_EQ(model->vocab, 512);
  EXPECT_EQ(model->stopTokens, std::vector<int32_t>{2});
  int blocks = 0;
  model->module->walk([&](lm::BlockOp) { ++blocks; });
  EXPECT_EQ(blocks, 10);
  model->module->walk([&](lm::AttentionOp op) {
    EXPECT_EQ(op.getKvMap(), (llvm::ArrayRef<int32_t>{0, 0, 1, 1, 2, 2, 3, 3}));
  });
}

// A real OPT: every tensor of its checkpoint has a place, 1,386,752 parameters in all.
TEST_F(Import, RealOpt) {
  std::string path = realModel("opt-icl");
  if (path.empty())
    GTEST_SKIP() << "opt-icl is neither in $COPPICE_MODELS nor in ../shared/models";
  auto model = importFrom(path);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ(model->positionLimit, 512);
  EXPECT_EQ(model->bos, 2);
  int64_t parameters = 0;
  for (lm::TensorOp tensor : model->module->getOps<lm::TensorOp>())
    parameters += mlir::cast<mlir::RankedTensorType>(tensor.getType()).getNumElements();
  EXPECT_EQ(parameters, 1386752);
}

} // namespace
