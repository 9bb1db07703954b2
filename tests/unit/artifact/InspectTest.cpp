// What coppice inspect says of a known artifact, as text and as JSON, and of damaged files.
#include "compiler/artifact/Inspect.h"
#include "Sample.h"
#include "compiler/artifact/InspectContents.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace coppice;
using namespace coppice::test;

namespace {
struct Inspect : ::testing::Test {
  Inspect() : path(folder.file("a.coppice")) {
    llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  }
  std::string inspect(bool json) {
    std::string text;
    llvm::raw_string_ostream out(text);
    error = llvm::toString(inspectArtifact(path, json, out));
    return text;
  }
  Sample sample;
  TempFolder folder;
  std::string path, error;
};

// The whole object, so that nothing in it changes unnoticed: programs rely on it.
TEST_F(Inspect, Json) {
  auto got = llvm::json::parse(inspect(true));
  ASSERT_EQ(error, "");
  ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
  // Weights: 70 + 16 + 16 + 12 bytes in a segment of 268. Cache: 48 floats, 112 = 7 * 16 positions.
  llvm::json::Object &bytes = *got->getAsObject()->getObject("bytes");
  int64_t metadata = *bytes.getInteger("metadata");
  EXPECT_EQ(bytes.getInteger("padding"), 8192 + 268 - 128 - metadata - 100 - 114);
  bytes.erase("metadata");
  bytes.erase("padding");
  auto expected = llvm::json::parse(R"({
    "format_version": 1, "kernel_abi": 3,
    "bytes": {"file": 8460, "prefix": 128, "tokenizer": 0, "code": 100, "weights": [
      {"role": "up_proj", "formats": "f16, f32", "count": 2, "bytes": 86,
       "elements": 39},
      {"role": "norm", "formats": "f32", "count": 1, "bytes": 16, "elements": 4},
      {"role": "kv_map", "formats": "u32", "count": 1, "bytes": 12, "elements": 0}]},
    "model": {"family": "llama", "vocabulary": 300, "token_limit": 299, "context": 100,
      "parameters_before": 2000, "parameters": 500, "active_parameters": 500,
      "stop_tokens": [2, 7]},
    "layers": [
      {"attention": true, "ffn": true, "head_dim": 8,
       "heads": {"before": 4, "kept": 3, "ranges": [[0, 0], [2, 3]]},
       "kv_heads": {"before": 2, "kept": 2, "ranges": [[0, 1]]},
       "neurons": {"before": 11, "kept": 5, "ranges": [[0, 2], [5, 5], [10, 10]]},
       "experts": {"before": 0, "kept": 0, "ranges": []}},
      {"attention": false, "ffn": true, "head_dim": 8,
       "heads": {"before": 4, "kept": 0, "ranges": []},
       "kv_heads": {"before": 2, "kept": 0, "ranges": []},
       "neurons": {"before": 11, "kept": 1, "ranges": [[4, 4]]},
       "experts": {"before": 0, "kept": 0, "ranges": []}}],
    "entry_points": [{"level": 0, "rank": 0, "target": "x86-64-v3", "features": ["avx2", "fma"],
      "code_bytes": 100, "kernels": ["linear_f16", "add"], "experts_per_token": 0,
      "stages": 2,
      "arena_bytes_per_row": 128, "kv_format": null, "kv_bytes_per_position": 192, "kv_ring": null,
      "kv_bytes_at_context": 21504,
      "plan": null}],
    "provenance": {"compiler": "coppice 0.1.0", "source":
      "abababababababababababababababababababababababababababababababab",
      "calibrated": false}
  })");
  ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
  std::string a, b;
  llvm::raw_string_ostream(a) << llvm::formatv("{0:2}", *got);
  llvm::raw_string_ostream(b) << llvm::formatv("{0:2}", *expected);
  EXPECT_EQ(a, b);
}

// The text holds the same facts, a cut block is called cut, numbers are grouped.
TEST_F(Inspect, Text) {
  std::string text = inspect(false);
  ASSERT_EQ(error, "");
  for (const char *part :
       {"llama, 2 layers, vocabulary 300, context 100", "500 of 2,000 (25.0 %)",
        "x86-64-v3: avx2, fma", "arena 128 bytes a row", "192 bytes a position, 21,504 at full",
        "abababababab", "8,460", "21.21 bits a weight", "2 x f16, f32", "3 of 4", "5 of 11", "cut",
        "none"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

// A layer of experts says which are left, and the model what one token needs of its parameters.
TEST_F(Inspect, Experts) {
  LayerSummary &layer = sample.program.summary.layers[0];
  layer.neuronsBefore = 0;
  layer.neurons.clear();
  layer.expertsBefore = 8;
  layer.experts = {0, 1, 6};
  sample.program.summary.activeParameters = 400;
  sample.program.picks = 2;
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  std::string text = inspect(false);
  for (const char *part : {"400 of them active for each token", "3 of 8", "##....#."})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  auto got = llvm::json::parse(inspect(true));
  ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
  const llvm::json::Object &root = *got->getAsObject();
  EXPECT_EQ(root.getObject("model")->getInteger("active_parameters"), 400);
  EXPECT_EQ(*root.getArray("layers")->front().getAsObject()->getObject("experts"),
            (llvm::json::Object{
                {"before", 8},
                {"kept", 3},
                {"ranges", llvm::json::Array{llvm::json::Array{0, 1}, llvm::json::Array{6, 6}}}}));
  EXPECT_EQ(root.getArray("entry_points")->front().getAsObject()->getInteger("experts_per_token"),
            2);
  std::string page = folder.file("page.html");
  llvm::cantFail(drawArtifact(path, page));
  std::vector<uint8_t> drawn = readFile(page);
  std::string html(drawn.begin(), drawn.end());
  EXPECT_NE(html.find("each token is sent to 2"), std::string::npos);
  EXPECT_NE(html.find("<span id=\"active-parameters\">400</span>"), std::string::npos);

  // More than there are is refused.
  sample.program.summary.activeParameters = 501;
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  inspect(false);
  EXPECT_NE(error.find("a token needs more parameters than there are"), std::string::npos) << error;
}

// Quantized weights by name, their scales counted among the bits: 3 rows of 40 in i4 are 18 + 6
// bytes a row, in i8 34 + 10, so 6.8 bits a weight over both, and all three outputs say so.
TEST_F(Inspect, Quantized) {
  sample.checkpoint.add("q", DType::F32, {3, 40}, [](size_t i) { return 0x3f800000u + i; });
  Graph graph(sample.checkpoint, "%q = lm.weight @q : tensor<3x40xf32>");
  sample.program.weights.clear();
  sample.add(packed(graph.value(0), 3, 40, WeightFormat::I4), "down_proj", 0);
  sample.add(packed(graph.value(0), 3, 40, WeightFormat::I8, WeightLayout::Rows), "lm_head", -1);
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  auto got = llvm::json::parse(inspect(true));
  ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
  const llvm::json::Array &roles = *got->getAsObject()->getObject("bytes")->getArray("weights");
  ASSERT_EQ(roles.size(), 2u);
  const int64_t bytes[] = {3 * 24, 3 * 44};
  for (int i = 0; i < 2; ++i) {
    const llvm::json::Object &role = *roles[i].getAsObject();
    EXPECT_EQ(role.getString("formats"), i ? "i8" : "i4");
    EXPECT_EQ(role.getInteger("bytes"), bytes[i]);
    EXPECT_EQ(role.getInteger("elements"), 120);
  }
  std::string text = inspect(false);
  for (const char *part : {"204  6.80 bits a weight", "72  1 x i4", "132  1 x i8"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  std::string page = folder.file("page.html");
  llvm::cantFail(drawArtifact(path, page));
  std::vector<uint8_t> html = readFile(page);
  llvm::StringRef drawn(reinterpret_cast<const char *>(html.data()), html.size());
  for (const char *part : {"<span id=\"bits-per-weight\">6.80</span> bits each", "1 &times; i4"})
    EXPECT_TRUE(drawn.contains(part)) << part;
}

// Layers that keep the same share a line, so that eighty of them fit a screen; what is kept is
// drawn, and where a sign stands for several, + is at least half of them and - fewer.
TEST_F(Inspect, TextOfManyLayers) {
  LayerSummary layer = sample.program.summary.layers[0];
  layer.neuronsBefore = 64; // sixteen signs of four
  layer.neurons = {0, 1, 2, 3, 5, 8, 9, 13, 14, 15};
  sample.program.summary.layers.assign(80, layer);
  sample.program.summary.layers[41].heads = {1};
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  std::string text = inspect(false);
  const char *lines =
      "\n  0-40    3 of 4      2 of 2      10 of 64            #.##   #-++............"
      "\n  41      1 of 4      2 of 2      10 of 64            .#..   #-++............"
      "\n  42-79   3 of 4      2 of 2      10 of 64            #.##   #-++............"
      "\n\n";
  EXPECT_NE(text.find(lines), std::string::npos) << text;
}

// A set drawn in fewer cells than it has numbers, against counting them one by one.
TEST(InspectShares, AgainstCounting) {
  for (uint32_t before : {1u, 2u, 7u, 37u, 64u, 641u})
    for (uint32_t cells : {1u, 2u, 5u, 16u, 37u, 640u})
      for (uint32_t step : {1u, 2u, 3u, 11u}) {
        if (cells > before)
          continue;
        inspect::KeptSet set;
        set.before = before;
        for (uint32_t n = 0; n < before; n += step)
          set.kept.push_back(n);
        std::vector<double> here(cells), kept(cells);
        for (uint32_t n = 0; n < before; ++n)
          here[size_t(n) * cells / before] += 1, kept[size_t(n) * cells / before] += n % step == 0;
        std::vector<uint8_t> shares = set.shares(cells, 8);
        ASSERT_EQ(shares.size(), cells);
        for (uint32_t c = 0; c < cells; ++c) {
          ASSERT_GE(here[c], 1);
          EXPECT_EQ(shares[c] == 0, kept[c] == 0);
          EXPECT_EQ(shares[c] == 8, kept[c] == here[c]);
          EXPECT_LE(std::abs(shares[c] - 8 * kept[c] / here[c]), 1) << before << ' ' << cells;
        }
      }
}

// The page appears whole, replaces an older one, and leaves nothing beside it.
TEST_F(Inspect, DrawsAFile) {
  std::string page = folder.file("page.html");
  writeFile(page, {'o', 'l', 'd'});
  llvm::cantFail(drawArtifact(path, page));
  std::vector<uint8_t> bytes = readFile(page);
  llvm::StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  EXPECT_TRUE(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"));
  for (const char *part :
       {">500<", ">2,000<", ">8,460<", "21,504", "x86-64-v3", "abababab", "none"})
    EXPECT_TRUE(text.contains(part)) << part;
  EXPECT_EQ(folder.entries(), (std::vector<std::string>{"a.coppice", "page.html"}));
}

// Damage, no place to write, and the artifact's own place: an error, and the older page stays.
TEST_F(Inspect, DrawsNothing) {
  std::string page = folder.file("page.html");
  writeFile(page, {'o', 'l', 'd'});
  EXPECT_NE(llvm::toString(drawArtifact(path, folder.file("none/page.html"))), "");
  EXPECT_NE(llvm::toString(drawArtifact(path, path)).find("it is the artifact itself"),
            std::string::npos);
  std::vector<uint8_t> bytes = readFile(path);
  bytes.back() ^= 1;
  writeFile(path, bytes);
  EXPECT_NE(llvm::toString(drawArtifact(path, page)), "");
  EXPECT_EQ(readFile(page).size(), 3u);
  EXPECT_EQ(folder.entries(), (std::vector<std::string>{"a.coppice", "page.html"}));
}

// Names in a file are text on the page and never markup; the file's own name is not trusted either.
TEST_F(Inspect, PageEscapesNames) {
  sample.program.code[0].target = "<script>\"a&b\x1b";
  path = folder.file("<img src=x>.coppice");
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  std::string page = folder.file("page.html");
  llvm::cantFail(drawArtifact(path, page));
  std::vector<uint8_t> bytes = readFile(page);
  llvm::StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  EXPECT_FALSE(text.contains("<script") || text.contains("<img") || text.contains('\x1b'));
  EXPECT_TRUE(text.contains("&lt;script&gt;&quot;a&amp;b"));
}

// Widths that a file claims do not decide how long the page is, and those of no model are refused.
TEST_F(Inspect, PageOfWideLayers) {
  for (LayerSummary &layer : sample.program.summary.layers) {
    layer.headsBefore = layer.kvHeadsBefore = 1 << 20;
    layer.neuronsBefore = 1 << 23;
    layer.neurons.clear();
    for (int32_t n = 0; n < 4000000; n += 2)
      layer.neurons.push_back(n * 2);
  }
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  std::string page = folder.file("page.html");
  llvm::cantFail(drawArtifact(path, page));
  EXPECT_LT(readFile(page).size(), 200000u);

  sample.program.summary.layers[0].headsBefore = 1000000000;
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  std::string message = llvm::toString(drawArtifact(path, page));
  EXPECT_NE(message.find("heads, neurons and experts"), std::string::npos) << message;
}

// Every second of 700,000 neurons: which they are would take 87 KB, so the artifact counts them, in
// all layers, and each output says so instead of inventing a list.
TEST_F(Inspect, CountsWithoutNumbers) {
  LayerSummary &wide = sample.program.summary.layers[0];
  wide.neuronsBefore = 700000;
  wide.neurons.clear();
  for (int32_t i = 0; i < 700000; i += 2)
    wide.neurons.push_back(i);
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  auto got = llvm::json::parse(inspect(true));
  ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
  const int64_t before[] = {700000, 11}, kept[] = {350000, 1};
  for (int i = 0; i < 2; ++i) {
    const llvm::json::Object &layer = *(*got->getAsObject()->getArray("layers"))[i].getAsObject();
    const llvm::json::Object &neurons = *layer.getObject("neurons");
    EXPECT_EQ(neurons.getInteger("before"), before[i]);
    EXPECT_EQ(neurons.getInteger("kept"), kept[i]);
    ASSERT_TRUE(neurons.get("ranges"));
    EXPECT_TRUE(neurons.getNull("ranges"));
    EXPECT_TRUE(layer.getObject("heads")->getArray("ranges"));
  }
  std::string text = inspect(false);
  EXPECT_NE(text.find("350,000 of 700,000  #.##   not recorded\n"), std::string::npos) << text;
  EXPECT_NE(text.find("not recorded: the artifact says how many"), std::string::npos) << text;
  ASSERT_EQ(llvm::toString(drawArtifact(path, folder.file("page.html"))), "");
  std::vector<uint8_t> page = readFile(folder.file("page.html"));
  std::string html(page.begin(), page.end());
  EXPECT_NE(html.find("records how many are kept, but not which"), std::string::npos);
  EXPECT_NE(html.find("350,000 of 700,000 (50.0 %)"), std::string::npos);
}

// A model without layers is drawn; one with more than anybody has is refused by the page alone.
TEST_F(Inspect, PageOfNoLayersAndOfTooMany) {
  std::string page = folder.file("page.html");
  LayerSummary layer = sample.program.summary.layers[0];
  sample.program.summary.layers.clear();
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  llvm::cantFail(drawArtifact(path, page));
  llvm::sys::fs::remove(page);
  sample.program.summary.layers.assign(2049, layer);
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  EXPECT_NE(llvm::toString(drawArtifact(path, page)).find("2049 layers, and a page shows 2048"),
            std::string::npos);
  EXPECT_EQ(folder.entries(), (std::vector<std::string>{"a.coppice"}));
  EXPECT_NE(inspect(false).find("0-2048"), std::string::npos);
}

// Names in a file cannot write to the terminal.
TEST_F(Inspect, EscapesNames) {
  sample.program.code[0].target = "\x1b[2J";
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  EXPECT_EQ(inspect(false).find('\x1b'), std::string::npos);
  sample.program.code[0].target = "\xff";
  llvm::cantFail(writeArtifact(sample.program, sample.checkpoint, sample.inputs, path));
  EXPECT_TRUE(bool(llvm::json::parse(inspect(true))));
}

// Files that are missing, are no artifacts, were cut or damaged are refused by name, and nothing is
// printed.
TEST_F(Inspect, Refuses) {
  std::vector<uint8_t> whole = readFile(path);
  auto refused = [&](const char *part) {
    EXPECT_EQ(inspect(false), "");
    EXPECT_NE(error.find("'" + path + "': "), std::string::npos) << error;
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  std::vector<uint8_t> bytes = whole;
  bytes.back() ^= 1;
  writeFile(path, bytes);
  refused("checksum of its weights");
  bytes = whole;
  bytes[200] ^= 1;
  writeFile(path, bytes);
  refused("checksum of its head");
  writeFile(path, llvm::ArrayRef(whole).drop_back(1));
  refused("damaged");
  writeFile(path, {});
  refused("not an artifact");
  llvm::sys::fs::remove(path);
  refused("cannot be read");
}
} // namespace
